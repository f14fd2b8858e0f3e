//! `check`: what it says of good and bad accounts, what it costs, and that a running exporter does not
//! notice it.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Order, PathKind, Raw, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{self, Api, TOKEN};
use crate::certificates::Authority;
use crate::exporter::{Exporter, PATIENCE};
use crate::program::{Ended, Program};
use crate::wait::{throughout, until};

const CLIENT: &str = "TEST-CLIENT";
const SECRET: &str = "5ec7e7a1-90b5-4c0d-8e1f-0b5cu7e5ec7e";

/// A check that was run.
#[derive(Debug)]
struct Checked {
    ended: Ended,
    json: Value,
}

impl Checked {
    #[track_caller]
    fn of(ended: Ended) -> Self {
        let json = serde_json::from_str(&ended.out);
        let json = json.unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        Self { ended, json }
    }

    /// The check of this name, of the state or of the first account.
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        self.check_of(0, name)
    }

    #[track_caller]
    fn check_of(&self, account: usize, name: &str) -> &Value {
        let all = match name.starts_with("state") {
            true => &self.json["state"]["checks"],
            false => &self.json["accounts"][account]["checks"],
        };
        let mut all = all.as_array().expect("a list").iter();
        let found = all.find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.json))
    }

    /// The names of the checks that have this result.
    fn with(&self, result: &str) -> Vec<&str> {
        let accounts = self.json["accounts"].as_array().expect("a list");
        let lists = accounts.iter().map(|account| &account["checks"]);
        let lists = std::iter::once(&self.json["state"]["checks"]).chain(lists);
        let all = lists.flat_map(|list| list.as_array().expect("a list"));
        all.filter(|check| check["result"] == result)
            .map(|check| check["name"].as_str().expect("a name"))
            .collect()
    }

    /// It has this result, and its message and advice say all of this.
    #[track_caller]
    fn says(&self, name: &str, result: &str, parts: &[&str]) {
        let check = self.check(name);
        assert_eq!(check["result"], result, "{check}");
        for part in parts {
            assert!(check.to_string().contains(part), "{part:?}: {check}");
        }
    }

    fn requests(&self) -> u64 {
        let accounts = self.json["accounts"].as_array().expect("a list");
        let requests = accounts.iter().map(|it| it["requests"].as_u64());
        requests.map(|requests| requests.expect("a number")).sum()
    }
}

fn given_token() -> [(&'static str, &'static str); 1] {
    [("METAACCESS_ACCESS_TOKEN", TOKEN)]
}

#[track_caller]
fn run<S: AsRef<str>>(flags: &[S], environment: &[(&str, &str)]) -> Ended {
    let mut all = vec!["check", "--log.level=trace"];
    all.extend(flags.iter().map(AsRef::as_ref));
    Program::exporter(&all, environment).end(PATIENCE)
}

/// Checks with these flags and the token.
#[track_caller]
fn check<S: AsRef<str>>(flags: &[S]) -> Checked {
    let mut all = vec!["--format=json"];
    all.extend(flags.iter().map(AsRef::as_ref));
    Checked::of(run(&all, &given_token()))
}

/// Checks the account of this API.
#[track_caller]
fn check_of(api: &Api, flags: &[&str]) -> Checked {
    let own = api.flags();
    let own = own.iter().map(String::as_str);
    check(&own.chain(flags.iter().copied()).collect::<Vec<_>>())
}

/// Checks it as a client that has this secret.
#[track_caller]
fn check_client(api: &Api, secret: &str) -> Checked {
    let mut flags = api.flags();
    flags.extend([
        format!("--api.client-id={CLIENT}"),
        "--format=json".to_owned(),
    ]);
    Checked::of(run(&flags, &[("METAACCESS_CLIENT_SECRET", secret)]))
}

