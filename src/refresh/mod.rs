//! Refreshing the counts of an account when somebody scrapes.
//!
//! The refresh is a task of its own: a scrape wishes for one and waits for its end, or for the
//! scrape's deadline, or not at all where the request window is used up. Scrapes that wish at the
//! same time share one refresh, and a scraper that hangs up stops nothing.

mod conductor;
mod gate;
mod keeper;
mod log;
mod report;
mod restored;

pub use conductor::{Conductor, Source};
pub use gate::Waited;
pub use keeper::Keeper;
pub use report::Report;
pub use restored::Restored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use crate::budget::Budget;
use crate::catalogue::BUDGET_LEFT;
use crate::event::Account;
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
    budget: Mutex<Budget>,
    events: RwLock<Bytes>,
}

impl Refresher {
    /// An account that has nothing to show yet. A refresh younger than `min_interval` is served
    /// again.
    pub fn new(account: Account, budget: Budget, min_interval: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                account,
                gate: Gate::new(min_interval),
                budget: Mutex::new(budget),
                events: RwLock::new(Bytes::new()),
            }),
        }
    }

    pub fn account(&self) -> &Account {
        &self.shared.account
    }

    /// Wishes for a refresh at `now`, unless the last one is young enough, and waits for its end;
    /// not beyond `deadline`, and not for the request window.
    pub async fn refresh(&self, now: Moment, deadline: Moment) -> Waited {
        self.shared.gate.wait(now, deadline).await
    }

    /// The event counters that may be shown, in the text format.
    pub fn events(&self) -> Bytes {
        let events = self.shared.events.read();
        events.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the metrics that change with time alone.
    pub fn measure(&self, meters: &Meters, now: Moment) {
        let left = self.budget().left(now);
        meters.set(BUDGET_LEFT, &[self.account().as_str()], f64::from(left));
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        let budget = self.shared.budget.lock();
        budget.unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, events: Bytes) {
        let shown = self.shared.events.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = events;
    }
}
