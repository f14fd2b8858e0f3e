//! Tests of the request window.

use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(5);

fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

fn payer() -> Account {
    Account::new("default")
}

/// Another process's budget, which goes on from what was saved.
fn resume(limit: RateLimit, saved: &SavedRequests, boot: &str, now: Moment) -> Budget {
    let mut budget = Budget::new(limit);
    budget.take_up(&payer(), saved, boot, now, TIMEOUT);
    budget
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
        let slot = budget
            .take(&payer(), at(n * 100), TIMEOUT)
            .expect("a place");
        budget.answered(slot, at(n * 100 + 50));
    }
    assert_eq!(budget.left(at(1000)), 0);
    let NotBefore(when) = budget.take(&payer(), at(1000), TIMEOUT).expect_err("full");
    assert_eq!(when, at(50 + 60_000 + 62));
    assert!(budget.take(&payer(), when, TIMEOUT).is_ok());
}

#[test]
fn a_request_that_never_comes_back_holds_its_place_for_its_time_out_and_a_window() {
    let mut budget = Budget::new(RateLimit {
        requests: 1,
        window: Duration::from_secs(2),
    });
    let _lost = budget.take(&payer(), at(0), TIMEOUT).expect("a place");
    assert!(budget.take(&payer(), at(6_999), TIMEOUT).is_err());
    assert!(budget.take(&payer(), at(7_005), TIMEOUT).is_ok());
}

#[test]
fn requests_of_others_are_held_as_if_they_were_ours() {
    let mut budget = ten_a_minute();
    budget.server_says(&payer(), 3, Some(Duration::from_secs(20)), at(0));
    assert_eq!(budget.left(at(0)), 3);
    budget.server_says(&payer(), 3, Some(Duration::from_secs(20)), at(0));
    assert_eq!(budget.left(at(0)), 3, "saying it twice changes nothing");
    budget.server_says(&payer(), 9, None, at(0));
    assert_eq!(budget.left(at(0)), 3, "more than we think opens nothing");
    assert_eq!(budget.left(at(21_000)), 10);
}

#[test]
fn where_the_server_has_nothing_left_our_own_places_open_nothing_before_it_resets() {
    let mut budget = ten_a_minute();
    let slot = budget.take(&payer(), at(0), TIMEOUT).expect("a place");
    budget.answered(slot, at(10));
    budget.server_says(&payer(), 0, Some(Duration::from_secs(90)), at(10));
    assert_eq!(budget.left(at(70_000)), 0);
    assert_eq!(budget.left(at(90_200)), 10);
}

#[test]
fn a_server_that_agrees_with_us_does_not_slow_us_down() {
    let mut budget = Budget::new(RateLimit {
        requests: 1,
        window: Duration::from_secs(2),
    });
    let slot = budget.take(&payer(), at(0), TIMEOUT).expect("a place");
    budget.answered(slot, at(10));
    // Its seconds are whole ones, rounded up.
    budget.server_says(&payer(), 0, Some(Duration::from_secs(3)), at(10));
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
        let slot = budget
            .take(&payer(), at(n * 100), TIMEOUT)
            .expect("a place");
        budget.answered(slot, at(n * 100));
    }
    let saved = budget.saved(&payer(), "boot", at(1_000));
    let resumed = |boot, now| resume(limit, &saved, boot, now);
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
    let saved = budget.saved(&payer(), "boot", at(1_000));
    let resumed = resume(budget.limit(), &saved, "boot", at(2_000));
    assert_eq!(resumed.left(at(299_000)), 0);
}

#[test]
fn a_request_that_was_never_sent_gives_its_place_back() {
    let mut budget = ten_a_minute();
    let slot = budget.take(&payer(), at(0), TIMEOUT).expect("a place");
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
        let slot = budget.take(&payer(), now, TIMEOUT).expect("allowed now");
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