/// A company that knows the client, and no token but those that it grants.
fn granting(settings: Settings) -> Settings {
    Settings {
        access_token: String::new(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        ..settings
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    (folder, state)
}

fn state_flag(state: &Path) -> String {
    format!("--state.path={}", state.display())
}

#[test]
fn a_good_account_costs_a_page_of_each_log_and_leaves_no_trace() {
    let api = Api::start(api::at_rest());
    let (folder, state) = folder();
    let checked = check_of(&api, &[&state_flag(&state)]);
    assert_eq!(checked.ended.code, Some(0), "{:?}", checked.ended);
    assert_eq!(checked.json["ok"], true);
    assert_eq!(checked.with("ok").len(), 16, "{}", checked.json);
    assert_eq!((checked.requests(), api.requests().total), (2, 2));
    checked.says("page_device", "ok", &["50 lines, from 2024-03-"]);
    checked.says("order_device", "ok", &["newest-first"]);
    checked.says("rate_limit", "ok", &["the API allows 200 requests"]);
    checked.says("state", "ok", &["there is none yet"]);
    checked.says("series", "ok", &["events in these 50 lines"]);
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "a file was made");
}

#[test]
fn text_and_json_say_the_same() {
    let settings = || Settings {
        start: None,
        ..api::at_rest()
    };
    let (api, other) = (Api::start(settings()), Api::start(settings()));
    api.install_on(&["TEST-R1W3Y"]);
    other.install_on(&["TEST-R1W3Y"]);
    let checked = check_of(&api, &["--api.timezone=America/Bogota"]);
    let flags: Vec<String> = other.flags();
    let text = run(
        &[&flags[..], &["--api.timezone=America/Bogota".to_owned()]].concat(),
        &given_token(),
    );
    assert_eq!((text.code, checked.ended.code), (Some(0), Some(0)));
    let lines = text.out.lines().filter(|line| line.starts_with("  "));
    let words = lines.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    let words: Vec<_> = words.filter(|words| words[0] != "->").collect();
    let all = [&checked.json["state"], &checked.json["accounts"][0]];
    let all = all
        .iter()
        .flat_map(|it| it["checks"].as_array().expect("a list"));
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut expected: Vec<_> = all
        .map(|it| vec![word(&it["result"]), word(&it["name"])])
        .collect();
    expected.push(vec!["2".to_owned(), "requests".to_owned()]);
    assert_eq!(words, expected, "{}", text.out);
    assert!(text.out.contains("account default"), "{}", text.out);
    assert!(
        text.out.ends_with("nothing failed, 2 warnings"),
        "{}",
        text.out
    );
}

#[test]
fn a_client_fetches_one_token_and_shows_it_nowhere() {
    let api = Api::start(granting(api::at_rest()));
    let checked = check_client(&api, SECRET);
    assert_eq!(checked.ended.code, Some(0), "{}", checked.json);
    checked.says("token", "ok", &["it lives for 11h59m59s"]);
    assert_eq!((checked.requests(), api.requests().total), (3, 3));
    for part in [SECRET, "access_token=", "client_secret="] {
        assert!(!checked.ended.out.contains(part), "{part}");
        assert!(!checked.ended.err.contains(part), "{part}");
    }
}

#[test]
fn a_wrong_secret_fails_the_token_and_skips_what_needs_it() {
    let api = Api::start(granting(api::at_rest()));
    let wrong = "f00df00d-90b5-4c0d-8e1f-0b5cu7e5ec7e";
    let checked = check_client(&api, wrong);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.json["ok"], false);
    assert_eq!(checked.with("failed"), ["token"]);
    checked.says("token", "failed", &["client_refused", "--api.client-id"]);
    checked.says("page_device", "skipped", &["needs token"]);
    assert_eq!((checked.requests(), api.requests().total), (1, 1));
    let said = checked.ended.out + &checked.ended.err;
    assert!(
        !said.contains(wrong) && !said.contains("f00df00d"),
        "{said}"
    );
}

#[test]
fn a_token_that_is_refused_is_not_tried_on_the_other_log() {
    let api = Api::start(granting(api::at_rest()));
    let checked = check_of(&api, &[]);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["page_device"]);
    checked.says(
        "page_device",
        "failed",
        &["unauthorized (status 401)", "Renew the token"],
    );
    checked.says("page_admin", "skipped", &["needs page_device"]);
    assert_eq!(api.requests().total, 1);
    assert!(!(checked.ended.out + &checked.ended.err).contains(TOKEN));
}

