//! The last moments of a connection: what was answered reaches a client that is still sending.
//!
//! A socket that is closed while bytes of the client's have not been read sends a reset, and a reset
//! makes the client's system throw the answer away (RFC 9112, 9.6). So what comes is read for a
//! while, and thrown away.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long is read for, at most.
const LONGEST: Duration = Duration::from_secs(5);
/// How long the client may be silent meanwhile.
const SILENCE: Duration = Duration::from_secs(1);
/// How much is read, at most.
const MOST: usize = 16 * 1024 * 1024;
/// How much is thrown away at once.
const CHUNK: usize = 16 * 1024;

/// How many connections are refused with words at once; others are just closed.
const REFUSALS: usize = 64;

/// Told to a connection that there is no room for. Whom it comes from and what it asks is not read.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// Says that nothing more comes, and reads what the client still sends.
pub(super) async fn linger(mut socket: TcpStream) {
    let reading = async {
        socket.shutdown().await?;
        let mut chunk = vec![0; CHUNK];
        let mut read = 0;
        while read < MOST {
            match timeout(SILENCE, socket.read(&mut chunk)).await {
                Ok(Ok(more)) if more > 0 => read += more,
                Ok(Ok(_) | Err(_)) | Err(_) => break,
            }
        }
        io::Result::Ok(())
    };
    if let Ok(Err(error)) = timeout(LONGEST, reading).await {
        tracing::trace!("a connection could not be ended: {error}");
    }
}

/// Who tells connections that there is no room.
#[derive(Debug, Clone)]
pub(super) struct OverloadResponder(Arc<Semaphore>);

impl OverloadResponder {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REFUSALS)))
    }

    /// The work of refusing a connection; `None` when too many are being refused.
    pub(super) fn refuse(&self, mut socket: TcpStream) -> Option<impl Future<Output = ()> + use<>> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(async move {
            // Clients take an answer that comes before their request for a fault of the protocol.
            if let Ok(Ok(())) = timeout(SILENCE, socket.readable()).await
                && let Ok(Ok(())) = timeout(SILENCE, socket.write_all(REFUSAL)).await
            {
                linger(socket).await;
            }
            drop(permit);
        })
    }
}
