//! Many accounts in one process, by a file that may change: each is counted exactly, those that share
//! a credential share its window, and a reload loses nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, Kind, PathKind, Settings};
use tempfile::TempDir;

use crate::api::{self, Api, TOKEN};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::program::Program;
use crate::samples::{Counts, Samples};
use crate::wait::{throughout, timed, until};

/// The file of accounts, and the state beside it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("token"), TOKEN).expect("written");
        std::fs::write(folder.path().join("secret"), SECRET).expect("written");
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, accounts: &[String]) {
        let text = format!("accounts:\n{}", accounts.concat());
        std::fs::write(self.path("accounts.yml"), text).expect("written");
    }

    /// Starts an exporter of these accounts.
    #[track_caller]
    pub fn exporter(&self, accounts: &[String], flags: &[&str]) -> Exporter {
        self.exporter_with_births(accounts, &[flags, &["--metrics.zero-for=0s"]].concat())
    }

    /// The same, where new series are shown at zero first.
    #[track_caller]
    pub fn exporter_with_births(&self, accounts: &[String], flags: &[&str]) -> Exporter {
        self.write(accounts);
        let mut all = vec![
            format!("--config.file={}", self.path("accounts.yml").display()),
            "--web.listen-address=127.0.0.1:0".to_owned(),
            "--web.enable-lifecycle".to_owned(),
            "--scrape.min-interval=100ms".to_owned(),
        ];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Exporter::listening(Program::exporter(&all, &[]), 1)
    }

    pub fn state(&self) -> String {
        format!("--state.path={}", self.path("state").display())
    }
}

const SECRET: &str = "5ec7e7a1-90b5-4c0d-8e1f-0b5c7e5ec7e0";

/// An account of the API, known by its token, with more settings in one line each.
pub fn account(name: &str, api: &Api, settings: &[&str]) -> String {
    let mut all = vec!["access_token_file: token"];
    all.extend(settings);
    written(name, api, &all)
}

/// The same, known as an OAuth client.
pub fn client(name: &str, api: &Api, settings: &[&str]) -> String {
    let mut all = vec!["client_id: TEST-CLIENT", "client_secret_file: secret"];
    all.extend(settings);
    written(name, api, &all)
}

pub fn written(name: &str, api: &Api, settings: &[&str]) -> String {
    let limit = api.settings().rate_limit;
    let settings: String = settings
        .iter()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "  - name: {name}\n    base_url: http://{}\n    rate_limit: {}/{}ms\n{settings}",
        api.address(),
        limit.requests,
        limit.window.as_millis(),
    )
}

/// A company that knows the client, and no token but those that it grants.
pub fn granting(settings: Settings) -> Settings {
    Settings {
        access_token: String::new(),
        client_id: "TEST-CLIENT".to_owned(),
        client_secret: SECRET.to_owned(),
        ..settings
    }
}

/// What an account should have counted, that reads these logs of the API.
fn truth(api: &Api, logs: &[&str]) -> Counts {
    let mut counts = api.counts();
    counts.retain(|(log, _), _| logs.contains(&log.as_str()));
    counts
}

pub const BOTH: [&str; 2] = ["device", "admin"];

/// Scrapes until each account has counted the truth, and never more than that.
#[track_caller]
pub fn settle(exporter: &Exporter, accounts: &[(&str, &Api, &[&str])]) -> Samples {
    until(PATIENCE, "every account has counted the truth", || {
        let samples = exporter.scrape();
        let is_true = |(name, api, logs): &(&str, &Api, &[&str])| {
            let (counts, truth) = (samples.of(name).counts(), truth(api, logs));
            for (series, count) in &counts {
                assert!(
                    truth.get(series) >= Some(count),
                    "{name}: {series:?} {count}"
                );
            }
            samples.of(name).is_up() && counts == truth
        };
        accounts.iter().all(is_true).then_some(samples)
    })
}

