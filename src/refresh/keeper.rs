//! Saving an account, and saying whether that works.

use std::error::Error;
use std::sync::Arc;

use tracing::{error, info};

use crate::catalogue::{
    STATE_SAVE_DURATION, STATE_SAVE_FAILURES, STATE_SAVED_TIMESTAMP, STATE_SAVES, STATE_UNSAVED,
};
use crate::clock;
use crate::event::Account;
use crate::meters::Meters;
use crate::saved::{Changes, Saved};
use crate::store::{Store, StoreError};

/// Saves one account.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    account: Account,
    meters: Arc<Meters>,
    failing: bool,
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
        }
    }

    /// Whether anything is kept beyond the process.
    pub fn keeps(&self) -> bool {
        self.store.format().is_some()
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
    pub async fn save(&mut self, changes: Changes) -> Result<(), StoreError> {
        let begin = clock::now();
        let saved = self.store.commit(&self.account, changes).await;
        let took = clock::now().since(begin);
        let labels = [self.account.as_str()];
        self.meters
            .observe(STATE_SAVE_DURATION, &labels, took.as_secs_f64(), 1);
        self.meters.add(STATE_SAVES, &labels, 1);
        let was_failing = std::mem::replace(&mut self.failing, saved.is_err());
        match &saved {
            Ok(()) => {
                let now = clock::unix_now().as_secs_f64();
                self.meters.set(STATE_SAVED_TIMESTAMP, &labels, now);
                self.meters.set(STATE_UNSAVED, &labels, 0.0);
                if was_failing {
                    info!(account = %self.account, "the state is saved again");
                }
            }
            Err(error) => {
                self.meters.add(STATE_SAVE_FAILURES, &labels, 1);
                self.meters.set(STATE_UNSAVED, &labels, 1.0);
                if !was_failing {
                    error!(
                        account = %self.account, reason = error.reason(),
                        cause = error.source().map(tracing::field::display),
                        "the counts could not be saved: {error}. Until they are, the last saved ones are shown and the API is not asked"
                    );
                }
            }
        }
        saved
    }
}
