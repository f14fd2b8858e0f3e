//! The files of `deploy/compose`: they name what there is, and Prometheus takes what it is given.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::documents::{assert_accepts, path, read, yaml};
use crate::exporter::Exporter;
use crate::program::Program;
use crate::prometheus::Prometheus;
use crate::tools::tool;
use crate::wait::until;

const FOLDER: &str = "deploy/compose";
const FILES: [&str; 2] = ["compose.yml", "account.yml"];

/// Rules are evaluated after each other, on a busy machine.
const RECORDED: Duration = Duration::from_secs(60);

fn compose(file: &str) -> Value {
    yaml(&format!("{FOLDER}/{file}"))
}

fn services(file: &str) -> Map<String, Value> {
    let services = compose(file)["services"].as_object().cloned();
    services.expect("services")
}

/// The words of a list; none where there is no list.
fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten();
    let words = words.map(|word| word.as_str().expect("a word").to_owned());
    words.collect()
}

/// What a service is given: its source, and where in the container it is.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let mounts = words(&service["volumes"]).into_iter();
    let pair = |mount: String| {
        let mut parts = mount.split(':').map(str::to_owned);
        (
            parts.next().expect("a source"),
            parts.next().expect("a path"),
        )
    };
    mounts.map(pair).collect()
}

#[test]
fn what_is_mounted_is_there_and_read_only() {
    for file in FILES {
        let volumes = compose(file)["volumes"].clone();
        for (name, service) in services(file) {
            for mount in words(&service["volumes"]) {
                let source = mount.split(':').next().expect("a source");
                if source.starts_with('.') {
                    let there = path(FOLDER).join(source).exists();
                    assert!(there && mount.ends_with(":ro"), "{file}, {name}: {mount}");
                } else {
                    assert!(volumes.get(source).is_some(), "{file}, {name}: {mount}");
                }
            }
        }
    }
}

#[test]
fn every_dashboard_is_where_grafana_looks_for_it() {
    let grafana = &services("compose.yml")["grafana"];
    let provider = yaml("deploy/compose/grafana/providers/metaaccess.yml");
    let folder = provider["providers"][0]["options"]["path"].as_str();
    let folder = Path::new(folder.expect("a path"));
    let mounted = mounts(grafana);
    let mut found = 0;
    for file in std::fs::read_dir(path("dashboards")).expect("dashboards") {
        let name = file.expect("a file").file_name();
        let name = name.to_str().expect("UTF-8");
        if name.ends_with(".json") {
            let source = format!("../../dashboards/{name}");
            let target = folder.join(name).display().to_string();
            assert!(mounted.contains(&(source, target)), "{name}");
            found += 1;
        }
    }
    assert!(found >= 3, "{found} dashboards");
    let home = &grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    let home = home.as_str().expect("a path");
    assert!(mounted.iter().any(|(_, target)| target == home), "{home}");
}

#[test]
fn images_have_a_version_ports_are_local_and_nothing_may_gain_rights() {
    for (name, service) in services("compose.yml") {
        match service["image"].as_str() {
            None => assert_eq!(service["build"], "../..", "{name}"),
            Some(image) => {
                let (_, tag) = image.rsplit_once(':').expect("a tag");
                assert!(tag.contains('.'), "{name}: {image}");
            }
        }
        for port in words(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            words(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert!(service["mem_limit"].is_string(), "{name}");
    }
}

#[test]
fn the_variables_of_a_real_account_are_those_that_the_program_knows() {
    let settings = metaaccess_exporter::config::flags_markdown();
    let services = services("account.yml");
    let variables = services["exporter"]["environment"].as_object();
    let variables = variables.expect("an environment");
    assert!(variables.len() >= 4);
    for variable in variables.keys() {
        assert!(settings.contains(&format!("`{variable}`")), "{variable}");
    }
    for flag in words(&services["exporter"]["command"]) {
        let (flag, _) = flag.split_once('=').expect("a flag with its value");
        assert!(settings.contains(&format!("`{flag}`")), "{flag}");
    }
}

/// Counts of a made-up company are none of the company's, and its Grafana has no password.
#[test]
fn a_real_account_keeps_nothing_where_the_demo_did() {
    let (demo, account) = (services("compose.yml"), services("account.yml"));
    for (name, service) in &demo {
        for (source, target) in mounts(service) {
            if !source.starts_with('.') {
                let over = mounts(&account[name]);
                let over = over.iter().find(|(_, it)| *it == target);
                let (over, _) = over.unwrap_or_else(|| panic!("{name}: {target}"));
                assert_ne!(*over, source, "{name}: {target}");
            }
        }
    }
}

#[test]
fn it_is_scraped_as_the_shipped_configuration_says() {
    let job = |text: String| {
        let (_, job) = text.split_once("scrape_configs:").expect("a job");
        job.replace("metaaccess-exporter.example.com:", "exporter:")
    };
    assert_eq!(
        job(read("deploy/compose/prometheus.yml")),
        job(read("deploy/prometheus/prometheus.yml"))
    );
}

/// Lays out what Prometheus is given below a folder, with these words for those.
fn lay_out(folder: &Path, words: &[(&str, &str)]) {
    for (source, target) in mounts(&services("compose.yml")["prometheus"]) {
        let Some(target) = target.strip_prefix("/etc/prometheus/") else {
            continue;
        };
        let mut text = std::fs::read_to_string(path(FOLDER).join(source)).expect("a file");
        for (from, to) in words {
            text = text.replace(from, to);
        }
        let file = folder.join(target);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, text).expect("written");
    }
}

#[test]
fn promtool_understands_what_prometheus_is_given() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path(), &[]);
    assert!(folder.path().join("rules").is_dir(), "no rules are mounted");
    let config = folder.path().join("prometheus.yml");
    assert_accepts(promtool.args(["check", "config"]).arg(config));
}

#[test]
fn the_demo_is_scraped_and_its_counts_are_recorded() {
    let Some(prometheus) = tool("prometheus") else {
        return;
    };
    let mut command = words(&services("compose.yml")["exporter"]["command"]);
    command.push("--web.listen-address=127.0.0.1:0".to_owned());
    let exporter = Exporter::listening(Program::exporter(&command, &[]), 1);
    let folder = tempfile::tempdir().expect("a folder");
    let address = exporter.address().to_string();
    let quick = [("exporter:19720", &*address), ("15s", "1s"), ("10s", "1s")];
    lay_out(folder.path(), &quick);
    let config = std::fs::read_to_string(folder.path().join("prometheus.yml")).expect("a file");
    let prometheus = Prometheus::start_in(&prometheus, folder, &config);
    let counts = "sum(account_version_event:metaaccess_events_total:sum) by (account)";
    until(RECORDED, "the rules record the counts", || {
        let counts = prometheus.query(counts, "account");
        (counts.get("default") > Some(&0.0)).then_some(())
    });
}