#[track_caller]
pub fn reload(exporter: &Exporter) -> (u16, String) {
    let answer = http::ask(exporter.address(), "POST", "/-/reload", &[]).expect("an answer");
    (answer.status, answer.body)
}

#[test]
fn each_account_is_counted_by_itself_with_labels_and_events_of_its_own() {
    let (one, other) = (
        Api::start(api::at_rest()),
        Api::start(Settings {
            seed: 7,
            ..api::at_rest()
        }),
    );
    let folder = Folder::new();
    let exporter = folder.exporter(
        &[
            account("one", &one, &[]),
            account("other", &other, &["logs: [device]"]),
        ],
        &[],
    );
    settle(
        &exporter,
        &[("one", &one, &BOTH), ("other", &other, &["device"])],
    );
    folder.write(&[
        account("one", &one, &["labels: {region: europe}"]),
        account(
            "other",
            &other,
            &["events: [{match: Scan.*, event: Scans}]"],
        ),
    ]);
    assert_eq!(reload(&exporter).0, 200);
    other.install_on(&["TEST-LATER"]);
    until(PATIENCE, "the new line is shown", || {
        exporter
            .get("/metrics")
            .body
            .contains("TEST-LATER")
            .then_some(())
    });
    let text = exporter.get("/metrics").body;
    let events = || {
        text.lines()
            .filter(|line| line.starts_with("metaaccess_events_total{"))
    };
    for line in events() {
        let is_of_one = line.contains("{account=\"one\",");
        assert_eq!(is_of_one, line.contains(",region=\"europe\"}"), "{line}");
    }
    assert!(events().any(|line| line.contains("TEST-LATER")));
}

#[test]
fn a_scrape_of_some_accounts_refreshes_and_shows_those_alone() {
    let (one, other) = (Api::start(api::at_rest()), Api::start(api::at_rest()));
    let folder = Folder::new();
    let exporter = folder.exporter(
        &[account("one", &one, &[]), account("other", &other, &[])],
        &[],
    );
    until(PATIENCE, "one account is read", || {
        let answer = exporter.get("/metrics?account=one");
        let samples = Samples::parse(&answer.body);
        let is_read = samples.of("one").is_up() && samples.of("one").counts() == one.counts();
        assert_eq!(samples.of("other"), Samples::default(), "{}", answer.body);
        assert!(answer.body.contains("process_start_time_seconds"));
        is_read.then_some(())
    });
    assert_eq!(other.requests().total, 0);
    let both = exporter.get("/metrics?account=one&x=y&account=other&account=one");
    assert!(both.body.contains("account=\"other\""));
    let unknown = exporter.get("/metrics?account=one&account=nobody");
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("nobody"), "{}", unknown.body);
}

#[test]
fn accounts_that_share_a_credential_share_its_window_and_its_token() {
    let api = Api::start(granting(Settings {
        rate_limit: api::limit(12, Duration::from_secs(1)),
        ..api::alive()
    }));
    let folder = Folder::new();
    let accounts = [
        client("devices", &api, &["logs: [device]"]),
        client("admins", &api, &["logs: [admin]"]),
        // The same client, though its secret is kept elsewhere too.
        written(
            "both",
            &api,
            &["client_id: TEST-CLIENT", "client_secret_file: copy"],
        ),
    ];
    std::fs::copy(folder.path("secret"), folder.path("copy")).expect("copied");
    let exporter = folder.exporter(&accounts, &[&folder.state()]);
    throughout(Duration::from_secs(4), || {
        exporter.scrape();
        std::thread::sleep(Duration::from_millis(50));
    });
    // A kill: the window of the next process is what all of them had paid for.
    drop(exporter);
    let exporter = folder.exporter(&accounts, &[&folder.state()]);
    throughout(Duration::from_secs(2), || {
        exporter.scrape();
        std::thread::sleep(Duration::from_millis(50));
    });
    api.pause();
    let served: [(&str, &Api, &[&str]); 3] = [
        ("devices", &api, &["device"]),
        ("admins", &api, &["admin"]),
        ("both", &api, &BOTH),
    ];
    settle(&exporter, &served);
    let tokens = api.requests().by_path.get(&PathKind::Token).copied();
    assert_eq!(
        tokens,
        Some(2),
        "one for each process: {:#?}",
        exporter.log()
    );
}

