//! The database of three replicas is killed, stopped, slow, cut off, silent, read-only, full, older than it
//! was, or another one: the last counts stay, nothing is asked that cannot be paid for, and all goes on.

use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Fault, Kind, Purge, Settings, Wait};

use crate::api::{self, Api};
use crate::exporter::Exporter;
use crate::postgres::{Postgres, Proxy, shared_server};
use crate::replicas::{REQUESTS, WINDOW, busy};
use crate::replicas_fleet::{Fleet, PATIENCE, Scrape};
use crate::samples::Counts;
use crate::wait::{throughout, until};

/// A scrape waits no longer than its scraper does, less half a second.
const TIMEOUT: f64 = 3.0;

/// A way to the server for each replica of its own.
fn ways(server: &Postgres, url: &str) -> (Vec<Proxy>, Vec<String>) {
    let ways: Vec<Proxy> = (0..3).map(|_| Proxy::to(server.port())).collect();
    let urls = ways.iter().map(|way| way.through(url)).collect();
    (ways, urls)
}

/// Every replica says that it cannot ask the database, and shows what it showed.
#[track_caller]
fn say_so(fleet: &Fleet<'_>) {
    until(PATIENCE, "all say that the database is gone", || {
        let scrapes = fleet.numbers().map(|it| fleet.look_for(it, TIMEOUT));
        let says = |it: &Scrape| !it.is_connected() && !it.samples.is_up();
        let scrapes: Vec<Scrape> = scrapes.collect();
        for scrape in &scrapes {
            assert!(scrape.took.as_secs_f64() < TIMEOUT, "{:?}", scrape.took);
        }
        scrapes.iter().all(says).then_some(())
    });
}

/// For so long the replicas are scraped without the database: each answers in time with its last counts,
/// and nobody asks the API.
#[track_caller]
fn is_without(api: &Api, fleet: &Fleet<'_>, time: Duration) {
    say_so(fleet);
    let counts = |number| fleet.look_for(number, TIMEOUT).samples.counts();
    let shown: Vec<Counts> = fleet.numbers().map(counts).collect();
    let asked = api.requests().total;
    throughout(time, || {
        for number in fleet.numbers() {
            let scrape = fleet.look_for(number, TIMEOUT);
            assert!(scrape.took.as_secs_f64() < TIMEOUT, "{:?}", scrape.took);
            assert!(!scrape.is_connected() && !scrape.samples.is_up());
            assert_eq!(scrape.samples.counts(), shown[number]);
        }
    });
    assert_eq!(api.requests().total, asked, "nobody asks");
    assert!(shown.iter().all(|shown| !shown.is_empty()));
}

/// In the end all is counted once.
#[track_caller]
fn goes_on(api: &Api, fleet: &Fleet<'_>) {
    until(PATIENCE, "a refresh works again", || {
        let scrapes = fleet.numbers().map(|number| fleet.look(number));
        let is_well = |it: &Scrape| it.is_connected() && it.samples.is_up();
        scrapes.into_iter().all(|it| is_well(&it)).then_some(())
    });
    api.pause();
    fleet.settle();
}

#[test]
fn a_database_that_is_killed_and_one_that_is_stopped_lose_nothing() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let api = Api::start(busy());
    let fleet = Fleet::three(&api, &server.url(), &[]);
    fleet.is_read();
    server.kill();
    is_without(&api, &fleet, Duration::from_secs(1));
    server.start_again();
    until(PATIENCE, "the database answers", || {
        fleet
            .numbers()
            .all(|it| fleet.look(it).is_connected())
            .then_some(())
    });
    server.stop();
    is_without(&api, &fleet, Duration::from_secs(8));
    server.start_again();
    goes_on(&api, &fleet);
    for number in fleet.numbers() {
        let lost = "metaaccess_state_connections_lost_total";
        assert!(fleet.look(number).samples.value(lost, &[]) > 0.0);
        let log = fleet.log(number);
        let says = |words: &str| log.iter().filter(|line| line.contains(words)).count();
        assert_eq!(says("the database cannot be asked"), 2, "{log:#?}");
        assert_eq!(says("the database answers again"), 2, "{log:#?}");
    }
}

