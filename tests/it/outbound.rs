//! What leaves the machine, and what does not: proxies, certificates, bounds, and the token.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use metaaccess_exporter::simulator::{Fault, Kind};

use crate::api::{self, Api, TOKEN};
use crate::canned;
use crate::certificates::Authority;
use crate::exporter::{Exporter, PATIENCE};
use crate::peer::{Peer, unspecified};
use crate::program::Program;
use crate::samples::Samples;
use crate::wait::until;

const OFTEN: [&str; 3] = [
    "--web.listen-address=127.0.0.1:0",
    "--api.rate-limit=200/1s",
    "--scrape.min-interval=100ms",
];

fn empty(_: &str, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&canned::json(r#"{"logs":[]}"#))
}

/// An exporter with these flags, in an environment with the token and these variables.
fn exporter(flags: &[&str], environment: &[(&str, &str)]) -> Exporter {
    let flags = [&OFTEN, flags].concat();
    let mut all = vec![("METAACCESS_ACCESS_TOKEN", TOKEN)];
    all.extend(environment);
    Exporter::listening(Program::exporter(&flags, &all), 1)
}

#[track_caller]
fn fails(exporter: &Exporter, reason: &str) -> Samples {
    until(PATIENCE, &format!("it fails by {reason}"), || {
        let (samples, _) = exporter.scrape_within(3.0);
        let both = ["device", "admin"].map(|log| samples.failing(log) == [reason]);
        (both == [true, true]).then_some(samples)
    })
}

#[track_caller]
fn works(exporter: &Exporter) -> Samples {
    until(PATIENCE, "it is up", || {
        Some(exporter.scrape()).filter(Samples::is_up)
    })
}

/// A folder with an authority's certificate, and one of `gears.example.com` and 127.0.0.1.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    authority.write(folder.path());
    authority.issue(folder.path(), "gears");
    folder
}

fn ca_file(folder: &Path) -> String {
    format!("--api.ca-file={}", folder.join("ca.crt").display())
}

#[test]
fn a_proxy_of_the_environment_is_asked_by_the_name_of_the_api_and_sees_no_token() {
    let folder = certificates();
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        // Nobody here knows where `gears.example.com` is, and nobody has to.
        let proxy = Peer::start(Some((folder.path(), "gears")), empty);
        let proxy_url = format!("http://{}", proxy.address());
        let flags = [
            "--api.base-url=https://gears.example.com",
            &ca_file(folder.path()),
        ];
        let exporter = exporter(&flags, &[(variable, &proxy_url)]);
        works(&exporter);
        let heads = proxy.heads();
        let (connects, asked): (Vec<&String>, Vec<&String>) =
            heads.iter().partition(|head| head.starts_with("CONNECT "));
        for head in &connects {
            assert!(
                head.starts_with("CONNECT gears.example.com:443 HTTP/1.1\r\n"),
                "{head}"
            );
            assert!(!head.contains(TOKEN), "{head}");
        }
        assert!(!connects.is_empty() && !asked.is_empty());
        // Within TLS alone.
        let within = |head: &&String| head.contains(&format!("access_token={TOKEN}"));
        assert!(asked.iter().all(within), "{asked:#?}");
    }
}

