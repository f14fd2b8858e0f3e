//! Access tokens that are fetched, renewed and refused: they cost requests as any other, few where
//! nothing helps, and no line.

use std::path::Path;
use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, Kind, PathKind, Settings, Target};

use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE};
use crate::program::Program;
use crate::samples::Samples;
use crate::wait::{throughout, timed, until};

const CLIENT: &str = "TEST-CLIENT";
const SECRET: &str = "5ec7e7a1-90b5-4c0d-8e1f-0b5cu7e5ec7e";
const TOKEN_REQUESTS: &str = "metaaccess_api_token_requests_total";

/// A company that knows the client, and no token but those that it grants.
fn company(settings: Settings) -> Settings {
    Settings {
        access_token: String::new(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        ..settings
    }
}

/// Starts an exporter of the client whose secret is in this file.
#[track_caller]
fn exporter(api: &Api, secret: &Path, flags: &[&str]) -> Exporter {
    let mut all = api.flags();
    all.extend([
        format!("--api.client-id={CLIENT}"),
        format!("--api.client-secret-file={}", secret.display()),
        "--web.listen-address=127.0.0.1:0".to_owned(),
        "--log.level=trace".to_owned(),
        "--scrape.min-interval=100ms".to_owned(),
        "--api.timeout=700ms".to_owned(),
    ]);
    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Exporter::listening(Program::exporter(&all, &[]), 1)
}

/// A folder with the secret in a file.
fn secret(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, text).expect("written");
    (folder, file)
}

fn token_requests(samples: &Samples) -> f64 {
    samples.sum(TOKEN_REQUESTS, &[])
}

/// How many requests for tokens the API saw.
fn tokens_asked(api: &Api) -> u64 {
    asked_for(api, PathKind::Token)
}

fn asked_for(api: &Api, path: PathKind) -> u64 {
    api.requests()
        .by_path
        .get(&path)
        .copied()
        .unwrap_or_default()
}

/// Stops the exporter: nowhere that anybody looks may the secret ever have stood.
#[track_caller]
fn ends_without_a_secret(exporter: Exporter) {
    let pages = ["/", "/metrics"].map(|page| exporter.get(page).body);
    let ended = exporter.stop();
    assert_eq!(ended.code, Some(0));
    for said in pages.iter().chain([&ended.out, &ended.err]) {
        for part in [SECRET, "client_secret", &SECRET[..13]] {
            assert!(!said.contains(part), "{part} stands in: {said}");
        }
    }
}

/// Scrapes until every log fails for this reason.
#[track_caller]
fn fails(exporter: &Exporter, reason: &str) -> Samples {
    until(PATIENCE, reason, || {
        let samples = exporter.scrape();
        let failing = |log| samples.failing(log) == [reason];
        (failing("device") && failing("admin") && !samples.is_up()).then_some(samples)
    })
}

#[test]
fn a_client_fetches_one_token_for_all_that_is_read() {
    let api = Api::start(company(api::at_rest()));
    let (_folder, file) = secret(&format!("  {SECRET}\r\n\n"));
    let exporter = exporter(&api, &file, &[]);
    let samples = exporter.settle(&api);
    assert_eq!(token_requests(&samples), 1.0);
    assert_eq!(samples.value(TOKEN_REQUESTS, &[("code", "200")]), 1.0);
    assert_eq!(tokens_asked(&api), 1);
    let all = samples.sum("metaaccess_api_requests_total", &[]);
    assert_eq!(all, api.requests().total as f64, "tokens are among them");
    let ends = samples.value("metaaccess_api_token_expiry_timestamp_seconds", &[]);
    let now = metaaccess_exporter::clock::unix_now().as_secs_f64();
    assert!((now + 43_100.0..now + 43_200.0).contains(&ends), "{ends}");
    ends_without_a_secret(exporter);
}

#[test]
fn the_secret_may_come_from_the_environment() {
    let api = Api::start(company(api::at_rest()));
    let mut flags = api.flags();
    flags.extend([
        format!("--api.client-id={CLIENT}"),
        "--web.listen-address=127.0.0.1:0".to_owned(),
    ]);
    let program = Program::exporter(&flags, &[("METAACCESS_CLIENT_SECRET", SECRET)]);
    let exporter = Exporter::listening(program, 1);
    exporter.settle(&api);
    ends_without_a_secret(exporter);
}

#[test]
fn tokens_that_live_for_a_second_are_renewed_within_the_budget_and_cost_no_line() {
    for reuse_tokens in [false, true] {
        let api = Api::start(company(Settings {
            token_lifetime: Duration::from_secs(1),
            reuse_tokens,
            rate_limit: api::limit(20, Duration::from_secs(2)),
            ..api::alive()
        }));
        let (_folder, file) = secret(SECRET);
        let exporter = exporter(&api, &file, &[]);
        throughout(Duration::from_secs(5), || {
            exporter.scrape_honestly(&api);
            std::thread::sleep(Duration::from_millis(100));
        });
        api.pause();
        let samples = exporter.settle(&api);
        assert!(tokens_asked(&api) >= 4, "{}", tokens_asked(&api));
        let of_tokens = samples.value(TOKEN_REQUESTS, &[("code", "200")]);
        assert_eq!(of_tokens, tokens_asked(&api) as f64);
        let refused = samples.sum("metaaccess_api_requests_total", &[("code", "429")]);
        assert_eq!(refused, 0.0);
    }
}