/// The window is used up by a request that is answered when the database is gone: what it gave is saved
/// once that is back, and not only ten seconds later, when the window has a place again.
#[test]
fn what_was_not_saved_when_the_window_was_used_up_is_while_it_is_waited_for() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(Settings {
        rate_limit: api::limit(3, Duration::from_secs(30)),
        ..api::empty()
    });
    api.install_on(&["TEST-OLD"]);
    let way = Proxy::to(server.port());
    let url = way.through(&server.new_database());
    let often = "--scrape.min-interval=100ms";
    let flags = ["--api.logs=device", often, &format!("--state.url={url}")];
    let exporter = Exporter::of(&api, &flags);
    until(PATIENCE, "the log is read", || {
        (!exporter.scrape().counts().is_empty()).then_some(())
    });
    let hosts: Vec<String> = (0..400).map(|host| format!("TEST-{host}")).collect();
    api.install_on(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    let slow = Wait {
        ms: 1_000,
        spread_ms: 0,
    };
    api.inject(Fault::always(Kind::Delay(slow)));
    let value = |name| exporter.scrape_within(0.2).0.value(name, &[]);
    until(PATIENCE, "the window is used up", || {
        value("metaaccess_up");
        (api.requests().total == 3).then_some(())
    });
    let begin = clock::now();
    way.refuse(true);
    way.cut();
    until(PATIENCE, "what was answered is not saved", || {
        (value("metaaccess_state_unsaved") == 1.0).then_some(())
    });
    way.refuse(false);
    until(PATIENCE, "it is saved", || {
        (value("metaaccess_state_unsaved") == 0.0).then_some(())
    });
    let took = clock::now().since(begin);
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(api.requests().total, 3);
}

#[test]
fn connections_that_are_cut_between_request_and_commit_lose_nothing() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let wait = Wait {
        ms: 2,
        spread_ms: 25,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
    let (ways, urls) = ways(server, &server.new_database());
    let fleet = Fleet::start(&api, &urls, &["--scrape.min-interval=100ms"]);
    fleet.is_read();
    let mut cuts = 0;
    fleet.scraped_during(|| {
        throughout(Duration::from_secs(8), || {
            let asked = api.requests().total;
            until(PATIENCE, "a request is sent", || {
                (api.requests().total > asked).then_some(())
            });
            std::thread::sleep(Duration::from_millis(cuts * 7 % 40));
            for way in &ways {
                way.cut();
            }
            cuts += 1;
        });
    });
    println!("{cuts} times all connections were cut");
    assert!(cuts > 5, "{cuts}");
    api.clear_faults();
    goes_on(&api, &fleet);
    assert_eq!(api.requests().most_in_any_window, REQUESTS);
}

#[test]
fn a_network_that_is_silent_or_slow_stops_nobody_for_long() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let (ways, urls) = ways(server, &server.new_database());
    let fleet = Fleet::start(&api, &urls, &[]);
    fleet.is_read();
    let leader = fleet.leader();
    ways[leader].hold(true);
    let (_, took) = fleet.is_followed_by(leader);
    println!("taken over after {took:?} of silence");
    assert!(took < Duration::from_secs(9), "{took:?}");
    let scrape = fleet.look_for(leader, TIMEOUT);
    assert!(scrape.took.as_secs_f64() < TIMEOUT, "{:?}", scrape.took);
    ways[leader].hold(false);
    // Each answer comes 300 ms later, for there and back is a delay each.
    for way in &ways {
        way.delay(Duration::from_millis(150));
    }
    fleet.scraped_during(|| throughout(2 * WINDOW, || {}));
    goes_on(&api, &fleet);
}

/// By a trigger of each table, which fails as a full disk does.
fn fill(server: &Postgres, is_full: bool) {
    server.sql(
        "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; \
         END $$",
    );
    let what = match is_full {
        true => {
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION full_disk()"
        }
        false => "DROP TRIGGER full_disk ON %I",
    };
    server.sql(&format!(
        "DO $do$ DECLARE t TEXT; BEGIN FOR t IN SELECT tablename FROM pg_tables \
         WHERE tablename LIKE 'metaaccess%' LOOP EXECUTE format('{what}', t); END LOOP; END $do$"
    ));
}

