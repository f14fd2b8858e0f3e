//! The command line of the real program: what it refuses, what it prints, and its exit codes.

use std::net::SocketAddr;
use std::time::Duration;

use metaaccess_exporter::event::{Event, Labels};
use metaaccess_exporter::simulator::ACCESS_TOKEN;
use serde_json::Value;

use crate::api::{self, Api, TOKEN};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::program::{Ended, Program};
use crate::samples::{Counts, Samples};
use crate::wait::until;

const ACCOUNT: [(&str, &str); 1] = [("METAACCESS_ACCESS_TOKEN", TOKEN)];
const FREE_PORT: &str = "--web.listen-address=127.0.0.1:0";

#[track_caller]
pub fn run(args: &[&str], environment: &[(&str, &str)]) -> Ended {
    Program::exporter(args, environment).end(PATIENCE)
}

/// The program refuses to start with these arguments, and says all of this.
#[track_caller]
fn is_refused(args: &[&str], environment: &[(&str, &str)], says: &[&str]) {
    let ended = run(args, environment);
    assert_eq!(ended.code, Some(64), "{args:?}: {}", ended.err);
    assert_eq!(ended.out, "", "{args:?}");
    for said in says {
        assert!(
            ended.err.contains(said),
            "{said:?} is not in: {}",
            ended.err
        );
    }
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let args = [
        "--api.timeout=5",
        "--api.base-url=http://gears.example.com",
        "--log.level=loud",
        "--web.listen-address=19720",
        "--metrics.max-series=0",
    ];
    let wrong = [("METAACCESS_API_LOGS", "device,device")];
    let says = [
        "7 mistakes",
        "--api.timeout \"5\"",
        "--api.base-url \"http://gears.example.com\"",
        "--log.level \"loud\"",
        "--web.listen-address \"19720\"",
        "--metrics.max-series \"0\"",
        "METAACCESS_API_LOGS \"device,device\"",
        "METAACCESS_ACCESS_TOKEN",
        "--help",
    ];
    is_refused(&args, &wrong, &says);
}

#[test]
fn what_is_unknown_is_refused_with_what_was_meant() {
    is_refused(
        &["--api.base-uri=https://example.com"],
        &ACCOUNT,
        &["--api.base-uri", "--api.base-url"],
    );
    is_refused(&["serve"], &ACCOUNT, &["serve"]);
    is_refused(&["--log.level"], &ACCOUNT, &["--log.level"]);
}

#[test]
fn without_a_credential_it_says_where_one_goes() {
    let says = [
        "METAACCESS_ACCESS_TOKEN",
        "--api.client-id",
        "--api.client-secret-file",
    ];
    is_refused(&[FREE_PORT], &[], &says);
    let missing = "--api.access-token-file=/nowhere/token";
    is_refused(&[FREE_PORT, missing], &[], &["/nowhere/token"]);
}

#[test]
fn a_database_is_named_without_its_password() {
    let url = format!("--state.url=postgres://u:{TOKEN}@db.example.com:x/n?sslmode=require");
    let variable = url.replace("--state.url=", "");
    let variable = [("METAACCESS_STATE_URL", variable.as_str()), ACCOUNT[0]];
    let says = [
        "3 mistakes",
        "there is a password in it",
        "sslmode is neither",
    ];
    is_refused(&[&url], &ACCOUNT, &says);
    is_refused(
        &[],
        &variable,
        &["METAACCESS_STATE_URL: there is a password"],
    );
    let path = url.replace("state.url", "state.path");
    is_refused(&[&path], &ACCOUNT, &["name a database by --state.url"]);
    for (args, environment) in [
        (&[url.as_str()][..], &ACCOUNT[..]),
        (&[], &variable),
        (&[&path], &ACCOUNT),
        (&["--state.password", TOKEN], &ACCOUNT),
        (&[url.trim_start_matches("--state.url=")], &ACCOUNT),
    ] {
        let ended = run(args, environment);
        assert_eq!(ended.code, Some(64), "{}", ended.err);
        let said = ended.out + &ended.err;
        assert!(!said.contains(TOKEN), "{said}");
    }
}

