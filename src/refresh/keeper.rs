//! Saving an account, and saying whether that works.

use std::sync::Arc;

use tracing::{debug, error, info};

use crate::births::SavedScraper;
use crate::catalogue::{
    STATE_FENCED, STATE_SAVE_DURATION, STATE_SAVE_FAILURES, STATE_SAVED_TIMESTAMP, STATE_SAVES,
    STATE_UNSAVED,
};
use crate::clock;
use crate::event::Account;
use crate::meters::Meters;
use crate::saved::{Changes, Saved};
use crate::store::{Committed, Occasion, Store, StoreError, Term};

/// Saves one account.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    account: Account,
    meters: Arc<Meters>,
    failing: bool,
    /// Where replicas share the state, the right to write.
    term: Option<Term>,
}

impl Keeper {
    pub fn new(store: Store, account: Account, meters: Arc<Meters>) -> Self {
        let labels = [account.as_str()];
        meters.add(STATE_SAVES, &labels, 0);
        meters.add(STATE_SAVE_FAILURES, &labels, 0);
        meters.set(STATE_UNSAVED, &labels, 0.0);
        meters.set(STATE_SAVED_TIMESTAMP, &labels, 0.0);
        meters.observe(STATE_SAVE_DURATION, &labels, 0.0, 0);
        Self {
            store,
            account,
            meters,
            failing: false,
            term: None,
        }
    }

    /// The same with the right to write what replicas share.
    #[must_use]
    pub(super) fn with_term(mut self, term: Term) -> Self {
        self.term = Some(term);
        self
    }

    /// The version of what scrapes see of what is saved, where replicas share it.
    pub(super) fn shown(&self) -> Option<i64> {
        self.term.as_ref().map(Term::shown)
    }

    /// Whether a request that is paid for may be sent: not if another may hold the lease by now.
    pub(super) fn may_ask(&self) -> bool {
        let shared = self.store.of_replicas();
        shared.is_none_or(|shared| shared.lives(clock::now()))
    }

    /// Who scrapes other replicas of the account.
    pub(super) async fn scrapers_of_others(&self) -> Result<Vec<SavedScraper>, StoreError> {
        match self.store.of_replicas() {
            Some(shared) => {
                let account = shared.account(&self.account);
                shared.scrapers_of_others(account).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// Whether anything is kept beyond the process.
    pub fn keeps(&self) -> bool {
        self.store.format().is_some()
    }

    /// The key of the state.
    pub(super) fn key(&self) -> [u8; 16] {
        self.store.identity().key
    }

    /// Whether replicas share it.
    pub(super) fn shares(&self) -> bool {
        self.term.is_some()
    }

    /// Leaves all that is known of the account in memory, for who takes it up in this process.
    pub(super) fn hand_over(&self, all: Saved) {
        self.store.hand_over(&self.account, all);
    }

    /// Whether the last save failed.
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// Saves all of it or nothing. Only a change from good to bad, or back, is logged.
    pub async fn save(
        &mut self,
        changes: Changes,
        occasion: Occasion<'_>,
    ) -> Result<Committed, StoreError> {
        let begin = clock::now();
        let saved = self.commit(changes, occasion).await;
        let took = clock::now().since(begin);
        let labels = [self.account.as_str()];
        self.meters
            .observe(STATE_SAVE_DURATION, &labels, took.as_secs_f64(), 1);
        self.meters.add(STATE_SAVES, &labels, 1);
        let was_failing = std::mem::replace(&mut self.failing, saved.is_err());
        match &saved {
            Ok(Committed::NotBefore(_)) => {}
            Ok(Committed::Saved) => {
                let now = clock::unix_now().as_secs_f64();
                self.meters.set(STATE_SAVED_TIMESTAMP, &labels, now);
                self.meters.set(STATE_UNSAVED, &labels, 0.0);
                if was_failing && self.shares() {
                    debug!(account = %self.account, "the state is saved again");
                } else if was_failing {
                    info!(account = %self.account, "the state is saved again");
                }
            }
            Err(StoreError::Fenced { .. }) => {
                self.failing = false;
                self.meters.add(STATE_FENCED, &labels, 1);
                info!(account = %self.account, "another replica refreshes the account now");
            }
            Err(error) => {
                self.meters.add(STATE_SAVE_FAILURES, &labels, 1);
                self.meters.set(STATE_UNSAVED, &labels, 1.0);
                if !was_failing && error.is_of_all() {
                    // Said once for all of them.
                    debug!(account = %self.account, %error, "the counts could not be saved");
                } else if !was_failing {
                    error!(
                        account = %self.account, reason = error.reason(),
                        cause = error.causes(),
                        "the counts could not be saved: {error}. Until they are, the last saved ones are shown and the API is not asked"
                    );
                }
            }
        }
        saved
    }

    async fn commit(
        &mut self,
        changes: Changes,
        occasion: Occasion<'_>,
    ) -> Result<Committed, StoreError> {
        match (self.store.of_replicas(), &mut self.term) {
            (Some(shared), Some(term)) => shared.commit(term, &changes, occasion).await,
            _ => {
                self.store.commit(&self.account, changes).await?;
                Ok(Committed::Saved)
            }
        }
    }
}
