//! When an access token is fetched: in time before it ends, once more where the API refuses it, and
//! ever more rarely where that does not help. Knows times alone, no token.

use std::time::Duration;

use crate::moment::Moment;

/// How much of its lifetime a token is used before it is renewed, in percent.
const RENEWED_AT: u32 = 80;

/// A lifetime that is said to be longer is as good as this one.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24 * 365);

/// What to do now about the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The one that is held is good.
    Use,
    /// None is held, or it ends soon.
    Fetch,
    /// None is held, and none is asked for before this moment.
    Wait(Moment),
}

/// Why no token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The secret, or the client, is not taken: asking again helps little.
    Refused,
    /// The API could not be reached, or failed: it will be back.
    Unreached,
}

/// How long to wait after a failure, and after several in a row: twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub first: Duration,
    pub longest: Duration,
}

impl Patience {
    fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

/// How it stands with the token.
#[derive(Clone, Debug)]
pub struct Lease {
    patience: Patience,
    held: Option<Held>,
    /// Failures in a row, and the last of them.
    failures: u32,
    last_failure: Option<Moment>,
    not_before: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// None where nobody said how long it lives: it is used until it is refused.
    times: Option<Times>,
    /// Whether the API took it.
    is_accepted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    renewed_at: Moment,
    ends: Moment,
}

impl Lease {
    /// No token is held.
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            held: None,
            failures: 0,
            last_failure: None,
            not_before: None,
        }
    }

    pub fn advice(&self, now: Moment) -> Advice {
        let times = self.held.map(|held| held.times);
        if matches!(times, Some(None)) {
            return Advice::Use;
        }
        let times = times.flatten();
        if times.is_some_and(|times| now < times.renewed_at) {
            return Advice::Use;
        }
        match self.not_before.filter(|until| now < *until) {
            None => Advice::Fetch,
            // One that could not be renewed is good to its end.
            Some(_) if times.is_some_and(|times| now < times.ends) => Advice::Use,
            Some(until) => Advice::Wait(until),
        }
    }

    /// A token came for a request that was sent then. It may be the same as before, with less time
    /// left. A lifetime of nothing is none: the token that is to end within a second is used until it
    /// is refused, instead of fetched again and again.
    pub fn fetched(&mut self, sent: Moment, lifetime: Option<Duration>, is_the_same: bool) {
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
        let times = lifetime.map(|lifetime| {
            let lifetime = lifetime.min(LONGEST_LIFETIME);
            Times {
                renewed_at: sent.plus(lifetime * RENEWED_AT / 100),
                ends: sent.plus(lifetime),
            }
        });
        let was_accepted = self.held.is_some_and(|held| held.is_accepted);
        self.held = Some(Held {
            times,
            is_accepted: is_the_same && was_accepted,
        });
        self.not_before = None;
    }

    /// No token came. Where the API was not reached, every wait is the first.
    pub fn not_fetched(&mut self, now: Moment, cause: Cause) {
        match cause {
            Cause::Refused => self.fail(now),
            Cause::Unreached => self.not_before = Some(now.plus(self.patience.first)),
        }
    }

    /// The API took the token that is held. Earlier failures are forgotten when it is taken for longer
    /// than the last of them made us wait, and not before: where some requests are refused and others
    /// are not, the waits have to grow all the same.
    pub fn accepted(&mut self, now: Moment) {
        if let Some(held) = &mut self.held {
            held.is_accepted = true;
        }
        let quiet = self.patience.after(self.failures) * 2;
        if self
            .last_failure
            .is_some_and(|last| now.since(last) >= quiet)
        {
            self.failures = 0;
            self.last_failure = None;
        }
    }

    /// The API refused the token that is held. One that it took before is fetched anew at once; one
    /// that it never took shows that fetching does not help.
    pub fn refused(&mut self, now: Moment) {
        let was_accepted = self.held.is_some_and(|held| held.is_accepted);
        self.held = None;
        if !was_accepted {
            self.fail(now);
        }
    }

    /// The API refused a token that is not fetched by us: nothing is asked for a while.
    pub fn refused_for_good(&mut self, now: Moment) {
        self.held = None;
        self.fail(now);
    }

    /// There is another secret than the one that failed: it is tried at once.
    pub fn has_another_chance(&mut self) {
        self.failures = 0;
        self.last_failure = None;
        self.not_before = None;
    }

    /// When the token ends that is held, if that is known.
    pub fn ends(&self) -> Option<Moment> {
        Some(self.held?.times?.ends)
    }

    fn fail(&mut self, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
        self.not_before = Some(now.plus(self.patience.after(self.failures)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience {
        first: Duration::from_secs(15),
        longest: Duration::from_secs(300),
    };

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn lived(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    /// A token of so many seconds, which the API took.
    fn accepted(seconds: u64) -> Lease {
        let mut lease = Lease::new(PATIENCE);
        lease.fetched(at(0), lived(seconds), false);
        lease.accepted(at(0));
        lease
    }

    #[test]
    fn a_token_is_renewed_at_four_fifths_of_its_lifetime_however_short() {
        assert_eq!(Lease::new(PATIENCE).advice(at(0)), Advice::Fetch);
        let lease = accepted(43_199);
        assert_eq!(lease.advice(at(34_559)), Advice::Use);
        assert_eq!(lease.advice(at(34_560)), Advice::Fetch);
        let short = accepted(1);
        assert_eq!(
            short.advice(Moment(Duration::from_millis(799))),
            Advice::Use
        );
        assert_eq!(
            short.advice(Moment(Duration::from_millis(800))),
            Advice::Fetch
        );
    }

    #[test]
    fn the_same_token_with_less_time_left_is_renewed_at_four_fifths_of_that() {
        let mut lease = accepted(100);
        lease.fetched(at(80), lived(20), true);
        assert_eq!(lease.advice(at(95)), Advice::Use);
        assert_eq!(lease.advice(at(96)), Advice::Fetch);
    }

    #[test]
    fn a_token_without_a_lifetime_is_used_until_it_is_refused() {
        for lifetime in [None, Some(Duration::ZERO)] {
            let mut lease = Lease::new(PATIENCE);
            lease.fetched(at(0), lifetime, false);
            lease.accepted(at(1));
            assert_eq!(lease.advice(at(1_000_000)), Advice::Use);
            assert_eq!(lease.ends(), None);
            lease.refused(at(1_000_000));
            assert_eq!(lease.advice(at(1_000_000)), Advice::Fetch);
        }
    }

    #[test]
    fn an_absurd_lifetime_is_cut() {
        let mut lease = Lease::new(PATIENCE);
        lease.fetched(at(0), Some(Duration::MAX), false);
        assert_eq!(lease.ends(), Some(Moment(LONGEST_LIFETIME)));
    }

    #[test]
    fn a_token_that_was_good_is_fetched_anew_once_and_a_new_one_that_is_not_is_waited_for() {
        let mut lease = accepted(1_000);
        lease.refused(at(10));
        assert_eq!(lease.advice(at(10)), Advice::Fetch);
        lease.fetched(at(10), lived(1_000), false);
        lease.refused(at(11));
        assert_eq!(lease.advice(at(11)), Advice::Wait(at(26)));
        assert_eq!(lease.advice(at(26)), Advice::Fetch);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut lease = Lease::new(PATIENCE);
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            lease.not_fetched(now, Cause::Refused);
            let Advice::Wait(until) = lease.advice(now) else {
                panic!("no wait");
            };
            waits.push(until.since(now).as_secs());
            now = until;
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 300, 300]);
        lease.has_another_chance();
        assert_eq!(lease.advice(now), Advice::Fetch);
        lease.not_fetched(now, Cause::Refused);
        assert_eq!(lease.advice(now), Advice::Wait(now.plus(PATIENCE.first)));
    }

    #[test]
    fn an_api_that_is_not_reached_is_asked_again_after_the_first_wait_each_time() {
        let mut lease = Lease::new(PATIENCE);
        for now in [at(0), at(15), at(30), at(500)] {
            lease.not_fetched(now, Cause::Unreached);
            assert_eq!(lease.advice(now), Advice::Wait(now.plus(PATIENCE.first)));
        }
    }

    #[test]
    fn a_token_that_cannot_be_renewed_is_good_to_its_end() {
        let mut lease = accepted(100);
        lease.not_fetched(at(80), Cause::Refused);
        assert_eq!(lease.advice(at(80)), Advice::Use);
        assert_eq!(lease.advice(at(95)), Advice::Fetch);
        lease.not_fetched(at(95), Cause::Refused);
        assert_eq!(lease.advice(at(99)), Advice::Use);
        assert_eq!(lease.advice(at(100)), Advice::Wait(at(125)));
    }

    #[test]
    fn a_token_of_others_that_is_refused_is_not_asked_with_again_at_once() {
        let mut lease = accepted(0);
        lease.refused_for_good(at(5));
        assert_eq!(lease.advice(at(5)), Advice::Wait(at(20)));
    }

    #[test]
    fn failures_are_forgotten_when_the_token_is_taken_for_longer_than_they_made_us_wait() {
        let mut lease = accepted(10_000);
        lease.not_fetched(at(0), Cause::Refused);
        lease.not_fetched(at(15), Cause::Refused);
        lease.fetched(at(45), lived(10_000), false);
        lease.accepted(at(46));
        lease.refused_for_good(at(47));
        assert_eq!(lease.advice(at(47)), Advice::Wait(at(107)));
        lease.fetched(at(107), lived(10_000), false);
        lease.accepted(at(167));
        lease.refused_for_good(at(168));
        assert_eq!(lease.advice(at(168)), Advice::Wait(at(183)));
    }

    /// A server that takes the token of one log and refuses that of the other: requests in so many
    /// seconds, of one refresh every fifteen seconds.
    fn requests_where_one_log_is_refused(seconds: u64) -> u64 {
        let mut lease = Lease::new(PATIENCE);
        let mut requests = 0;
        for now in (0..seconds).step_by(15).map(at) {
            for is_taken in [true, false] {
                for _ in 0..2 {
                    match lease.advice(now) {
                        Advice::Wait(_) => break,
                        Advice::Use => {}
                        Advice::Fetch => {
                            requests += 1;
                            lease.fetched(now, lived(43_199), false);
                        }
                    }
                    requests += 1;
                    if is_taken {
                        lease.accepted(now);
                        break;
                    }
                    lease.refused(now);
                }
            }
        }
        requests
    }

    #[test]
    fn a_token_that_only_one_log_takes_does_not_eat_the_budget() {
        let requests = requests_where_one_log_is_refused(6 * 3_600);
        assert!(requests < 6 * 75, "{requests} in six hours");
    }

    proptest! {
        /// Whatever fails and is refused, fetches become rare, and the token is there again soon after
        /// the cause is gone.
        #[test]
        fn fetches_are_few_while_nothing_helps_and_the_token_comes_back(
            steps in prop::collection::vec((1_u64..40, 0_u8..4, 0_u64..100), 1..200),
        ) {
            let mut lease = Lease::new(PATIENCE);
            let (mut now, mut failed) = (0, Vec::new());
            for (pause, what, lifetime) in steps {
                now += pause;
                match (lease.advice(at(now)), what) {
                    (Advice::Wait(until), _) => prop_assert!(until <= at(now).plus(PATIENCE.longest)),
                    (Advice::Fetch, 0) => lease.fetched(at(now), lived(lifetime), false),
                    (Advice::Fetch, _) => {
                        lease.not_fetched(at(now), Cause::Refused);
                        failed.push(now);
                    }
                    (Advice::Use, 0 | 1) => lease.accepted(at(now)),
                    (Advice::Use, _) => lease.refused(at(now)),
                }
            }
            for pair in failed.windows(2) {
                prop_assert!(pair[1] - pair[0] >= PATIENCE.first.as_secs(), "{failed:?}");
            }
            now += PATIENCE.longest.as_secs();
            prop_assert!(!matches!(lease.advice(at(now)), Advice::Wait(_)));
        }
    }
}
