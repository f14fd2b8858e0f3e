//! What a reload, or a restart with another file, leaves behind: nothing of what was, and nothing that
//! the API still counts is forgotten.

use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, HeaderMode, Kind, Settings, Wait};

use crate::accounts::{BOTH, Folder, account, client, granting, reload, settle, written};
use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::samples::{Counts, Samples};
use crate::wait::{throughout, until};

#[test]
fn what_failed_before_a_reload_does_not_fail_for_ever() {
    let api = Api::start(api::at_rest());
    let folder = Folder::new();
    let exporter = folder.exporter(&[account("one", &api, &[])], &[]);
    settle(&exporter, &[("one", &api, &BOTH)]);
    api.inject(Fault::always(Kind::Status {
        status: 500,
        retry_after: None,
    }));
    until(PATIENCE, "it fails", || {
        let samples = exporter.scrape();
        (samples.failing("device") == ["server_error"]).then_some(())
    });
    folder.write(&[account("one", &api, &["timeout: 2s"])]);
    api.clear_faults();
    assert_eq!(reload(&exporter).0, 200);
    let samples = settle(&exporter, &[("one", &api, &BOTH)]);
    assert_eq!(
        samples.failing("device"),
        [""; 0],
        "{}",
        samples.own_words()
    );
}

#[test]
fn a_scrape_under_way_leaves_nothing_of_an_account_that_is_gone() {
    let (slow, other) = (Api::start(api::at_rest()), Api::start(api::at_rest()));
    let folder = Folder::new();
    let stays = account("stays", &slow, &["timeout: 1s", "min_interval: 0s"]);
    let goes = account("goes", &other, &[]);
    let exporter = folder.exporter(&[stays.clone(), goes], &[]);
    settle(
        &exporter,
        &[("stays", &slow, &BOTH), ("goes", &other, &BOTH)],
    );
    slow.inject(Fault::always(Kind::Hang));
    let asked = slow.requests().total;
    std::thread::scope(|scope| {
        let scrape = scope.spawn(|| exporter.get("/metrics"));
        until(PATIENCE, "the scrape waits", || {
            (slow.requests().total > asked).then_some(())
        });
        folder.write(&[stays]);
        assert_eq!(reload(&exporter).0, 200);
        assert!(!scrape.is_finished(), "it did not wait for the reload");
        assert_eq!(scrape.join().expect("an answer").status, 200);
    });
    let text = exporter.get("/metrics").body;
    let left: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("\"goes\""))
        .collect();
    assert_eq!(left, [""; 0]);
}

/// Whoever is asked for too many requests says so at the end of the test, and in no header before.
fn silent(requests: usize) -> Settings {
    granting(Settings {
        rate_limit: api::limit(requests, Duration::from_secs(4)),
        headers: HeaderMode::Never,
        ..api::alive()
    })
}

#[track_caller]
fn use_up(exporter: &Exporter, account: &str) {
    until(PATIENCE, "the window is used up", || {
        let samples = exporter.scrape();
        let left = "metaaccess_api_budget_left_requests";
        (samples.value(left, &[("account", account)]) == 0.0).then_some(())
    });
}

fn scrape_for_a_second(exporter: &Exporter) {
    throughout(Duration::from_secs(1), || {
        exporter.scrape();
    });
}

#[test]
fn an_account_whose_secret_is_elsewhere_keeps_its_window() {
    for state in [true, false] {
        let api = Api::start(silent(6));
        let folder = Folder::new();
        std::fs::copy(folder.path("secret"), folder.path("other")).expect("copied");
        let flags = if state { vec![folder.state()] } else { vec![] };
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let exporter = folder.exporter(&[client("one", &api, &[])], &flags);
        use_up(&exporter, "one");
        let elsewhere = ["client_id: TEST-CLIENT", "client_secret_file: other"];
        folder.write(&[written("one", &api, &elsewhere)]);
        assert_eq!(reload(&exporter).0, 200);
        scrape_for_a_second(&exporter);
    }
}

