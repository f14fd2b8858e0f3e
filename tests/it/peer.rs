//! Whoever is at the other end of what the exporter asks: a server, with TLS where it is wanted, or a
//! proxy that is the server too.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::exporter::PATIENCE;

/// With what a TLS handshake begins.
const HANDSHAKE: u8 = 0x16;

/// Answers a request, of which it is told the head, and the body behind it.
type Say = dyn Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// A listener that speaks what it is spoken to in: clear text, TLS, or `CONNECT` and then TLS.
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    say: Box<Say>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Peer {
    /// One that has the certificate `name.crt` of a folder, if one is named.
    pub fn start(
        certificate: Option<(&Path, &str)>,
        say: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            tls: certificate.map(|(folder, name)| tls(folder, name)),
            say: Box::new(say),
            heads: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests up to now, with their bodies.
    pub fn heads(&self) -> Vec<String> {
        let heads = self.shared.heads.lock();
        heads.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections came, whatever became of them.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // One more connection ends the wait for one.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn tls(folder: &Path, name: &str) -> Arc<ServerConfig> {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let certificate = CertificateDer::from_pem_file(file("crt")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.expect("a certificate and its key"))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        // A client that hangs up, or does not trust the certificate, is its own affair.
        std::thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut first = [0];
    stream.peek(&mut first)?;
    if first == [HANDSHAKE] {
        return serve_tls(stream, shared);
    }
    let head = shared.head(&mut stream)?;
    if head.starts_with("CONNECT ") {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        return serve_tls(stream, shared);
    }
    (shared.say)(&head, &mut stream)
}

fn serve_tls(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let config = shared.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let head = shared.head(&mut stream)?;
    (shared.say)(&head, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

impl Shared {
    fn head(&self, stream: &mut impl Read) -> io::Result<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        let mut head = String::from_utf8_lossy(&head).into_owned();
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| {
            let length = line.strip_prefix("content-length:")?;
            length.trim().parse().ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        head += &String::from_utf8_lossy(&body);
        let heads = self.heads.lock();
        heads
            .unwrap_or_else(PoisonError::into_inner)
            .push(head.clone());
        Ok(head)
    }
}

/// The address at which a peer is found by this machine, and which is none of its loopback's.
pub fn unspecified(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port())
}
