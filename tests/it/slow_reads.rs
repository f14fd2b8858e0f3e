//! Reads that take several requests, or go further back than they must: they end, however often
//! scrapes come.

use std::time::Duration;

use metaaccess_exporter::simulator::{Order, Settings};

use crate::api::{self, Api};
use crate::exporter::PATIENCE;
use crate::wait::until;
use crate::watch::{Watch, in_both_orders, rollout};

const WINDOW: Duration = Duration::from_secs(1);

fn limited(order: Order) -> Settings {
    Settings {
        order,
        rate_limit: api::limit(10, WINDOW),
        ..api::at_rest()
    }
}

#[test]
fn a_long_read_ends_although_scrapes_never_pause_and_none_is_too_young() {
    in_both_orders(|order| {
        let api = Api::start(Settings {
            history_rate: 0.5,
            ..limited(order)
        });
        let watch = Watch::of(&api, &["--scrape.min-interval=0s"]);
        until(PATIENCE, "both logs are read", || {
            let (samples, truth) = watch.look();
            (samples.counts() == truth).then_some(())
        });
    });
}

#[test]
fn late_lines_are_found_although_scrapes_come_as_often_as_they_may() {
    in_both_orders(|order| {
        let api = Api::start(limited(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        api.append(&rollout(&api, "A", 120, 0, 120));
        watch.rest();
        api.append(&[api.install("TEST-LATE", 1), api.install("TEST-LATE", 1)]);
        watch.rest();
    });
}

#[test]
fn lines_two_minutes_late_below_a_hundred_others_are_counted() {
    in_both_orders(|order| {
        let api = Api::start(limited(order));
        let watch = Watch::of(&api, &[]);
        watch.rest();
        api.append(&rollout(&api, "A", 100, 1, 100));
        api.append(&rollout(&api, "B", 10, 2, 10));
        watch.rest();
        api.append(&[api.install("TEST-LATE", 0), api.install("TEST-LATE", 0)]);
        watch.rest();
    });
}