#[test]
fn a_long_read_of_one_account_does_not_starve_another_of_its_credential() {
    let api = Api::start(granting(Settings {
        rate_limit: api::limit(10, Duration::from_secs(2)),
        history_rate: 2.0,
        ..api::at_rest()
    }));
    let folder = Folder::new();
    let exporter = folder.exporter(
        &[
            client("long", &api, &["logs: [device]"]),
            client("short", &api, &["logs: [admin]", "lookback: 0s"]),
        ],
        &[],
    );
    let shows = |name: &str, samples: &Samples| {
        samples.sum("metaaccess_log_ready", &[("account", name)]) == 1.0
    };
    until(PATIENCE, "the short one is read", || {
        let samples = exporter.scrape();
        assert!(
            !shows("long", &samples),
            "the long read is over too soon to tell"
        );
        (shows("short", &samples) && samples.of("short").is_up()).then_some(())
    });
    let mut reads = Vec::new();
    until(Duration::from_secs(60), "the long one is read", || {
        std::thread::sleep(Duration::from_millis(50));
        let samples = exporter.scrape();
        let read = "metaaccess_log_read_timestamp_seconds";
        reads.push(samples.value(read, &[("account", "short")]));
        shows("long", &samples).then_some(())
    });
    reads.dedup();
    let longest = reads
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(0.0, f64::max);
    assert!(reads.len() >= 3 && longest < 4.0, "read at {reads:?}");
}

