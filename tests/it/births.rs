//! New series are shown at zero first, to every regular scraper, also over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::moment::Moment;
use metaaccess_exporter::simulator::{Kind, Settings};

use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE, samples};
use crate::http;

/// A scraper that comes regularly, and what it was shown of each host, in turn.
#[derive(Debug)]
pub struct Scraper {
    agent: &'static str,
    every: Duration,
    pub due: Moment,
    /// The connection that it keeps; none if it makes a new one each time.
    connection: Option<http::Connection>,
    scrapes: usize,
    seen: BTreeMap<String, Vec<u64>>,
}

impl Scraper {
    pub fn new(agent: &'static str, every: u64) -> Self {
        Self {
            agent,
            every: Duration::from_millis(every),
            due: clock::now(),
            connection: None,
            scrapes: 0,
            seen: BTreeMap::new(),
        }
    }

    pub fn scrape(&mut self, exporter: &Exporter) {
        let agent = [("User-Agent", self.agent)];
        let answer = match &mut self.connection {
            Some(connection) => connection.get("/metrics", &agent),
            None => http::ask(exporter.address(), "GET", "/metrics", &agent),
        };
        self.scrapes += 1;
        for ((_, event), count) in samples(&answer.expect("an answer")).counts() {
            let seen = self
                .seen
                .entry(event.labels().hostname.to_owned())
                .or_default();
            seen.push(count);
        }
    }

    pub fn comes_again(&mut self) {
        self.due = self.due.plus(self.every);
    }

    /// What it was shown of a host, without what it was shown again.
    pub fn saw(&self, host: &str) -> Vec<u64> {
        let mut saw = self.seen.get(host).cloned().unwrap_or_default();
        saw.dedup();
        saw
    }
}

/// Scrapes as each is due until `done` holds, which has to be soon.
#[track_caller]
fn scrape_until(
    exporter: &Exporter,
    scrapers: &mut [Scraper],
    what: &str,
    done: impl Fn(&[Scraper]) -> bool,
) {
    let begin = clock::now();
    while !done(scrapers) {
        assert!(
            clock::now().since(begin) < PATIENCE,
            "not yet: {what}: {scrapers:#?}"
        );
        let next = scrapers.iter_mut().min_by_key(|scraper| scraper.due);
        let next = next.expect("a scraper");
        std::thread::sleep(next.due.since(clock::now()));
        next.comes_again();
        next.scrape(exporter);
    }
}

/// Each has come so often that it is known to be regular.
#[track_caller]
fn become_regular(exporter: &Exporter, scrapers: &mut [Scraper]) {
    let all = scrapers.len() as f64;
    let regular = || exporter.scrape().value("metaaccess_regular_scrapers", &[]);
    scrape_until(exporter, scrapers, "all are regular", |_| regular() >= all);
}

/// The API of a quiet company that grants much, and the flags of an exporter with the default.
pub fn quiet() -> (Api, Vec<String>) {
    let api = Api::start(Settings {
        rate_limit: api::limit(1000, Duration::from_secs(1)),
        ..api::empty()
    });
    api.install_on(&["TEST-OLD"]);
    let mut flags = api.flags();
    flags.retain(|flag| !flag.starts_with("--metrics.zero-for="));
    flags.push("--web.listen-address=127.0.0.1:0".to_owned());
    (api, flags)
}

fn all_saw(scrapers: &[Scraper], host: &str) -> bool {
    scrapers
        .iter()
        .all(|scraper| scraper.saw(host).contains(&1))
}

#[test]
fn every_regular_scraper_is_shown_the_zero_and_then_the_value() {
    let (api, flags) = quiet();
    let exporter = Exporter::with(&flags);
    let mut scrapers = [Scraper::new("fast", 150), Scraper::new("slow", 400)];
    become_regular(&exporter, &mut scrapers);
    for host in ["TEST-A", "TEST-B", "TEST-C"] {
        api.install_on(&[host]);
        scrape_until(&exporter, &mut scrapers, host, |all| all_saw(all, host));
    }
    for scraper in &scrapers {
        assert_eq!(scraper.saw("TEST-OLD"), [1], "history appears at its value");
        for host in ["TEST-A", "TEST-B", "TEST-C"] {
            assert_eq!(scraper.saw(host), [0, 1], "{}: {host}", scraper.agent);
        }
    }
    assert_eq!(
        exporter.scrape().value("metaaccess_newborn_series", &[]),
        0.0
    );
}

#[test]
fn a_scraper_that_left_holds_nothing_up_for_long() {
    let (api, flags) = quiet();
    let exporter = Exporter::with(&flags);
    let mut scrapers = vec![Scraper::new("stays", 150), Scraper::new("leaves", 300)];
    become_regular(&exporter, &mut scrapers);
    scrapers.pop();
    api.install_on(&["TEST-A"]);
    let begin = clock::now();
    scrape_until(&exporter, &mut scrapers, "the value", |all| {
        all_saw(all, "TEST-A")
    });
    let took = clock::now().since(begin);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(scrapers[0].saw("TEST-A"), [0, 1]);
}

