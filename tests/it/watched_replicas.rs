//! Two replicas of real exporters over a real database, watched by a real Prometheus with the rules:
//! nothing doubles, no alert is false, and the panels of replicas have something to show.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use metaaccess_exporter::clock;

use crate::accounts::{Folder, account, client, granting};
use crate::api::{self, Api};
use crate::exporter::Exporter;
use crate::grafana::{Dashboard, Opened, text};
use crate::http;
use crate::postgres::Postgres;
use crate::program::Program;
use crate::prometheus::{Extra, Prometheus, Series, free_address};
use crate::queries::RULES;
use crate::tools::tool;
use crate::wait::until;

/// Prometheus has seen what there is within this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds of a bar: not much has happened yet.
const STEP: f64 = 2.0;

const RECORDED: &str = "sum(account_version_event:metaaccess_events_total:sum)";

/// The row of the dashboard that only replicas have.
const ROW: &str = "Replicas";

/// Two accounts, and a database for their counts.
pub struct Company {
    pub apis: [Api; 2],
    folder: Folder,
    database: Postgres,
}

impl Company {
    pub fn new() -> Option<Self> {
        let company = Self {
            database: Postgres::start()?,
            apis: [
                Api::start(api::at_rest()),
                Api::start(granting(api::at_rest())),
            ],
            folder: Folder::new(),
        };
        let [one, two] = &company.apis;
        let accounts = [account("one", one, &[]), client("two", two, &[])];
        company.folder.write(&accounts);
        Some(company)
    }

    pub fn replica(&self, address: SocketAddr) -> Exporter {
        let flags = [
            format!(
                "--config.file={}",
                self.folder.path("accounts.yml").display()
            ),
            format!("--web.listen-address={address}"),
            format!("--state.url={}", self.database.url()),
            "--scrape.min-interval=100ms".to_owned(),
            "--metrics.zero-for=0s".to_owned(),
        ];
        Exporter::listening(Program::exporter(&flags, &[]), 1)
    }

    fn lines(&self) -> f64 {
        let counts = self.apis.iter().flat_map(|api| api.counts().into_values());
        counts.sum::<u64>() as f64
    }

    fn log(&self, host: &str) {
        for api in &self.apis {
            api.append(&[api.install(host, 0)]);
        }
    }
}

fn rules() -> String {
    let rules = crate::documents::read(RULES);
    rules.replace("interval: 15s", "interval: 1s")
}

#[track_caller]
fn becomes(prometheus: &Prometheus, query: &str, label: &str, wanted: &[(&str, f64)]) {
    let wanted: BTreeMap<String, f64> = wanted
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value))
        .collect();
    let mut last = BTreeMap::new();
    until(PATIENCE, &format!("{query} is {wanted:?}"), || {
        last = prometheus.query(query, label);
        (last == wanted).then_some(())
    });
}

/// The dashboard of the exporter, of the time since `begin`.
#[track_caller]
fn opened<'a>(dashboard: &Dashboard, prometheus: &'a Prometheus, begin: f64) -> Opened<'a> {
    let now = clock::unix_now().as_secs_f64();
    let opened = Opened::open(dashboard, prometheus, (begin, now + STEP), &[]);
    let opened = opened.unwrap_or_else(|error| panic!("{error}"));
    opened.with_steps_of(STEP)
}

/// What the queries of a panel find at last, added up over their series: none where one finds nothing.
fn last(dashboard: &Dashboard, opened: &Opened<'_>, title: &str) -> Option<Vec<f64>> {
    let queries = dashboard.panel_queries();
    let queries = queries.iter().filter(|query| query.place == title);
    let last = |series: &Series| series.points.last().map_or(f64::NAN, |(_, value)| *value);
    let found = queries.map(|query| {
        let found = opened.ask(query).unwrap_or_else(|error| panic!("{error}"));
        (!found.is_empty()).then(|| found.iter().map(last).sum())
    });
    found.collect()
}

/// The titles of the panels below the row.
fn of_row(dashboard: &Dashboard) -> Vec<String> {
    let all = dashboard.rows_and_panels();
    let mut below = all.iter().skip_while(|panel| panel["title"] != ROW);
    below.next();
    let below = below.take_while(|panel| panel["type"] != "row");
    below.map(|panel| text(panel, "title").to_owned()).collect()
}

