//! A client that writes and reads raw bytes, for tests of badly behaved clients.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest time of one operation before the test fails.
const LONG: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connects and sends these bytes.
    pub(crate) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]> + Send) -> Self {
        let mut raw = Self::connect(address).await;
        raw.write(bytes).await;
        raw
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]> + Send) {
        timeout(LONG, self.0.write_all(bytes.as_ref())).await.unwrap().unwrap();
    }

    /// Writes, and returns whether the other side accepted it.
    pub(crate) async fn try_write(&mut self, bytes: impl AsRef<[u8]> + Send) -> bool {
        timeout(LONG, self.0.write_all(bytes.as_ref())).await.unwrap().is_ok()
    }

    /// Shuts down the sending side.
    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads up to this text, including it.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let reading = timeout(LONG, async {
            while !read.ends_with(text.as_bytes()) {
                match self.0.read_u8().await {
                    Ok(byte) => read.push(byte),
                    Err(_) => return false,
                }
            }
            true
        });
        let found = reading.await.unwrap();
        let read = String::from_utf8_lossy(&read).into_owned();
        assert!(found, "no {text:?} in {read:?}");
        read
    }

    /// Reads the head of a response.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads until the other side closes. Fails on a reset, which may destroy a response.
    pub(crate) async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        timeout(LONG, self.0.read_to_end(&mut read)).await.unwrap().unwrap();
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Waits until the other side closes or resets the connection.
    pub(crate) async fn closed(&mut self) {
        let mut read = Vec::new();
        drop(timeout(LONG, self.0.read_to_end(&mut read)).await.unwrap());
    }
}
