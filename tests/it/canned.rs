//! A listener that answers as it is told, for what the simulator would never say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use metaaccess_exporter::clock;
use metaaccess_exporter::moment::Moment;

/// What it answers to the first line of a request: everything that goes over the wire.
type Say = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// A server of canned answers, one request a connection.
#[derive(Debug)]
pub struct Canned {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(Moment, String)>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Canned {
    pub fn start(say: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (asked, stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (noted, until) = (Arc::clone(&asked), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                // A client that hangs up is its own affair.
                let _ = serve(stream, &say, &noted);
            }
        });
        Self {
            address,
            asked,
            stopped,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When each connection came, and what it asked first.
    pub fn asked(&self) -> Vec<(Moment, String)> {
        let asked = self.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // One more connection ends the wait for one.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(
    mut stream: TcpStream,
    say: &Say,
    noted: &Mutex<Vec<(Moment, String)>>,
) -> std::io::Result<()> {
    let now = clock::now();
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    noted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((now, first.clone()));
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    stream.write_all(&say(&first))
}

/// An answer of status 200 with this JSON.
pub fn json(body: &str) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// An answer of this status with this JSON and these further headers.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}
