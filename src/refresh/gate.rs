//! Where scrapes wait for the refresh they share.

use std::time::Duration;

use tokio::sync::watch;

use crate::moment::Moment;

/// Scrapers are not punctual to the millisecond: one that comes this much early gets a refresh, so
/// that an interval of exactly `--scrape.min-interval` is not served the same twice.
const UNPUNCTUAL: Duration = Duration::from_millis(100);

/// What the refresh is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing to do. What is shown was asked for at this moment or later.
    Idle { began: Option<Moment> },
    /// Requests are sent; the end is near.
    Running,
    /// The request window is used up; the refresh goes on when it allows.
    OutOfBudget,
    /// There will be no other.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    /// How many refreshes have ended, or come to the end of the budget.
    ended: u64,
    /// When a scrape wished first for one that did not end yet.
    wished_at: Option<Moment>,
}

impl State {
    /// A refresh has ended, or nobody is to wait for it any more.
    fn is_left_at(&mut self, phase: Phase) {
        self.phase = phase;
        self.ended += 1;
        self.wished_at = None;
    }
}

/// How a scrape's wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The refresh ended, or one young enough had.
    Fresh,
    /// The deadline came first, or the budget is used up: what is shown is older.
    Stale,
}

/// A scrape's wish for a refresh, whose end it may wait for.
#[derive(Debug)]
pub struct Wish(Awaited);

#[derive(Debug)]
enum Awaited {
    Nothing(Waited),
    After {
        ended: u64,
        states: watch::Receiver<State>,
    },
}

impl Wish {
    /// Waits for the end of the refresh, for so long at most.
    pub async fn wait(self, time: Duration) -> Waited {
        let (ended, mut states) = match self.0 {
            Awaited::Nothing(waited) => return waited,
            Awaited::After { ended, states } => (ended, states),
        };
        let end = states.wait_for(|state| state.ended > ended);
        match tokio::time::timeout(time, end).await {
            Ok(Ok(state)) if matches!(state.phase, Phase::Idle { began: Some(_) }) => Waited::Fresh,
            _ => Waited::Stale,
        }
    }
}

#[derive(Debug)]
pub(super) struct Gate {
    min_interval: Duration,
    state: watch::Sender<State>,
    /// The count of ended refreshes that the scrapes wish for.
    wished: watch::Sender<u64>,
}

impl Gate {
    pub(super) fn new(min_interval: Duration) -> Self {
        let state = State {
            phase: Phase::Idle { began: None },
            ended: 0,
            wished_at: None,
        };
        Self {
            min_interval,
            state: watch::Sender::new(state),
            wished: watch::Sender::new(0),
        }
    }

    /// How long a refresh is served again, from its begin.
    pub(super) fn young(&self) -> Duration {
        let unpunctual = UNPUNCTUAL.min(self.min_interval / 50);
        self.min_interval - unpunctual
    }

    pub(super) fn wish(&self, now: Moment) -> Wish {
        let mut states = self.state.subscribe();
        let State { phase, ended, .. } = *states.borrow_and_update();
        match phase {
            Phase::Idle { began: Some(began) } if now.since(began) < self.young() => {
                Wish(Awaited::Nothing(Waited::Fresh))
            }
            Phase::OutOfBudget => {
                self.wish_for(ended + 1, now);
                Wish(Awaited::Nothing(Waited::Stale))
            }
            Phase::Over => Wish(Awaited::Nothing(Waited::Stale)),
            Phase::Idle { .. } | Phase::Running => {
                self.wish_for(ended + 1, now);
                Wish(Awaited::After { ended, states })
            }
        }
    }

    fn wish_for(&self, refresh: u64, now: Moment) {
        self.state.send_if_modified(|state| {
            state.wished_at.get_or_insert(now);
            // Nobody waits for that.
            false
        });
        self.wished.send_if_modified(|wished| {
            let later = refresh > *wished;
            *wished = refresh.max(*wished);
            later
        });
    }

    /// Waits until a scrape wishes for a refresh that did not end yet.
    pub(super) async fn wished(&self) {
        let mut wishes = self.wished.subscribe();
        let ended = self.state.borrow().ended;
        // The sender lives as long as this gate.
        let _ = wishes.wait_for(|wished| *wished > ended).await;
    }

    /// Whether a scrape wishes for a refresh that did not end yet.
    pub(super) fn is_wished(&self) -> bool {
        *self.wished.borrow() > self.state.borrow().ended
    }

    pub(super) fn runs(&self) {
        self.state.send_modify(|state| state.phase = Phase::Running);
    }

