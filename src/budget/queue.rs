//! Who waits for a place of the window, in the order in which they came.

use crate::event::Account;
use crate::moment::Moment;

/// Accounts that found no place. Each keeps its turn until it has one, or does not come back for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Vec<Waiting>);

#[derive(Clone, Debug)]
struct Waiting {
    account: Account,
    until: Moment,
}

impl Queue {
    /// How many accounts have their turn before this one.
    pub(super) fn before(&mut self, account: &Account, now: Moment) -> u32 {
        self.0.retain(|waiting| waiting.until > now);
        let place = self
            .0
            .iter()
            .position(|waiting| waiting.account == *account);
        u32::try_from(place.unwrap_or(self.0.len())).unwrap_or(u32::MAX)
    }

    /// Keeps the account's turn until then; a new one is the last.
    pub(super) fn wait(&mut self, account: &Account, until: Moment) {
        match self
            .0
            .iter_mut()
            .find(|waiting| waiting.account == *account)
        {
            Some(waiting) => waiting.until = until,
            None => self.0.push(Waiting {
                account: account.clone(),
                until,
            }),
        }
    }

    /// The account has its place, or wants none.
    pub(super) fn leave(&mut self, account: &Account) {
        self.0.retain(|waiting| waiting.account != *account);
    }

    pub(super) fn is_waited_for(&self, now: Moment) -> bool {
        self.0.iter().any(|waiting| waiting.until > now)
    }
}
