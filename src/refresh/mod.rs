//! Refreshing the counts of an account when somebody scrapes.
//!
//! The refresh is a task of its own: a scrape wishes for one and waits for its end, or for the
//! scrape's deadline, or not at all where the request window is used up. Scrapes that wish at the
//! same time share one refresh, and a scraper that hangs up stops nothing.

mod access;
mod conductor;
mod gate;
mod keeper;
mod log;
mod report;
mod restored;
mod room;
mod roster;
mod standing;
mod traced;

pub use access::Access;
pub use conductor::{Conductor, Source};
pub use gate::{Waited, Wish};
pub use keeper::Keeper;
pub use report::Report;
pub use restored::Restored;
pub use roster::Roster;
pub use standing::{LogStanding, Standing};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::births::{Births, Generation, Scraper, ZeroFor};
use crate::budget::Budget;
use crate::catalogue::{BUDGET_LEFT, REGULAR_SCRAPERS, TOKEN_EXPIRY};
use crate::clock;
use crate::event::{Account, EventType};
use crate::exposition::{Format, Row};
use crate::meters::Meters;
use crate::moment::Moment;
use gate::Gate;

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
        Self {
            shared: Arc::new(Shared {
                account,
                gate: Gate::new(min_interval),
                access,
                births: Mutex::new(Births::new(zero_for)),
                shown: RwLock::default(),
                logs: Mutex::default(),
            }),
        }
    }

    pub fn account(&self) -> &Account {
        &self.shared.account
    }

    /// Wishes for a refresh at `now`, unless the last one is young enough. Who waits for its end does
    /// not wait for the request window.
    pub fn wish(&self, now: Moment) -> Wish {
        self.shared.gate.wish(now)
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

    fn show(&self, text: Shown) {
        let shown = self.shared.shown.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = text;
    }
}
