//! What Prometheus and Grafana get from the chart is what `dashboards/` holds.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::chart::{self, CHART, Case, errors, render, render_in};
use crate::documents::{assert_accepts, path, read, yaml};
use crate::grafana::{list, text};
use crate::tools::tool;

const RESOURCE: &str = "dashboards/rules/metaaccess.prometheusrule.yml";

const RULES: &str = "files/metaaccess.prometheusrule.yml";

const CASE: &str = "{demo: true, prometheusRule: {enabled: true, MORE}}";

/// The groups that the chart makes of these values of `prometheusRule`.
fn groups(more: &str) -> Option<Value> {
    let mut all = render(&[Case::new(&CASE.replace("MORE", more))])?;
    assert_eq!(all[0].error, None);
    let rules = all.swap_remove(0).object("PrometheusRule", "")["spec"]["groups"].clone();
    Some(rules)
}

fn groups_of_the_file() -> Value {
    let file = yaml(RESOURCE);
    file["spec"]["groups"].clone()
}

fn rules(groups: &Value) -> Vec<&Value> {
    list(groups)
        .flat_map(|group| list(&group["rules"]))
        .collect()
}

#[test]
fn without_more_the_rules_are_those_of_the_file() {
    let Some(groups) = groups("") else { return };
    assert_eq!(groups, groups_of_the_file());
}

#[test]
fn the_thresholds_are_those_of_the_rules_and_can_be_set_each() {
    let values: Value = yaml(&format!("{CHART}/values.yaml"));
    let thresholds = values["prometheusRule"]["thresholds"]
        .as_object()
        .expect("thresholds");
    let file = groups_of_the_file();
    let settings = list(&file[0]["rules"]);
    let settings: Vec<(&str, &str)> = settings
        .map(|rule| (text(&rule["labels"], "setting"), text(rule, "expr")))
        .collect();
    assert_eq!(settings.len(), thresholds.len());
    for (name, expr) in &settings {
        assert_eq!(*expr, format!("vector({})", thresholds[*name]), "{name}");
    }
    let large = |name: &str| {
        if name.ends_with("share") {
            "0.125"
        } else {
            "2000000"
        }
    };
    let set: Vec<String> = settings
        .iter()
        .map(|(name, _)| format!("{name}: {}", large(name)))
        .collect();
    let Some(changed) = groups(&format!("thresholds: {{{}}}", set.join(", "))) else {
        return;
    };
    for (rule, (name, _)) in list(&changed[0]["rules"]).zip(&settings) {
        assert_eq!(text(rule, "expr"), format!("vector({})", large(name)));
        assert_eq!(rule["record"], "metaaccess:setting");
    }
    assert_eq!(
        changed.as_array().map(|all| &all[1..]),
        file.as_array().map(|all| &all[1..])
    );
}

#[test]
fn alerts_have_the_labels_and_the_runbook_that_are_given() {
    let more = "alertLabels: {team: devices, severity: page}, runbookUrl: 'https://git.example.com/runbook.md'";
    let Some(changed) = groups(more) else { return };
    let file = groups_of_the_file();
    let mut alerts = 0;
    for (rule, before) in rules(&changed).into_iter().zip(rules(&file)) {
        let mut expected = before.clone();
        if before["alert"].is_string() {
            alerts += 1;
            expected["labels"]["team"] = json!("devices");
            let words = expected["annotations"]
                .as_object_mut()
                .expect("annotations");
            let runbook = words.remove("runbook").expect("a runbook");
            let (_, section) = runbook
                .as_str()
                .and_then(|it| it.split_once('#'))
                .expect("a section");
            words.insert(
                "runbook_url".to_owned(),
                json!(format!("https://git.example.com/runbook.md#{section}")),
            );
        }
        // How bad an alert is stays what its rule says.
        assert_eq!(*rule, expected);
    }
    assert!(alerts > 10);
}

#[test]
fn an_alert_can_be_left_out_if_there_is_one_of_its_name() {
    let Some(changed) = groups("disabledAlerts: [MetaAccessUninstallsUnusual]") else {
        return;
    };
    let file = groups_of_the_file();
    let names = |groups: &Value| {
        let all = rules(groups).into_iter();
        all.map(|rule| json!([rule["alert"], rule["record"], rule["labels"]]))
            .collect::<Vec<_>>()
    };
    let mut expected = names(&file);
    expected.retain(|rule| rule[0] != "MetaAccessUninstallsUnusual");
    assert_eq!(expected.len() + 1, names(&file).len());
    assert_eq!(names(&changed), expected);
    let unknown = Case::new(&CASE.replace("MORE", "disabledAlerts: [MetaAccessNothing]"));
    let Some(said) = errors(&[unknown]) else {
        return;
    };
    let said = said[0].as_deref().expect("refused");
    assert!(
        said.contains("there is no alert \"MetaAccessNothing\""),
        "{said}"
    );
}

