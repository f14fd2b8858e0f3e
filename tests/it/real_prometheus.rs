//! Debian's Prometheus, scraping the real program, which reads the simulated API.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Kind, Raw};
use serde_json::Value;

use crate::api::{self, Api};
use crate::documents::fenced;
use crate::exporter::{Exporter, PATIENCE};
use crate::prometheus::{Prometheus, documented as scrape_config};
use crate::tools::tool;
use crate::wait::{throughout, until};
use crate::web_config::Web;

/// What the README gives for installs per version.
const INSTALLS: &str =
    r#"sum by (version) (metaaccess_events_total{category="MetaAccess",event="Installed"})"#;

/// Installs by version, as the simulator knows them.
fn installs(api: &Api) -> BTreeMap<String, f64> {
    let mut installs = BTreeMap::new();
    for ((_, event), count) in api.counts() {
        let labels = event.labels();
        if labels.category == "MetaAccess" && labels.event == "Installed" {
            *installs.entry(labels.version.to_owned()).or_default() += count as f64;
        }
    }
    installs
}

#[test]
fn a_real_prometheus_knows_the_installs_of_each_version() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let api = Api::start(api::alive());
    let exporter = Exporter::of(&api, &[]);
    let prometheus = Prometheus::start(&prometheus, &exporter);
    until(PATIENCE, "it has scraped", || {
        (prometheus.query("up", "job").get("metaaccess") == Some(&1.0)).then_some(())
    });
    // Whenever it is asked, it knows no install that was not.
    throughout(Duration::from_secs(3), || {
        let told = prometheus.query(INSTALLS, "version");
        let truth = installs(&api);
        for (version, count) in told {
            assert!(truth.get(&version) >= Some(&count), "{version}: {count}");
        }
    });
    api.pause();
    let truth = installs(&api);
    assert!(truth.len() >= 3, "several versions: {truth:?}");
    until(PATIENCE, "Prometheus knows the truth", || {
        (prometheus.query(INSTALLS, "version") == truth).then_some(())
    });
    assert_eq!(prometheus.query("up", "job")["metaaccess"], 1.0);
    assert_eq!(prometheus.query("metaaccess_up", "account")["default"], 1.0);
    let lowest = prometheus.query("min_over_time(up[1m])", "job");
    assert_eq!(lowest["metaaccess"], 1.0, "no scrape has failed");
}

#[test]
fn a_real_prometheus_keeps_the_counts_through_an_outage() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--api.timeout=300ms"]);
    exporter.settle(&api);
    let prometheus = Prometheus::start(&prometheus, &exporter);
    until(PATIENCE, "Prometheus knows the truth", || {
        (prometheus.query(INSTALLS, "version") == installs(&api)).then_some(())
    });
    api.fail_device_log(Kind::Hang);
    let before = installs(&api);
    api.install_on(&["TEST-R1W3Y"; 2]);
    until(PATIENCE, "it knows of the outage", || {
        (prometheus.query("metaaccess_up", "account").get("default") == Some(&0.0)).then_some(())
    });
    assert_eq!(prometheus.query(INSTALLS, "version"), before);
    assert_eq!(prometheus.query("up", "job")["metaaccess"], 1.0);
    api.clear_faults();
    until(PATIENCE, "it knows what happened meanwhile", || {
        (prometheus.query(INSTALLS, "version") == installs(&api)).then_some(())
    });
    let resets = prometheus.query("sum(resets(metaaccess_events_total[5m]))", "none");
    assert_eq!(resets[""], 0.0);
}

#[test]
fn promtool_has_nothing_to_say_against_the_metrics() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[]);
    exporter.settle(&api);
    assert_no_complaint(&promtool, &exporter.get("/metrics").body);
    // Of a failing API there is more to tell.
    api.fail_device_log(Kind::Html);
    api.append_malformed(
        EventType::Admin,
        api.present(),
        Raw {
            value: Value::Null,
            date: None,
        },
    );
    until(PATIENCE, "the failure is seen", || {
        (!exporter.scrape().is_up()).then_some(())
    });
    assert_no_complaint(&promtool, &exporter.get("/metrics").body);
}

#[test]
fn promtool_has_nothing_to_say_against_metrics_without_any_refresh() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    let flags = [
        "--web.listen-address=127.0.0.1:0",
        "--api.base-url=http://127.0.0.4:9",
    ];
    let exporter = Exporter::with(&flags);
    assert_no_complaint(&promtool, &exporter.get("/metrics").body);
}