#[test]
fn a_secret_among_the_arguments_is_refused_and_not_repeated() {
    let with_value = format!("--api.access-token={TOKEN}");
    let misspelt = format!("--api.acess-token={TOKEN}");
    for args in [
        &["--api.access-token", TOKEN][..],
        &[&with_value],
        &["--token", TOKEN],
        &["--api.client-secret", TOKEN],
        &["demo", "--token", TOKEN],
        &[&misspelt],
        &[TOKEN],
    ] {
        let ended = run(args, &ACCOUNT);
        assert_eq!(ended.code, Some(64), "{}", ended.err);
        let said = ended.out + &ended.err;
        assert!(!said.contains(TOKEN), "{said}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    let version = run(&["--version"], &[]);
    assert_eq!(version.code, Some(0));
    let expected = concat!("metaaccess-exporter ", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.out, expected);
    for args in [
        &["--help"][..],
        &["demo", "--help"],
        &["simulate", "--help"],
    ] {
        let help = run(args, &[]);
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(help.out.contains("--log.level"), "{}", help.out);
    }
}

#[test]
fn flags_may_stand_before_the_command_and_after_it() {
    for args in [
        [FREE_PORT, "--account.name=here", "demo"],
        ["demo", "--account.name=here", FREE_PORT],
        ["--account.name=here", "demo", FREE_PORT],
    ] {
        let exporter = Exporter::listening(Program::exporter(&args, &[]), 1);
        let samples = exporter.scrape();
        samples.value("metaaccess_up", &[("account", "here")]);
        assert_eq!(exporter.stop().code, Some(0));
    }
}

#[test]
fn settings_come_from_the_environment_and_flags_win() {
    let api = Api::start(api::at_rest());
    let base_url = format!("http://{}", api.address());
    let environment = [
        ACCOUNT[0],
        ("METAACCESS_API_BASE_URL", base_url.as_str()),
        ("METAACCESS_API_RATE_LIMIT", "200/1s"),
        ("METAACCESS_WEB_LISTEN_ADDRESS", "127.0.0.1:0"),
        ("METAACCESS_ACCOUNT_NAME", "environment"),
        ("METAACCESS_LOG_FORMAT", "json"),
    ];
    let flags = ["--account.name=flag", "--log.format=logfmt"];
    let exporter = Exporter::listening(Program::exporter(&flags, &environment), 1);
    let samples = exporter.settle(&api);
    samples.value("metaaccess_up", &[("account", "flag")]);
}

#[test]
fn log_lines_can_be_json() {
    let environment = [ACCOUNT[0], ("METAACCESS_LOG_FORMAT", "json")];
    let program = Program::exporter(&[FREE_PORT, "--log.level=trace"], &environment);
    until(PATIENCE, "it listens", || {
        let lines = program.err();
        lines
            .iter()
            .any(|line| line.contains("\"listening\""))
            .then_some(())
    });
    program.signal("TERM");
    let ended = program.end(PATIENCE);
    assert_eq!(ended.code, Some(0));
    for line in ended.err.lines() {
        let said: Result<Value, _> = serde_json::from_str(line);
        assert!(said.is_ok_and(|said| said["level"].is_string()), "{line}");
    }
}

#[test]
fn healthcheck_says_by_its_exit_code_whether_an_exporter_is_well() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    let address = format!("--web.listen-address={}", exporter.address());
    let well = run(&["healthcheck", &address], &[]);
    assert_eq!((well.code, well.err.as_str()), (Some(0), ""));
    assert_eq!(exporter.stop().code, Some(0));
    let gone = run(&["healthcheck", &address], &[]);
    assert_eq!(gone.code, Some(1), "{}", gone.err);
    assert_eq!(gone.err.lines().count(), 1, "{}", gone.err);
    // What answers there is no exporter.
    let other = format!("--web.listen-address={}", api.address());
    let other = run(&["healthcheck", &other], &[]);
    assert_eq!(other.code, Some(1), "{}", other.err);
}

/// The address that a line of the output names after these words.
fn address_after(lines: &[String], words: &str) -> Option<SocketAddr> {
    let line = lines
        .iter()
        .find_map(|line| line.trim().strip_prefix(words))?;
    let url = line.trim().strip_prefix("http://")?;
    let end = url.find(['/', ' ']).unwrap_or(url.len());
    url[..end].parse().ok()
}

/// What a simulator's control plane says was logged.
fn truth(simulator: SocketAddr) -> Counts {
    let answer = http::get(simulator, "/simulator/truth");
    let truth: Value = serde_json::from_str(&answer.body).expect("JSON");
    let counts = truth["counts"].as_array().expect("counts");
    let series = |count: &Value| {
        let text = |name: &str| count[name].as_str().expect("text");
        let event = Event::new(Labels {
            category: text("category"),
            version: text("version"),
            hostname: text("hostname"),
            event: text("event"),
        });
        let number = count["count"].as_u64().expect("a number");
        ((text("event_type").to_owned(), event), number)
    };
    counts.iter().map(series).collect()
}

#[test]
fn the_demo_shows_installs_within_five_seconds_and_they_are_true() {
    let begin = metaaccess_exporter::clock::now();
    let program = Program::exporter(&["demo", FREE_PORT], &[]);
    let (metrics, simulator) = until(PATIENCE, "it says what to open", || {
        let lines = program.out();
        let metrics = address_after(&lines, "metrics")?;
        Some((metrics, address_after(&lines, "simulator")?))
    });
    let scrape = || Samples::parse(&http::get(metrics, "/metrics").body);
    until(Duration::from_secs(5), "installs are shown", || {
        let samples = scrape();
        let installs = samples.sum("metaaccess_events_total", &[("event", "Installed")]);
        (installs > 0.0).then_some(())
    });
    let took = metaaccess_exporter::clock::now().since(begin);
    assert!(took < Duration::from_secs(5), "{took:?} from its start");
    assert_eq!(http::get(metrics, "/").status, 200);

    let paused = http::ask(simulator, "POST", "/simulator/pause", &[]);
    assert_eq!(paused.expect("an answer").status, 200);
    let truth = truth(simulator);
    assert!(
        truth
            .keys()
            .any(|(_, event)| event.labels().event == "Installed")
    );
    until(PATIENCE, "the counts are the truth", || {
        (scrape().counts() == truth).then_some(())
    });
    let requests = http::get(simulator, "/simulator/requests");
    let requests: Value = serde_json::from_str(&requests.body).expect("JSON");
    assert_eq!(requests["over_limit"], 0, "{requests}");
    program.signal("INT");
    assert_eq!(program.end(PATIENCE).code, Some(0));
}

#[test]
fn simulate_says_where_it_is_and_takes_its_token() {
    let args = ["simulate", "--simulate.listen-address=127.0.0.1:0"];
    let program = Program::exporter(&args, &[]);
    let address = until(PATIENCE, "it says where it is", || {
        address_after(&program.out(), "base URL")
    });
    assert!(program.out().join("\n").contains(ACCESS_TOKEN));
    let page = |token: &str| {
        let path = format!("/o/api/v2/logs?access_token={token}&limit=50&page=1&event_type=1");
        http::get(address, &path)
    };
    assert_eq!(page("another").status, 401);
    let answer = page(ACCESS_TOKEN);
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("{\"logs\":["), "{}", answer.body);
    program.signal("TERM");
    assert_eq!(program.end(PATIENCE).code, Some(0));
}

#[test]
fn simulate_takes_a_token_of_ones_own_and_does_not_print_it() {
    let args = ["simulate", "--simulate.listen-address=127.0.0.1:0"];
    let token = [("METAACCESS_SIMULATE_TOKEN", TOKEN)];
    let program = Program::exporter(&args, &token);
    let address = until(PATIENCE, "it says where it is", || {
        address_after(&program.out(), "base URL")
    });
    let flags = [
        FREE_PORT.to_owned(),
        format!("--api.base-url=http://{address}"),
        "--api.rate-limit=10/1m".to_owned(),
    ];
    let exporter = Exporter::with(&flags);
    until(PATIENCE, "both logs are read", || {
        Some(exporter.scrape()).filter(Samples::is_up)
    });
    program.signal("TERM");
    let ended = program.end(PATIENCE);
    assert!(!(ended.out + &ended.err).contains(TOKEN));
}