/// Whoever connects from now on may write nothing, or may again; and all have to connect anew.
fn forbid_writes(server: &Postgres, are_forbidden: bool) {
    let value = if are_forbidden { "on" } else { "off" };
    // From another database, in which the superuser may write.
    let other = server.url().replace("/metaaccess", "/postgres");
    let forbid = format!("ALTER DATABASE metaaccess SET default_transaction_read_only = {value}");
    server.sql_at(&other, &forbid);
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'metaaccess'");
}

#[test]
fn a_database_that_is_read_only_and_one_that_is_full_are_said_and_outlived() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let api = Api::start(busy());
    let fleet = Fleet::three(&api, &server.url(), &[]);
    fleet.is_read();
    forbid_writes(&server, true);
    is_without(&api, &fleet, Duration::from_secs(1));
    forbid_writes(&server, false);
    until(PATIENCE, "the database answers", || {
        fleet
            .numbers()
            .all(|it| fleet.look(it).is_connected())
            .then_some(())
    });
    fill(&server, true);
    is_without(&api, &fleet, Duration::from_secs(1));
    fill(&server, false);
    goes_on(&api, &fleet);
    for number in fleet.numbers() {
        let log = fleet.log(number).join("\n");
        assert!(log.contains("No space left on device"), "{log}");
    }
}

/// The epoch that a scrape shows; there is one.
fn epoch(scrape: &Scrape) -> String {
    let all = scrape.samples.values_of(&["metaaccess_state_info"]);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_keys().collect()
}

#[test]
fn a_database_that_is_restored_from_an_older_backup_is_said_and_no_count_falls() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let api = Api::start(busy());
    let fleet = Fleet::three(&api, &server.url(), &[]);
    fleet.is_read();
    let before = epoch(&fleet.look(0));
    let backup = server.back_up();
    fleet.scraped_during(|| {
        let at_backup = api.truth().lines();
        until(PATIENCE, "more lines are counted", || {
            let counts = fleet.look(0).samples.counts();
            (counts.values().sum::<u64>() > at_backup + 20).then_some(())
        });
        server.restore(&backup);
        until(PATIENCE, "it is noticed", || {
            let regressions = |number| {
                let samples = fleet.look(number).samples;
                samples.value("metaaccess_state_regressions_total", &[])
            };
            (fleet.numbers().map(regressions).sum::<f64>() > 0.0).then_some(())
        });
    });
    goes_on(&api, &fleet);
    until(PATIENCE, "all show another epoch", || {
        let epochs: Vec<String> = fleet.numbers().map(|it| epoch(&fleet.look(it))).collect();
        let is_new = epochs.iter().all(|it| *it != before && *it == epochs[0]);
        is_new.then_some(())
    });
    let logs: Vec<String> = fleet.numbers().flat_map(|it| fleet.log(it)).collect();
    let said = "the database has less than it had acknowledged";
    assert!(logs.iter().any(|line| line.contains(said)), "{logs:#?}");
}

#[test]
fn a_database_from_before_an_account_was_known_is_said_and_no_count_falls() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let url = server.new_database();
    let fleet = Fleet::three(&api, &url, &[]);
    fleet.is_read();
    fleet.scraped_during(|| {
        let tables =
            "accounts, leases, logs, buckets, series, overflowed, tallies, scrapers, requests";
        let tables = tables.replace(", ", ", metaaccess_");
        server.sql_at(&url, &format!("TRUNCATE metaaccess_{tables}"));
        server.sql_at(
            &url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        until(PATIENCE, "it is noticed", || {
            let regressions = |number| {
                let samples = fleet.look(number).samples;
                samples.value("metaaccess_state_regressions_total", &[])
            };
            (fleet.numbers().map(regressions).sum::<f64>() > 0.0).then_some(())
        });
    });
    goes_on(&api, &fleet);
}

