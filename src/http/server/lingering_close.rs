//! Closes a connection so that a client that is still sending receives its response.
//!
//! Closing a socket with unread bytes sends a reset, and a reset makes the client's system discard
//! the response (RFC 9112, 9.6). So further input is read for a while and discarded.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest time that a client is read from.
const MAX_TIME: Duration = Duration::from_secs(5);
/// The longest silence of the client within that time.
const SILENCE: Duration = Duration::from_secs(1);
/// The most bytes that are read.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The bytes that are discarded at once, on the stack: a client that lingers costs no buffer.
const CHUNK: usize = 4 * 1024;

/// Permits for connections that are read from after their last response. Further ones are closed at
/// once.
static LINGERING: Semaphore = Semaphore::const_new(1_024);

/// Permits for connections that receive the 503. Further ones are closed without it.
static REJECTING: Semaphore = Semaphore::const_new(64);

/// Sent to a connection that does not fit. Its request is not read.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// Shuts down the sending side, and discards the bytes that the client still sends.
async fn linger(mut socket: TcpStream) {
    let reading = async {
        socket.shutdown().await?;
        let mut total = 0;
        while total < MAX_BYTES {
            let Ok(Ok(())) = timeout(SILENCE, socket.readable()).await else { break };
            match socket.try_read(&mut [0; CHUNK]) {
                Ok(read) if read > 0 => total += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => break,
            }
        }
        io::Result::Ok(())
    };
    if let Ok(Err(error)) = timeout(MAX_TIME, reading).await {
        tracing::trace!("cannot shut down a connection: {error}");
    }
}

/// Closes a connection after its last response.
pub(super) async fn close_lingering(socket: TcpStream) {
    if let Ok(_permit) = LINGERING.try_acquire() {
        linger(socket).await;
    }
}

/// The task that sends a 503 to a connection that does not fit; `None` when too many receive one.
pub(super) fn reject_overload(mut socket: TcpStream) -> Option<impl Future<Output = ()>> {
    let permit = REJECTING.try_acquire().ok()?;
    Some(async move {
        // Clients treat a response that precedes their request as a protocol error.
        if let Ok(Ok(())) = timeout(SILENCE, socket.readable()).await
            && let Ok(Ok(())) = timeout(SILENCE, socket.write_all(OVERLOADED)).await
        {
            linger(socket).await;
        }
        drop(permit);
    })
}
