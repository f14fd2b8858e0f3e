//! A series that is born late is shown at zero to who scrapes whichever replica, before its value.

use std::time::Duration;

use metaaccess_exporter::clock;

use crate::accounts::{Folder, account, reload};
use crate::births::{Scraper, is_restarted_at_any_moment, quiet};
use crate::exporter::Exporter;
use crate::postgres::{Proxy, shared_server};
use crate::replicas_fleet::PATIENCE;
use crate::wait::until;

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

fn leads(replica: &Exporter) -> bool {
    let (samples, _) = replica.scrape_within(0.1);
    samples.value("metaaccess_replica_leads", &[]) == 1.0
}

/// Who of them leads, and goes on to: a lease is given to the one to which it belongs once that lives for
/// a while.
#[track_caller]
fn leader_for_good(replicas: &[&Exporter], sql: &dyn Fn(&str) -> String) -> usize {
    until(PATIENCE, "each wants the lease", || {
        let beat = sql("SELECT count(*) FROM metaaccess_replicas WHERE config <> 0");
        (beat == replicas.len().to_string()).then_some(())
    });
    // Nobody takes the others for settled from the next beat on.
    sql("UPDATE metaaccess_replicas SET since_us = 9000000000000000");
    let beaten = || -> i64 {
        let until = sql("SELECT min(until_us) FROM metaaccess_replicas WHERE config <> 0");
        until.parse().expect("a number")
    };
    let (begin, two_beats) = (beaten(), 2_000_000);
    until(PATIENCE, "each has beaten twice", || {
        (beaten() >= begin + two_beats).then_some(())
    });
    until(PATIENCE, "one leads", || {
        replicas.iter().position(|it| leads(it))
    })
}

/// Whether it is known of two replicas who scrapes them.
fn are_both_told(sql: &dyn Fn(&str) -> String) -> bool {
    sql("SELECT count(DISTINCT replica) FROM metaaccess_scrapers") == "2"
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

#[test]
fn a_replica_that_was_cut_off_for_long_says_again_who_scrapes_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let (_api, flags) = quiet();
    let url = server.new_database();
    let ways = [(); 2].map(|()| Proxy::to(server.port()));
    let replicas = ways.each_ref().map(|way| {
        let mut flags = flags.clone();
        flags.push(format!("--state.url={}", way.through(&url)));
        Exporter::with(&flags)
    });
    let mut scrapers = [300, 500].map(|every| Scraper::new("alike", every));
    let sql = |sql: &str| server.sql_at(&url, sql);
    let are_told = |_: &[Scraper]| are_both_told(&sql);
    scrape_until(&replicas, &mut scrapers, "both are told", are_told);
    let value = |replica: &Exporter, metric| replica.scrape_within(0.1).0.value(metric, &[]);
    let follows = |it: &Exporter| value(it, "metaaccess_replica_leads") == 0.0;
    let cut_off = replicas.iter().position(follows).expect("one follows");
    ways[cut_off].refuse(true);
    ways[cut_off].cut();
    scrape_until(&replicas, &mut scrapers, "it is taken for dead", |_| {
        value(&replicas[1 - cut_off], "metaaccess_replicas") == 1.0
    });
    // As whoever lives does after a while.
    sql(
        "DELETE FROM metaaccess_scrapers WHERE replica NOT IN (SELECT id FROM metaaccess_replicas \
         WHERE until_us > EXTRACT(EPOCH FROM now()) * 1000000)",
    );
    assert!(!are_told(&scrapers));
    ways[cut_off].refuse(false);
    scrape_until(&replicas, &mut scrapers, "both are told again", are_told);
}

#[test]
fn a_restart_at_any_moment_neither_repeats_nor_skips_a_zero() {
    if let Some(server) = shared_server() {
        is_restarted_at_any_moment(&format!("--state.url={}", server.new_database()));
    }
}