#[track_caller]
fn assert_no_complaint(promtool: &Command, metrics: &str) {
    let mut check = Command::new(promtool.get_program());
    check.args(["check", "metrics"]);
    check.stdin(Stdio::piped());
    check.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().expect("promtool starts");
    let mut input = check.stdin.take().expect("a pipe");
    input.write_all(metrics.as_bytes()).expect("written");
    drop(input);
    let said = check.wait_with_output().expect("promtool ends");
    let words = [said.stdout, said.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(said.status.success() && words.is_empty(), "{words}");
}

#[test]
fn a_real_prometheus_scrapes_by_tls_with_a_certificate_and_a_password_as_the_readme_has_it() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let documented = |part: &str| {
        let blocks = fenced("yaml").into_iter();
        let mut with_it = blocks.filter(|block| block.contains(part));
        with_it.next().expect("a block of the README")
    };
    let web = Web::new(&documented("tls_server_config:"));
    let api = Api::start(api::at_rest());
    let exporter = web.exporter(&api);
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["ca.crt", "client.crt", "client.key"] {
        std::fs::copy(web.path().join(name), folder.path().join(name)).expect("copied");
    }
    std::fs::write(folder.path().join("password"), "secret").expect("written");
    let job = "  - job_name: metaaccess\n";
    let secured = [job, &documented("tls_config:"), "\n"].concat();
    let config = scrape_config(exporter.address());
    assert!(config.contains(job));
    let prometheus = Prometheus::start_in(&prometheus, folder, &config.replace(job, &secured));
    until(PATIENCE, "Prometheus scrapes well", || {
        (prometheus.query("up", "job").get("metaaccess") == Some(&1.0)).then_some(())
    });
    until(PATIENCE, "Prometheus knows the installs", || {
        (prometheus.query(INSTALLS, "version") == installs(&api)).then_some(())
    });
    // Prometheus keeps its connection, and each scrape is a regular one.
    until(PATIENCE, "it is known as a regular scraper", || {
        let regular = prometheus.query("metaaccess_regular_scrapers", "account");
        (regular.get("default") == Some(&1.0)).then_some(())
    });
}

/// Installs within five minutes, as the README asks for them.
const INCREASE: &str = r#"sum(increase(metaaccess_events_total{event="Installed"}[5m]))"#;

/// What Prometheus says was installed, where every host installs once while it scrapes.
fn increase_of_first_installs(prometheus: &Command, flags: &[&str], hosts: &[&str]) -> f64 {
    let api = Api::start(api::empty());
    api.log_on(1);
    let mut all = api.flags();
    all.retain(|flag| !flag.starts_with("--metrics.zero-for="));
    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
    all.push("--web.listen-address=127.0.0.1:0".to_owned());
    let exporter = Exporter::with(&all);
    let prometheus = Prometheus::start(prometheus, &exporter);
    until(PATIENCE, "it scrapes regularly", || {
        let scrapes = prometheus.query("count_over_time(metaaccess_up[1m])", "account");
        (scrapes.get("default") >= Some(&6.0)).then_some(())
    });
    for host in hosts {
        api.install_on(&[host]);
    }
    let installed = hosts.len() as f64;
    until(PATIENCE, "Prometheus knows every install", || {
        let told = prometheus.query(r#"sum(metaaccess_events_total{event="Installed"})"#, "none");
        (told.get("") == Some(&installed)).then_some(())
    });
    // Of a series that is only just there, the samples cover too little of the range to judge by.
    until(PATIENCE, "every series has ten samples", || {
        let samples = r#"min(count_over_time(metaaccess_events_total{event="Installed"}[5m]))"#;
        (prometheus.query(samples, "none").get("") >= Some(&10.0)).then_some(())
    });
    prometheus.query(INCREASE, "none")[""]
}

const HOSTS: [&str; 5] = ["TEST-A", "TEST-B", "TEST-C", "TEST-D", "TEST-E"];

#[test]
fn a_real_prometheus_sees_the_first_install_of_every_host() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let increase = increase_of_first_installs(&prometheus, &[], &HOSTS);
    // It takes the last sample to be one interval old, of ten.
    assert!((5.0..=5.0 * 1.15).contains(&increase), "{increase} of 5");
}

#[test]
fn without_the_zero_a_real_prometheus_sees_no_first_install() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let increase = increase_of_first_installs(&prometheus, &["--metrics.zero-for=0s"], &HOSTS);
    assert_eq!(increase, 0.0);
}
