//! The alerts in a real Prometheus: real trouble of real exporters makes them fire, and they are over
//! when it is mended. Hours and minutes of the rules are seconds here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Kind, Line, Purge, Raw, Settings};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::{self, Api, TOKEN};
use crate::documents::read;
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::program::Program;
use crate::prometheus::{Extra, Prometheus, free_address};
use crate::queries::RULES;
use crate::state::limit_files;
use crate::tools::tool;
use crate::wait::until;

/// What fires, by its name, its account and what else tells it apart, and its description.
type Firing = BTreeMap<Key, String>;
type Key = (String, String, String);

/// Everything fires, and everything is over, within this.
const LONG: Duration = Duration::from_secs(240);

/// A web configuration in which nothing is asked for.
const WEB: &str = "http_server_config:\n  http2: false\n";

const READ_REGULARLY: &str =
    "count(account:metaaccess_up:max == 1 and on (account) metaaccess_regular_scrapers > 0)";

/// The rules, with ranges of seconds.
fn hurried() -> String {
    let mut rules = read(RULES);
    for (slow, quick) in [
        ("interval: 15s", "interval: 1s"),
        ("[1h]", "[10s]"),
        ("offset 1h", "offset 10s"),
        ("[1d]", "[60s]"),
        ("[1w]", "[60s]"),
        ("[15m]", "[8s]"),
        ("offset 15m", "offset 8s"),
        ("900 * ", "8 * "),
        ("vector(900)", "vector(8)"),
        ("for: 5m", "for: 2s"),
        ("for: 10m", "for: 2s"),
        ("for: 15m", "for: 2s"),
    ] {
        assert!(rules.contains(slow), "{slow}");
        rules = rules.replace(slow, quick);
    }
    rules
}

/// An exporter of an account, its API and its files.
struct Account {
    name: &'static str,
    api: Api,
    folder: TempDir,
    flags: Vec<String>,
    exporter: Option<Exporter>,
}

impl Account {
    fn new(name: &'static str, settings: Settings, more: &[&str]) -> Self {
        let api = Api::shared_with_others(settings);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("token"), TOKEN).expect("written");
        std::fs::write(folder.path().join("web.yml"), WEB).expect("written");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut flags = api.flags();
        // As users have it: a new series is at 0 first.
        flags.retain(|flag| !flag.starts_with("--metrics.zero-for="));
        flags.extend([
            // The same after a restart.
            format!("--web.listen-address={}", free_address("127.0.0.5")),
            format!("--account.name={name}"),
            format!("--state.path={}", path("state.db")),
            format!("--web.config.file={}", path("web.yml")),
            format!("--api.access-token-file={}", path("token")),
            "--scrape.min-interval=100ms".to_owned(),
            "--api.timeout=500ms".to_owned(),
        ]);
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        let mut account = Self {
            name,
            api,
            folder,
            flags,
            exporter: None,
        };
        account.start();
        account
    }

    /// So that a file that may not grow is an error, and no signal.
    fn start(&mut self) {
        let mut command = Command::new("bash");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        command.arg(env!("CARGO_BIN_EXE_metaaccess-exporter"));
        command.args(&self.flags);
        self.exporter = Some(Exporter::listening(Program::start(command), 1));
    }

    fn exporter(&self) -> &Exporter {
        self.exporter.as_ref().expect("it runs")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, count: usize, line: impl Fn(usize) -> Line) {
        let lines: Vec<Line> = (0..count).map(line).collect();
        self.api.append(&lines);
    }
}

fn key(alert: &str, account: &str, what: &str) -> Key {
    (alert.to_owned(), account.to_owned(), what.to_owned())
}

fn addresses(accounts: &[Account]) -> Vec<SocketAddr> {
    let running = accounts
        .iter()
        .filter_map(|account| account.exporter.as_ref());
    running.map(Exporter::address).collect()
}

