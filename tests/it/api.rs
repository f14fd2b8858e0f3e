//! The simulated API on a socket of its own, with its record and its truth at hand.

use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::thread::JoinHandle;
use std::time::Duration;

use metaaccess_exporter::event::{EventType, Minute};
use metaaccess_exporter::simulator::{Fault, Kind, Line, RateLimit, Settings, Simulator};
use tokio::sync::oneshot;

use crate::samples::Counts;

/// An access token that cannot stand anywhere by chance.
pub const TOKEN: &str = "7e57ab1e-5ca1-4b1e-9d0c-ab5e11ed70ce";

/// Noon of a day, so that the history reaches over noon, midnight and another date.
const START: Minute = Minute(28_500_000 + 720);

/// A simulated API. At the end of a test it fails the test if it was asked more than its limit allows.
#[derive(Debug)]
pub struct Api {
    simulator: Simulator,
    address: SocketAddr,
    others_ask_too: bool,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A company at rest, with a history of 23 hours. Requests are limited, but enough for no waiting.
pub fn at_rest() -> Settings {
    Settings {
        access_token: TOKEN.to_owned(),
        start: Some(START),
        speed: 0.0,
        rate: 0.0,
        rate_limit: limit(200, Duration::from_secs(1)),
        ..Settings::default()
    }
}

/// A company whose minutes take a second.
pub fn alive() -> Settings {
    Settings {
        speed: 60.0,
        rate: 20.0,
        ..at_rest()
    }
}

/// Logs in which nothing was ever written.
pub fn empty() -> Settings {
    Settings {
        history_hours: 0,
        ..at_rest()
    }
}

pub fn limit(requests: usize, window: Duration) -> RateLimit {
    RateLimit {
        requests,
        window,
        ..RateLimit::default()
    }
}

impl Api {
    pub fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, settings)
    }

    /// An API that is asked by others too, whose requests may be too many.
    pub fn shared_with_others(settings: Settings) -> Self {
        let mut api = Self::start(settings);
        api.others_ask_too = true;
        api
    }

    pub fn on(listener: TcpListener, settings: Settings) -> Self {
        let address = listener.local_addr().expect("an address");
        let simulator = Simulator::new(settings);
        let (stop, stopped) = oneshot::channel();
        let serving = simulator.clone();
        let thread = std::thread::spawn(move || serve(&serving, listener, stopped));
        Self {
            simulator,
            address,
            others_ask_too: false,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The flags of an exporter of this API that keeps to its limit.
    pub fn flags(&self) -> Vec<String> {
        let RateLimit {
            requests, window, ..
        } = self.settings().rate_limit;
        vec![
            format!("--api.base-url=http://{}", self.address),
            format!("--api.rate-limit={requests}/{}ms", window.as_millis()),
            // Counts can be compared with the truth at once.
            "--metrics.zero-for=0s".to_owned(),
        ]
    }

    /// What should have been counted up to now.
    pub fn counts(&self) -> Counts {
        let truth = self.truth();
        let counts = truth
            .counts()
            .map(|(log, event, count)| ((log.as_str().to_owned(), event), count));
        counts.collect()
    }

    /// A line of an install that has not been logged yet, `back` minutes before the present.
    pub fn install(&self, host: &str, back: i64) -> Line {
        let minute = self.present().minus(back);
        Line::device(minute, "MetaAccess", "9.9.9.9", host, "Installed")
    }

    /// Logs an install of the present minute on each host.
    pub fn install_on(&self, hosts: &[&str]) {
        let lines: Vec<Line> = hosts.iter().map(|host| self.install(host, 0)).collect();
        self.append(&lines);
    }

    /// Logs this many log-ons of administrators in the present minute.
    pub fn log_on(&self, times: usize) {
        let line = Line::device(
            self.present(),
            "Console",
            "",
            "TEST-R1W3Y",
            "Admin Logged On",
        );
        self.append(&vec![line.for_admin(); times]);
    }

    /// Makes every request for the device log fail in this way.
    pub fn fail_device_log(&self, kind: Kind) {
        let event_type = Some(EventType::Device);
        self.inject(Fault {
            event_type,
            ..Fault::always(kind).on_logs()
        });
    }
}

impl Deref for Api {
    type Target = Simulator;

    fn deref(&self) -> &Simulator {
        &self.simulator
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if std::thread::panicking() {
            return;
        }
        assert!(ended.is_none_or(|ended| ended.is_ok()), "the API broke off");
        let over_limit = self.requests().over_limit;
        assert!(
            self.others_ask_too || over_limit == 0,
            "{over_limit} requests over the limit"
        );
    }
}

fn serve(simulator: &Simulator, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let end = async {
            let _ = stopped.await;
        };
        simulator.serve(listener, end).await;
    });
}