#[test]
fn a_name_that_is_not_found_and_a_port_that_is_closed_cost_no_request() {
    let checked = check(&[
        "--api.base-url=https://metaaccess.invalid",
        "--api.timeout=2s",
    ]);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["dns"]);
    checked.says("dns", "failed", &["metaaccess.invalid", "--api.base-url"]);
    checked.says("connection", "skipped", &["needs dns"]);
    assert_eq!(checked.requests(), 0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let checked = check(&[format!("--api.base-url=http://{address}")]);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["connection"]);
    checked.says("connection", "failed", &[&address.to_string(), "refused"]);
    checked.says("token", "skipped", &["needs connection"]);
    assert_eq!(checked.requests(), 0);
}

#[test]
fn what_a_proxy_does_is_left_to_it_and_its_password_is_not_shown() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let proxy = format!("http://TEST-USER:hunter2@{}", closed.expect("a free port"));
    let environment = [given_token()[0], ("HTTPS_PROXY", &proxy)];
    let flags = [
        "--format=json",
        "--api.base-url=https://metaaccess.example.com",
    ];
    let checked = Checked::of(run(&flags, &environment));
    checked.says("dns", "skipped", &["the proxy 127.0.0.1:"]);
    checked.says("connection", "skipped", &["the proxy 127.0.0.1:"]);
    checked.says("page_device", "failed", &["connection"]);
    checked.says("page_admin", "skipped", &["needs page_device"]);
    let said = checked.ended.out + &checked.ended.err;
    assert!(
        !said.contains("hunter2") && !said.contains("TEST-USER"),
        "{said}"
    );
}

/// An exporter that serves by TLS, with a certificate for 127.0.0.1 of the authority in the folder.
fn tls_server(folder: &Path) -> Exporter {
    let authority = Authority::new();
    authority.write(folder);
    authority.issue(folder, "server");
    let web = folder.join("web.yml");
    let text = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    std::fs::write(&web, text).expect("written");
    Exporter::with(&[
        "--web.listen-address=127.0.0.1:0".to_owned(),
        format!("--web.config.file={}", web.display()),
    ])
}

