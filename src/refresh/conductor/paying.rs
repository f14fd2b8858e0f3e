//! What a request costs: a place in the window, which is saved before it is sent.

use std::time::Duration;

use super::showing::End;
use super::{Conductor, Obstacle};
use crate::api::failure::Failure;
use crate::budget::{NotBefore, Slot};
use crate::clock;
use crate::moment::Moment;
use crate::refresh::access::Trouble;
use crate::refresh::log::Log;
use crate::store::{Committed, StoreError};

/// How long saving may take before a request has to be paid for again.
const SAVING_AT_MOST: Duration = Duration::from_secs(1);

/// The place of a request.
pub(super) struct Paid {
    slot: Slot,
    /// Until then it may be sent.
    until: Moment,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Page,
    /// A token, which is of use only with a request for a page.
    Token,
}

impl Conductor {
    /// Pays for a request: its place in the window is saved before it is sent, together with what
    /// was counted up to now. A place is held for the time that saving takes, too; where that took
    /// longer than was thought, what is saved would end too early, so it is paid for again.
    pub(super) async fn pay(&mut self, turn: usize, purpose: Purpose) -> Result<Paid, Obstacle> {
        let mut saving = SAVING_AT_MOST;
        loop {
            let begin = clock::now();
            let slot = self
                .slot_for(turn, purpose, saving)
                .map_err(|NotBefore(when)| Obstacle::NotBefore(when))?;
            self.spent = true;
            let limit = self.refresher.budget().limit();
            let saved = self.save(End::Paying(limit.requests)).await;
            let is_in_time = clock::now().since(begin) <= saving;
            match saved {
                Ok(Committed::Saved) if is_in_time && self.keeper.may_ask() => {
                    let until = begin.plus(saving);
                    return Ok(Paid { slot, until });
                }
                Ok(Committed::Saved) if is_in_time => return Err(self.not_paid(slot)),
                // It is paid for again.
                Ok(Committed::Saved) => {}
                Ok(Committed::NotBefore(wait)) => {
                    self.refresher.budget().never_sent(slot);
                    // No place is held for longer, but where the clock of the database was set back.
                    let wait = wait.min(limit.window + saving + self.source.timeout);
                    return Err(Obstacle::NotBefore(clock::now().plus(wait)));
                }
                Err(StoreError::Fenced { .. }) => {
                    self.refresher.budget().never_sent(slot);
                    return Err(Obstacle::Deposed);
                }
                Err(_) => return Err(self.not_paid(slot)),
            }
            self.refresher.budget().never_sent(slot);
            saving *= 2;
        }
    }

    /// The place of a request that is sent at this moment; none if that is too late for it, or another
    /// replica may ask by now. It is looked at again, since the process may have been stopped in between.
    pub(super) fn is_sent(&mut self, paid: Paid) -> Option<Slot> {
        let Paid { slot, until } = paid;
        if clock::now() <= until && self.keeper.may_ask() {
            return Some(slot);
        }
        self.spent = true;
        self.refresher.budget().never_sent(slot);
        None
    }

    fn not_paid(&self, slot: Slot) -> Obstacle {
        self.refresher.budget().never_sent(slot);
        Obstacle::Failed(Trouble {
            failure: Failure::NotSaved,
            detail: None,
        })
    }

    /// A place in the window. A long read takes no more than an even share of it after its first
    /// requests: taken all at once, they would leave none to keep the other log fresh.
    fn slot_for(&self, turn: usize, purpose: Purpose, saving: Duration) -> Result<Slot, NotBefore> {
        let now = clock::now();
        let payer = self.refresher.account();
        let mut budget = self.refresher.budget();
        let limit = budget.limit();
        let log = self.logs.get(turn);
        let asked = log.map_or(0, Log::asked);
        // Its own last request: those of a log that is asked more often would hold it up for ever.
        let last = log.and_then(Log::last_asked);
        let share = limit.time_for(1);
        let earliest = last.map(|last| last.plus(share)).filter(|when| *when > now);
        let hold = saving + self.source.timeout;
        match (earliest, purpose) {
            (Some(when), _) if asked >= limit.requests / 2 => Err(NotBefore(when)),
            (_, Purpose::Page) => budget.take(payer, now, hold),
            (_, Purpose::Token) => budget.take_one_of_two(payer, now, hold),
        }
    }

    /// Whether what this log wants to ask need not be asked now.
    pub(super) fn is_to_spare(&self, turn: usize) -> bool {
        self.logs
            .get(turn)
            .is_some_and(|log| log.wants(false).is_none())
    }

    /// Whether a refresh waits for this moment, instead of leaving it to a later scrape: it lacks
    /// only what was taken for a place to spare.
    pub(super) fn is_soon(&self, when: Moment) -> bool {
        let now = clock::now();
        self.spare_spent(now) > 0 && when.since(now) <= self.short_wait()
    }

    /// How many requests of the window went to what need not have been asked.
    fn spare_spent(&self, now: Moment) -> usize {
        let window = self.refresher.budget().limit().window;
        let in_window = |sent: &&Moment| now.since(**sent) < window;
        self.spare_sent.iter().filter(in_window).count()
    }

    fn short_wait(&self) -> Duration {
        self.refresher.budget().limit().window / 20
    }

    /// Whether a request may go to what need not be asked: a fifth of the window at most, and never
    /// one that the next refresh of every log would have to wait for, other than shortly; nor one that
    /// another account waits for. None after a long read: scrapes wait for its end.
    pub(super) fn has_spare(&self) -> bool {
        let now = clock::now();
        let young = self.refresher.shared.gate.young();
        let next = self.logs.iter().filter_map(Log::began).min();
        let next = next.map_or(now, |began| began.plus(young).max(now));
        let next = next.plus(self.short_wait());
        let spent = self.spare_spent(now);
        let budget = self.refresher.budget();
        let limit = budget.limit();
        let a_fifth = usize::try_from((limit.requests / 5).max(1)).unwrap_or(usize::MAX);
        let for_the_next = self.refresher.access().logs();
        let for_the_next = u32::try_from(for_the_next).unwrap_or(u32::MAX);
        let was_long = self
            .logs
            .iter()
            .any(|log| log.asked() >= limit.requests / 2);
        let is_left = budget.left(now) > 0 && budget.left(next) > for_the_next;
        let is_left = is_left && !budget.is_waited_for(now);
        spent < a_fifth && !was_long && is_left
    }
}
