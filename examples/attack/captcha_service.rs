//! A captcha service that rejects every token, and counts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const BODY: &str = r#"{"success":false,"error-codes":["invalid-input-response"]}"#;

/// The running service. Stops on drop.
pub(crate) struct CaptchaService {
    pub(crate) url: String,
    asked: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

impl CaptchaService {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/siteverify", listener.local_addr()?);
        let asked = Arc::new(AtomicUsize::new(0));
        let mut running = JoinSet::new();
        let count = Arc::clone(&asked);
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(reject(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { url, asked, _running: running })
    }

    /// The number of tokens that it was asked about.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Rejects the tokens of one connection. Each request fits into one read.
async fn reject(mut stream: TcpStream, asked: Arc<AtomicUsize>) {
    let mut read = [0; 16 * 1024];
    while stream.read(&mut read).await.is_ok_and(|bytes| bytes > 0) {
        asked.fetch_add(1, Ordering::Relaxed);
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}
