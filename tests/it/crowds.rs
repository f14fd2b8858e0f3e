//! Many lines of one minute, equal or different, and lines that come below others: what a place in
//! the log has to tell, since content does not.

use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Change, Drift, Line, Order, Settings};

use crate::api::{self, Api};
use crate::exporter::PATIENCE;
use crate::wait::until;
use crate::watch::{BOTH, Watch, in_both_orders, in_orders, rollout};

fn at_rest(order: Order) -> Settings {
    Settings {
        order,
        ..api::at_rest()
    }
}

/// So many equal lines of the present minute.
fn equal(api: &Api, host: &str, lines: usize) -> Vec<Line> {
    vec![api.install(host, 0); lines]
}

/// Logs these lines at once, and then nothing more: all of them are to be counted.
fn then_silence(lines: impl Fn(&Api) -> Vec<Line> + Sync) {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        api.append(&lines(&api));
        watch.rest();
    });
}

#[test]
fn a_minute_of_100_equal_lines_and_then_silence_is_counted_exactly() {
    then_silence(|api| equal(api, "TEST-A", 100));
}

#[test]
fn a_minute_of_300_equal_lines_and_then_silence_is_counted_exactly() {
    then_silence(|api| equal(api, "TEST-A", 300));
}

#[test]
fn a_minute_of_500_equal_lines_and_then_silence_is_counted_exactly() {
    then_silence(|api| equal(api, "TEST-A", 500));
}

/// Runs of so many equal lines, with another line behind each.
fn runs(api: &Api, runs: usize, each: usize) -> Vec<Line> {
    let run = |run: usize| {
        let mut lines = equal(api, "TEST-A", each);
        lines.extend(equal(api, &format!("TEST-B{run}"), 1));
        lines
    };
    (0..runs).flat_map(run).collect()
}

#[test]
fn runs_of_equal_lines_in_one_minute_and_then_silence_are_counted_exactly() {
    then_silence(|api| runs(api, 3, 30));
    then_silence(|api| runs(api, 2, 60));
}

#[test]
fn long_runs_of_equal_lines_in_one_minute_and_then_silence_are_counted_exactly() {
    then_silence(|api| runs(api, 3, 110));
}

#[test]
fn runs_of_two_kinds_of_lines_by_turns_and_then_silence_are_counted_exactly() {
    then_silence(|api| {
        let hosts = ["TEST-A", "TEST-B", "TEST-A", "TEST-B"];
        hosts.iter().flat_map(|host| equal(api, host, 70)).collect()
    });
}

#[test]
fn equal_lines_that_come_a_few_at_a_time_are_counted_exactly() {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        for _ in 0..24 {
            api.append(&equal(&api, "TEST-A", 7));
            watch.look();
        }
        watch.rest();
        api.append(&equal(&api, "TEST-B", 1));
        watch.rest();
    });
}

/// A minute of so many different lines that comes while it is read, and then silence.
fn comes_while_it_is_read(lines: usize, at_a_time: usize) {
    in_both_orders(|order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        // Also between two pages, where no scrape tells when.
        let lines = rollout(&api, "A", lines, 0, usize::MAX);
        let mut some = lines.chunks(at_a_time);
        while let Some(now) = some.next() {
            api.append(now);
            if let Some(soon) = some.next() {
                api.plan(EventType::Device, 2, Change::Append(soon.to_vec()));
            }
            until(PATIENCE, "the planned lines have come", || {
                watch.look();
                (api.planned() == 0).then_some(())
            });
        }
        watch.rest();
    });
}

#[test]
fn a_minute_of_100_lines_that_comes_while_it_is_read_is_counted_exactly() {
    comes_while_it_is_read(100, 10);
}

#[test]
fn a_minute_of_300_lines_that_comes_while_it_is_read_is_counted_exactly() {
    comes_while_it_is_read(300, 20);
}

#[test]
fn a_minute_of_600_lines_that_comes_while_it_is_read_is_counted_exactly() {
    comes_while_it_is_read(600, 30);
}

#[test]
fn a_minute_of_600_lines_that_is_there_at_once_is_counted_exactly() {
    then_silence(|api| rollout(api, "A", 600, 0, usize::MAX));
}

#[test]
fn a_minute_that_grows_with_every_answer_is_counted_exactly() {
    for lines in [1, 3, 8] {
        in_both_orders(|order| {
            let api = Api::start(at_rest(order));
            let watch = Watch::of(&api, &[]);
            watch.rest();
            api.append(&rollout(&api, "A", 120, 0, usize::MAX));
            let every = 1;
            let purge = 0;
            api.set_drift(Drift {
                lines,
                every,
                purge,
            });
            watch.look_for(Duration::from_millis(400));
            api.set_drift(Drift::default());
            watch.rest();
        });
    }
}

/// Lines that are late by so many minutes, below so many lines of each later minute.
fn late_by(orders: &[Order], minutes: i64, below: usize, flags: &[&str]) {
    in_orders(orders, |order| {
        let api = Api::start(at_rest(order));
        let watch = Watch::of(&api, flags);
        watch.rest();
        // Six minutes: the late ones of each come when later ones have been counted.
        for now in 0..6 {
            api.append(&rollout(&api, &format!("N{now}-"), below, now, usize::MAX));
            watch.rest();
            let late = |host: &str| api.install(host, minutes - now);
            api.append(&[
                late("TEST-LATE"),
                late("TEST-LATE"),
                late(&format!("TEST-L{now}")),
            ]);
            watch.rest();
        }
    });
}

#[test]
fn lines_a_minute_late_within_the_pages_read_are_counted_exactly() {
    late_by(&BOTH, 1, 8, &[]);
}

#[test]
fn lines_a_minute_late_below_the_pages_read_are_counted_exactly() {
    late_by(&[Order::NewestFirst], 1, 70, &[]);
}

#[test]
fn lines_two_minutes_late_below_the_pages_read_are_counted_exactly() {
    late_by(&[Order::NewestFirst], 2, 40, &[]);
}

#[test]
fn lines_three_minutes_late_are_counted_exactly_where_lateness_reaches() {
    late_by(&[Order::NewestFirst], 3, 40, &["--api.lateness=4m"]);
}

#[test]
fn lines_a_minute_late_far_below_the_end_of_an_oldest_first_log_are_counted_exactly() {
    late_by(&[Order::OldestFirst], 1, 70, &[]);
}

#[test]
fn lines_two_minutes_late_far_below_the_end_of_an_oldest_first_log_are_counted_exactly() {
    late_by(&[Order::OldestFirst], 2, 40, &[]);
}

#[test]
fn lines_three_minutes_late_far_below_the_end_of_an_oldest_first_log_are_counted_exactly() {
    late_by(&[Order::OldestFirst], 3, 40, &["--api.lateness=4m"]);
}
