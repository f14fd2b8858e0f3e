//! The accounts that are served now.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Bell, Refresher};
use crate::catalogue::{REPLICA_LEADS, UP};
use crate::clock;
use crate::event::Account;
use crate::meters::Meters;
use crate::store::AccountId;

/// The accounts, in the order of the configuration. A scrape that has taken them goes on with those
/// when others take their place.
#[derive(Debug, Default)]
pub struct Roster {
    all: ArcSwap<Vec<Refresher>>,
    /// Where replicas share the counts, what to ask for a look at those of others.
    bell: Option<Arc<Bell>>,
}

impl Roster {
    /// Of accounts whose counts replicas share.
    pub fn of_replicas(bell: Arc<Bell>) -> Self {
        Self {
            all: ArcSwap::default(),
            bell: Some(bell),
        }
    }

    /// Waits until what others had saved when this was called is shown here, of these accounts or of all;
    /// for so long at most.
    pub async fn look(&self, names: &[String], time: Duration) {
        if let Some(bell) = &self.bell {
            let accounts: Vec<Account> = names.iter().map(|name| Account::new(name)).collect();
            let some = (!names.is_empty()).then_some(&accounts[..]);
            bell.look(some, time).await;
        }
    }

    /// Wishes for a refresh of those that this replica leads and are meant.
    pub(super) fn wish_led(&self, is_meant: impl Fn(AccountId) -> bool) {
        let now = clock::now();
        for one in self.all().iter().filter(|one| !one.follows()) {
            if one.id().is_some_and(&is_meant) {
                // Nobody here waits for its end.
                drop(one.wish(now));
            }
        }
    }

    /// Those of others are not well, since nobody can lead them: not before their next refresh.
    pub(super) fn cannot_be_refreshed(&self, meters: &Meters) {
        for one in self.all().iter().filter(|one| one.follows()) {
            meters.set(UP, &[one.account().as_str()], 0.0);
        }
    }

    /// Whether this replica leads what it does not follow: not while it may be taken for dead.
    pub(super) fn leads(&self, meters: &Meters, leads: bool) {
        for one in self.all().iter().filter(|one| !one.follows()) {
            let value = f64::from(u8::from(leads));
            meters.set(REPLICA_LEADS, &[one.account().as_str()], value);
        }
    }

    /// The numbers of those that this replica leads.
    pub(super) fn led(&self) -> Vec<AccountId> {
        let all = self.all();
        let led = all.iter().filter(|one| !one.follows());
        led.filter_map(Refresher::id).collect()
    }

    /// Puts these in the place of those before.
    pub fn replace(&self, refreshers: Vec<Refresher>) {
        self.all.store(Arc::new(refreshers));
    }

    pub fn all(&self) -> Arc<Vec<Refresher>> {
        self.all.load_full()
    }

    /// The accounts of these names, or all where none is named; or the first name that there is not.
    pub fn named(&self, names: &[String]) -> Result<Arc<Vec<Refresher>>, String> {
        let all = self.all();
        if names.is_empty() {
            return Ok(all);
        }
        let is_there = |name: &&String| all.iter().any(|one| one.account().as_str() == *name);
        if let Some(unknown) = names.iter().find(|name| !is_there(name)) {
            return Err(unknown.clone());
        }
        let named = |one: &&Refresher| names.iter().any(|name| one.account().as_str() == name);
        Ok(Arc::new(all.iter().filter(named).cloned().collect()))
    }
}
