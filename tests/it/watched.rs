//! A company whose exporters are watched by several Prometheus servers while all kinds of things
//! happen: what the dashboards are opened on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Fault, Kind, Line, Raw, Settings};
use serde_json::Value;

use crate::accounts::{Folder, account, client, granting};
use crate::api::{self, Api};
use crate::exporter::Exporter;
use crate::http;
use crate::program::Program;
use crate::prometheus::{Extra, Prometheus, free_address};
use crate::samples::Counts;
use crate::wait::until;

/// A name with everything that could break out of a query.
pub const HOSTILE: &str = "TEST-\"}\\ $1(.*)'#";

/// The account whose lines are counted.
pub const COMPANY: &str = "company";
/// The account one of whose logs cannot be read.
const FAILING: &str = "failing";

/// Entries that are not lines.
pub const MALFORMED: u64 = 3;

/// All servers have seen what there is within this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The counts in a server: those of the exporter that has the fewest yet, and those that its rules
/// record.
const RAW: &str = r#"min(sum by (instance, replica) (metaaccess_events_total{account="company"}))"#;
const RECORDED: &str = r#"sum(max by (event_type, category, version, event) (account_version_event:metaaccess_events_total:sum{account="company"}))"#;

/// The company at rest, after its exporter was watched from the beginning.
pub struct Watched {
    /// Watches one exporter, with the rules.
    pub ruled: Prometheus,
    /// Watches the same exporter, without the rules.
    pub plain: Prometheus,
    /// Watches two exporters that count the same, with the rules.
    pub pair: Prometheus,
    /// Is written to by two replicas, each of which watches one exporter with the rules.
    pub replicas: Prometheus,
    _replica: Prometheus,
    /// What was counted before anything happened, and when all was over.
    pub before: Counts,
    pub after: Counts,
    /// Unix seconds, in which everything happened.
    pub range: (f64, f64),
    _exporters: [Exporter; 2],
    _folders: [Folder; 2],
    _apis: [Api; 2],
}

impl Watched {
    pub fn new(prometheus: &Command) -> Self {
        let begin = clock::unix_now().as_secs_f64();
        let apis = apis();
        let folders = [Folder::new(), Folder::new()];
        let [here, there, second] = ["127.0.0.5", "127.0.0.6", "127.0.0.7"].map(free_address);
        let first = exporter(&folders[0], &apis, here);
        let servers = servers(prometheus, &[here, there], second);
        let second = exporter(&folders[1], &apis, second);
        let before = apis[0].counts();
        servers.know(&before);
        let first = something_happens(&apis, first, &folders[0], there);
        let after = apis[0].counts();
        servers.know(&after);
        let end = clock::unix_now().as_secs_f64();
        let minute = |at: f64| at.div_euclid(60.0) * 60.0;
        let [ruled, plain, pair, replicas, replica] = servers.0;
        Self {
            ruled,
            plain,
            pair,
            replicas,
            _replica: replica,
            before,
            after,
            range: (minute(begin) - 60.0, minute(end) + 60.0),
            _exporters: [first, second],
            _folders: folders,
            _apis: apis,
        }
    }

    /// By how much each count grew.
    pub fn growth(&self) -> Counts {
        let grown = self.after.iter().map(|(series, count)| {
            let before = self.before.get(series).copied().unwrap_or(0);
            (series.clone(), count - before)
        });
        grown.filter(|(_, count)| *count > 0).collect()
    }

    /// The device that most lines were about.
    pub fn busiest_device(&self) -> String {
        let mut hosts: BTreeMap<String, u64> = BTreeMap::new();
        let lines = self.growth().into_iter();
        for ((_, event), count) in lines.filter(|((log, _), _)| log == "device") {
            *hosts.entry(event.labels().hostname.to_owned()).or_default() += count;
        }
        let busiest = hosts.into_iter().max_by_key(|(_, count)| *count);
        busiest.map(|(host, _)| host).expect("a host")
    }
}

/// A company that stands still after 23 hours, and one whose device log cannot be read.
fn apis() -> [Api; 2] {
    let company = Api::shared_with_others(Settings {
        rate: 60.0,
        ..api::alive()
    });
    company.pause();
    let failing = Api::shared_with_others(granting(api::at_rest()));
    failing.fail_device_log(Kind::Status {
        status: 500,
        retry_after: None,
    });
    [company, failing]
}