#[test]
fn a_token_that_ends_at_once_leaves_requests_for_the_logs() {
    let api = Api::start(company(Settings {
        token_lifetime: Duration::from_secs(1),
        rate_limit: api::limit(3, Duration::from_secs(3)),
        history_hours: 3,
        ..api::at_rest()
    }));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &[]);
    exporter.settle(&api);
}

#[test]
fn a_token_that_is_revoked_costs_one_request_and_no_failure() {
    let api = Api::start(company(api::at_rest()));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &[]);
    exporter.settle(&api);
    let warned = exporter.log_at("warn").len();
    for times in 1..=3 {
        api.revoke_tokens();
        api.install_on(&["TEST-R1W3Y"]);
        let samples = exporter.settle(&api);
        assert_eq!(token_requests(&samples), f64::from(times + 1));
        assert_eq!(samples.sum("metaaccess_refresh_failures_total", &[]), 0.0);
        let refused = samples.value("metaaccess_api_requests_total", &[("code", "401")]);
        assert_eq!(refused, f64::from(times));
    }
    assert_eq!(exporter.log_at("warn").len(), warned);
    ends_without_a_secret(exporter);
}

/// Lets this fault strike what it strikes for three seconds of scrapes, of which each wants a refresh,
/// and returns how many requests that took.
fn requests_while(api: &Api, exporter: &Exporter, fault: Fault, reason: &str) -> u64 {
    api.inject(fault);
    fails(exporter, reason);
    let before = api.requests().total;
    throughout(Duration::from_secs(3), || {
        assert!(!exporter.scrape().is_up());
        std::thread::sleep(Duration::from_millis(20));
    });
    api.requests().total - before
}

fn status(status: u16) -> Kind {
    Kind::Status {
        status,
        retry_after: None,
    }
}

#[test]
fn tokens_that_are_refused_whatever_they_are_do_not_eat_the_budget() {
    let api = Api::start(company(api::at_rest()));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &[]);
    exporter.settle(&api);
    let fault = Fault::always(status(401)).on_logs();
    let requests = requests_while(&api, &exporter, fault, "unauthorized");
    // Waits of 0.25 s, doubled each time; each ends with a token and what it is refused for.
    assert!(requests <= 10, "{requests}");
    api.clear_faults();
    api.install_on(&["TEST-AFTER"]);
    exporter.settle(&api);
    ends_without_a_secret(exporter);
}

#[test]
fn a_given_token_that_is_refused_does_not_eat_the_budget_and_is_tried_again() {
    let api = Api::start(api::at_rest());
    let flags = ["--scrape.min-interval=100ms", "--log.level=trace"];
    let exporter = Exporter::of(&api, &flags);
    exporter.settle(&api);
    let fault = Fault::always(status(401)).on_logs();
    let requests = requests_while(&api, &exporter, fault, "unauthorized");
    assert!(requests <= 6, "{requests}");
    let warnings = exporter.log_at("warn");
    let told = warnings.iter().filter(|line| line.contains("unauthorized"));
    assert_eq!(told.count(), 2, "one for each log: {warnings:#?}");
    api.clear_faults();
    api.install_on(&["TEST-AFTER"]);
    exporter.settle(&api);
}

#[test]
fn a_given_token_that_is_refused_is_not_tried_for_the_other_log() {
    let api = Api::start(Settings {
        rate_limit: api::limit(200, Duration::from_secs(60)),
        ..api::at_rest()
    });
    let exporter = Exporter::of(&api, &["--scrape.min-interval=100ms"]);
    exporter.settle(&api);
    let before = api.requests().total;
    api.inject(Fault::always(status(401)).on_logs());
    fails(&exporter, "unauthorized");
    throughout(Duration::from_secs(1), || {
        exporter.scrape();
    });
    // It is tried again fifteen seconds later.
    assert_eq!(api.requests().total - before, 1);
}

#[test]
fn a_wrong_secret_is_told_asked_with_rarely_and_a_mended_file_is_taken_at_once() {
    let api = Api::start(company(Settings {
        rate_limit: api::limit(200, Duration::from_secs(60)),
        ..api::at_rest()
    }));
    let (_folder, file) = secret("not-the-secret");
    let exporter = exporter(&api, &file, &[]);
    let samples = fails(&exporter, "client_refused");
    assert_eq!(samples.value(TOKEN_REQUESTS, &[("code", "401")]), 1.0);
    throughout(Duration::from_secs(1), || {
        exporter.scrape();
    });
    // The next one is due fifteen seconds after the first.
    assert_eq!(tokens_asked(&api), 1);
    let warnings = exporter.log_at("warn");
    let told = warnings.iter().find(|line| line.contains("client_refused"));
    let told = told.expect("a warning");
    assert!(
        told.contains("invalid_client") && told.contains("--api.client-id"),
        "{told}"
    );

    std::fs::remove_file(&file).expect("removed");
    fails(&exporter, "no_token");
    std::fs::write(&file, SECRET).expect("written");
    let (_, took) = timed(|| exporter.settle(&api));
    assert!(
        took < Duration::from_secs(10),
        "not at once, but after {took:?}"
    );
    assert_eq!(tokens_asked(&api), 2);
    ends_without_a_secret(exporter);
}

