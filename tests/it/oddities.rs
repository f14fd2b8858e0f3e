//! What the vendor may do to lines that are already logged, and to the order of the log: rewritten,
//! purged, dated far off, turned round. Nothing of it is a new line, and new lines are counted.

use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Line, Order, PRIVATE, Purge, Settings};

use crate::api::{self, Api};
use crate::exporter::Exporter;
use crate::samples::Samples;
use crate::watch::{BOTH, Watch, in_both_orders, in_orders, rollout};

const A_WHILE: Duration = Duration::from_millis(300);
/// Minutes of a year.
const YEAR: i64 = 366 * 24 * 60;

/// A company at rest whose log is in this order.
pub fn at_rest(order: Order) -> Settings {
    Settings {
        order,
        ..api::at_rest()
    }
}

/// A company that writes, whose log is in this order.
fn alive(order: Order) -> Settings {
    Settings {
        order,
        ..api::alive()
    }
}

/// Forty installs on one host over the last forty minutes, and as many on others.
pub fn forty_of(api: &Api, host: &str) -> Vec<Line> {
    let both = |back| [api.install(host, back), api.install("TEST-OTHER", back)];
    (0..40).rev().flat_map(both).collect()
}

#[test]
fn a_host_that_is_renamed_in_every_line_is_not_counted_again_and_its_new_lines_are() {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        api.append(&forty_of(&api, "TEST-OLD"));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        assert_eq!(api.rename(EventType::Device, "TEST-OLD", "TEST-NEW"), 40);
        watch.look_for(A_WHILE);
        api.append(&[api.install("TEST-NEW", 0)]);
        watch.rest();
        api.append(&rollout(&api, "B", 70, 1, 5));
        api.append(&[api.install("TEST-NEW", -15), api.install("TEST-OLD", -15)]);
        watch.rest();
    });
}

#[test]
fn hostnames_that_become_private_are_not_counted_again_and_new_lines_are() {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        api.append(&forty_of(&api, "TEST-A"));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        assert!(api.hide_hosts(EventType::Device) > 100);
        watch.look_for(A_WHILE);
        api.append(&[api.install(PRIVATE, 0)]);
        watch.rest();
        // One minute after the other, and then some minutes at once.
        for later in 1..6 {
            api.append(&[api.install(PRIVATE, -later), api.install(PRIVATE, -later)]);
            watch.rest();
        }
        api.append(&rollout(&api, "B", 70, 6, 5));
        watch.rest();
    });
}

#[test]
fn hostnames_that_become_private_while_the_company_writes_are_no_more_lines() {
    in_both_orders(|order| {
        let api = Api::start(alive(order));
        let mut watch = Watch::of(&api, &[]);
        watch.look_for(3 * A_WHILE);
        watch.lines_are_rewritten();
        api.hide_hosts(EventType::Device);
        watch.look_for(3 * A_WHILE);
        api.pause();
        watch.rest_in_sum();
    });
}

/// Lines dated a year ahead, at a first start or in a running log: they count, and so does what
/// comes after them.
fn dated_a_year_ahead(orders: &[Order], ahead: &[i64], at_first: bool) {
    in_orders(orders, |order| {
        let api = Api::start(at_rest(order));
        let far = ahead
            .iter()
            .map(|minute| api.install("TEST-FAR", -YEAR - minute));
        let far: Vec<Line> = far.collect();
        if at_first {
            api.append(&far);
        }
        let watch = Watch::of(&api, &[]);
        watch.rest();
        if !at_first {
            api.append(&far);
            watch.rest();
        }
        for later in 0..4 {
            api.append(&[api.install("TEST-A", -later), api.install("TEST-B", -later)]);
            watch.rest();
        }
        api.append(&rollout(&api, "C", 130, 4, 6));
        watch.rest();
        api.append(&[api.install("TEST-A", -30)]);
        watch.rest();
    });
}

#[test]
fn a_line_dated_a_year_ahead_in_a_running_log_stops_no_count() {
    dated_a_year_ahead(&BOTH, &[0], false);
}

#[test]
fn a_line_dated_a_year_ahead_at_the_first_start_stops_no_count() {
    dated_a_year_ahead(&BOTH, &[0], true);
}

#[test]
fn two_lines_dated_a_year_ahead_in_a_running_log_stop_no_count() {
    dated_a_year_ahead(&BOTH, &[0, 0], false);
    dated_a_year_ahead(&BOTH, &[0, 700], false);
}

#[test]
fn two_lines_dated_a_year_ahead_at_the_first_start_of_a_newest_first_log_stop_no_count() {
    dated_a_year_ahead(&[Order::NewestFirst], &[0, 0], true);
    dated_a_year_ahead(&[Order::NewestFirst], &[0, 700], true);
}

#[test]
fn two_lines_dated_a_year_ahead_at_the_first_start_of_an_oldest_first_log_stop_no_count() {
    dated_a_year_ahead(&[Order::OldestFirst], &[0, 0], true);
    dated_a_year_ahead(&[Order::OldestFirst], &[0, 700], true);
}