    /// Nobody refreshes any more, so that nobody is to wait.
    pub(super) fn is_over(&self) {
        self.state
            .send_modify(|state| state.is_left_at(Phase::Over));
    }

    pub(super) fn is_out_of_budget(&self) {
        self.state
            .send_modify(|state| state.is_left_at(Phase::OutOfBudget));
    }

    /// Another process refreshes, and began the last time at `began`. Who wishes for something as young as
    /// that has it, and who wished for it before.
    pub(super) fn learns(&self, began: Moment, now: Moment) {
        let phase = Phase::Idle { began: Some(began) };
        let state = *self.state.borrow();
        let is_wished = self.is_wished();
        let is_known = state.phase == phase && !is_wished;
        let is_answer = is_wished && state.wished_at.is_some_and(|wished| wished <= began);
        if (is_answer || now.since(began) < self.young()) && !is_known {
            self.state.send_modify(|state| state.is_left_at(phase));
        }
    }

    /// What was refreshed last is not what is to be shown, however young it is.
    pub(super) fn expires(&self) {
        self.state.send_if_modified(|state| {
            if matches!(state.phase, Phase::Idle { .. }) {
                state.phase = Phase::Idle { began: None };
            }
            // Nobody waits for that.
            false
        });
    }

    /// Nobody refreshes in this process any more, but another one will.
    pub(super) fn is_left(&self) {
        self.state
            .send_modify(|state| state.is_left_at(Phase::Idle { began: None }));
    }

    /// The refresh ended, and what it shows was asked for from `began` on; none, if it could not ask
    /// for all of it.
    pub(super) fn ends(&self, began: Option<Moment>) {
        self.state
            .send_modify(|state| state.is_left_at(Phase::Idle { began }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_one_who_does_not_refresh_any_more() {
        let gate = Gate::new(Duration::from_secs(15));
        let before = gate.wish(at(1));
        gate.is_over();
        let after = gate.wish(at(2));
        let waiting = async { (before.wait(LONG).await, after.wait(LONG).await) };
        let waited = tokio::time::timeout(Duration::from_secs(1), waiting).await;
        assert_eq!(waited, Ok((Waited::Stale, Waited::Stale)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_waits_for_a_refresh_that_ends_after_it() {
        let gate = Gate::new(Duration::from_secs(15));
        let wish = gate.wish(at(100));
        assert!(gate.is_wished());
        gate.runs();
        gate.ends(Some(at(100)));
        assert_eq!(wish.wait(LONG).await, Waited::Fresh);
        assert_eq!(gate.wish(at(110)).wait(Duration::ZERO).await, Waited::Fresh);
        let old = gate.wish(at(116));
        assert_eq!(old.wait(Duration::from_secs(1)).await, Waited::Stale);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_another_process_has_what_that_refreshed_lately() {
        let gate = Gate::new(Duration::from_secs(15));
        let wish = gate.wish(at(100));
        gate.learns(at(80), at(100));
        assert!(gate.is_wished(), "that is too old");
        gate.learns(at(99), at(101));
        assert_eq!(wish.wait(LONG).await, Waited::Fresh);
        assert_eq!(gate.wish(at(110)).wait(Duration::ZERO).await, Waited::Fresh);
        let late = gate.wish(at(120));
        gate.is_out_of_budget();
        assert_eq!(late.wait(LONG).await, Waited::Stale, "nobody comes");
        gate.learns(at(100), at(120));
        let next = gate.wish(at(121)).wait(LONG).await;
        assert_eq!(
            next,
            Waited::Stale,
            "nobody waits again for one who does not come"
        );
        gate.learns(at(121), at(122));
        assert_eq!(gate.wish(at(123)).wait(LONG).await, Waited::Fresh);
    }

    #[tokio::test(start_paused = true)]
    async fn who_wished_before_another_process_began_has_that_however_old_it_is() {
        let gate = Gate::new(Duration::ZERO);
        let wish = gate.wish(at(100));
        gate.learns(at(99), at(101));
        assert!(gate.is_wished(), "that began before");
        gate.learns(at(100), at(107));
        assert_eq!(wish.wait(LONG).await, Waited::Fresh);
        let late = gate.wish(at(110));
        gate.is_out_of_budget();
        assert_eq!(late.wait(LONG).await, Waited::Stale);
        gate.wish(at(111));
        gate.learns(at(111), at(112));
        let next = gate.wish(at(120));
        gate.learns(at(121), at(122));
        assert_eq!(next.wait(LONG).await, Waited::Fresh, "it comes again");
    }

    const LONG: Duration = Duration::from_secs(3_600);
}