#[test]
fn whatever_the_token_endpoint_does_is_told_and_overcome() {
    let location = "http://127.0.0.1:1/elsewhere".to_owned();
    for (kind, reason) in [
        (status(500), "server_error"),
        (status(404), "not_found"),
        (status(429), "rate_limited"),
        (Kind::Hang, "timeout"),
        (Kind::Endless, "body_too_large"),
        (Kind::Garbage, "not_json"),
        (Kind::Html, "not_json"),
        (Kind::CutOff, "body_cut_off"),
        (Kind::Reset, "connection"),
        (Kind::Redirect { location }, "redirected"),
    ] {
        let api = Api::start(company(api::at_rest()));
        let (_folder, file) = secret(SECRET);
        api.inject(Fault {
            target: Target::Token,
            ..Fault::always(kind)
        });
        let exporter = exporter(&api, &file, &[]);
        fails(&exporter, reason);
        assert_eq!(asked_for(&api, PathKind::Logs), 0);
        api.clear_faults();
        exporter.settle(&api);
        ends_without_a_secret(exporter);
    }
}

#[test]
fn a_token_that_cannot_be_renewed_is_used_to_its_end() {
    let api = Api::start(company(Settings {
        token_lifetime: Duration::from_secs(10),
        ..api::at_rest()
    }));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &[]);
    exporter.settle(&api);
    api.inject(Fault {
        target: Target::Token,
        ..Fault::always(status(500))
    });
    until(PATIENCE, "a renewal fails", || {
        let samples = exporter.scrape();
        assert!(samples.is_up(), "{}", samples.own_words());
        (tokens_asked(&api) > 1).then_some(())
    });
    assert!(exporter.scrape().is_up());
    let renewals = |exporter: &Exporter| {
        let warnings = exporter.log_at("warn");
        let told = warnings
            .iter()
            .filter(|line| line.contains("could not be renewed"));
        told.count()
    };
    until(PATIENCE, "it is told", || {
        (renewals(&exporter) == 1).then_some(())
    });
    fails(&exporter, "server_error");
    assert_eq!(renewals(&exporter), 1);
    api.clear_faults();
    exporter.settle(&api);
}

#[test]
fn a_restart_knows_of_the_tokens_that_were_asked_for() {
    let api = Api::start(company(Settings {
        rate_limit: api::limit(6, Duration::from_secs(3)),
        history_hours: 2,
        token_lifetime: Duration::from_secs(2),
        ..api::at_rest()
    }));
    let (folder, file) = secret(SECRET);
    let state = format!("--state.path={}", folder.path().join("state").display());
    for _ in 0..4 {
        let exporter = exporter(&api, &file, &[&state]);
        let asked = tokens_asked(&api);
        until(PATIENCE, "a token is asked for", || {
            exporter.scrape();
            (tokens_asked(&api) > asked).then_some(())
        });
        // A kill, at once: the API fails the test if the next process does not know of it.
        drop(exporter);
    }
    let exporter = exporter(&api, &file, &[&state]);
    exporter.settle(&api);
}

#[test]
fn a_token_that_is_to_be_renewed_with_the_only_request_of_a_window_is_used_first() {
    let api = Api::start(company(Settings {
        // It is due after 1.6 s, and the one request after that.
        token_lifetime: Duration::from_secs(2),
        rate_limit: api::limit(1, Duration::from_millis(1800)),
        history_hours: 1,
        ..api::at_rest()
    }));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &["--api.logs=device"]);
    until(PATIENCE, "the log is read", || {
        exporter.scrape().is_up().then_some(())
    });
}

#[test]
fn a_token_that_is_to_be_renewed_is_used_while_there_is_no_request_for_that() {
    let api = Api::start(company(Settings {
        token_lifetime: Duration::from_secs(10),
        rate_limit: api::limit(4, Duration::from_secs(20)),
        history_hours: 0,
        ..api::at_rest()
    }));
    let (_folder, file) = secret(SECRET);
    let exporter = exporter(&api, &file, &["--api.logs=device"]);
    // A token and two reads, so that one request is left when the token is due.
    let samples = until(PATIENCE, "the log is read twice", || {
        let samples = exporter.scrape();
        (api.requests().total >= 3).then_some(samples)
    });
    assert_eq!(api.requests().total, 3);
    let ends = samples.value("metaaccess_api_token_expiry_timestamp_seconds", &[]);
    until(PATIENCE, "the token is to be renewed", || {
        let left = ends - metaaccess_exporter::clock::unix_now().as_secs_f64();
        (left < 1.8).then_some(())
    });
    exporter.scrape();
    assert_eq!(asked_for(&api, PathKind::Logs), 3);
}