#[test]
fn a_certificate_is_looked_at_before_anything_is_asked() {
    let (folder, _) = folder();
    let server = tls_server(folder.path());
    let port = server.address().port();
    let url = format!("--api.base-url=https://127.0.0.1:{port}");
    let checked = check(&[&url]);
    assert_eq!(checked.with("failed"), ["connection"], "{}", checked.json);
    checked.says("connection", "failed", &["certificate", "--api.ca-file"]);
    assert_eq!(checked.requests(), 0);
    let ca = format!("--api.ca-file={}", folder.path().join("ca.crt").display());
    let trusted = check(&[&url, &ca]);
    let parts = ["by TLS", "is trusted, issued by TEST-AUTHORITY, good until"];
    trusted.says("connection", "ok", &parts);
    // What answers there is no API.
    trusted.says("page_device", "failed", &["not_found (status 404)"]);
    assert_eq!(trusted.requests(), 1);
    let other = check(&[&format!("--api.base-url=https://localhost:{port}"), &ca]);
    other.says("connection", "failed", &["localhost"]);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_limit_that_is_lower_and_requests_of_others_are_told() {
    let limited = |requests| Settings {
        rate_limit: api::limit(requests, Duration::from_secs(60)),
        ..api::at_rest()
    };
    let api = Api::start(limited(5));
    let url = format!("--api.base-url=http://{}", api.address());
    let checked = check(&[&*url, "--api.rate-limit=10/1m"]);
    assert_eq!(checked.ended.code, Some(0), "warnings are no failure");
    let parts = ["the API allows 5 requests", "set --api.rate-limit to 5/1m"];
    checked.says("rate_limit", "warning", &parts);
    let api = Api::shared_with_others(limited(10));
    api.set_others(4);
    let checked = check_of(&api, &[]);
    checked.says(
        "rate_limit",
        "warning",
        &["4 of those that are used are others'", "--state.path"],
    );
    api.set_others(10);
    let checked = check_of(&api, &[]);
    checked.says("page_device", "failed", &["rate_limited (status 429)"]);
}

#[test]
fn an_empty_log_is_told_and_its_order_is_not_known() {
    for empty_is_413 in [false, true] {
        let api = Api::start(Settings {
            empty_is_413,
            ..api::empty()
        });
        let checked = check_of(&api, &[]);
        assert_eq!(checked.ended.code, Some(0), "{}", checked.json);
        checked.says("page_device", "warning", &["the log is empty"]);
        checked.says("page_admin", "warning", &["the log is empty"]);
        checked.says("order_device", "ok", &["not known yet"]);
        checked.says("timezone", "skipped", &[]);
    }
}

#[test]
fn the_order_of_the_log_is_found_and_a_wrong_setting_fails() {
    let api = Api::start(Settings {
        order: Order::OldestFirst,
        ..api::at_rest()
    });
    let checked = check_of(&api, &[]);
    assert_eq!(checked.ended.code, Some(0), "{}", checked.json);
    checked.says("order_device", "ok", &["oldest-first"]);
    let wrong = check_of(&api, &["--api.order=newest-first"]);
    assert_eq!(wrong.ended.code, Some(1));
    let parts = [
        "oldest-first, but --api.order is newest-first",
        "to auto or to oldest-first",
    ];
    wrong.says("order_device", "failed", &parts);
    let right = check_of(&api, &["--api.order=oldest-first"]);
    right.says("order_device", "ok", &["as --api.order says"]);
}

#[test]
fn a_log_in_another_zone_is_noticed_and_a_zone_that_would_fit_is_named() {
    for (zone, result, parts) in [
        (
            "Asia/Tokyo",
            "warning",
            &["in the future", "UTC+09:00", "Asia/Tokyo"][..],
        ),
        (
            "America/Bogota",
            "warning",
            &["almost exactly 5 h", "UTC-05:00", "America/Bogota"],
        ),
        ("UTC", "ok", &["fits UTC"]),
    ] {
        let api = Api::start(Settings {
            start: None,
            timezone: TimeZone::get(zone).expect("a zone"),
            ..api::at_rest()
        });
        api.install_on(&["TEST-R1W3Y"]);
        let checked = check_of(&api, &[]);
        checked.says("timezone", result, parts);
        let right = check_of(&api, &[&format!("--api.timezone={zone}")]);
        right.says("timezone", "ok", &["fits"]);
        right.says("clock", "ok", &["agree"]);
    }
}

#[test]
fn entries_that_cannot_be_read_are_counted_by_reason_and_not_shown() {
    let api = Api::start(api::at_rest());
    let raw = |value: Value| Raw { value, date: None };
    for value in [
        json!("TEST-GARBAGE"),
        json!("25:99|PM|MetaAccess|TEST-GARBAGE|Installed"),
    ] {
        api.append_malformed(EventType::Device, api.present(), raw(value));
    }
    let checked = check_of(&api, &[]);
    assert_eq!(checked.ended.code, Some(0));
    let parts = ["2 of them cannot be read: 1 bad_time, 1 missing_fields"];
    checked.says("page_device", "warning", &parts);
    let said = checked.ended.out + &checked.ended.err;
    assert!(!said.contains("GARBAGE"), "{said}");
}

/// Runs a check while the exporter is scraped.
#[track_caller]
fn check_beside(exporter: &Exporter, api: &Api, flags: &[&str]) -> Checked {
    let mut all = vec!["check".to_owned(), "--format=json".to_owned()];
    all.extend(api.flags());
    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut program = Program::exporter(&all, &given_token());
    until(PATIENCE, "the check ends", || {
        exporter.scrape_honestly(api);
        program.has_ended().then_some(())
    });
    Checked::of(program.end(PATIENCE))
}

#[test]
fn a_running_exporter_is_not_disturbed_and_no_window_is_overrun() {
    let window = Duration::from_secs(3);
    let api = Api::start(Settings {
        rate_limit: api::limit(10, window),
        ..api::alive()
    });
    let (_folder, state) = folder();
    let flag = state_flag(&state);
    // As ever: two logs, and a refresh as often as leaves a fifth to spare.
    let exporter = Exporter::of(&api, &[&flag]);
    until(PATIENCE, "the first read is complete", || {
        let samples = exporter.scrape();
        (samples.is_up() && !samples.counts().is_empty()).then_some(())
    });
    let mut asked = 0;
    for _ in 0..3 {
        let before = exporter.scrape().value("metaaccess_state_saves_total", &[]);
        let checked = check_beside(&exporter, &api, &[&flag, "--api.timeout=2s"]);
        checked.says("state", "ok", &["in use by a running exporter"]);
        asked += checked.requests();
        // A check knows nothing of another one.
        throughout(window, || drop(exporter.scrape_honestly(&api)));
        let saves = exporter.scrape().value("metaaccess_state_saves_total", &[]);
        assert!(saves > before, "it goes on saving");
    }
    assert!(asked >= 3, "only {asked} requests were free in all checks");
    let address = format!("--web.listen-address={}", exporter.address());
    let well = Program::exporter(&["healthcheck", &address], &[]).end(PATIENCE);
    assert_eq!(well.code, Some(0), "{well:?}");
    api.pause();
    let samples = exporter.settle(&api);
    for failures in [
        "metaaccess_state_save_failures_total",
        "metaaccess_refresh_failures_total",
    ] {
        assert_eq!(samples.sum(failures, &[]), 0.0);
    }
    let ours = samples.sum("metaaccess_api_requests_total", &[]) as u64;
    assert_eq!(api.requests().total, ours + asked);
    assert_eq!(api.requests().over_limit, 0);
    assert_eq!(exporter.stop().code, Some(0));
}

#[test]
fn what_a_killed_exporter_has_sent_is_waited_for() {
    let api = Api::start(Settings {
        rate_limit: api::limit(4, Duration::from_secs(3)),
        history_hours: 8,
        ..api::at_rest()
    });
    let (folder, state) = folder();
    let flag = state_flag(&state);
    let exporter = Exporter::of(&api, &[&flag, "--scrape.min-interval=0s"]);
    let used_up = || {
        let samples = exporter.scrape();
        (samples.value("metaaccess_api_budget_left_requests", &[]) == 0.0).then_some(())
    };
    until(PATIENCE, "all requests of the window are used", used_up);
    exporter.signal("KILL");
    exporter.into_program().end(PATIENCE);
    let before = api.requests().total;
    let files = || {
        let entries = std::fs::read_dir(folder.path()).expect("a folder");
        let file = |entry: std::fs::DirEntry| {
            let held = std::fs::read(entry.path()).expect("a file");
            (entry.file_name(), held)
        };
        let mut files: Vec<_> = entries.flatten().map(file).collect();
        files.sort();
        files
    };
    let left = files();
    let checked = check_of(&api, &[&flag]);
    assert_eq!(checked.ended.code, Some(0), "{}", checked.json);
    checked.says("state", "ok", &["in use by nobody"]);
    assert!(
        checked.ended.err.contains("waiting up to"),
        "{}",
        checked.ended.err
    );
    assert_eq!(api.requests().total, before + 2);
    assert_eq!(api.requests().over_limit, 0);
    assert!(files() == left, "a file of the state was changed");
}

#[test]
fn where_the_exporter_needs_every_request_none_is_taken_from_it() {
    let api = Api::start(Settings {
        rate_limit: api::limit(1, Duration::from_secs(1)),
        history_hours: 1,
        ..api::at_rest()
    });
    let (_folder, state) = folder();
    let flag = state_flag(&state);
    let exporter = Exporter::of(&api, &[&flag, "--api.logs=device"]);
    let checked = check_beside(&exporter, &api, &[&flag, "--api.logs=device"]);
    checked.says(
        "page_device",
        "failed",
        &["no request was left", "stop it for a check"],
    );
    assert_eq!((checked.ended.code, checked.requests()), (Some(1), 0));
    assert_eq!(exporter.stop().code, Some(0));
}

#[test]
fn a_state_that_cannot_be_read_hides_the_window_so_that_nothing_is_asked() {
    let api = Api::start(api::at_rest());
    let (_folder, state) = folder();
    let flag = state_flag(&state);
    let exporter = Exporter::of(&api, &[&flag]);
    exporter.settle(&api);
    assert_eq!(exporter.stop().code, Some(0));
    let database = rusqlite::Connection::open(&state).expect("the state");
    let newer = database.pragma_update(None, "user_version", 99);
    newer.expect("a newer format");
    drop(database);
    let before = api.requests().total;
    let checked = check_of(&api, &[&flag]);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["state"]);
    checked.says("state", "failed", &["format 99", "newer version"]);
    checked.says("page_device", "skipped", &["needs state"]);
    assert_eq!(api.requests().total, before);
}

