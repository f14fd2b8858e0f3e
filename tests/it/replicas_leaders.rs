//! The replica that refreshes an account dies, is told to stop, or stands still for longer than its lease:
//! another goes on, and nothing is lost, doubled, late or over the limit.

use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, Kind, Wait};

use crate::api::Api;
use crate::postgres::shared_server;
use crate::replicas::{REQUESTS, busy};
use crate::replicas_fleet::{AT_ONCE, Fleet, PATIENCE};
use crate::wait::{throughout, until};

/// The life of a replica and two beats, and what a busy machine needs.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(9);

/// A beat or two.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(4);

/// Longer than a replica lives that does not beat.
const PAST_THE_LEASE: Duration = Duration::from_secs(8);

/// The API takes its time, so that a signal finds a request on its way.
fn slow(api: &Api) {
    let wait = Wait {
        ms: 2,
        spread_ms: 30,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
}

fn is_exact(api: &Api, fleet: &Fleet<'_>) {
    api.pause();
    api.clear_faults();
    fleet.settle();
    // Else it shows nothing: the limit has to be wanted.
    assert_eq!(api.requests().most_in_any_window, REQUESTS);
}

#[test]
fn where_the_leader_is_killed_another_leads_in_seconds_and_nothing_is_lost() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    slow(&api);
    let fleet = Fleet::three(
        &api,
        &server.new_database(),
        &["--scrape.min-interval=100ms"],
    );
    fleet.is_read();
    fleet.scraped_during(|| {
        let leader = fleet.leader();
        fleet.kill(leader);
        let (_, took) = fleet.is_followed_by(leader);
        println!("taken over after {took:?}");
        assert!(took < TAKEN_OVER_WITHIN, "{took:?}");
        fleet.revive(leader);
        throughout(Duration::from_secs(2), || {});
    });
    is_exact(&api, &fleet);
    let takeovers = |number| {
        let samples = fleet.look(number).samples;
        samples.value("metaaccess_lease_takeovers_total", &[])
    };
    assert_eq!(fleet.numbers().map(takeovers).sum::<f64>(), 1.0);
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over_at_once() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    slow(&api);
    let fleet = Fleet::three(
        &api,
        &server.new_database(),
        &["--scrape.min-interval=100ms"],
    );
    fleet.is_read();
    fleet.scraped_during(|| {
        let leader = fleet.leader();
        let ended = fleet.stop(leader);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let (_, took) = fleet.is_followed_by(leader);
        println!("handed over after {took:?}");
        assert!(took < HANDED_OVER_WITHIN, "{took:?}");
        throughout(Duration::from_secs(2), || {});
    });
    is_exact(&api, &fleet);
}

/// Stops the leader past its lease, and lets it go on.
fn stands_still(fleet: &Fleet<'_>, leader: usize) {
    fleet.signal(leader, "STOP");
    let (_, took) = fleet.is_followed_by(leader);
    println!("taken over after {took:?}");
    throughout(PAST_THE_LEASE.saturating_sub(took), || {});
    fleet.signal(leader, "CONT");
    until(PATIENCE, "it follows", || {
        let scrape = fleet.look_for(leader, AT_ONCE);
        (!scrape.leads()).then_some(())
    });
}

#[test]
fn a_leader_that_stood_still_writes_nothing_late_shows_nothing_less_and_follows() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    slow(&api);
    let fleet = Fleet::three(
        &api,
        &server.new_database(),
        &["--scrape.min-interval=100ms"],
    );
    fleet.is_read();
    let leader = fleet.leader();
    // Scrapes wait for it all the time, and reach it the moment that it is back.
    fleet.scraped_during(|| stands_still(&fleet, leader));
    is_exact(&api, &fleet);
}
