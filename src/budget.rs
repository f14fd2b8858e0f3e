//! The request window: never more than so many requests in any window, as the server sees them.
//!
//! The server sees a request somewhere between its sending and its answer. So a request holds its
//! place from before it is sent until one window after its answer (or the end of its time-out): two
//! requests that used the same place are then at least one window apart at the server, whatever the
//! latency. A token bucket lets nearly twice the limit through, and stamping at sending one too many.

use std::time::Duration;

use crate::moment::Moment;
use crate::saved::{SavedPlace, SavedRequests};

/// So many requests in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub window: Duration,
}

impl RateLimit {
    /// How long `requests` take on average when the limit is used up.
    pub fn time_for(self, requests: u32) -> Duration {
        self.window * requests / self.requests.max(1)
    }
}

/// The places of the window, and until when each is held.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: RateLimit,
    places: Vec<Place>,
    paused_until: Option<Moment>,
    next_slot: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u64,
    free_at: Moment,
    /// Held for a request that others sent.
    foreign: bool,
}

/// The place of one request that may be sent. Give it back with [`Budget::answered`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back is held for its time-out and a window"]
pub struct Slot(u64);

/// No request may be sent before this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBefore(pub Moment);

impl Budget {
    /// A window in which nothing was sent yet.
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            places: Vec::new(),
            paused_until: None,
            next_slot: 0,
        }
    }

    /// A window that holds what the one before it held when it was saved. Moments of another boot
    /// tell nothing: then every place is held as if its request were sent now.
    pub fn resume(
        limit: RateLimit,
        saved: &SavedRequests,
        boot: &str,
        now: Moment,
        timeout: Duration,
    ) -> Self {
        let mut budget = Self::new(limit);
        let latest = budget.free_after(now.plus(timeout));
        let same_boot = !boot.is_empty() && saved.boot == boot;
        let free_at = |saved: Moment| if same_boot { saved.min(latest) } else { latest };
        for place in &saved.places {
            let _held_on = budget.hold(free_at(place.free_at), place.foreign);
        }
        // A server may ask for a longer pause than a window.
        budget.paused_until = saved.paused_until.map(|until| match same_boot {
            true => until,
            false => latest,
        });
        budget
    }

    /// What a later process has to hold: the places that are not free at `now`.
    pub fn saved(&self, boot: &str, now: Moment) -> SavedRequests {
        let held = self.places.iter().filter(|place| place.free_at > now);
        let places = held.map(|place| SavedPlace {
            free_at: place.free_at,
            foreign: place.foreign,
        });
        SavedRequests {
            boot: boot.to_owned(),
            places: places.collect(),
            paused_until: self.paused_until.filter(|until| *until > now),
        }
    }

    /// Takes the place of a request that will have its answer, or be given up, within `timeout`;
    /// or says before when it may not be sent.
    pub fn take(&mut self, now: Moment, timeout: Duration) -> Result<Slot, NotBefore> {
        if let Some(not_before) = self.not_before(now) {
            return Err(not_before);
        }
        self.places.retain(|place| place.free_at > now);
        Ok(self.hold(self.free_after(now.plus(timeout)), false))
    }

    fn hold(&mut self, free_at: Moment, foreign: bool) -> Slot {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.places.push(Place {
            slot,
            free_at,
            foreign,
        });
        Slot(slot)
    }

    /// Gives back the place of a request that was never sent.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slot is given back, and cannot be used again"
    )]
    pub fn never_sent(&mut self, slot: Slot) {
        self.places.retain(|place| place.slot != slot.0);
    }

    /// Notes that the request's answer came, or that it was given up, at `now`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slot is given back, and cannot be used again"
    )]
    pub fn answered(&mut self, slot: Slot, now: Moment) {
        let free_at = self.free_after(now);
        if let Some(place) = self.places.iter_mut().find(|place| place.slot == slot.0) {
            place.free_at = free_at;
        }
    }

    /// Obeys the server's own count: where it says that fewer requests remain than we think, others
    /// use the account, and their places are held for `reset` (a window, where it is not said).
    /// Where it says that none remains until `reset`, although we did not use all ourselves, nothing
    /// is sent before, even if a place becomes free: its window may be another one than ours.
    pub fn server_says(&mut self, remaining: u32, reset: Option<Duration>, now: Moment) {
        if remaining == 0 && reset.is_some() && self.held(now, false) < self.limit.requests {
            self.refused(reset, now);
        }
        let free_at = self.free_after_wait(reset, now);
        for _ in remaining..self.left(now) {
            let _held_for_others = self.hold(free_at, true);
        }
    }

    /// The server refused a request for its rate limit: sends nothing for `wait` (a window, where
    /// it is not said).
    pub fn refused(&mut self, wait: Option<Duration>, now: Moment) {
        let until = self.free_after_wait(wait, now);
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// How many requests may be sent at `now`.
    pub fn left(&self, now: Moment) -> u32 {
        if self.paused_until.is_some_and(|until| until > now) {
            return 0;
        }
        let held = self.held(now, false).saturating_add(self.held(now, true));
        self.limit.requests.saturating_sub(held)
    }

    fn held(&self, now: Moment, foreign: bool) -> u32 {
        let held = |place: &&Place| place.free_at > now && place.foreign == foreign;
        let held = self.places.iter().filter(held).count();
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// The moment before which no request may be sent; none if one may be sent at `now`.
    pub fn not_before(&self, now: Moment) -> Option<NotBefore> {
        let mut held: Vec<Moment> = self.places.iter().map(|p| p.free_at).collect();
        held.retain(|free_at| *free_at > now);
        held.sort_unstable();
        let limit = usize::try_from(self.limit.requests).unwrap_or(usize::MAX);
        let place_free = held
            .len()
            .checked_sub(limit)
            .and_then(|surplus| held.get(surplus));
        let paused = self.paused_until.filter(|until| *until > now);
        place_free.copied().max(paused).map(NotBefore)
    }

    /// The limit that this budget keeps.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    fn free_after(&self, end: Moment) -> Moment {
        self.free_after_wait(None, end)
    }

    fn free_after_wait(&self, wait: Option<Duration>, from: Moment) -> Moment {
        let wait = wait.unwrap_or(self.limit.window);
        from.plus(wait + slack(wait))
    }
}