/// Which logs of which account a file asks for.
type Served = Vec<(&'static str, &'static [&'static str])>;

/// Counts that were shown, by account.
type Shown = BTreeMap<&'static str, Counts>;

/// A scrape of these accounts: no count is over the truth, and none is below what was shown before.
fn scrape_honestly(
    exporter: &Exporter,
    served: &Served,
    apis: [(&str, &Api); 2],
    shown: &mut Shown,
) {
    let (samples, took) = timed(|| exporter.scrape());
    assert!(took < Duration::from_secs(5), "held up for {took:?}");
    for (name, logs) in served {
        let api = apis.iter().find(|(of, _)| of == name).expect("an API").1;
        let (counts, truth) = (samples.of(name).counts(), api.counts());
        let before = shown.entry(name).or_default();
        for (series, count) in before
            .iter()
            .filter(|((log, _), _)| logs.contains(&log.as_str()))
        {
            assert!(
                counts.get(series) >= Some(count),
                "{name} fell: {series:?} {count}"
            );
        }
        for (series, count) in counts {
            assert!(
                truth.get(&series) >= Some(&count),
                "{name}: {series:?} {count}"
            );
            before.insert(series, count);
        }
    }
}

/// Reloads a file that changes all the time, while the companies write, and counts all of it.
fn reloads_lose_nothing(state: &[&str], folder: &Folder) {
    let (one, other) = (Api::start(api::alive()), Api::start(api::alive()));
    let apis = [("one", &one), ("other", &other)];
    let both = account("one", &one, &[]);
    let files: [(Served, Vec<String>); 6] = [
        (
            vec![("one", &BOTH), ("other", &BOTH)],
            vec![both.clone(), account("other", &other, &[])],
        ),
        (
            vec![("one", &["device"]), ("other", &BOTH)],
            vec![
                account("one", &one, &["logs: [device]"]),
                account("other", &other, &[]),
            ],
        ),
        (
            vec![("other", &BOTH)],
            vec![account("other", &other, &["timeout: 2s"])],
        ),
        (
            vec![("one", &BOTH), ("other", &BOTH)],
            vec![account("other", &other, &["timeout: 3s"]), both.clone()],
        ),
        (
            vec![("one", &["admin"])],
            vec![account("one", &one, &["logs: [admin]"])],
        ),
        (vec![("one", &BOTH)], vec![both]),
    ];
    let exporter = folder.exporter(&files[0].1, state);
    settle_once(&exporter);
    let mut shown = Shown::new();
    for (served, accounts) in files.iter().cycle().take(14) {
        folder.write(accounts);
        assert_eq!(reload(&exporter), (200, "reloaded\n".to_owned()));
        throughout(Duration::from_millis(300), || {
            scrape_honestly(&exporter, served, apis, &mut shown);
        });
    }
    folder.write(&files[0].1);
    assert_eq!(reload(&exporter).0, 200);
    one.pause();
    other.pause();
    let samples = settle(&exporter, &[("one", &one, &BOTH), ("other", &other, &BOTH)]);
    for metric in [
        "metaaccess_log_missed_lines_total",
        "metaaccess_log_gaps_total",
    ] {
        assert_eq!(samples.sum(metric, &[]), 0.0, "{metric}");
    }
    let log = exporter.log_at("info");
    let first_reads = log
        .iter()
        .filter(|line| line.contains("as far back as the lookback"));
    assert_eq!(first_reads.count(), 4, "no log is read anew: {log:#?}");
}

#[track_caller]
fn settle_once(exporter: &Exporter) {
    until(PATIENCE, "all accounts are up", || {
        let samples = exporter.scrape();
        let up = samples.sum("metaaccess_up", &[]);
        let ready = samples.sum("metaaccess_log_ready", &[]);
        (up == 2.0 && ready == 4.0).then_some(())
    });
}

#[test]
fn a_reload_loses_no_count_in_memory() {
    reloads_lose_nothing(&[], &Folder::new());
}

#[test]
fn a_reload_loses_no_count_of_a_state() {
    let folder = Folder::new();
    reloads_lose_nothing(&[&folder.state()], &folder);
}

#[test]
fn a_reload_opens_no_window() {
    let tight = || {
        Api::start(granting(Settings {
            rate_limit: api::limit(6, Duration::from_secs(2)),
            history_hours: 2,
            ..api::at_rest()
        }))
    };
    let (one, other) = (tight(), tight());
    let folder = Folder::new();
    let stays = client("stays", &other, &[]);
    let exporter = folder.exporter(&[client("one", &one, &[]), stays.clone()], &[]);
    settle(&exporter, &[("one", &one, &BOTH), ("stays", &other, &BOTH)]);
    // Another name is another account of the same credential, also when there is none in between.
    for round in 0..6 {
        if round % 2 == 0 {
            folder.write(std::slice::from_ref(&stays));
            assert_eq!(reload(&exporter).0, 200);
        }
        let renamed = client(&format!("name-{round}"), &one, &[]);
        folder.write(&[stays.clone(), renamed]);
        assert_eq!(reload(&exporter).0, 200);
        throughout(Duration::from_millis(400), || {
            exporter.scrape();
        });
    }
    settle(&exporter, &[("name-5", &one, &BOTH)]);
}

#[test]
fn a_restart_knows_what_each_of_the_accounts_of_a_credential_had_asked() {
    let api = Api::start(granting(Settings {
        rate_limit: api::limit(9, Duration::from_secs(4)),
        ..api::alive()
    }));
    let folder = Folder::new();
    let accounts = [
        client("one", &api, &["logs: [device]"]),
        client("two", &api, &["logs: [admin]"]),
        client("three", &api, &[]),
    ];
    for _ in 0..2 {
        let exporter = folder.exporter(&accounts, &[&folder.state()]);
        until(PATIENCE, "the window is used up", || {
            let samples = exporter.scrape();
            let left = "metaaccess_api_budget_left_requests";
            (samples.value(left, &[("account", "one")]) == 0.0).then_some(())
        });
        // A kill. The API fails the test if the next process asks before the window is over.
        drop(exporter);
    }
    // Not even where nobody has the names of those who had asked.
    let renamed = [client("four", &api, &[])];
    let exporter = folder.exporter(&renamed, &[&folder.state()]);
    throughout(Duration::from_secs(1), || {
        exporter.scrape();
    });
}

#[test]
fn a_scrape_does_not_wait_for_an_account_that_a_reload_replaces() {
    let api = Api::start(api::at_rest());
    api.inject(Fault::always(Kind::Hang));
    let folder = Folder::new();
    let exporter = folder.exporter(&[account("one", &api, &["timeout: 1m"])], &[]);
    std::thread::scope(|scope| {
        let scrape = scope.spawn(|| exporter.scrape_within(60.0).1);
        until(PATIENCE, "the API is asked", || {
            (api.requests().total > 0).then_some(())
        });
        folder.write(&[account("one", &api, &["timeout: 50s"])]);
        assert_eq!(reload(&exporter).0, 200);
        let took = scrape.join().expect("a scrape");
        assert!(took < PATIENCE, "it waited for {took:?}");
    });
}

#[test]
fn a_bad_file_is_refused_and_told_and_the_accounts_go_on() {
    let api = Api::start(api::at_rest());
    let folder = Folder::new();
    let exporter = folder.exporter(&[account("one", &api, &[])], &[]);
    let successful = "metaaccess_exporter_config_last_reload_successful";
    let samples = settle(&exporter, &[("one", &api, &BOTH)]);
    assert_eq!(samples.value(successful, &[]), 1.0);

    folder.write(&[account("one", &api, &["logs: [devcie]", "colour: red"])]);
    let (status, body) = reload(&exporter);
    assert_eq!(status, 500);
    for part in ["line 6", "devcie", "line 7", "colour"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    api.install_on(&["TEST-MEANWHILE"]);
    let samples = settle(&exporter, &[("one", &api, &BOTH)]);
    assert_eq!(samples.value(successful, &[]), 0.0);
    let errors = exporter.log_at("error");
    assert!(
        errors.iter().any(|line| line.contains("were not reloaded")),
        "{errors:#?}"
    );

    folder.write(&[account("one", &api, &["timeout: 2s"])]);
    exporter.signal("HUP");
    until(PATIENCE, "the mended file takes over at SIGHUP", || {
        (exporter.scrape().value(successful, &[]) == 1.0).then_some(())
    });
    settle(&exporter, &[("one", &api, &BOTH)]);
}

#[test]
fn a_change_of_the_file_takes_over_by_itself() {
    let api = Api::start(api::at_rest());
    let folder = Folder::new();
    let exporter = folder.exporter(&[account("one", &api, &[])], &[]);
    settle(&exporter, &[("one", &api, &BOTH)]);
    // As Kubernetes does it: another file by the same name.
    folder.write(&[account("two", &api, &[])]);
    let other = folder.path("other.yml");
    std::fs::rename(folder.path("accounts.yml"), &other).expect("moved");
    std::os::unix::fs::symlink(&other, folder.path("accounts.yml")).expect("linked");
    until(PATIENCE, "the other account is served", || {
        let text = exporter.get("/metrics").body;
        (text.contains("account=\"two\"") && !text.contains("account=\"one\"")).then_some(())
    });
    settle(&exporter, &[("two", &api, &BOTH)]);
}

#[test]
fn one_account_that_cannot_be_read_hides_no_other() {
    let (good, bad) = (Api::start(api::at_rest()), Api::start(api::at_rest()));
    bad.inject(Fault::always(Kind::Hang));
    let folder = Folder::new();
    let exporter = folder.exporter(
        &[
            account("bad", &bad, &["timeout: 500ms"]),
            account("good", &good, &[]),
        ],
        &[],
    );
    settle(&exporter, &[("good", &good, &BOTH)]);
    let samples = exporter.scrape();
    assert!(!samples.of("bad").is_up());
    assert_eq!(samples.of("bad").failing("device"), ["timeout"]);
    let page = exporter.get("/").body;
    assert!(page.contains("bad") && page.contains("good"), "{page}");
}