#[test]
fn an_account_that_has_another_name_after_a_restart_keeps_its_window() {
    let api = Api::start(silent(6));
    let folder = Folder::new();
    let exporter = folder.exporter(&[client("one", &api, &[])], &[&folder.state()]);
    use_up(&exporter, "one");
    // A kill.
    drop(exporter);
    let exporter = folder.exporter(&[client("two", &api, &[])], &[&folder.state()]);
    scrape_for_a_second(&exporter);
}

#[test]
fn a_restart_knows_what_an_account_had_asked_that_shared_the_credential_and_is_gone() {
    let api = Api::start(silent(6));
    let folder = Folder::new();
    let accounts = [
        client("one", &api, &["logs: [device]"]),
        client("two", &api, &["logs: [admin]"]),
    ];
    let exporter = folder.exporter(&accounts, &[&folder.state()]);
    use_up(&exporter, "one");
    drop(exporter);
    let exporter = folder.exporter(&accounts[..1], &[&folder.state()]);
    scrape_for_a_second(&exporter);
}

#[test]
fn an_account_whose_state_cannot_be_read_is_not_up_and_goes_on_when_it_can() {
    let (one, other) = (Api::start(api::at_rest()), Api::start(api::at_rest()));
    let folder = Folder::new();
    let accounts = |timeout: &str| {
        let one = account("one", &one, &[&format!("timeout: {timeout}")]);
        [one, account("other", &other, &[])]
    };
    let exporter = folder.exporter(&accounts("2s"), &[&folder.state()]);
    settle(&exporter, &[("one", &one, &BOTH), ("other", &other, &BOTH)]);
    let database = rusqlite::Connection::open(folder.path("state")).expect("the state");
    let set = |order: &str| {
        let set = format!(
            "UPDATE logs SET page_order = '{order}' \
             WHERE account = (SELECT id FROM accounts WHERE name = 'one')"
        );
        database.execute_batch(&set).expect("written");
    };
    set("nonsense");
    folder.write(&accounts("3s"));
    let (status, body) = reload(&exporter);
    assert!(status == 500 && body.contains("account one"), "{body}");
    until(PATIENCE, "it is not up", || {
        let samples = exporter.scrape();
        assert_eq!(samples.of("one").counts(), one.counts(), "its counts stay");
        assert!(samples.of("other").is_up());
        (!samples.of("one").is_up()).then_some(())
    });
    set("newest-first");
    other.install_on(&["TEST-LATER"]);
    one.install_on(&["TEST-LATER"]);
    settle(&exporter, &[("one", &one, &BOTH), ("other", &other, &BOTH)]);
    let good = "metaaccess_exporter_config_last_reload_successful";
    assert_eq!(exporter.scrape().value(good, &[]), 1.0);
}

#[test]
fn hangups_without_end_neither_stop_a_read_nor_open_a_window() {
    let api = Api::start(silent(8));
    let folder = Folder::new();
    let exporter = folder.exporter(&[client("one", &api, &[])], &[]);
    for round in 0..40 {
        folder.write(&[client(
            "one",
            &api,
            &[&format!("timeout: {}ms", 2000 + round)],
        )]);
        exporter.signal("HUP");
        let page = http::get(exporter.address(), "/metrics");
        assert_eq!(page.status, 200);
    }
    api.pause();
    settle(&exporter, &[("one", &api, &BOTH)]);
}

/// A scraper that is shown nothing first at another value than zero, and nothing that falls.
struct Scraper {
    agent: &'static str,
    seen: Counts,
}

impl Scraper {
    fn new(agent: &'static str, exporter: &Exporter) -> Self {
        let mut scraper = Self {
            agent,
            seen: Counts::new(),
        };
        scraper.seen = scraper.scrape(exporter).counts();
        scraper
    }

    fn scrape(&self, exporter: &Exporter) -> Samples {
        let agent = [("User-Agent", self.agent)];
        let answer = http::ask(exporter.address(), "GET", "/metrics", &agent);
        Samples::parse(&answer.expect("an answer").body)
    }

