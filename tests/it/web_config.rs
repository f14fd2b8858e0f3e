//! The web configuration at work: TLS, client certificates, passwords, and their reload.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::api::{self, Api};
use crate::certificates::Authority;
use crate::exporter::{Exporter, PATIENCE, samples};
use crate::http::{self, Answer};
use crate::program::{Ended, Program};
use crate::tools::tool;
use crate::wait::{timed, until};

/// Of `secret`, at a cost that a machine feels.
const SECRET: &str = "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u";

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

const CLIENTS: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";

fn users() -> String {
    format!("basic_auth_users:\n  alice: {SECRET}\n")
}

/// A folder with a web configuration, and the certificates that it may name.
pub struct Web {
    folder: TempDir,
    authority: Authority,
}

impl Web {
    pub fn new(text: &str) -> Self {
        let web = Self {
            folder: tempfile::tempdir().expect("a folder"),
            authority: Authority::new(),
        };
        web.authority.write(web.path());
        web.authority.issue(web.path(), "server");
        web.authority.issue(web.path(), "client");
        web.write(text);
        web
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("web.yml")
    }

    fn flag(&self) -> String {
        format!("--web.config.file={}", self.file().display())
    }

    /// Writes the configuration, all of it at one moment.
    fn write(&self, text: &str) {
        let new = self.path().join("new.yml");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(&new, self.file()).expect("renamed");
    }

    pub fn exporter(&self, api: &Api) -> Exporter {
        Exporter::of(api, &[&self.flag(), "--web.enable-lifecycle"])
    }

