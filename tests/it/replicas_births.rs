//! A series that is born late is shown at zero to who scrapes whichever replica, before its value.

use std::time::Duration;

use metaaccess_exporter::clock;

use crate::births::{Scraper, quiet};
use crate::exporter::Exporter;
use crate::postgres::shared_server;
use crate::replicas_fleet::PATIENCE;

/// Scrapes each replica as is due until `done` holds; and says whether all came punctually, without which
/// nobody is to know that they are regular.
#[track_caller]
fn scrape_until(
    replicas: &[Exporter],
    scrapers: &mut [Scraper],
    what: &str,
    done: impl Fn(&[Scraper]) -> bool,
) -> bool {
    let (begin, mut are_punctual) = (clock::now(), true);
    while !done(scrapers) {
        let waited = clock::now().since(begin);
        assert!(waited < PATIENCE, "not yet: {what}: {scrapers:#?}");
        let numbers = 0..scrapers.len();
        let next = numbers.min_by_key(|number| scrapers[*number].due);
        let next = next.expect("a scraper");
        std::thread::sleep(scrapers[next].due.since(clock::now()));
        let late = clock::now().since(scrapers[next].due);
        if late > PUNCTUAL {
            // Instead of several at once.
            scrapers[next].due = clock::now();
            are_punctual = false;
        }
        scrapers[next].comes_again();
        scrapers[next].scrape(&replicas[next]);
    }
    are_punctual
}

/// The shortest interval is ten times this.
const PUNCTUAL: Duration = Duration::from_millis(40);

#[test]
fn a_zero_is_shown_by_every_replica_to_its_scraper_before_the_value() {
    let Some(server) = shared_server() else {
        return;
    };
    let (api, mut flags) = quiet();
    flags.push(format!("--state.url={}", server.new_database()));
    let replicas: Vec<Exporter> = (0..3).map(|_| Exporter::with(&flags)).collect();
    // Of one Prometheus: the same address and name, and another interval here for each.
    let mut scrapers = [400, 600, 900].map(|every| Scraper::new("alike", every));
    let are_regular = |_: &[Scraper]| {
        let regular = |it: &Exporter| {
            let (samples, _) = it.scrape_within(0.1);
            samples.value("metaaccess_regular_scrapers", &[]) >= 1.0
        };
        replicas.iter().all(regular)
    };
    let mut seen = 0;
    for nth in 0.. {
        assert!(nth < 30, "this machine is too busy for punctual scrapers");
        let host = format!("TEST-{nth}");
        scrape_until(&replicas, &mut scrapers, "all are regular", are_regular);
        api.install_on(&[&host]);
        let are_punctual = scrape_until(&replicas, &mut scrapers, &host, |all| {
            all.iter().all(|scraper| scraper.saw(&host).contains(&1))
        });
        if are_punctual {
            for (number, scraper) in scrapers.iter().enumerate() {
                assert_eq!(scraper.saw(&host), [0, 1], "replica {number}: {host}");
            }
            seen += 1;
        }
        if seen == 3 {
            break;
        }
    }
    for scraper in &scrapers {
        assert_eq!(scraper.saw("TEST-OLD"), [1], "history appears at its value");
    }
}
