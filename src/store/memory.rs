//! What accounts leave behind within the process, when they are to be refreshed in another way.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::event::{Account, EventType};
use crate::saved::{Saved, SavedSeries};

/// What each account left.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<Account, Saved>>);

impl Memory {
    /// Takes all that is known of an account. Of a log that it did not read, what was left before
    /// stays: its lines must not be new ones when it is read again.
    pub(super) fn hand_over(&self, account: &Account, mut all: Saved) {
        let left = self.0.lock();
        let mut left = left.unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = left.remove(account) {
            let was_read = |log: EventType| all.logs.iter().any(|known| known.event_type == log);
            let (mut logs, mut buckets) = (before.logs, before.buckets);
            logs.retain(|log| !was_read(log.event_type));
            buckets.retain(|bucket| !was_read(bucket.event_type));
            all.logs.append(&mut logs);
            all.buckets.append(&mut buckets);
        }
        left.insert(account.clone(), all);
    }

    /// Gives what was left of an account, its series one by one. Those are its own from then on.
    pub(super) fn take_up(&self, account: &Account, each_series: impl FnMut(SavedSeries)) -> Saved {
        let left = self.0.lock();
        let mut left = left.unwrap_or_else(PoisonError::into_inner);
        let Some(saved) = left.get_mut(account) else {
            return Saved::default();
        };
        std::mem::take(&mut saved.series)
            .into_iter()
            .for_each(each_series);
        saved.clone()
    }
}