#[test]
fn a_state_that_could_not_be_made_fails_and_the_rest_is_looked_at() {
    let api = Api::start(api::at_rest());
    let (folder, _) = folder();
    let nowhere = folder.path().join("nowhere/state");
    let checked = check_of(&api, &[&state_flag(&nowhere)]);
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["state", "state_folder"]);
    checked.says("page_device", "ok", &["50 lines"]);
    checked.says("state", "failed", &["folder does not exist"]);
}

#[test]
fn accounts_with_one_credential_fetch_one_token_and_one_that_fails_stops_no_other() {
    let api = Api::start(granting(api::at_rest()));
    let (folder, _) = folder();
    let file = folder.path().join("accounts.yml");
    std::fs::write(folder.path().join("secret"), SECRET).expect("written");
    let account = |name: &str, url: &str, log: &str| {
        format!(
            "  - name: {name}\n    base_url: {url}\n    rate_limit: 200/1s\n    logs: [{log}]\n    \
             client_id: {CLIENT}\n    client_secret_file: secret\n"
        )
    };
    let url = format!("http://{}", api.address());
    let text = format!(
        "accounts:\n{}{}{}",
        account("nowhere", "https://metaaccess.invalid", "device"),
        account("one", &url, "device"),
        account("other", &url, "admin")
    );
    std::fs::write(&file, text).expect("written");
    let config = format!("--config.file={}", file.display());
    let checked = Checked::of(run(&["--format=json", &config], &[]));
    assert_eq!(checked.ended.code, Some(1));
    assert_eq!(checked.with("failed"), ["dns"], "{}", checked.json);
    let token = checked.check_of(2, "token");
    assert_eq!(token["result"], "ok");
    assert!(token.to_string().contains("account one"), "{token}");
    assert_eq!(checked.requests(), 3);
    let by_path = api.requests().by_path;
    assert_eq!(
        (by_path[&PathKind::Token], by_path[&PathKind::Logs]),
        (1, 2)
    );
    let only = Checked::of(run(
        &["--format=json", &config, "--check.account=other"],
        &[],
    ));
    assert_eq!(only.ended.code, Some(0), "{}", only.json);
    assert_eq!(only.json["accounts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_bad_configuration_is_told_as_at_a_start() {
    for flags in [
        &["--api.timeout=5", "--format=xml"][..],
        &["--check.account=nobody"],
        &["--api.access-token-file=/nowhere/token"],
    ] {
        let ended = run(flags, &given_token());
        assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{ended:?}");
    }
}

#[test]
fn the_readme_names_every_check_and_no_other() {
    let api = Api::start(api::at_rest());
    let (_folder, state) = folder();
    let checked = check_of(&api, &[&state_flag(&state)]);
    let results = ["ok", "warning", "failed", "skipped"];
    let said: BTreeSet<_> = results.iter().flat_map(|it| checked.with(it)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let (_, table) = readme
        .split_once("| name | looks at |\n")
        .expect("the table");
    let rows = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let names = rows.filter_map(|row| row.split('|').nth(1));
    let names = names.flat_map(|names| names.split(','));
    let named: BTreeSet<_> = names.map(|name| name.trim().trim_matches('`')).collect();
    assert_eq!(said, named);
}