    #[track_caller]
    fn look(&mut self, exporter: &Exporter) -> Samples {
        let samples = self.scrape(exporter);
        let counts = samples.counts();
        for (series, count) in &counts {
            let (before, who) = (self.seen.get(series), self.agent);
            let is_born = before.is_some() || *count == 0;
            assert!(is_born, "to {who}, {series:?} is born at {count}");
            assert!(before <= Some(count), "{series:?} fell to {count}");
        }
        self.seen = counts;
        samples
    }
}

/// Two scrape at different intervals, while hosts are born and the file changes.
fn births_outlive_reloads(flags: &[&str], folder: &Folder) {
    let api = Api::start(api::at_rest());
    let exporter = folder.exporter_with_births(&[account("one", &api, &[])], flags);
    settle(&exporter, &[("one", &api, &BOTH)]);
    let (mut often, mut seldom) = (
        Scraper::new("often", &exporter),
        Scraper::new("seldom", &exporter),
    );
    let mut rounds = 0;
    let mut round = || {
        rounds += 1;
        std::thread::sleep(Duration::from_millis(250));
        if rounds % 4 == 0 {
            seldom.look(&exporter);
        }
        often.look(&exporter)
    };
    until(PATIENCE, "both are regular", || {
        (round().value("metaaccess_regular_scrapers", &[]) == 2.0).then_some(())
    });
    for birth in 0..24 {
        api.install_on(&[&format!("TEST-{birth}")]);
        if birth % 3 != 2 {
            let timeout = format!("timeout: {}ms", 2000 + birth);
            folder.write(&[account("one", &api, &[&timeout])]);
            assert_eq!(reload(&exporter).0, 200);
        }
        round();
    }
    until(PATIENCE, "all have their values", || {
        (round().counts() == api.counts()).then_some(())
    });
}

#[test]
fn births_at_zero_outlive_reloads_in_memory() {
    births_outlive_reloads(&[], &Folder::new());
}

#[test]
fn births_at_zero_outlive_reloads_of_a_state() {
    let folder = Folder::new();
    births_outlive_reloads(&[&folder.state()], &folder);
}

#[test]
fn a_reload_while_nothing_can_be_saved_neither_loses_nor_doubles_a_line() {
    let api = Api::start(Settings {
        rate_limit: api::limit(40, Duration::from_secs(4)),
        headers: HeaderMode::Never,
        ..api::alive()
    });
    let folder = Folder::new();
    let exporter = folder.exporter(
        &[account("one", &api, &["min_interval: 0s"])],
        &[&folder.state()],
    );
    until(PATIENCE, "it is up", || {
        exporter.scrape().is_up().then_some(())
    });
    let mut shown = exporter.scrape().counts();
    let mut look = || {
        let (samples, _) = exporter.scrape_honestly(&api);
        let counts = samples.counts();
        for (series, count) in &shown {
            assert!(counts.get(series) >= Some(count), "{series:?} fell");
        }
        shown = counts;
        samples
    };
    let other = rusqlite::Connection::open(folder.path("state")).expect("the state");
    let wait = Wait {
        ms: 500,
        spread_ms: 0,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
    api.install_on(&["TEST-1"; 3]);
    let asked = api.requests().total;
    std::thread::scope(|scope| {
        let scrape = scope.spawn(&mut look);
        until(PATIENCE, "a request is on its way", || {
            (api.requests().total > asked).then_some(())
        });
        // The answer comes, and what it tells cannot be saved.
        other.execute_batch("BEGIN IMMEDIATE").expect("locked");
        assert!(!scrape.join().expect("a scrape").is_up());
    });
    api.clear_faults();
    for round in 0..2 {
        let timeout = format!("timeout: {}ms", 2000 + round);
        folder.write(&[account("one", &api, &[&timeout, "min_interval: 0s"])]);
        assert_eq!(reload(&exporter).0, 200);
        assert!(!look().is_up(), "nothing can be saved");
    }
    other.execute_batch("ROLLBACK").expect("let go");
    throughout(Duration::from_secs(1), || {
        look();
    });
    api.pause();
    settle(&exporter, &[("one", &api, &BOTH)]);
}
