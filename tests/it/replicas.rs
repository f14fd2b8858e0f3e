//! Three replicas over one PostgreSQL: they show the same, one alone asks, and whichever is scraped has
//! the account refreshed.

use std::sync::Mutex;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::simulator::Settings;

use crate::api::{self, Api};
use crate::postgres::shared_server;
use crate::replicas_fleet::{Fleet, PATIENCE};
use crate::samples::Counts;
use crate::wait::{throughout, until};

/// What the vendor grants, thirty times as fast.
pub const WINDOW: Duration = Duration::from_secs(2);
pub const REQUESTS: usize = 10;

/// A company that writes twenty lines a second, on the budget of the field.
pub fn busy() -> Settings {
    Settings {
        rate_limit: api::limit(REQUESTS, WINDOW),
        ..api::alive()
    }
}

/// How many requests each replica says that it sent.
fn requests_of_each(fleet: &Fleet<'_>) -> Vec<f64> {
    let asked = |number| {
        let samples = fleet.look(number).samples;
        samples.sum("metaaccess_api_requests_total", &[])
    };
    fleet.numbers().map(asked).collect()
}

#[test]
fn all_show_the_same_to_the_byte_and_one_alone_asks() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let fleet = Fleet::three(&api, &server.new_database(), &[]);
    fleet.is_read();
    let leader = fleet.leader_that_stays();
    let before = requests_of_each(&fleet);
    fleet.scraped_during(|| throughout(Duration::from_secs(3), || {}));
    api.pause();
    fleet.settle();
    let asked = requests_of_each(&fleet);
    for number in fleet.numbers() {
        let has_asked = asked[number] > before[number];
        assert_eq!(has_asked, number == leader, "{before:?}, then {asked:?}");
    }
    assert_eq!(asked.iter().sum::<f64>(), api.requests().total as f64);
    let of_all = |name: &str| -> Vec<f64> {
        let value = |number| fleet.look(number).samples.value(name, &[]);
        fleet.numbers().map(value).collect()
    };
    assert_eq!(of_all("metaaccess_replicas"), [3.0; 3]);
    assert_eq!(of_all("metaaccess_state_connected"), [1.0; 3]);
    assert_eq!(of_all("metaaccess_lease_takeovers_total"), [0.0; 3]);
    assert_eq!(of_all("metaaccess_state_regressions_total"), [0.0; 3]);
}

/// Waits until no refresh goes on, nor one that was wished for just now.
fn is_quiet(api: &Api) {
    let mut asked = api.requests().total;
    let mut since = clock::now();
    until(PATIENCE, "nobody asks any more", || {
        let (now, total) = (clock::now(), api.requests().total);
        if std::mem::replace(&mut asked, total) != total {
            since = now;
        }
        (now.since(since) > Duration::from_millis(300)).then_some(())
    });
}

#[test]
fn a_scrape_of_any_replica_drives_the_refresh_and_waits_for_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(api::at_rest());
    let fleet = Fleet::three(&api, &server.new_database(), &[]);
    fleet.settle();
    let leader = fleet.leader_that_stays();
    let before = requests_of_each(&fleet);
    for (round, path) in ["/metrics", "/metrics?account=default"].iter().enumerate() {
        for number in fleet.numbers() {
            is_quiet(&api);
            let host = format!("TEST-{round}{number}");
            api.install_on(&[&host]);
            let asked = api.requests().total;
            let scrape = fleet.ask(number, path, 10.0).expect("it lives");
            let of_host = [("hostname", &*host)];
            let shown = scrape.samples.sum("metaaccess_events_total", &of_host);
            assert_eq!(shown, 1.0, "{path} of replica {number}: {:?}", scrape.took);
            println!(
                "{path} of replica {number}, leads: {}: {:?}",
                scrape.leads(),
                scrape.took
            );
            assert!(scrape.took < Duration::from_secs(3), "{:?}", scrape.took);
            assert!(api.requests().total > asked);
        }
    }
    for (number, asked) in requests_of_each(&fleet).into_iter().enumerate() {
        assert_eq!(asked > before[number], number == leader, "replica {number}");
    }
}

/// Scrapes that follow each other at whichever replica: none shows less than one that had ended when it
/// began.
#[test]
fn no_count_falls_between_scrapes_that_go_to_the_replicas_in_turn() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(Settings {
        rate_limit: api::limit(40, Duration::from_secs(1)),
        ..api::alive()
    });
    let fleet = Fleet::three(&api, &server.new_database(), &[]);
    fleet.is_read();
    let highest = Mutex::new(Counts::new());
    let scrape = |number| {
        let least = highest.lock().expect("a lock").clone();
        let shown = fleet.look(number).samples.counts();
        for (series, before) in &least {
            let now = shown.get(series);
            assert!(
                now.is_some_and(|now| now >= before),
                "{series:?} falls from {before} to {now:?} at replica {number}"
            );
        }
        let mut highest = highest.lock().expect("a lock");
        for (series, count) in shown {
            let before = highest.entry(series).or_default();
            *before = count.max(*before);
        }
    };
    std::thread::scope(|scope| {
        for first in fleet.numbers() {
            let (scrape, mut turn) = (&scrape, first);
            scope.spawn(move || {
                throughout(Duration::from_secs(5), || {
                    scrape(turn % 3);
                    turn += 1;
                });
            });
        }
    });
    println!("{} scrapes in turn", fleet.scrapes());
    assert!(fleet.scrapes() > 20, "only {} scrapes", fleet.scrapes());
    api.pause();
    fleet.settle();
}
