//! Refreshing the counts of an account when somebody scrapes.
//!
//! The refresh is a task of its own: a scrape wishes for one and waits for its end, or for the
//! scrape's deadline, or not at all where the request window is used up. Scrapes that wish at the
//! same time share one refresh, and a scraper that hangs up stops nothing.
//!
//! Where replicas share the state, three tasks more do what is asked of all accounts together: the
//! `beater` says that this replica lives, and spreads the leases; the `looker` shows what others have saved,
//! and asks them for refreshes; and a `seat` for each account follows, or leads by a conductor.

mod access;
mod beater;
mod bell;
mod conductor;
mod floor;
mod following;
mod gate;
mod keeper;
mod log;
mod looker;
mod report;
mod restored;
mod room;
mod roster;
mod seat;
mod spread;
mod standing;
mod traced;

pub use access::Access;
pub use beater::{Beater, Offices};
pub use bell::Bell;
pub use conductor::{Conductor, Source};
pub use following::Following;
pub use gate::{Waited, Wish};
pub use keeper::Keeper;
pub use looker::Looker;
pub use report::Report;
pub use restored::Restored;
pub use roster::Roster;
pub use seat::Seat;
pub use standing::{LogStanding, Standing};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::api::failure::Failure;
use crate::births::{Births, Generation, SavedScraper, Scraper, ZeroFor};
use crate::budget::Budget;
use crate::catalogue::{BUDGET_LEFT, REGULAR_SCRAPERS, TOKEN_EXPIRY};
use crate::clock;
use crate::event::{Account, EventType};
use crate::exposition::{Format, Row};
use crate::meters::Meters;
use crate::moment::Moment;
use crate::store::AccountId;
use floor::Floor;
use gate::Gate;

/// The version of what was never shown.
const NEVER: i64 = -1;

/// An account as scrapes see it. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Refresher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    account: Account,
    gate: Gate,
    access: Access,
    births: Mutex<Births>,
    shown: RwLock<Shown>,
    logs: Mutex<Vec<LogStanding>>,
    /// Where replicas share the counts.
    shared: Option<Joint>,
}

/// What an account has in common with other replicas.
#[derive(Debug)]
struct Joint {
    id: AccountId,
    bell: Arc<Bell>,
    /// The version that is shown.
    version: watch::Sender<i64>,
    /// What is known of the counts while another replica refreshes them.
    following: Mutex<Option<Following>>,
    /// What was shown once, and what of it the database has lost.
    floor: Mutex<Floor>,
    /// The regular scrapers as the others know them, where that is known.
    told: Mutex<Option<Vec<SavedScraper>>>,
}

/// The event counters that may be shown. Clones are the same text.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    text: Row,
    openmetrics: Row,
    /// The newest series in it.
    generation: Generation,
}

impl Shown {
    /// The counters as this format writes them.
    pub fn events(&self, format: Format) -> &Row {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        }
    }
}

impl Refresher {
    /// An account that has nothing to show yet. A refresh younger than `min_interval` is served
    /// again.
    pub fn new(
        account: Account,
        access: Access,
        min_interval: Duration,
        zero_for: ZeroFor,
    ) -> Self {
        Self::with(account, access, (min_interval, zero_for), None)
    }

    /// The same, of a state that replicas share, in which the account has this number. The bell tells
    /// what is to be asked of the others.
    pub fn of_replicas(
        account: Account,
        access: Access,
        times: (Duration, ZeroFor),
        id: AccountId,
        bell: Arc<Bell>,
    ) -> Self {
        let joint = Joint {
            id,
            bell,
            version: watch::Sender::new(NEVER),
            following: Mutex::default(),
            floor: Mutex::default(),
            // An account that was served before, and is anew after a reload, has left something there.
            told: Mutex::default(),
        };
        Self::with(account, access, times, Some(joint))
    }

    fn with(
        account: Account,
        access: Access,
        (min_interval, zero_for): (Duration, ZeroFor),
        shared: Option<Joint>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                account,
                gate: Gate::new(min_interval),
                access,
                births: Mutex::new(Births::new(zero_for)),
                shown: RwLock::default(),
                logs: Mutex::default(),
                shared,
            }),
        }
    }

    pub fn account(&self) -> &Account {
        &self.shared.account
    }

    /// Wishes for a refresh at `now`, unless the last one is young enough. Who waits for its end does
    /// not wait for the request window.
    pub fn wish(&self, now: Moment) -> Wish {
        let wish = self.shared.gate.wish(now);
        if let Some(joint) = self.joint().filter(|_| self.shared.gate.is_wished()) {
            joint.bell.wished();
        }
        wish
    }

    /// The event counters that may be shown.
    pub fn shown(&self) -> Shown {
        let shown = self.shared.shown.read();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a scraper's request arrived.
    pub fn came(&self, scraper: Scraper, arrived: Moment) {
        self.births().came(scraper, arrived);
    }

    /// Notes that a scraper was sent this in full.
    pub fn served(&self, scraper: Scraper, shown: &Shown) {
        self.births().served(scraper, shown.generation);
        if let Some(joint) = self.joint() {
            joint.bell.scrapers_may_change();
        }
    }

    /// Sets the metrics that change with time alone.
    pub fn measure(&self, meters: &Meters, now: Moment) {
        let left = self.budget().left(now);
        let account = self.account();
        meters.measure(BUDGET_LEFT, account, f64::from(left));
        let regular = self.births().regular(now) as f64;
        meters.measure(REGULAR_SCRAPERS, account, regular);
        let ends = self.access().token_ends();
        let ends = ends.map_or(0.0, |end| clock::unix_at(end).as_secs_f64());
        meters.measure(TOKEN_EXPIRY, account, ends);
    }

    /// How the account stands now.
    pub fn standing(&self) -> Standing {
        let budget = self.budget();
        let (left, budget) = (budget.left(clock::now()), budget.limit().requests);
        Standing {
            account: self.account().clone(),
            logs: self.logs().clone(),
            left,
            budget,
        }
    }

    /// Notes how a log stands from now on.
    fn stands(&self, log: EventType, change: impl FnOnce(&mut LogStanding)) {
        let mut logs = self.logs();
        if let Some(log) = logs.iter_mut().find(|known| known.event_type == log) {
            change(log);
        }
    }

    /// Why the last refresh of a log failed, if it did.
    fn failing(&self, log: EventType) -> Option<Failure> {
        let logs = self.logs();
        let known = logs.iter().find(|known| known.event_type == log);
        known.and_then(|known| known.failing)
    }

    fn logs(&self) -> MutexGuard<'_, Vec<LogStanding>> {
        let logs = self.shared.logs.lock();
        logs.unwrap_or_else(PoisonError::into_inner)
    }

    fn access(&self) -> &Access {
        &self.shared.access
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.access().budget()
    }

    fn births(&self) -> MutexGuard<'_, Births> {
        let births = self.shared.births.lock();
        births.unwrap_or_else(PoisonError::into_inner)
    }

    fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn joint(&self) -> Option<&Joint> {
        self.shared.shared.as_ref()
    }

    fn show(&self, text: Shown) {
        let shown = self.shared.shown.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = text;
    }
}