#[test]
fn who_scraped_a_replica_is_known_to_the_one_that_is_started_next_and_to_who_leads_then() {
    let Some(server) = shared_server() else {
        return;
    };
    let (_api, mut flags) = quiet();
    let url = server.new_database();
    flags.push(format!("--state.url={url}"));
    let sql = |sql: &str| server.sql_at(&url, sql);
    // Nobody looks like another one, so that none is regular by how often it came.
    let mut timeout = 0.1;
    let mut regular = |it: &Exporter| {
        timeout += 0.001;
        let (samples, _) = it.scrape_within(timeout);
        samples.value("metaaccess_regular_scrapers", &[])
    };
    // It comes each minute, and so is not overdue before the end.
    let is_scraped = |id: u8, replica: &str| {
        sql(&format!(
            "INSERT INTO metaaccess_scrapers (replica, account, id, period_s, served) \
             SELECT {replica}, id, {id}, 60, 0 FROM metaaccess_accounts"
        ));
    };
    let first = Exporter::with(&flags);
    assert_eq!(regular(&first), 0.0);
    let name = sql("SELECT id FROM metaaccess_replicas");
    assert_eq!(first.stop().code, Some(0));
    is_scraped(1, &format!("'{name}'"));
    let second = Exporter::with(&flags);
    assert_eq!(regular(&second), 1.0, "by the one before");
    let third = Exporter::with(&flags);
    assert_eq!(regular(&third), 1.0, "so does each know that is started");
    let leader = "(SELECT holder FROM metaaccess_leases)";
    let [dies, lives] = match leader_for_good(&[&second, &third], &sql) {
        0 => [second, third],
        _ => [third, second],
    };
    dies.signal("KILL");
    dies.into_program().end(PATIENCE);
    is_scraped(2, leader);
    until(PATIENCE, "it is known", || {
        (regular(&lives) == 2.0).then_some(())
    });
}

/// Two replicas are scraped, and then nobody comes to that one any more, be it the leader, which another
/// one follows then, or not.
#[track_caller]
fn is_left(is_leader: bool) {
    let Some(server) = shared_server() else {
        return;
    };
    let (api, mut flags) = quiet();
    let url = server.new_database();
    flags.push(format!("--state.url={url}"));
    let replicas: Vec<Exporter> = (0..2).map(|_| Exporter::with(&flags)).collect();
    let sql = |sql: &str| server.sql_at(&url, sql);
    let leader = leader_for_good(&[&replicas[0], &replicas[1]], &sql);
    let mut scrapers = [300, 500].map(|every| Scraper::new("alike", every));
    scrape_until(&replicas, &mut scrapers, "both are told", |_| {
        are_both_told(&sql)
    });
    let follows = "NOT EXISTS (SELECT 1 FROM metaaccess_leases l WHERE l.holder = r.id)";
    let name = match is_leader {
        true => sql("SELECT holder FROM metaaccess_leases"),
        false => sql(&format!(
            "SELECT id FROM metaaccess_replicas r WHERE {follows}"
        )),
    };
    let stays = if is_leader { 1 - leader } else { leader };
    if is_leader {
        // To one that takes the leader for a newcomer still, and so does not give it back.
        let moves = "UPDATE metaaccess_leases AS l SET fence = fence + 1, holder = \
            (SELECT min(id) FROM metaaccess_replicas WHERE id <> l.holder)";
        sql(moves);
        until(PATIENCE, "the other one leads", || {
            leads(&replicas[stays]).then_some(())
        });
    }
    api.install_on(&["TEST-A"]);
    let mut scraper = [Scraper::new("alike", 300)];
    scrape_until(&replicas[stays..], &mut scraper, "the value", |all| {
        all[0].saw("TEST-A").contains(&1)
    });
    assert_eq!(scraper[0].saw("TEST-A"), [0, 1]);
    let of_it = format!("SELECT count(*) FROM metaaccess_scrapers WHERE replica = '{name}'");
    assert_eq!(sql(&of_it), "0");
}

#[test]
fn a_scraper_that_left_a_replica_which_lives_holds_nothing_up_for_long() {
    is_left(false);
    is_left(true);
}

#[test]
fn a_scraper_that_left_a_replica_which_was_reloaded_holds_nothing_up_for_long() {
    let Some(server) = shared_server() else {
        return;
    };
    let (api, _) = quiet();
    let url = server.new_database();
    let state = format!("--state.url={url}");
    let folder = Folder::new();
    let of = |settings: &[&str]| [account("default", &api, settings)];
    let replicas: Vec<Exporter> = (0..2)
        .map(|_| folder.exporter_with_births(&of(&[]), &[&state]))
        .collect();
    let sql = |sql: &str| server.sql_at(&url, sql);
    let leader = leader_for_good(&[&replicas[0], &replicas[1]], &sql);
    let mut scrapers = [300, 500].map(|every| Scraper::new("alike", every));
    scrape_until(&replicas, &mut scrapers, "both are told", |_| {
        are_both_told(&sql)
    });
    folder.write(&of(&["lookback: 12h"]));
    assert_eq!(reload(&replicas[1 - leader]).0, 200);
    api.install_on(&["TEST-A"]);
    let mut scraper = [Scraper::new("alike", 300)];
    scrape_until(&replicas[leader..], &mut scraper, "the value", |all| {
        all[0].saw("TEST-A").contains(&1)
    });
    assert_eq!(scraper[0].saw("TEST-A"), [0, 1]);
}
