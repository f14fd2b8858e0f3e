//! The vendor's API with a known truth: for `demo`, for `simulate`, and for tests.
//!
//! A request walks through it like this: `server` reads it from a socket, `vendor` holds it against
//! the `limit`, lets a `fault` strike it, checks its `token` and its parameters, and takes the page
//! from the `world`, whose `company` writes two `log`s and whose `truth` remembers every line;
//! `answer` writes the page. `control` has the paths that the vendor does not have.
//!
//! - There is no timer: the world moves on to the present when it is asked, so that a paused world
//!   is exactly at rest.
//! - All but `server` and `body` is told the time and opens no socket.
//! - The truth is what the writer of a line says should be counted. Nothing here reads a line back.

mod answer;
mod arrivals;
mod asked;
mod body;
mod change;
mod company;
mod control;
mod fault;
mod limit;
mod line;
mod log;
mod pace;
mod posted;
mod reply;
mod rng;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod told;
mod truth;
mod vendor;
mod world;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

pub use answer::Style;
pub use change::{Change, PRIVATE};
pub use fault::{Fault, Kind, Target, Wait};
pub use limit::{PathKind, RateLimit, Received, Record};
pub use line::Line;
pub use log::{Order, PastTheEnd, Purge, Raw};
pub use settings::{
    ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, Drift, HeaderMode, ResetForm, Retention, Settings,
};
pub use truth::{LogTruth, Truth};

use crate::clock;
use crate::event::{EventType, Minute};
use crate::moment::Moment;
use asked::Asked;
use reply::Reply;
use vendor::{Now, Vendor};
use world::{Twist, World};

/// Serves a simulator of these settings until the shutdown comes.
pub async fn run(listener: TcpListener, settings: Settings, shutdown: impl Future<Output = ()>) {
    Simulator::new(settings).serve(listener, shutdown).await;
}

/// A simulated API. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    started: Moment,
    vendor: Mutex<Vendor>,
}

impl Simulator {
    /// An API whose simulated time starts now.
    pub fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let present = line::minute_of_unix(clock::unix_now().as_secs());
        let world = World::new(Arc::clone(&settings), settings.start.unwrap_or(present));
        let vendor = Mutex::new(Vendor::new(Arc::clone(&settings), world));
        let started = clock::now();
        Self {
            shared: Arc::new(Shared {
                settings,
                started,
                vendor,
            }),
        }
    }

    /// Answers on this listener until the shutdown comes; connections that are open then are cut.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        server::serve(self.clone(), listener, shutdown).await;
    }

    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The minute in which the simulated world is.
    pub fn present(&self) -> Minute {
        self.with(|vendor| vendor.world.present())
    }

    /// Logs lines now, whatever their dates, paused or not.
    pub fn append(&self, lines: &[Line]) {
        self.with(|vendor| lines.iter().for_each(|line| vendor.world.append(line)));
    }

    /// Logs an entry that is not a line.
    pub fn append_malformed(&self, event_type: EventType, minute: Minute, raw: Raw) {
        self.with(|vendor| vendor.world.append_malformed(event_type, minute, raw));
    }

    /// Everything logged up to now.
    pub fn truth(&self) -> Truth {
        self.with(|vendor| vendor.world.truth().clone())
    }

    /// What was asked up to now, as the server received it.
    pub fn requests(&self) -> Record {
        self.with(|vendor| vendor.limiter.record().clone())
    }

    pub fn inject(&self, fault: Fault) {
        self.with(|vendor| vendor.faults.inject(fault));
    }

    pub fn clear_faults(&self) {
        self.with(|vendor| vendor.faults.clear());
    }

    /// Faults that are injected and not spent: to wait until one has struck.
    pub fn faults_in_force(&self) -> usize {
        self.with(|vendor| vendor.faults.in_force())
    }

    /// Removes entries from a log, and gives how many there were. The truth keeps them.
    pub fn purge(&self, event_type: EventType, what: &Purge) -> usize {
        self.with(|vendor| vendor.world.purge(event_type, what))
    }

    /// Rewrites a host's name in the lines already logged, and gives how many there were. The truth
    /// keeps them as they were logged.
    pub fn rename(&self, event_type: EventType, from: &str, to: &str) -> usize {
        self.with(|vendor| vendor.world.rename(event_type, from, to))
    }

    /// Makes every hostname of a log `<private>`, and gives how many lines that rewrote. The truth
    /// keeps those as they were logged; lines to come count as hidden.
    pub fn hide_hosts(&self, event_type: EventType) -> usize {
        self.with(|vendor| vendor.world.hide_hosts(event_type))
    }

    /// Shows both logs in this order from now on.
    pub fn turn(&self, order: Order) {
        self.with(|vendor| vendor.world.turn(order));
    }

    /// Plans a change of a log for the moment after its next `answers` answers, paused or not.
    pub fn plan(&self, event_type: EventType, answers: u64, change: Change) {
        self.with(|vendor| vendor.world.plan(event_type, answers, change));
    }

    /// Changes that are planned and have not come yet: to wait until one has.
    pub fn planned(&self) -> usize {
        self.with(|vendor| vendor.world.planned())
    }

    /// Lets others of the account take so many places of every window of the rate limit.
    pub fn set_others(&self, places: usize) {
        self.with(|vendor| vendor.limiter.set_others(places));
    }

    /// Stops arrivals, drift and simulated time.
    pub fn pause(&self) {
        self.with(|vendor| vendor.world.pause(self.elapsed()));
    }

    /// Goes on from where the pause began.
    pub fn resume(&self) {
        self.with(|vendor| vendor.world.resume(self.elapsed()));
    }

    /// Changes what happens to a log between two answers.
    pub fn set_drift(&self, drift: Drift) {
        self.with(|vendor| vendor.world.set_drift(drift));
    }

    /// Ends the tokens that OAuth issued; the fixed one stays valid.
    pub fn revoke_tokens(&self) {
        self.with(|vendor| vendor.tokens.revoke_issued());
    }

    /// The body of a page, without a token, the rate limit or faults; drift follows it.
    pub fn page(
        &self,
        event_type: EventType,
        limit: usize,
        page: usize,
    ) -> Result<Vec<u8>, PastTheEnd> {
        self.with(|vendor| vendor.world.page(event_type, limit, page, Twist::default()))
    }

    /// How long this request is on its way before it is to be received.
    fn on_the_way(&self, asked: &Asked) -> Duration {
        self.with(|vendor| vendor.on_the_way(asked, clock::now()))
    }

    fn receive(&self, asked: &Asked) -> Reply {
        // The clock is read under the lock, so that the record's moments never run backwards.
        self.with(|vendor| {
            let now = Now {
                moment: clock::now(),
                unix: clock::unix_now(),
            };
            vendor.receive(asked, now)
        })
    }

    fn started(&self) -> Moment {
        self.shared.started
    }

    fn elapsed(&self) -> Duration {
        clock::now().since(self.shared.started)
    }

    /// Does something in a world that has moved on to the present.
    fn with<T>(&self, act: impl FnOnce(&mut Vendor) -> T) -> T {
        // A panic under this lock is a failed test; the others may still see what there is.
        let mut vendor = self
            .shared
            .vendor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        vendor.world.advance(self.elapsed());
        act(&mut vendor)
    }
}