#[test]
fn while_the_api_has_us_wait_for_an_hour_newborn_series_grow_up() {
    let (api, flags) = quiet();
    let exporter = Exporter::with(&flags);
    let mut scrapers = [Scraper::new("fast", 150), Scraper::new("slow", 400)];
    become_regular(&exporter, &mut scrapers);
    api.install_on(&["TEST-A"]);
    scrape_until(&exporter, &mut scrapers, "the zero", |all| {
        !all[0].saw("TEST-A").is_empty()
    });
    api.fail_device_log(Kind::Status {
        status: 429,
        retry_after: Some(3600),
    });
    scrape_until(&exporter, &mut scrapers, "the value", |all| {
        all_saw(all, "TEST-A")
    });
    for scraper in &scrapers {
        assert_eq!(scraper.saw("TEST-A"), [0, 1], "{}", scraper.agent);
    }
    let left = exporter
        .scrape()
        .value("metaaccess_api_budget_left_requests", &[]);
    assert_eq!(left, 0.0, "it waits still");
}

#[test]
fn look_alikes_that_keep_their_connections_are_told_apart() {
    let (api, flags) = quiet();
    let exporter = Exporter::with(&flags);
    let mut scrapers = [Scraper::new("alike", 130), Scraper::new("alike", 520)];
    for scraper in &mut scrapers {
        let connection = http::Connection::to(exporter.address());
        scraper.connection = Some(connection.expect("a connection"));
    }
    scrape_until(&exporter, &mut scrapers, "both have come often", |all| {
        all.iter().all(|scraper| scraper.scrapes > 4)
    });
    for host in ["TEST-A", "TEST-B", "TEST-C"] {
        api.install_on(&[host]);
        scrape_until(&exporter, &mut scrapers, host, |all| all_saw(all, host));
        for scraper in &scrapers {
            assert_eq!(scraper.saw(host), [0, 1], "{:?}: {host}", scraper.every);
        }
    }
}

#[test]
fn somebody_who_looks_now_and_then_is_shown_the_value_soon() {
    let (api, flags) = quiet();
    let exporter = Exporter::with(&flags);
    exporter.scrape();
    api.install_on(&["TEST-A"]);
    let value = || {
        let samples = exporter.scrape();
        samples.value("metaaccess_events_total", &[("hostname", "TEST-A")])
    };
    assert_eq!((value(), value()), (0.0, 1.0));
}

#[test]
fn a_restart_at_any_moment_neither_repeats_nor_skips_a_zero() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    is_restarted_at_any_moment(&format!("--state.path={}", path.display()));
}

/// With its state there.
#[track_caller]
pub fn is_restarted_at_any_moment(state: &str) {
    let (api, mut flags) = quiet();
    flags.push(state.to_owned());
    let mut scrapers = [Scraper::new("fast", 150), Scraper::new("slow", 400)];
    let mut exporter = Exporter::with(&flags);
    become_regular(&exporter, &mut scrapers);
    // Born before it ends, while both are due, and shown to one of them or none.
    for (host, scrapes) in [("TEST-A", 0), ("TEST-B", 1), ("TEST-C", 2), ("TEST-D", 3)] {
        api.install_on(&[host]);
        for _ in 0..scrapes {
            scrapers[0].scrape(&exporter);
        }
        exporter = match scrapes % 2 {
            0 => {
                exporter.signal("KILL");
                exporter.into_program().end(PATIENCE);
                Exporter::with(&flags)
            }
            _ => {
                assert_eq!(exporter.stop().code, Some(0));
                Exporter::with(&flags)
            }
        };
        scrapers
            .iter_mut()
            .for_each(|scraper| scraper.due = clock::now());
        scrape_until(&exporter, &mut scrapers, host, |all| all_saw(all, host));
        for scraper in &scrapers {
            assert_eq!(scraper.saw(host), [0, 1], "{}: {host}", scraper.agent);
        }
    }
    for scraper in &scrapers {
        for host in ["TEST-A", "TEST-B", "TEST-C", "TEST-D"] {
            assert_eq!(scraper.saw(host), [0, 1], "{}: {host}", scraper.agent);
        }
    }
}

#[test]
fn series_past_the_limit_are_born_at_zero_too() {
    let (api, mut flags) = quiet();
    flags.push("--metrics.max-series=1".to_owned());
    let exporter = Exporter::with(&flags);
    let mut scrapers = [Scraper::new("fast", 150)];
    become_regular(&exporter, &mut scrapers);
    api.install_on(&["TEST-A", "TEST-B"]);
    scrape_until(&exporter, &mut scrapers, "the value", |all| {
        all[0].saw("__other__").contains(&2)
    });
    assert_eq!(scrapers[0].saw("__other__"), [0, 2]);
}

#[test]
fn it_can_be_switched_off() {
    let (api, mut flags) = quiet();
    flags.push("--metrics.zero-for=0s".to_owned());
    let exporter = Exporter::with(&flags);
    exporter.scrape();
    api.install_on(&["TEST-A"]);
    let samples = exporter.scrape();
    assert_eq!(
        samples.value("metaaccess_events_total", &[("hostname", "TEST-A")]),
        1.0
    );
}