#[test]
fn a_database_that_gives_no_answer_to_one_that_starts_is_waited_for() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let url = server.new_database();
    let fleet = Fleet::start(&api, std::slice::from_ref(&url), &[]);
    fleet.is_read();
    fleet.stop(0);
    std::thread::scope(|scope| {
        // Longer than a statement may take. It connects, and cannot say which accounts there are.
        let lock = "LOCK TABLE metaaccess_accounts; SELECT pg_sleep(7)";
        let locked = scope.spawn(|| server.sql_at(&url, lock));
        until(PATIENCE, "the table is locked", || {
            let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                AND relation = 'metaaccess_accounts'::regclass AND granted";
            (server.sql_at(&url, locks) == "1").then_some(())
        });
        fleet.revive(0);
        locked.join().expect("no panic");
    });
    goes_on(&api, &fleet);
    let log = fleet.log(0).join("\n");
    assert!(log.contains("It is tried again until it works"), "{log}");
}

#[test]
fn a_line_that_the_database_and_the_log_have_lost_stays_shown_and_stops_no_other_count() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let api = Api::start(busy());
    let fleet = Fleet::three(&api, &server.url(), &[]);
    fleet.is_read();
    api.pause();
    fleet.settle();
    let backup = server.back_up();
    let all_show = |host: &str| {
        until(PATIENCE, host, || {
            let shows = |number| fleet.look(number).events.contains(host);
            fleet.numbers().all(shows).then_some(())
        });
    };
    api.install_on(&["TEST-LOST"]);
    all_show("TEST-LOST");
    api.purge(EventType::Device, &Purge::Hostname("TEST-LOST".to_owned()));
    server.restore(&backup);
    let all_miss = |lost: f64| {
        until(PATIENCE, "each shows what is missing", || {
            let says = |number| {
                let samples = fleet.look(number).samples;
                samples.value("metaaccess_state_regressed_series", &[]) == lost
            };
            fleet.numbers().all(says).then_some(())
        });
    };
    all_miss(1.0);
    api.install_on(&["TEST-NEW"]);
    all_show("TEST-NEW");
    fleet.settle();
    all_miss(1.0);
    // It comes back in another way.
    api.install_on(&["TEST-LOST"]);
    all_miss(0.0);
}

#[test]
fn a_database_that_holds_another_state_is_said_and_not_taken_up() {
    let Some(server) = shared_server() else {
        return;
    };
    let api = Api::start(busy());
    let url = server.new_database();
    let name = url.rsplit('/').next().expect("a name").to_owned();
    let fleet = Fleet::three(&api, &url, &[]);
    fleet.is_read();
    fleet.kill(2);
    server.sql(&format!("DROP DATABASE {name} WITH (FORCE)"));
    server.sql(&format!("CREATE DATABASE {name} OWNER metaaccess"));
    let counts = |number| fleet.look_for(number, TIMEOUT).samples.counts();
    until(PATIENCE, "both say that there is no state", || {
        let is_gone = |number| !fleet.look_for(number, TIMEOUT).is_connected();
        (is_gone(0) && is_gone(1)).then_some(())
    });
    let shown = [counts(0), counts(1)];
    let asked = api.requests().total;
    throughout(WINDOW, || {
        fleet.look_for(0, TIMEOUT);
    });
    assert_eq!(api.requests().total, asked);
    // It makes a state of its own, for it knows no other.
    fleet.revive(2);
    until(PATIENCE, "both say that it is another state", || {
        let says = |number| {
            let log = fleet.log(number);
            log.iter().any(|line| line.contains("holds another state"))
        };
        (says(0) && says(1)).then_some(())
    });
    throughout(Duration::from_secs(2), || {
        for number in [0, 1] {
            let scrape = fleet.look_for(number, TIMEOUT);
            assert_eq!(scrape.samples.counts(), shown[number]);
            assert!(!scrape.leads(), "replica {number}");
            assert!(!scrape.samples.is_up(), "replica {number}");
        }
    });
    api.pause();
    until(PATIENCE, "the new one counts", || {
        (fleet.look(2).samples.counts() == api.counts()).then_some(())
    });
}