#[test]
fn promtool_takes_the_rules_of_the_chart() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let more = "alertLabels: {team: devices}, runbookUrl: 'https://git.example.com/runbook.md', thresholds: {lines_behind: 2000000, own_requests_share: 0.25}";
    let Some(groups) = groups(more) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yml");
    // JSON is YAML.
    std::fs::write(&file, json!({"groups": groups}).to_string()).expect("written");
    assert_accepts(promtool.args(["check", "rules"]).arg(&file));
}

#[test]
fn the_dashboards_come_through_byte_for_byte() {
    let Some(rendering) = chart::of_file("monitoring") else {
        return;
    };
    for name in ["overview", "device", "exporter"] {
        let map = rendering.object("ConfigMap", &format!("-dashboard-{name}"));
        let file = format!("metaaccess-{name}.json");
        let data = map["data"].as_object().expect("data");
        assert_eq!(data.keys().collect::<Vec<_>>(), [&file]);
        assert!(
            data[&file] == json!(read(&format!("dashboards/{file}"))),
            "{file}"
        );
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        assert_eq!(
            map["metadata"]["annotations"]["grafana_folder"],
            "MetaAccess"
        );
    }
    let count = std::fs::read_dir(path("dashboards")).expect("a folder");
    let is_dashboard = |name: &Path| name.extension().is_some_and(|end| end == "json");
    let count = count
        .filter(|file| is_dashboard(&file.as_ref().expect("a file").path()))
        .count();
    assert_eq!(count, 3, "the chart has all dashboards");
}

/// A copy of the chart, in which links are files.
fn copy(folder: &Path) {
    let copied = Command::new("cp")
        .arg("-rL")
        .arg(path(CHART))
        .arg(folder)
        .status();
    assert!(copied.is_ok_and(|status| status.success()));
}

/// The links of the chart, where they lead, and what is said of them when they are broken.
const LINKS: [(&str, &str, &str); 4] = [
    (
        RULES,
        "../../../../dashboards/rules/metaaccess.prometheusrule.yml",
        "is not the rules",
    ),
    (
        "files/dashboards/metaaccess-device.json",
        "../../../../../dashboards/metaaccess-device.json",
        "is no dashboard",
    ),
    (
        "files/dashboards/metaaccess-exporter.json",
        "../../../../../dashboards/metaaccess-exporter.json",
        "is no dashboard",
    ),
    (
        "files/dashboards/metaaccess-overview.json",
        "../../../../../dashboards/metaaccess-overview.json",
        "is no dashboard",
    ),
];

#[test]
fn a_checkout_that_made_texts_of_links_is_refused_and_said_how_to_mend() {
    for (file, target, said) in LINKS {
        let link = path(CHART).join(file);
        assert_eq!(
            std::fs::read_link(&link).expect("a link"),
            Path::new(target)
        );
        let folder = tempfile::tempdir().expect("a folder");
        copy(folder.path());
        let chart = folder.path().join("metaaccess-exporter");
        std::fs::write(chart.join(file), target).expect("written");
        let Some(error) = error_of(&chart) else {
            return;
        };
        let is_told = error.contains(said) && error.contains("core.symlinks");
        assert!(is_told, "{error}");
        std::fs::remove_file(chart.join(file)).expect("removed");
        let missing = error_of(&chart).unwrap_or_default();
        assert!(missing.contains(said), "{missing}");
    }
}

/// Why the chart in this folder cannot be rendered; none without the tools.
fn error_of(chart: &Path) -> Option<String> {
    let values = "{demo: true, prometheusRule: {enabled: true}, dashboards: {enabled: true}}";
    let all = render_in(&chart.display().to_string(), &[Case::new(values)])?;
    Some(all[0].error.clone().unwrap_or_default())
}

#[test]
fn series_go_on_over_a_restart_of_the_pod() {
    let Some(rendering) = chart::of_file("monitoring") else {
        return;
    };
    let endpoint = &rendering.object("ServiceMonitor", "")["spec"]["endpoints"][0];
    assert_eq!(
        (text(endpoint, "interval"), text(endpoint, "scrapeTimeout")),
        ("15s", "10s")
    );
    let service = text(&rendering.object("Service", "")["metadata"], "name");
    let instance = json!({"targetLabel": "instance", "replacement": format!("{service}.monitoring.svc:19720")});
    let own = json!({"targetLabel": "cluster", "replacement": "test"});
    let drop = json!({"action": "labeldrop", "regex": "pod"});
    assert_eq!(endpoint["relabelings"], json!([instance, drop, own]));
}