    /// What curl says with these arguments: the status and the body.
    fn curl(
        &self,
        curl: &Command,
        address: SocketAddr,
        path: &str,
        args: &[&str],
    ) -> (u16, String) {
        let mut asked = Command::new(curl.get_program());
        asked.args(["-s", "--max-time", "20", "-w", "\n%{http_code}"]);
        asked.arg("--cacert").arg(self.path().join("ca.crt"));
        asked.args(args).arg(format!("https://{address}{path}"));
        let told = asked.current_dir(self.path()).output().expect("it runs");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let (body, status) = told.rsplit_once('\n').expect("a status");
        (status.parse().expect("a number"), body.to_owned())
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn ask_as(address: SocketAddr, pair: &str, path: &str) -> Answer {
    let authorization = [("Authorization", &*basic(pair))];
    http::ask(address, "GET", path, &authorization).expect("an answer")
}

fn reload_as(address: SocketAddr, pair: &str) -> Answer {
    let authorization = [("Authorization", &*basic(pair))];
    http::ask(address, "POST", "/-/reload", &authorization).expect("an answer")
}

const CERTIFICATE: [&str; 4] = ["--cert", "client.crt", "--key", "client.key"];

#[test]
fn curl_needs_the_authority_a_certificate_and_a_password_where_all_are_asked_for() {
    let Some(curl) = tool("curl") else {
        return;
    };
    let web = Web::new(&[TLS, CLIENTS, &users()].concat());
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let ask = |args: &[&str]| web.curl(&curl, exporter.address(), "/metrics", args);
    let all = [&CERTIFICATE[..], &["-u", "alice:secret"]].concat();
    let (status, body) = ask(&all);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("metaaccess_events_total{"), "{body}");
    for version in ["1.2", "1.3"] {
        let only = [&all[..], &["--tlsv1.2", "--tls-max", version]].concat();
        assert_eq!(ask(&only).0, 200, "TLS {version}");
    }
    assert_eq!(ask(&["-u", "alice:secret"]).0, 0, "no certificate");
    assert_eq!(ask(&CERTIFICATE).0, 401, "no password");
    let wrong = [&CERTIFICATE[..], &["-u", "alice:Secret"]].concat();
    assert_eq!(ask(&wrong).0, 401, "a wrong password");
    for path in ["/", "/-/healthy", "/-/ready", "/-/reload", "/nothing"] {
        let (status, _) = web.curl(&curl, exporter.address(), path, &CERTIFICATE);
        assert_eq!(status, 401, "{path} has a door like all others");
    }
    let plain = http::ask(exporter.address(), "GET", "/metrics", &[]).expect("an answer");
    assert_eq!(plain.status, 400);
    assert!(plain.body.contains("https"), "{}", plain.body);
    let mut warnings = exporter.log_at("warn").into_iter();
    let of_memory = |line: &String| line.contains("counts are kept in memory");
    assert!(
        warnings.all(|line| of_memory(&line)),
        "{:?}",
        exporter.log()
    );
}

#[test]
fn curl_offered_http_2_speaks_http_1_1() {
    let Some(curl) = tool("curl") else {
        return;
    };
    let web = Web::new(&[TLS, "http_server_config:\n  http2: true\n"].concat());
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let version = [
        "--http2",
        "-o",
        "body",
        "-w",
        "\n%{http_version}\n%{http_code}",
    ];
    let (status, told) = web.curl(&curl, exporter.address(), "/metrics", &version);
    assert_eq!((status, told.trim()), (200, "1.1"));
}

#[test]
fn every_answer_has_the_headers_of_the_configuration() {
    let web = Web::new(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
         Content-Security-Policy: default-src 'none'\n",
    );
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    for path in ["/", "/metrics", "/nothing"] {
        let answer = exporter.get(path);
        assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'none'"), "{path}");
    }
    // Without its style the page is text, links and a table still.
    let page = exporter.get("/").body;
    assert!(page.contains("<h1>") && page.contains("<a href=\"/metrics\">"));
}

#[test]
fn the_rate_limit_counts_every_request() {
    let web = Web::new("rate_limit:\n  interval: 1h\n  burst: 3\n");
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let statuses: Vec<u16> = (0..5).map(|_| exporter.get("/-/healthy").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn a_changed_password_takes_over_within_a_kept_connection() {
    let web = Web::new(&users());
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let mut kept = http::Connection::to(exporter.address()).expect("a connection");
    let mut status = |pair: &str| {
        let authorization = [("Authorization", &*basic(pair))];
        kept.get("/metrics", &authorization)
            .expect("an answer")
            .status
    };
    assert_eq!(status("alice:secret"), 200);
    web.write(&users().replace("alice", "bob"));
    assert_eq!(reload_as(exporter.address(), "alice:secret").status, 200);
    assert_eq!(status("alice:secret"), 401);
    assert_eq!(status("bob:secret"), 200);
}

#[test]
fn a_change_is_seen_without_being_told_while_scrapes_go_on() {
    let web = Web::new(&users());
    // As Kubernetes mounts a file: a link to a folder, which is swapped.
    let real = |name: &str, text: &str| {
        let folder = web.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("web.yml"), text).expect("written");
        std::os::unix::fs::symlink(name, web.path().join("new")).expect("a link");
        std::fs::rename(web.path().join("new"), web.path().join("data")).expect("swapped");
    };
    real("first", &users());
    std::fs::remove_file(web.file()).expect("removed");
    std::os::unix::fs::symlink("data/web.yml", web.file()).expect("a link");
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let bob = "  bob: ".to_owned() + SECRET + "\n";
    real("second", &(users() + &bob));
    until(PATIENCE, "the new user is let in", || {
        let scrape = ask_as(exporter.address(), "alice:secret", "/metrics");
        assert_eq!(scrape.status, 200, "the old one is let in all the while");
        let status = ask_as(exporter.address(), "bob:secret", "/-/healthy").status;
        (status == 200).then_some(())
    });
}

#[test]
fn a_new_certificate_is_shown_to_new_connections() {
    let Some(curl) = tool("curl") else {
        return;
    };
    let web = Web::new(TLS);
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let post = ["-X", "POST"];
    let reload = || web.curl(&curl, exporter.address(), "/-/reload", &post).0;
    assert_eq!(reload(), 200);
    let other = Authority::new();
    other.issue(web.path(), "server");
    // The old one is shown still, to those who trust the old authority.
    assert_eq!(reload(), 200);
    assert_eq!(reload(), 0, "its certificate is of another authority now");
    other.write(web.path());
    assert_eq!(reload(), 200);
}

#[test]
fn a_bad_change_is_refused_and_told_and_the_old_rules_go_on() {
    let web = Web::new(&[TLS, &users()].concat());
    web.write(&users());
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let address = exporter.address();
    let scrape = || samples(&ask_as(address, "alice:secret", "/metrics"));
    let is_good = || {
        let name = "metaaccess_exporter_web_config_last_reload_successful";
        scrape().value(name, &[])
    };
    assert_eq!(is_good(), 1.0);
    for (text, says) in [
        (
            "basic_auth_users:\n  alice: hunter2\n",
            "basic_auth_users.alice (value not shown)",
        ),
        ("basic_auth_user: {}\n", "basic_auth_user"),
        ("basic_auth_users: [\n", "line "),
        ("", "restart"),
        (
            "tls_server_config:\n  cert_file: gone.crt\n  key_file: server.key\n",
            "gone.crt",
        ),
    ] {
        web.write(text);
        let answer = reload_as(address, "alice:secret");
        assert_eq!(answer.status, 500, "{text}");
        assert!(answer.body.contains(says), "{says}: {}", answer.body);
        assert!(!answer.body.contains("hunter2"));
        assert_eq!(is_good(), 0.0, "{text}");
    }
    let told = exporter.log_at("error");
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(!told.concat().contains("hunter2"), "{told:#?}");
    web.write(&users());
    assert_eq!(reload_as(address, "alice:secret").status, 200);
    assert_eq!(is_good(), 1.0);
}

/// Lets threads end also where the test fails, which waits for them.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_flood_of_wrong_passwords_does_not_hold_up_a_scraper_that_is_known() {
    let web = Web::new(&users());
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let address = exporter.address();
    let scrape = || samples(&ask_as(address, "alice:secret", "/metrics"));
    scrape();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for flooder in 0..8 {
            let done = &done;
            scope.spawn(move || {
                for guess in 0.. {
                    let pair = format!("alice:{flooder}-{guess}");
                    let status = ask_as(address, &pair, "/metrics").status;
                    assert!([401, 429].contains(&status), "{status}");
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let _ending = Ending(&done);
        until(PATIENCE, "some find the queue full", || {
            let labels = [("reason", "queue")];
            let name = "metaaccess_exporter_requests_refused_total";
            (scrape().value(name, &labels) > 20.0).then_some(())
        });
        for _ in 0..20 {
            let (_, took) = timed(scrape);
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
    });
}

#[test]
fn a_bad_file_is_no_start_and_says_all_that_is_wrong_with_it() {
    let web = Web::new(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n  min_version: TLS11\n\
         basic_auth_users:\n  alice: hunter2\nhttp_server_config:\n  headers:\n    Server: x\n\
         bogus: 1\n",
    );
    let flags = [web.flag(), "--api.timeout=5".to_owned()];
    let ended = Program::exporter(&flags, &[("METAACCESS_ACCESS_TOKEN", api::TOKEN)]).end(PATIENCE);
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    for said in [
        "web.yml: line 4, column ",
        "tls_server_config.min_version \"TLS11\"",
        "basic_auth_users.alice (value not shown)",
        "http_server_config.headers.Server",
        "bogus",
        "--api.timeout \"5\"",
    ] {
        assert!(ended.err.contains(said), "{said:?}: {}", ended.err);
    }
    assert!(!ended.err.contains("hunter2"));
}

#[test]
fn healthcheck_finds_an_exporter_well_behind_tls_passwords_and_certificates() {
    for text in [
        "",
        TLS,
        &users(),
        &[TLS, CLIENTS].concat(),
        &[TLS, &users()].concat(),
    ] {
        let web = Web::new(text);
        let api = Api::start(api::at_rest());
        let exporter = web.exporter(&api);
        let args = [
            "healthcheck".to_owned(),
            format!("--web.listen-address={}", exporter.address()),
            web.flag(),
        ];
        let check = |args: &[String]| -> Ended { Program::exporter(args, &[]).end(PATIENCE) };
        // It finds out by itself too, at the price of a request in clear text.
        for args in [&args[..], &args[..2]] {
            let well = check(args);
            assert_eq!((well.code, well.err.as_str()), (Some(0), ""), "{text}");
        }
        assert_eq!(exporter.stop().code, Some(0));
        assert_eq!(check(&args).code, Some(1), "{text}");
    }
}

#[test]
fn the_log_and_the_demo_name_the_scheme_by_which_a_browser_comes_in() {
    let api = Api::start(api::empty());
    let secured = Web::new(TLS);
    let listens = |log: Vec<String>, scheme: &str| {
        let field = format!("scheme={scheme}");
        let mut listening = log
            .into_iter()
            .filter(|line| line.contains("message=listening"));
        listening.any(|line| line.split(' ').any(|word| word == field))
    };
    assert!(listens(secured.exporter(&api).log(), "https"));
    let open = Web::new(&users());
    assert!(listens(open.exporter(&api).log(), "http"));
    for (web, scheme) in [(secured, "https"), (open, "http")] {
        let flags = ["demo", "--web.listen-address=127.0.0.1:0", &web.flag()];
        let demo = Program::exporter(&flags, &[]);
        let invited = until(PATIENCE, "it says where it is", || {
            let lines = demo.out();
            let line = lines
                .iter()
                .find(|line| line.trim().starts_with("metrics "))?;
            line.split_whitespace().nth(1).map(str::to_owned)
        });
        assert!(
            invited.starts_with(&format!("{scheme}://127.0.0.1:")),
            "{invited}"
        );
    }
}