fn firing(prometheus: &Prometheus) -> Firing {
    let answer = http::get(prometheus.address(), "/api/v1/alerts");
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    let alerts = told["data"]["alerts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
    firing
        .map(|alert| {
            let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
            let what = ["event_type", "reason"].map(label).concat();
            let key = (
                label("alertname").to_owned(),
                label("account").to_owned(),
                what,
            );
            (key, alert["annotations"]["description"].to_string())
        })
        .collect()
}

fn accounts() -> Vec<Account> {
    let tight = || Settings {
        rate_limit: api::limit(10, Duration::from_secs(4)),
        ..api::empty()
    };
    vec![
        Account::new("failing", api::at_rest(), &[]),
        Account::new("refused", api::at_rest(), &[]),
        Account::new("down", api::at_rest(), &[]),
        Account::new("unsaved", api::at_rest(), &[]),
        Account::new("starved", tight(), &[]),
        Account::new("flooded", tight(), &[]),
        Account::new("purged", api::at_rest(), &[]),
        Account::new("full", api::at_rest(), &["--metrics.max-series=50"]),
        Account::new("fleet", api::at_rest(), &[]),
        Account::new("well", api::at_rest(), &[]),
    ]
}

const STARVED: &str = "MetaAccessBudgetStarved";

/// What has to fire, and what its description says.
const EXPECTED: [(&str, &str, &str, &str); 15] = [
    (
        "MetaAccessAdminLogOnFailures",
        "fleet",
        "",
        "failed to log on 6 times",
    ),
    (
        "MetaAccessBudgetStarved",
        "starved",
        "",
        "account starved are used up",
    ),
    (
        "MetaAccessConfigReloadFailed",
        "",
        "",
        "The one before is in force",
    ),
    (
        "MetaAccessCredentialRefused",
        "refused",
        "unauthorized",
        "(unauthorized)",
    ),
    (
        "MetaAccessExporterDown",
        "down",
        "",
        "no metrics of the account down",
    ),
    (
        "MetaAccessFallingBehind",
        "flooded",
        "device",
        "device log of the account flooded",
    ),
    (
        "MetaAccessLinesMissed",
        "purged",
        "device",
        "device log of the account purged",
    ),
    (
        "MetaAccessLinesUnparsable",
        "fleet",
        "admin",
        "12 lines of the admin log",
    ),
    (
        "MetaAccessNonComplianceRising",
        "fleet",
        "",
        "12 more devices",
    ),
    (
        "MetaAccessNotRefreshed",
        "failing",
        "",
        "; device: server_error.",
    ),
    (
        "MetaAccessNotRefreshed",
        "refused",
        "",
        "; admin: unauthorized; device: unauthorized.",
    ),
    (
        "MetaAccessNotRefreshed",
        "unsaved",
        "",
        "; admin: not_saved; device: not_saved.",
    ),
    (
        "MetaAccessSeriesNearLimit",
        "full",
        "",
        "100% of the series",
    ),
    (
        "MetaAccessStateNotSaved",
        "unsaved",
        "",
        "able to save the account unsaved",
    ),
    (
        "MetaAccessUninstallsUnusual",
        "fleet",
        "",
        "6 agents of the account fleet",
    ),
];

fn trouble(accounts: &mut [Account]) {
    for account in accounts {
        match account.name {
            "failing" => account.api.fail_device_log(Kind::Status {
                status: 500,
                retry_after: None,
            }),
            "refused" => std::fs::write(account.path("token"), "wrong").expect("written"),
            "down" => account.exporter = None,
            "unsaved" => {
                limit_files(account.exporter(), "0");
                account.api.install_on(&["TEST-A"]);
            }
            "starved" => account.api.set_others(8),
            "flooded" => {
                let api = &account.api;
                account.log(1600, |n| {
                    api.install(&format!("TEST-{n}"), -1 - (n / 100) as i64)
                });
            }
            "purged" => {
                account
                    .api
                    .purge(EventType::Device, &Purge::Newest(usize::MAX));
                let api = &account.api;
                account.log(60, |n| api.install(&format!("TEST-{n}"), -60));
            }
            "fleet" => something_happens(account),
            "full" => {
                std::fs::write(account.path("web.yml"), "nonsense").expect("written");
                account.exporter().signal("HUP");
            }
            _ => {}
        }
    }
}

fn something_happens(fleet: &Account) {
    let now = fleet.api.present();
    let of_devices = |event: &'static str| {
        move |n| Line::device(now, "MetaAccess", "1.1.1.1", &format!("TEST-{n}"), event)
    };
    fleet.log(6, of_devices("Uninstalled by a user"));
    fleet.log(12, of_devices("Changed status to non-compliant"));
    fleet.log(6, |_| {
        Line::device(
            now,
            "Console",
            "",
            "TEST-DESK",
            "Admin Failed Authentication",
        )
        .for_admin()
    });
    for _ in 0..12 {
        let raw = Raw {
            value: Value::Null,
            date: None,
        };
        fleet.api.append_malformed(EventType::Admin, now, raw);
    }
}

#[test]
fn trouble_of_real_exporters_fires_the_alerts_and_they_are_over_when_it_is_mended() {
    let tools = (tool("prometheus"), tool("prlimit"), tool("bash"));
    let (Some(prometheus), Some(_), Some(_)) = tools else {
        return;
    };
    let mut accounts = accounts();
    let extra = Extra {
        rules: Some(hurried()),
        ..Extra::default()
    };
    let prometheus = Prometheus::watching(&prometheus, &addresses(&accounts), &extra);
    let count = accounts.len() as f64;
    until(PATIENCE, "a regular scraper reads all accounts", || {
        let told = prometheus.query(READ_REGULARLY, "none");
        (told.get("") == Some(&count)).then_some(())
    });
    trouble(&mut accounts);
    let seen = seen_until_all_fired(&prometheus);
    for (alert, account, what, words) in EXPECTED {
        let description = &seen[&key(alert, account, what)];
        assert!(description.contains(words), "{alert}: {description}");
    }
    for (alert, account, _) in seen.keys() {
        let is_false = account == "well" || alert == STARVED && account != "starved";
        assert!(!is_false, "{alert} of {account}");
    }
    mend(&mut accounts);
    until(LONG, "all is well again", || {
        firing(&prometheus).is_empty().then_some(())
    });
}

/// Everything that fired up to the moment when all that is expected had.
#[track_caller]
fn seen_until_all_fired(prometheus: &Prometheus) -> Firing {
    let mut seen = Firing::new();
    for (alert, account, what, _) in EXPECTED {
        until(LONG, &format!("{alert} of {account} fires"), || {
            seen.extend(firing(prometheus));
            seen.contains_key(&key(alert, account, what)).then_some(())
        });
    }
    seen
}

fn mend(accounts: &mut [Account]) {
    for account in accounts {
        match account.name {
            "failing" => account.api.clear_faults(),
            "refused" => std::fs::write(account.path("token"), TOKEN).expect("written"),
            "down" => account.start(),
            "unsaved" => limit_files(account.exporter(), "unlimited"),
            "starved" => account.api.set_others(0),
            "full" => {
                account.exporter = None;
                std::fs::write(account.path("web.yml"), WEB).expect("written");
                account
                    .flags
                    .retain(|flag| !flag.starts_with("--metrics.max-series"));
                account.start();
            }
            _ => {}
        }
    }
}