/// What two clocks may differ over a wait: ours against the server's, and the rounding of both.
fn slack(wait: Duration) -> Duration {
    wait / 1000 + Duration::from_millis(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn at(millis: u64) -> Moment {
        Moment(Duration::from_millis(millis))
    }

    fn ten_a_minute() -> Budget {
        Budget::new(RateLimit {
            requests: 10,
            window: Duration::from_secs(60),
        })
    }

    #[test]
    fn the_eleventh_request_waits_until_a_window_after_the_first_answer() {
        let mut budget = ten_a_minute();
        for n in 0..10 {
            let slot = budget.take(at(n * 100), TIMEOUT).expect("a place");
            budget.answered(slot, at(n * 100 + 50));
        }
        assert_eq!(budget.left(at(1000)), 0);
        let NotBefore(when) = budget.take(at(1000), TIMEOUT).expect_err("full");
        assert_eq!(when, at(50 + 60_000 + 62));
        assert!(budget.take(when, TIMEOUT).is_ok());
    }

    #[test]
    fn a_request_that_never_comes_back_holds_its_place_for_its_time_out_and_a_window() {
        let mut budget = Budget::new(RateLimit {
            requests: 1,
            window: Duration::from_secs(2),
        });
        let _lost = budget.take(at(0), TIMEOUT).expect("a place");
        assert!(budget.take(at(6_999), TIMEOUT).is_err());
        assert!(budget.take(at(7_005), TIMEOUT).is_ok());
    }

    #[test]
    fn requests_of_others_are_held_as_if_they_were_ours() {
        let mut budget = ten_a_minute();
        budget.server_says(3, Some(Duration::from_secs(20)), at(0));
        assert_eq!(budget.left(at(0)), 3);
        budget.server_says(3, Some(Duration::from_secs(20)), at(0));
        assert_eq!(budget.left(at(0)), 3, "saying it twice changes nothing");
        budget.server_says(9, None, at(0));
        assert_eq!(budget.left(at(0)), 3, "more than we think opens nothing");
        assert_eq!(budget.left(at(21_000)), 10);
    }

    #[test]
    fn where_the_server_has_nothing_left_our_own_places_open_nothing_before_it_resets() {
        let mut budget = ten_a_minute();
        let slot = budget.take(at(0), TIMEOUT).expect("a place");
        budget.answered(slot, at(10));
        budget.server_says(0, Some(Duration::from_secs(90)), at(10));
        assert_eq!(budget.left(at(70_000)), 0);
        assert_eq!(budget.left(at(90_200)), 10);
    }

    #[test]
    fn a_server_that_agrees_with_us_does_not_slow_us_down() {
        let mut budget = Budget::new(RateLimit {
            requests: 1,
            window: Duration::from_secs(2),
        });
        let slot = budget.take(at(0), TIMEOUT).expect("a place");
        budget.answered(slot, at(10));
        // Its seconds are whole ones, rounded up.
        budget.server_says(0, Some(Duration::from_secs(3)), at(10));
        assert_eq!(budget.not_before(at(10)), Some(NotBefore(at(2_014))));
    }

    #[test]
    fn a_refusal_stops_all_requests_for_the_time_it_says() {
        let mut budget = ten_a_minute();
        budget.refused(Some(Duration::from_secs(7)), at(0));
        assert_eq!(budget.left(at(6_999)), 0);
        assert_eq!(budget.not_before(at(0)), Some(NotBefore(at(7_009))));
        assert_eq!(budget.left(at(7_009)), 10);
        budget.refused(None, at(8_000));
        assert_eq!(budget.left(at(68_000)), 0);
    }

    #[test]
    fn a_restart_opens_no_window() {
        let limit = ten_a_minute().limit();
        let mut budget = ten_a_minute();
        for n in 0..10 {
            let slot = budget.take(at(n * 100), TIMEOUT).expect("a place");
            budget.answered(slot, at(n * 100));
        }
        let saved = budget.saved("boot", at(1_000));
        let resumed = |boot, now| Budget::resume(limit, &saved, boot, now, TIMEOUT);
        let same = resumed("boot", at(2_000));
        assert_eq!(same.not_before(at(2_000)), budget.not_before(at(2_000)));
        assert_eq!(same.left(at(61_000)), 10);
        // On another machine, or after it started anew, moments compare to nothing.
        for boot in ["another", ""] {
            let other = resumed(boot, at(400_000));
            assert_eq!(other.left(at(400_000 + 65_000)), 0);
            assert_eq!(other.left(at(400_000 + 65_100)), 10);
        }
        let early = resumed("boot", at(0));
        assert_eq!(
            early.left(at(65_100)),
            10,
            "nothing is held for longer than a request holds it"
        );
    }

    #[test]
    fn a_pause_that_the_server_asked_for_outlives_a_restart() {
        let mut budget = ten_a_minute();
        budget.refused(Some(Duration::from_secs(300)), at(0));
        let saved = budget.saved("boot", at(1_000));
        let resumed = Budget::resume(budget.limit(), &saved, "boot", at(2_000), TIMEOUT);
        assert_eq!(resumed.left(at(299_000)), 0);
    }

    #[test]
    fn a_request_that_was_never_sent_gives_its_place_back() {
        let mut budget = ten_a_minute();
        let slot = budget.take(at(0), TIMEOUT).expect("a place");
        budget.never_sent(slot);
        assert_eq!(budget.left(at(0)), 10);
    }

    /// Sends as fast as the budget allows; every request reaches the server at a time of its own
    /// choosing between sending and answer (or time-out).
    fn times_at_server(limit: RateLimit, latencies: &[(u64, u64, bool)]) -> Vec<Duration> {
        let mut budget = Budget::new(limit);
        let mut now = at(0);
        let mut seen = Vec::new();
        for (reach, back, lost) in latencies {
            if let Some(NotBefore(when)) = budget.not_before(now) {
                now = when;
            }
            let slot = budget.take(now, TIMEOUT).expect("allowed now");
            let reach = Duration::from_millis(*reach);
            seen.push(now.0 + reach);
            if !lost {
                budget.answered(slot, now.plus(reach + Duration::from_millis(*back)));
            }
            now = now.plus(Duration::from_millis(1));
        }
        seen.sort();
        seen
    }

    proptest! {
        #[test]
        fn no_window_at_the_server_holds_more_than_the_limit(
            requests in 1_u32..12,
            window in 500_u64..60_000,
            latencies in prop::collection::vec((0_u64..2_500, 0_u64..2_500, prop::bool::weighted(0.1)), 1..120),
        ) {
            let limit = RateLimit { requests, window: Duration::from_millis(window) };
            let seen = times_at_server(limit, &latencies);
            for pair in seen.windows(requests as usize + 1) {
                let span = pair[requests as usize] - pair[0];
                prop_assert!(span > limit.window, "{} requests within {span:?}", requests + 1);
            }
        }
    }
}