#[test]
fn a_proxy_is_not_asked_for_this_machine_itself() {
    let proxy = Peer::start(None, empty);
    let proxy_url = format!("http://{}", proxy.address());
    let api = Api::start(api::at_rest());
    for host in ["127.0.0.1", "localhost"] {
        let base_url = format!("--api.base-url=http://{host}:{}", api.address().port());
        let variables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        let variables = variables.map(|variable| (variable, proxy_url.as_str()));
        let exporter = exporter(&[&base_url], &variables);
        exporter.settle(&api);
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn no_proxy_is_asked_for_those_whom_the_environment_excepts() {
    let folder = certificates();
    let (proxy, server) = (
        Peer::start(None, empty),
        Peer::start(Some((folder.path(), "gears")), empty),
    );
    let (proxy_url, host) = (
        format!("http://{}", proxy.address()),
        unspecified(server.address()),
    );
    let base_url = format!("--api.base-url=https://{host}");
    let excepted = [
        ("HTTPS_PROXY", &*proxy_url),
        ("NO_PROXY", "other.example.com,0.0.0.0"),
    ];
    let directly = exporter(&[&base_url], &excepted);
    // Its certificate is not one for that address.
    fails(&directly, "tls");
    assert!(server.connections() > 0);
    assert_eq!(proxy.connections(), 0);
    drop(directly);
    let before = server.connections();
    let by_proxy = exporter(&[&base_url], &excepted[..1]);
    fails(&by_proxy, "connection");
    assert!(proxy.connections() > 0);
    assert_eq!(server.connections(), before);
}

#[test]
fn a_certificate_that_nobody_trusts_is_told_and_mended_by_its_authority() {
    let folder = certificates();
    let server = Peer::start(Some((folder.path(), "gears")), empty);
    let base_url = format!("--api.base-url=https://{}", server.address());
    let distrusting = exporter(&[&base_url], &[]);
    fails(&distrusting, "tls");
    // No request, and with it no token, went to whom nobody trusts.
    assert_eq!(server.heads(), Vec::<String>::new());
    drop(distrusting);
    let other = certificates();
    let trusting_another = exporter(&[&base_url, &ca_file(other.path())], &[]);
    fails(&trusting_another, "tls");
    drop(trusting_another);
    assert_eq!(server.heads(), Vec::<String>::new());
    works(&exporter(&[&base_url, &ca_file(folder.path())], &[]));
}

#[test]
fn a_request_says_which_version_asks_and_names_no_page_that_led_to_it() {
    let server = Peer::start(None, empty);
    let base_url = format!("--api.base-url=http://{}", server.address());
    works(&exporter(&[&base_url], &[]));
    let heads = server.heads();
    assert!(!heads.is_empty());
    for head in heads {
        let head = head.to_lowercase();
        let version = env!("CARGO_PKG_VERSION");
        let agent = format!("\r\nuser-agent: metaaccess-exporter/{version}\r\n");
        assert!(head.contains(&agent), "{head}");
        assert!(
            !head.contains("\r\nreferer:") && !head.contains("\r\ncookie:"),
            "{head}"
        );
    }
}

#[test]
fn a_redirect_leads_nowhere_whatever_its_status() {
    let elsewhere = Peer::start(None, empty);
    let location = format!("http://{}/o/api/v2/logs", elsewhere.address());
    for status in [
        "301 Moved Permanently",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let header = format!("Location: {location}\r\n");
        let server = Peer::start(None, move |_, to| {
            to.write_all(&canned::answer(status, &header, "{}"))
        });
        let base_url = format!("--api.base-url=http://{}", server.address());
        let exporter = exporter(&[&base_url], &[]);
        let samples = fails(&exporter, "redirected");
        let code = [("code", &status[..3])];
        assert!(samples.value("metaaccess_api_requests_total", &code) >= 2.0);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn an_answer_that_drips_ends_when_a_request_has_to() {
    let server = Peer::start(None, |_, to| {
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        loop {
            to.write_all(b" ")?;
            to.flush()?;
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let base_url = format!("--api.base-url=http://{}", server.address());
    let exporter = exporter(&[&base_url, "--api.timeout=1500ms"], &[]);
    let samples = fails(&exporter, "timeout");
    let of = |end: &str| {
        samples.value(
            &format!("metaaccess_api_request_duration_seconds_{end}"),
            &[],
        )
    };
    let each = of("sum") / of("count");
    assert!((1.4..8.0).contains(&each), "{each} s a request");
}

#[test]
fn a_body_without_end_is_left_when_it_is_larger_than_a_page_can_be() {
    let most = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&most);
    let server = Peer::start(None, move |_, to| {
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")?;
        let some = [b' '; 16 * 1024];
        let mut sent = 0;
        while to.write_all(&some).is_ok() {
            sent += some.len();
            noted.fetch_max(sent, Ordering::SeqCst);
        }
        Ok(())
    });
    let base_url = format!("--api.base-url=http://{}", server.address());
    let exporter = exporter(&[&base_url, "--api.timeout=1m"], &[]);
    fails(&exporter, "body_too_large");
    let most = most.load(Ordering::SeqCst);
    // What the buffers of the system hold comes to it.
    let mebibyte = 1024 * 1024;
    assert!((4 * mebibyte..32 * mebibyte).contains(&most), "{most}");
}

/// A client's secret that cannot stand anywhere by chance.
const SECRET: &str = "c11e47-5ec7e7-0f7e57-ab1e0b5cu7e-9d31";

/// Everything by which a secret could be known.
fn forms_of(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut forms = vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.replace('-', "%2D"),
        secret.replace('-', "%2d"),
        secret.replace('-', ""),
        secret[..18].to_owned(),
        secret[18..].to_owned(),
        percent.to_lowercase(),
        percent,
        hex.to_uppercase(),
        hex,
    ];
    // In base64 it looks different by where in a text it stands; its ends depend on what is beside.
    for before in 0..3 {
        let text = [&b"\0\0"[..before], secret.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            forms.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    forms
}

#[track_caller]
fn is_without_a_token(what: &str, bytes: &[u8]) {
    let names = ["access_token", "client_secret"].map(str::to_owned);
    let forms = [forms_of(TOKEN), forms_of(SECRET), names.to_vec()];
    for form in forms.concat() {
        let is_there = bytes
            .windows(form.len())
            .any(|part| part == form.as_bytes());
        assert!(!is_there, "{form} stands in {what}");
    }
}

/// Looks at all that an exporter shows, keeps and has said, and stops it.
fn ends_without_a_token(exporter: Exporter, state: &Path) {
    let openmetrics = ("Accept", "application/openmetrics-text");
    let ask = |path: &str| crate::http::ask(exporter.address(), "GET", path, &[openmetrics]);
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"] {
        is_without_a_token(path, exporter.get(path).body.as_bytes());
        is_without_a_token(path, ask(path).expect("an answer").body.as_bytes());
    }
    let files = |least: usize| {
        let folder = std::fs::read_dir(state).expect("a folder");
        let files: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
        assert!(files.len() >= least, "{files:?}");
        for file in files {
            is_without_a_token(
                &file.display().to_string(),
                &std::fs::read(&file).expect("read"),
            );
        }
    };
    // With its write-ahead log while it runs, and as a whole afterwards.
    files(3);
    let ended = exporter.stop();
    assert_eq!(ended.code, Some(0));
    files(1);
    assert!(
        ended.err.to_lowercase().contains("debug"),
        "all levels were written"
    );
    is_without_a_token("standard output", ended.out.as_bytes());
    is_without_a_token("standard error", ended.err.as_bytes());
}

fn leaves_no_token(format: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let format = format!("--log.format={format}");
    let state = |name: &str| {
        let state = folder.path().join(name);
        std::fs::create_dir(&state).expect("a folder");
        state
    };
    let of_state = |state: &Path| format!("--state.path={}", state.join("state.db").display());
    let logs_all = [format.as_str(), "--log.level=trace", "--api.timeout=700ms"];

    let api = Api::start(api::at_rest());
    let kept = state("kept");
    let path = of_state(&kept);
    let base_url = format!("--api.base-url=http://{}", api.address());
    let known = exporter(&[&logs_all[..], &[&path, &base_url]].concat(), &[]);
    known.settle(&api);
    let status = |status| Kind::Status {
        status,
        retry_after: None,
    };
    let location = format!("http://{}/elsewhere", api.address());
    for (kind, reason) in [
        (status(401), "unauthorized"),
        (status(500), "server_error"),
        (Kind::Redirect { location }, "redirected"),
        (Kind::Hang, "timeout"),
        (Kind::CutOff, "body_cut_off"),
        (Kind::Reset, "connection"),
        (Kind::Html, "not_json"),
        (Kind::Endless, "body_too_large"),
    ] {
        api.inject(Fault::always(kind));
        fails(&known, reason);
        api.clear_faults();
    }
    known.settle(&api);
    drop(api);
    fails(&known, "connection");
    ends_without_a_token(known, &kept);

    let certificates = certificates();
    let server = Peer::start(Some((certificates.path(), "gears")), empty);
    let base_url = format!("--api.base-url=https://{}", server.address());
    let kept = state("distrusting");
    let path = of_state(&kept);
    let distrusting = exporter(&[&logs_all[..], &[&path, &base_url]].concat(), &[]);
    fails(&distrusting, "tls");
    ends_without_a_token(distrusting, &kept);
}

#[test]
fn the_token_is_nowhere_in_logfmt_whatever_fails() {
    leaves_no_token("logfmt");
}

#[test]
fn the_token_is_nowhere_in_json_whatever_fails() {
    leaves_no_token("json");
}

/// A vendor that grants a token for a second, fails in turn in all ways, and at last tells what it was
/// told.
fn odd_vendor(refuses: &Arc<AtomicBool>) -> Peer {
    let (refuses, asked) = (Arc::clone(refuses), AtomicUsize::new(0));
    Peer::start(None, move |request, to| {
        let granted = format!(r#"{{"access_token":"{TOKEN}","expires_in":1}}"#);
        let told = format!(
            r#"{{"error":"invalid_client","error_description":"{SECRET}","access_token":"{TOKEN}"}}"#
        );
        if refuses.load(Ordering::SeqCst) {
            return to.write_all(&canned::answer("401 Unauthorized", "", &told));
        }
        if request.starts_with("POST /o/oauth/token ") {
            return to.write_all(&canned::json(&granted));
        }
        let location = format!("Location: /?access_token={TOKEN}\r\n");
        match asked.fetch_add(1, Ordering::SeqCst) % 7 {
            0 => to.write_all(&canned::answer("500 No", "", &told)),
            1 => to.write_all(&canned::answer("302 Found", &location, &told)),
            2 => to.write_all(&canned::json(&told)),
            3 => to.write_all(told.as_bytes()),
            4 => to.write_all(&canned::json(&told)[..100]),
            5 => Ok(()),
            _ => to.write_all(&canned::json(r#"{"logs":[]}"#)),
        }
    })
}

#[test]
fn a_fetched_token_and_the_secret_are_nowhere_though_the_vendor_tells_them() {
    for format in ["--log.format=logfmt", "--log.format=json"] {
        let folder = tempfile::tempdir().expect("a folder");
        let refuses = Arc::default();
        let vendor = odd_vendor(&refuses);
        let base_url = format!("--api.base-url=http://{}", vendor.address());
        let state = format!("--state.path={}", folder.path().join("state.db").display());
        let flags = [
            format,
            "--log.level=trace",
            "--api.client-id=TEST-CLIENT",
            &base_url,
            &state,
        ];
        let flags = [&OFTEN[..], &flags].concat();
        let program = Program::exporter(&flags, &[("METAACCESS_CLIENT_SECRET", SECRET)]);
        let exporter = Exporter::listening(program, 1);
        until(PATIENCE, "it failed in all ways", || {
            exporter.scrape();
            let pages = vendor.heads().into_iter();
            let pages = pages.filter(|head| head.contains("/o/api/v2/logs?"));
            (pages.count() >= 14).then_some(())
        });
        let tells = |head: &String| head.contains(SECRET);
        assert!(vendor.heads().iter().any(tells), "it asked with the secret");
        refuses.store(true, Ordering::SeqCst);
        until(PATIENCE, "it is refused", || {
            (!exporter.scrape().is_up()).then_some(())
        });
        ends_without_a_token(exporter, folder.path());
    }
}

#[test]
fn a_token_that_stands_somewhere_would_be_found() {
    let url = format!("http://127.0.0.1/?token={TOKEN}");
    let encoded = STANDARD_NO_PAD.encode(&url);
    for said in [url.to_uppercase(), encoded, url.replace('-', "%2D")] {
        let found = std::panic::catch_unwind(|| is_without_a_token("it", said.as_bytes()));
        assert!(found.is_err(), "{said}");
    }
}