#[test]
fn a_line_dated_1970_stops_no_count() {
    for at_first in [false, true] {
        in_both_orders(|order| {
            let api = Api::start(at_rest(order));
            let line = Line {
                minute: metaaccess_exporter::event::Minute(17),
                ..api.install("TEST-1970", 0)
            };
            if at_first {
                api.append(std::slice::from_ref(&line));
            }
            let watch = Watch::of(&api, &[]);
            // Whether it counts or not: it is older than anything that is looked at.
            watch.rest_but_for(&["TEST-1970"]);
            if !at_first {
                api.append(&[line]);
                watch.look_for(A_WHILE);
            }
            api.append(&rollout(&api, "A", 3, 0, 1));
            watch.rest_but_for(&["TEST-1970"]);
            api.append(&rollout(&api, "B", 130, 3, 6));
            watch.rest_but_for(&["TEST-1970"]);
        });
    }
}

#[test]
fn lines_that_an_administrator_purges_stay_counted_and_new_ones_are() {
    let purges = [
        Purge::Hostname("TEST-GONE".to_owned()),
        Purge::Newest(1),
        Purge::Newest(30),
        Purge::Newest(130),
    ];
    for purge in purges {
        in_both_orders(|order| {
            let api = Api::start(at_rest(order));
            api.append(&forty_of(&api, "TEST-GONE"));
            let watch = Watch::of(&api, &[]);
            watch.rest();
            assert!(api.purge(EventType::Device, &purge) > 0);
            watch.look_for(A_WHILE);
            api.append(&[api.install("TEST-GONE", -1), api.install("TEST-A", -1)]);
            watch.rest();
            api.append(&rollout(&api, "B", 70, 2, 5));
            watch.rest();
        });
    }
}

#[test]
fn a_log_that_is_purged_of_every_line_is_counted_on() {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        api.purge(EventType::Device, &Purge::Newest(usize::MAX));
        watch.look_for(A_WHILE);
        api.append(&[api.install("TEST-A", -1), api.install("TEST-B", -1)]);
        watch.rest();
        api.append(&rollout(&api, "C", 70, 2, 5));
        watch.rest();
    });
}

#[test]
fn a_purge_brings_no_line_from_before_the_lookback_back_as_new() {
    in_both_orders(|order| {
        let api = Api::start(Settings {
            order,
            ..api::empty()
        });
        let old = (0..90).map(|n| api.install("TEST-OLD", 30 * 60 - n));
        api.append(&old.collect::<Vec<_>>());
        let new = (0..70).map(|n| api.install("TEST-NEW", 70 - n));
        api.append(&new.collect::<Vec<_>>());
        let watch = Watch::of(&api, &[]);
        let none_is_old = || {
            let counts = watch.rest_but_for(&["TEST-OLD"]).counts();
            let old = counts
                .keys()
                .filter(|(_, event)| event.labels().hostname == "TEST-OLD");
            assert_eq!(old.count(), 0, "{counts:#?}");
        };
        none_is_old();
        api.purge(EventType::Device, &Purge::Newest(70));
        watch.look_for(A_WHILE);
        none_is_old();
        api.append(&[api.install("TEST-NEW", -1)]);
        none_is_old();
    });
}

/// The log is shown the other way round from now on, and back again.
pub fn turned(order: Order) -> Order {
    match order {
        Order::OldestFirst => Order::NewestFirst,
        _ => Order::OldestFirst,
    }
}

#[test]
fn a_log_that_turns_round_at_rest_is_counted_on() {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        for (number, order) in [turned(order), order].into_iter().enumerate() {
            let later = 40 * number as i64;
            api.turn(order);
            watch.look_for(A_WHILE);
            api.append(&[api.install("TEST-A", -later), api.install("TEST-B", -later)]);
            watch.rest();
            api.append(&rollout(&api, &format!("C{number}"), 130, later + 1, 5));
            watch.rest();
        }
    });
}

#[test]
fn a_log_that_turns_round_while_the_company_writes_is_counted_exactly() {
    in_both_orders(|order| {
        let api = Api::start(alive(order));
        let watch = Watch::of(&api, &[]);
        watch.look_for(2 * A_WHILE);
        api.turn(turned(order));
        watch.look_for(2 * A_WHILE);
        api.turn(order);
        watch.look_for(2 * A_WHILE);
        api.pause();
        watch.rest();
    });
}

#[test]
fn a_line_dated_far_ahead_is_not_taken_for_the_newest() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let name = "metaaccess_log_newest_line_timestamp_seconds";
    let newest = |samples: &Samples| samples.value(name, &[("event_type", "device")]);
    let before = newest(&exporter.settle(&api));
    assert!(before > 0.0);
    api.append(&[api.install("TEST-R1W3Y", -20 * YEAR)]);
    assert_eq!(newest(&exporter.settle(&api)), before);
    api.install_on(&["TEST-R1W3Y"]);
    assert!(newest(&exporter.settle(&api)) >= before);
}