fn alerts(prometheus: &Prometheus) -> String {
    http::get(prometheus.address(), "/api/v1/alerts").body
}

#[test]
fn replicas_double_nothing_and_cry_for_nothing_and_one_goes_on_for_the_other() {
    let Some(tool) = tool("prometheus") else {
        return;
    };
    let Some(company) = Company::new() else {
        return;
    };
    let begin = clock::unix_now().as_secs_f64();
    let addresses = ["127.0.0.5", "127.0.0.6"].map(free_address);
    let [first, second] = addresses.map(|address| company.replica(address));
    let extra = Extra {
        rules: Some(rules()),
        ..Extra::default()
    };
    let prometheus = Prometheus::watching(&tool, &addresses, &extra);
    becomes(&prometheus, RECORDED, "", &[("", company.lines())]);
    let up = [("one", 1.0), ("two", 1.0)];
    becomes(&prometheus, "account:metaaccess_up:max", "account", &up);
    let two = addresses.map(|it| (it.to_string(), 2.0));
    let two = two.each_ref().map(|(it, number)| (&**it, *number));
    becomes(&prometheus, "metaaccess_replicas", "instance", &two);
    let exporter = Dashboard::all()
        .into_iter()
        .find(|it| it.name() == "metaaccess-exporter")
        .expect("a dashboard");
    let titles = of_row(&exporter);
    assert_eq!(titles.len(), 6, "{titles:?}");
    let known = [
        ("Accounts read", 2.0),
        ("Accounts failing", 0.0),
        ("Unsaved", 0.0),
        ("Logs ready", 4.0),
        ("Replicas alive", 4.0),
        ("Accounts led", 2.0),
        ("Connection to the database", 2.0),
    ];
    // Some show what just happened alone: on a busy machine that may have to happen again.
    until(PATIENCE, "every panel shows what it has to", || {
        company.log("TEST-BEFORE");
        becomes(&prometheus, RECORDED, "", &[("", company.lines())]);
        let shown = opened(&exporter, &prometheus, begin);
        let seen = |title: &str| last(&exporter, &shown, title);
        let blank = titles.iter().find(|title| seen(title).is_none());
        let wrong = known
            .map(|(title, number)| (title, seen(title), number))
            .into_iter()
            .find(|(_, seen, number)| seen.as_deref() != Some(&[*number]));
        if blank.is_some() || wrong.is_some() {
            println!("nothing in {blank:?}, not right: {wrong:?}");
            return None;
        }
        Some(())
    });
    // Not even one that waits stays: a beat that a busy machine delays makes one wait for a moment.
    let mut waiting = String::new();
    until(PATIENCE, "no alert waits", || {
        let now = alerts(&prometheus);
        if now != waiting {
            println!("{now}");
            waiting = now;
        }
        (!waiting.contains("alertname")).then_some(())
    });
    // Which of them leads what is chance: the one that ends has something to leave.
    let has_one = [("account", "one")];
    let leads = first.scrape().sum("metaaccess_replica_leads", &has_one);
    let (dies, lives, address) = match leads > 0.0 {
        true => (first, second, addresses[1]),
        false => (second, first, addresses[0]),
    };
    drop(dies);
    let leads = "sum by (instance) (metaaccess_replica_leads)";
    let led = [(&*address.to_string(), 2.0)];
    becomes(&prometheus, leads, "instance", &led);
    company.log("TEST-AFTER");
    becomes(&prometheus, RECORDED, "", &[("", company.lines())]);
    becomes(&prometheus, "account:metaaccess_up:max", "account", &up);
    let taken_over = "sum(metaaccess_lease_takeovers_total) > bool 0";
    becomes(&prometheus, taken_over, "", &[("", 1.0)]);
    // One of two targets is down: that waits to be told, and nothing else does.
    until(PATIENCE, "the missing replica is seen", || {
        alerts(&prometheus)
            .contains("MetaAccessReplicasMissing")
            .then_some(())
    });
    let waiting = alerts(&prometheus);
    assert_eq!(waiting.matches("alertname").count(), 1, "{waiting}");
    assert_eq!(lives.stop().code, Some(0));
}