/// An exporter of both, with a state, that listens at this address.
fn exporter(folder: &Folder, [company, failing]: &[Api; 2], address: SocketAddr) -> Exporter {
    let [web, accounts] = ["web.yml", "accounts.yml"].map(|name| folder.path(name));
    std::fs::write(&web, "http_server_config:\n  http2: false\n").expect("written");
    folder.write(&[
        account(COMPANY, company, &[]),
        client(FAILING, failing, &[]),
    ]);
    let flags = [
        format!("--config.file={}", accounts.display()),
        format!("--web.config.file={}", web.display()),
        format!("--web.listen-address={address}"),
        folder.state(),
        "--scrape.min-interval=100ms".to_owned(),
        // Longer than any of the servers takes to come again on a busy machine.
        "--metrics.zero-for=4s".to_owned(),
    ];
    Exporter::listening(Program::exporter(&flags, &[]), 1)
}

/// In the order of the fields of [`Watched`].
struct Servers([Prometheus; 5]);

fn servers(prometheus: &Command, one: &[SocketAddr; 2], two: SocketAddr) -> Servers {
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/dashboards/rules/metaaccess.rules.yml"
    );
    let rules = std::fs::read_to_string(rules).expect("the rules");
    let rules = rules.replace("interval: 15s", "interval: 1s");
    let start = |targets: &[SocketAddr], extra| Prometheus::watching(prometheus, targets, &extra);
    let replicas = start(
        &[],
        Extra {
            receives: true,
            ..Extra::default()
        },
    );
    let ruled = |replica| Extra {
        rules: Some(rules.clone()),
        replica: Some(replica),
        write_to: Some(replicas.address()),
        ..Extra::default()
    };
    let alone = Extra {
        rules: Some(rules.clone()),
        ..Extra::default()
    };
    let [ruled, plain, pair, replica] = std::thread::scope(|scope| {
        let started = [
            scope.spawn(|| start(one, ruled("a"))),
            scope.spawn(|| start(one, Extra::default())),
            scope.spawn(|| start(&[one[0], one[1], two], alone)),
            scope.spawn(|| start(one, ruled("b"))),
        ];
        started.map(|server| server.join().expect("a Prometheus"))
    });
    Servers([ruled, plain, pair, replicas, replica])
}

impl Servers {
    /// Waits until all servers know these counts, and have recorded them.
    fn know(&self, counts: &Counts) {
        let total = counts.values().sum::<u64>() as f64;
        for (place, server) in self.0.iter().enumerate() {
            let plain = place == 1;
            let queries = if plain { &[RAW][..] } else { &[RAW, RECORDED] };
            for query in queries {
                let mut last = BTreeMap::new();
                let what = format!("server {place} knows {total} lines by {query}");
                until(PATIENCE, &what, || {
                    last = server.query(query, "");
                    (last.get("") == Some(&total)).then_some(())
                });
            }
        }
    }
}

/// Lets all kinds of things happen, through which the exporter ends and is started elsewhere, as
/// where its pod is replaced.
fn something_happens(
    apis: &[Api; 2],
    exporter: Exporter,
    folder: &Folder,
    there: SocketAddr,
) -> Exporter {
    let company = &apis[0];
    let more = |lines: u64| {
        let wanted = total(company) + lines;
        until(PATIENCE, "more lines are logged", || {
            (total(company) >= wanted).then_some(())
        });
    };
    company.resume();
    company.append(&told(company));
    for _ in 0..MALFORMED {
        let raw = Raw {
            value: Value::Null,
            date: None,
        };
        company.append_malformed(EventType::Device, company.present(), raw);
    }
    company.inject(Fault::next(Kind::Html, 3).on_logs());
    let with_a_body = http::post_form(exporter.address(), "/metrics", "a=b");
    assert_eq!(with_a_body.status, 413);
    more(120);
    assert_eq!(exporter.stop().code, Some(0));
    more(60);
    let exporter = self::exporter(folder, apis, there);
    company.append(&told(company));
    more(120);
    company.pause();
    exporter
}

fn total(company: &Api) -> u64 {
    company.counts().values().sum()
}

/// One of each that a dashboard looks for, and a version that nobody had before.
fn told(company: &Api) -> Vec<Line> {
    let now = company.present();
    let device = |event: &str| Line::device(now, "MetaAccess", "9.9.9.9", "TEST-R1W3Y", event);
    let admin =
        |event: &str| Line::device(now, "Management Console", "", "TEST-ADMIN", event).for_admin();
    vec![
        device("Installed"),
        Line::device(now, "MetaAccess", "9.9.9.9", HOSTILE, "Installed"),
        Line::device(
            now,
            "MetaAccess",
            "9.9.9.9",
            HOSTILE,
            "Uninstalled by a user",
        ),
        device("Removed by an administrator"),
        device("Changed status to non-compliant"),
        device("Changed status to compliant"),
        admin("Admin Logged On"),
        admin("Admin Failed Authentication"),
    ]
}
