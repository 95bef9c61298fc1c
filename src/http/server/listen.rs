//! Where connections come in.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// How many connections the system keeps for a listener that has not taken them yet. When a launch
/// brings more at once, the system drops them and people wait a second for the next try, so it is as
/// many as Linux lets by default (`net.core.somaxconn`); a lower limit there is the one that counts.
/// The standard library asks for 128.
const BACKLOG: u32 = 4096;

/// Listens at this address.
///
/// # Errors
/// When it is not this machine's, or is taken.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a restart does not wait for connections of before.
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
    async fn a_crowd_that_comes_at_once_is_let_in() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts: what the queue does not hold would have to try again after a second.
        let at_once = Duration::from_millis(900);
        let connect = |_| TcpStream::connect_timeout(&address, at_once);
        let crowd: Result<Vec<_>, _> = (0..400).map(connect).collect();
        assert_eq!(crowd.unwrap().len(), 400);
    }
}
