//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// The connections that the system queues until they are accepted. When a launch brings more at
/// once, the system drops them and people wait a second for the next try. The value is Linux's
/// default limit (`net.core.somaxconn`); a lower limit wins. The standard library asks for 128.
const BACKLOG: u32 = 4096;

/// Listens at this address.
///
/// # Errors
/// When the address does not belong to this machine, or is taken.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a restart does not wait for earlier connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn four_hundred_connections_at_once_are_queued() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // Nothing accepts: a connection that is not queued would have to try again after a second.
        let at_once = Duration::from_millis(900);
        let connect = |_| TcpStream::connect_timeout(&address, at_once);
        let connections: Result<Vec<_>, _> = (0..400).map(connect).collect();
        assert_eq!(connections.unwrap().len(), 400);
    }
}
