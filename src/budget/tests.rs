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

fn account(name: &str) -> Account {
    Account::new(name)
}

/// A budget of one place a second, and of another a second later, that are taken at 0 and at 1 s.
fn two_taken_apart() -> Budget {
    let limit = RateLimit {
        requests: 2,
        window: Duration::from_secs(10),
    };
    let mut budget = Budget::new(limit);
    for second in 0..2 {
        let slot = budget.take(&payer(), at(second * 1_000), TIMEOUT);
        budget.answered(slot.expect("a place"), at(second * 1_000));
    }
    budget
}

#[test]
fn a_token_is_asked_for_only_with_a_place_for_its_use() {
    let mut budget = two_taken_apart();
    let NotBefore(one) = budget.not_before(at(2_000)).expect("full");
    let refused = budget.take_one_of_two(&payer(), one, TIMEOUT);
    let NotBefore(both) = refused.expect_err("there is one place alone");
    assert_eq!(both.since(one), Duration::from_secs(1));
    let _token = budget
        .take_one_of_two(&payer(), both, TIMEOUT)
        .expect("two");
    let _its_use = budget.take(&payer(), both, TIMEOUT).expect("the other");
    let mut single = Budget::new(RateLimit {
        requests: 1,
        window: Duration::from_secs(2),
    });
    assert!(single.take_one_of_two(&payer(), at(0), TIMEOUT).is_ok());
}

#[test]
fn who_waits_first_has_the_first_place() {
    let mut budget = two_taken_apart();
    let (first, second, third) = (account("first"), account("second"), account("third"));
    for waiting in [&first, &second] {
        assert!(budget.take(waiting, at(2_000), TIMEOUT).is_err());
    }
    let NotBefore(one) = budget.not_before(at(2_000)).expect("full");
    for behind in [&third, &second] {
        assert!(budget.take(behind, one, TIMEOUT).is_err(), "{behind}");
    }
    assert!(budget.is_waited_for(one));
    let slot = budget.take(&first, one, TIMEOUT).expect("its turn");
    budget.answered(slot, one);
    assert!(budget.take(&second, one, TIMEOUT).is_err());
    let other = one.plus(Duration::from_secs(1));
    assert!(budget.take(&third, other, TIMEOUT).is_err());
    assert!(budget.take(&second, other, TIMEOUT).is_ok());
}

#[test]
fn who_does_not_come_back_for_its_turn_holds_nobody_up() {
    let mut budget = two_taken_apart();
    let (gone, leaving, here) = (account("gone"), account("leaving"), account("here"));
    assert!(budget.take(&gone, at(2_000), TIMEOUT).is_err());
    assert!(budget.take(&leaving, at(2_000), TIMEOUT).is_err());
    budget.leave(&leaving);
    let a_window_later = at(12_001);
    assert!(budget.take(&here, a_window_later, TIMEOUT).is_ok());
    assert!(!budget.is_waited_for(a_window_later));
}

#[test]
fn each_account_saves_what_it_paid_and_together_these_are_the_window() {
    let (one, other) = (account("one"), account("other"));
    let mut budget = ten_a_minute();
    for payer in [&one, &one, &one, &other, &other] {
        let _sent = budget.take(payer, at(0), TIMEOUT).expect("a place");
    }
    budget.server_says(&other, 3, None, at(0));
    let saved = [&one, &other].map(|payer| budget.saved(payer, "boot", at(1_000)));
    assert_eq!(saved.each_ref().map(|saved| saved.places.len()), [3, 4]);
    let mut next = ten_a_minute();
    for (payer, saved) in [&one, &other].into_iter().zip(&saved) {
        next.take_up(payer, saved, "boot", at(2_000), TIMEOUT);
    }
    assert_eq!(next.left(at(2_000)), 3);
    next.take_up(&one, &saved[0], "boot", at(3_000), TIMEOUT);
    assert_eq!(
        next.left(at(3_000)),
        3,
        "taking it up twice changes nothing"
    );
}

#[test]
fn what_a_store_has_lost_is_still_held_by_who_paid_for_it() {
    let mut budget = ten_a_minute();
    for second in 0..10 {
        let sent = at(second * 1_000);
        let slot = budget.take(&payer(), sent, TIMEOUT).expect("a place");
        budget.answered(slot, sent);
    }
    let now = at(10_000);
    let all = budget.saved(&payer(), "boot", now);
    let mut older = all.clone();
    older.places.truncate(1);
    budget.take_up(&payer(), &older, "boot", now, TIMEOUT);
    assert_eq!(budget.left(now), 0);
    budget.take_up(&payer(), &all, "boot", now, TIMEOUT);
    assert_eq!(budget.saved(&payer(), "boot", now).places.len(), 10);
}
