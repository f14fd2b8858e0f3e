//! A network between two programs of this machine that fails as a test wants it to.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// How long a write may find no room before it looks whether the connection was cut.
const WRITE_LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Takes connections on a port of its own and passes them on to another.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: Arc<Way>,
}

#[derive(Debug, Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    to: u16,
    refuses: bool,
    holds: bool,
    delay: Duration,
    closed: bool,
    /// How often all connections were cut.
    cuts: u32,
    /// The sockets of all connections, which belong to those who pass bytes on.
    open: Vec<Weak<TcpStream>>,
    /// How many threads pass bytes on, by how often all had been cut before.
    pumps: BTreeMap<u32, usize>,
}

impl Proxy {
    /// A way to a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let way = Arc::new(Way::default());
        way.lock().to = port;
        let taker = Arc::clone(&way);
        std::thread::spawn(move || taker.take(&listener));
        Self { port: own, way }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of what the way leads to, by this way.
    pub fn through(&self, url: &str) -> String {
        let port = |port: u16| format!(":{port}/");
        url.replace(&port(self.way.lock().to), &port(self.port))
    }

    /// Resets all connections that there are. None of them passes anything any more when this returns.
    pub fn cut(&self) {
        let mut state = self.way.lock();
        state.cuts += 1;
        for socket in state.open.drain(..).filter_map(|it| it.upgrade()) {
            // It wakes who reads. The last who holds the socket resets it.
            let _ = set_socket_linger(&socket, Some(Duration::ZERO));
            let _ = socket.shutdown(Shutdown::Read);
        }
        self.way.changed.notify_all();
        let cuts = state.cuts;
        // New ones may come meanwhile.
        while state.pumps.range(..cuts).any(|(_, pumps)| *pumps > 0) {
            let woken = self.way.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on, resets each new connection at once; or takes them again.
    pub fn refuse(&self, refuses: bool) {
        self.way.lock().refuses = refuses;
    }

    /// From now on, connections stay and nothing passes; or what was held passes.
    pub fn hold(&self, holds: bool) {
        self.way.lock().holds = holds;
        self.way.changed.notify_all();
    }

    /// From now on, each piece of what passes comes so much later.
    pub fn delay(&self, delay: Duration) {
        self.way.lock().delay = delay;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.way.lock().closed = true;
        self.hold(false);
        self.cut();
        // It wakes who waits for connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let Ok(client) = client else { continue };
            let state = self.lock();
            if state.closed {
                return;
            }
            if state.refuses {
                let _ = set_socket_linger(&client, Some(Duration::ZERO));
                continue;
            }
            self.open(state, client);
        }
    }

    fn open(self: &Arc<Self>, mut state: MutexGuard<'_, State>, client: TcpStream) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, state.to));
        let Ok(server) = TcpStream::connect(address) else {
            let _ = set_socket_linger(&client, Some(Duration::ZERO));
            return;
        };
        for socket in [&client, &server] {
            let _ = socket.set_nodelay(true);
            let _ = socket.set_write_timeout(Some(WRITE_LOOKS_EVERY));
        }
        let (client, server) = (Arc::new(client), Arc::new(server));
        state.open.retain(|socket| socket.strong_count() > 0);
        state.open.extend([&client, &server].map(Arc::downgrade));
        let cuts = state.cuts;
        *state.pumps.entry(cuts).or_default() += 2;
        drop(state);
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (way, from, to) = (Arc::clone(self), Arc::clone(from), Arc::clone(to));
            std::thread::spawn(move || {
                way.pump(cuts, &from, &to);
                drop((from, to));
                let mut state = way.lock();
                if let Some(pumps) = state.pumps.get_mut(&cuts) {
                    *pumps -= 1;
                }
                way.changed.notify_all();
            });
        }
    }

    /// Passes on what comes from one to the other, until the connection is cut or that side ends.
    fn pump(&self, cuts: u32, mut from: &TcpStream, to: &TcpStream) {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = from.read(&mut bytes);
            if !self.may_pass(cuts) {
                return;
            }
            let passed = match read {
                Ok(0) => false,
                Ok(read) => self.write(cuts, to, &bytes[..read]),
                Err(_) => {
                    let _ = set_socket_linger(to, Some(Duration::ZERO));
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
            };
            if !passed {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// Waits for as long as nothing may pass; whether the connection was not cut meanwhile.
    fn may_pass(&self, cuts: u32) -> bool {
        let mut state = self.lock();
        while state.holds && state.cuts == cuts {
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if !state.delay.is_zero() && state.cuts == cuts {
            let delay = state.delay;
            let waited = self
                .changed
                .wait_timeout_while(state, delay, |state| state.cuts == cuts);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.cuts == cuts
    }

    /// Whether all of it was written.
    fn write(&self, cuts: u32, mut to: &TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if self.lock().cuts != cuts {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
        true
    }
}
