//! The way to a host of the database: its addresses, and a socket that notices a dead peer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::connect_error::BoxedCause;
use crate::config::{DatabaseHost, HostPlace};
use crate::names;

/// What bytes go over.
pub(super) type Way = Box<dyn Stream>;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One address of a host.
#[derive(Debug)]
pub(super) enum Address {
    Ip(SocketAddr),
    Socket(PathBuf),
}

/// Where a host is now.
pub(super) async fn addresses(host: &DatabaseHost) -> Result<Vec<Address>, BoxedCause> {
    let name = match &host.place {
        HostPlace::Socket(folder) => {
            let file = format!(".s.PGSQL.{}", host.port);
            return Ok(vec![Address::Socket(folder.join(file))]);
        }
        HostPlace::Name(name) => name,
    };
    let ips = match name.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => names::look_up(name).await?,
    };
    let ips = ips.into_iter();
    Ok(ips.map(|ip| Address::Ip((ip, host.port).into())).collect())
}

pub(super) async fn open(address: &Address) -> io::Result<Way> {
    match address {
        Address::Ip(address) => Ok(Box::new(open_tcp(*address).await?)),
        Address::Socket(path) => open_socket(path).await,
    }
}

async fn open_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    notice_silence(&socket)?;
    Ok(socket)
}

#[cfg(unix)]
async fn open_socket(path: &std::path::Path) -> io::Result<Way> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn open_socket(_: &std::path::Path) -> io::Result<Way> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A machine that says nothing is taken for dead: after 5 s where it idles, and 5 s after what it was
/// sent where something waits for it. Without that, the system waits for a quarter of an hour.
#[cfg(target_os = "linux")]
fn notice_silence(socket: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    use std::time::Duration;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(2))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(1))?;
    sockopt::set_tcp_keepcnt(socket, 3)?;
    sockopt::set_tcp_user_timeout(socket, 5000)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
fn notice_silence(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_peer_that_is_gone_is_noticed_in_seconds() {
        use rustix::net::sockopt;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let socket = open_tcp(address).await.unwrap();
        assert!(socket.nodelay().unwrap());
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        let idle = sockopt::tcp_keepidle(&socket).unwrap();
        let each = sockopt::tcp_keepintvl(&socket).unwrap();
        let tries = sockopt::tcp_keepcnt(&socket).unwrap();
        assert_eq!((idle + each * tries).as_secs(), 5);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 5000);
    }

    #[tokio::test]
    async fn a_host_has_the_addresses_of_its_name_and_a_socket_its_file() {
        let at = |place| DatabaseHost { place, port: 5432 };
        let found = async |place| format!("{:?}", addresses(&at(place)).await.unwrap());
        let name = |name: &str| HostPlace::Name(name.to_owned());
        assert_eq!(found(name("::1")).await, "[Ip([::1]:5432)]");
        let found_first = found(name("localhost")).await;
        assert!(
            found_first.starts_with("[Ip(127.0.0.1:5432)"),
            "{found_first}"
        );
        let folder = HostPlace::Socket("/run/postgresql".into());
        let file = "[Socket(\"/run/postgresql/.s.PGSQL.5432\")]";
        assert_eq!(found(folder).await, file);
    }
}
