//! What the tasks of a replica are asked for: a look at what others have saved, their refreshes, and word
//! of ours.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock;
use crate::event::Account;
use crate::moment::Moment;

/// One bell for all accounts of a process.
#[derive(Debug)]
pub struct Bell {
    rung: Notify,
    wanted: Mutex<Wanted>,
    /// The last look that has ended.
    looked: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// The next look, which has not begun.
    next: u64,
    accounts: Accounts,
    is_wished: bool,
    has_refreshed: bool,
    /// Accounts of which the database has lost something.
    lost: u64,
    may_scrapers_change: bool,
    /// When others said last that they wait for refreshes.
    waited_for_at: Option<Moment>,
}

/// Which accounts are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accounts {
    All,
    Some(BTreeSet<Account>),
}

impl Default for Accounts {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Accounts {
    fn add(&mut self, more: Option<&[Account]>) {
        match (&mut *self, more) {
            (Self::Some(known), Some(more)) => known.extend(more.iter().cloned()),
            (_, None) => *self = Self::All,
            (Self::All, Some(_)) => {}
        }
    }
}

/// What was asked for since it was asked last.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) look: u64,
    pub(super) accounts: Accounts,
    pub(super) is_wished: bool,
    pub(super) has_refreshed: bool,
    pub(super) lost: u64,
    pub(super) may_scrapers_change: bool,
    pub(super) waited_for_at: Option<Moment>,
}

impl Default for Bell {
    fn default() -> Self {
        let wanted = Wanted {
            next: 1,
            ..Wanted::default()
        };
        Self {
            rung: Notify::new(),
            wanted: Mutex::new(wanted),
            looked: watch::Sender::new(0),
        }
    }
}

impl Bell {
    /// Waits for the end of a look at these accounts, or at all, that begins from now on; for so long at
    /// most.
    pub async fn look(&self, accounts: Option<&[Account]>, time: Duration) {
        let mut looked = self.looked.subscribe();
        let look = {
            let mut wanted = self.lock();
            wanted.accounts.add(accounts);
            wanted.next
        };
        self.rung.notify_one();
        let ended = looked.wait_for(|last| *last >= look);
        // What is shown otherwise is what was seen before.
        let _ = tokio::time::timeout(time, ended).await;
    }

    /// Somebody scrapes an account that another replica is to refresh, or perhaps this one.
    pub(super) fn wished(&self) {
        self.lock().is_wished = true;
        self.rung.notify_one();
    }

    /// A refresh has ended for which others may wait.
    pub(super) fn refreshed(&self) {
        self.lock().has_refreshed = true;
        self.rung.notify_one();
    }

    /// The database has lost what it had acknowledged of an account.
    pub(super) fn lost(&self) {
        self.lock().lost += 1;
        self.rung.notify_one();
    }

    /// A scraper was sent an answer in full; or one may be overdue by now.
    pub(super) fn scrapers_may_change(&self) {
        self.lock().may_scrapers_change = true;
        self.rung.notify_one();
    }

    /// Another replica says that there is something to look at.
    pub(super) fn heard(&self) {
        self.rung.notify_one();
    }

    /// Others wait for refreshes of this replica.
    pub(super) fn is_waited_for(&self) {
        self.lock().waited_for_at = Some(clock::now());
    }

    /// Waits until something is asked for.
    pub(super) async fn rings(&self) {
        self.rung.notified().await;
    }

    /// What is asked for; the look that follows is the one it names.
    pub(super) fn take(&self) -> Asked {
        let mut wanted = self.lock();
        let look = wanted.next;
        wanted.next += 1;
        Asked {
            look,
            accounts: std::mem::take(&mut wanted.accounts),
            is_wished: std::mem::take(&mut wanted.is_wished),
            has_refreshed: std::mem::take(&mut wanted.has_refreshed),
            lost: std::mem::take(&mut wanted.lost),
            may_scrapers_change: std::mem::take(&mut wanted.may_scrapers_change),
            waited_for_at: wanted.waited_for_at,
        }
    }

    /// That look has ended, and all before.
    pub(super) fn looked(&self, look: u64) {
        self.looked.send_modify(|last| *last = look.max(*last));
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_during_a_look_waits_for_the_next_one() {
        let bell = Bell::default();
        let first = bell.take();
        let waiting = bell.look(None, Duration::from_secs(60));
        tokio::pin!(waiting);
        let soon = tokio::time::timeout(Duration::from_millis(1), &mut waiting);
        assert!(soon.await.is_err());
        bell.looked(first.look);
        let soon = tokio::time::timeout(Duration::from_millis(1), &mut waiting);
        assert!(soon.await.is_err(), "that one had begun before");
        let second = bell.take();
        assert_eq!(second.accounts, Accounts::All);
        bell.looked(second.look);
        waiting.await;
    }
}
