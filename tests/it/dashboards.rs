//! The files of the dashboards: that Grafana takes them wherever they are imported, and that people can
//! read them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::documents::path;
use crate::grafana::{Dashboard, list, text};
use crate::tools::python_package;

/// The columns of a dashboard. At 1280 pixels one is about 50 wide.
const COLUMNS: u64 = 24;
const NARROWEST: u64 = 4;

/// Calls `seen` with every key and its value.
fn visit(value: &Value, seen: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                seen(key, value);
                visit(value, seen);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| visit(value, seen)),
        _ => {}
    }
}

/// Every text of a dashboard.
fn texts(dashboard: &Dashboard) -> Vec<String> {
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
            Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    collect(&dashboard.json, &mut all);
    all
}

#[test]
fn every_dashboard_can_be_imported_by_file_by_provisioning_and_from_a_config_map() {
    let mut together = 0;
    for dashboard in Dashboard::all() {
        let (file, json) = (&dashboard.file, &dashboard.json);
        assert_eq!(text(json, "uid"), dashboard.name());
        assert!(
            dashboard.name().len() <= 40,
            "{file}: Grafana takes 40 letters"
        );
        for key in ["__inputs", "__requires", "__elements"] {
            assert!(
                json.get(key).is_none(),
                "{file}: {key} is of an export for sharing"
            );
        }
        // An id is that of one Grafana's database.
        assert!(json["id"].is_null(), "{file}: id");
        assert!(!text(json, "title").is_empty() && !text(json, "description").is_empty());
        // That of Grafana 10, which every later one migrates.
        let schema = json["schemaVersion"].as_u64();
        assert!(
            schema >= Some(36) && schema <= Some(38),
            "{file}: {schema:?}"
        );
        together += std::fs::metadata(path("dashboards").join(file))
            .expect(file)
            .len();
    }
    assert!(
        together < 1 << 20,
        "a ConfigMap holds a MiB, and not {together} bytes"
    );
}

#[test]
fn every_query_goes_to_the_data_source_that_is_chosen() {
    for dashboard in Dashboard::all() {
        let chosen = json!({ "type": "prometheus", "uid": "${datasource}" });
        let own = json!({ "type": "grafana", "uid": "-- Grafana --" });
        visit(&dashboard.json, &mut |key, value| {
            let is_well = key != "datasource" || *value == chosen || *value == own;
            assert!(is_well, "{}: {value}", dashboard.file);
        });
        let mut asking = [dashboard.panels(), dashboard.annotations()].concat();
        asking.extend(
            dashboard
                .panels()
                .iter()
                .flat_map(|panel| list(&panel["targets"])),
        );
        asking.extend(
            dashboard
                .variables()
                .into_iter()
                .filter(|it| it["type"] == "query"),
        );
        for asking in asking {
            assert_eq!(asking["datasource"], chosen, "{}: {asking}", dashboard.file);
        }
        let first = dashboard.variables()[0];
        assert_eq!(
            (&first["name"], &first["type"]),
            (&json!("datasource"), &json!("datasource"))
        );
    }
}

#[test]
fn every_dashboard_has_what_people_choose_by() {
    for (name, wanted) in [
        (
            "metaaccess-overview",
            &["account", "event_type", "version", "event"][..],
        ),
        ("metaaccess-device", &["account", "event_type", "hostname"]),
        ("metaaccess-exporter", &["account", "event_type"]),
    ] {
        let dashboards = Dashboard::all();
        let dashboard = dashboards.iter().find(|it| it.name() == name).expect(name);
        let variables = dashboard.variables();
        for variable in wanted {
            let is_there = variables.iter().any(|it| it["name"] == *variable);
            assert!(is_there, "{name}: no variable {variable}");
        }
    }
}

/// The names after `$` in a text, as `$name`, `${name}`, `${name:format}` and `${name.field}` have them.
fn variables_in(text: &str) -> Vec<&str> {
    let parts = text.split('$').skip(1);
    let name = |part: &'_ str| part.trim_start_matches('{').len();
    parts
        .map(|part| {
            let inside = &part[part.len() - name(part)..];
            let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            &inside[..end.unwrap_or(inside.len())]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_variable_that_is_used_is_defined_and_every_one_that_is_defined_is_used() {
    for dashboard in Dashboard::all() {
        let variables = dashboard.variables();
        let defined: BTreeSet<&str> = variables.iter().map(|it| text(it, "name")).collect();
        let texts = texts(&dashboard);
        let used: BTreeSet<&str> = texts.iter().flat_map(|text| variables_in(text)).collect();
        let own: BTreeSet<&str> = used
            .into_iter()
            .filter(|it| !it.starts_with("__"))
            .collect();
        assert_eq!(own, defined, "{}", dashboard.file);
    }
    assert_eq!(
        variables_in("a $b, ${c:regex} ${d.e}$__f{{g}}"),
        ["b", "c", "d", "__f"]
    );
}

/// Grafana 10 escapes an apostrophe in what stands for one value, and no label is equal to that.
#[test]
fn labels_are_never_equal_to_what_is_chosen_but_match_it() {
    for dashboard in Dashboard::all() {
        for text in texts(&dashboard) {
            assert!(!text.contains("=\"$"), "{}: {text}", dashboard.file);
        }
        for variable in dashboard.variables() {
            let name = text(variable, "name");
            let is_label = !["datasource", "counts"].contains(&name);
            assert_eq!(variable["multi"], is_label, "{}: {name}", dashboard.file);
        }
    }
}

#[test]
fn links_lead_to_dashboards_that_there_are_with_what_is_chosen_and_the_time() {
    let dashboards = Dashboard::all();
    for dashboard in &dashboards {
        let file = &dashboard.file;
        let links: Vec<&Value> = list(&dashboard.json["links"]).collect();
        assert!(!links.is_empty(), "{file}: no links");
        for link in links {
            assert_eq!(link["type"], "dashboards", "{file}");
            assert!(
                link["includeVars"] == true && link["keepTime"] == true,
                "{file}"
            );
            let tagged = |it: &&Dashboard| {
                list(&link["tags"]).all(|tag| list(&it.json["tags"]).any(|its| its == tag))
            };
            assert_eq!(
                dashboards.iter().filter(tagged).count(),
                dashboards.len(),
                "{file}"
            );
        }
        visit(&dashboard.json, &mut |key, value| {
            let Some(url) = value.as_str().filter(|url| key == "url" && !url.is_empty()) else {
                return;
            };
            let (to, query) = url
                .strip_prefix("/d/")
                .and_then(|rest| rest.split_once('?'))
                .expect(url);
            let to = dashboards.iter().find(|it| it.name() == to).expect(url);
            let has = |name: &str| to.variables().iter().any(|it| it["name"] == name);
            for part in query.split('&') {
                if let Some((name, _)) = part
                    .strip_prefix("var-")
                    .and_then(|rest| rest.split_once('='))
                {
                    assert!(has(name), "{file}: {url}: {name}");
                } else if let Some(name) = part
                    .strip_prefix("${")
                    .and_then(|rest| rest.strip_suffix(":queryparam}"))
                {
                    assert!(has(name), "{file}: {url}: {name}");
                } else {
                    assert_eq!(part, "${__url_time_range}", "{file}: {url}");
                }
            }
            for needed in ["${datasource:queryparam}", "${__url_time_range}"] {
                assert!(query.contains(needed), "{file}: {url}: no {needed}");
            }
        });
    }
}

/// Those that come with Grafana.
const PANELS: [&str; 9] = [
    "row",
    "timeseries",
    "stat",
    "table",
    "piechart",
    "state-timeline",
    "bargauge",
    "gauge",
    "text",
];

/// Ids of Grafana's units, as far as anything here is measured in them.
const UNITS: [&str; 11] = [
    "none",
    "short",
    "locale",
    "s",
    "ms",
    "percent",
    "percentunit",
    "bytes",
    "reqps",
    "dateTimeAsIso",
    "dateTimeFromNow",
];

#[test]
fn every_panel_has_a_title_a_description_a_unit_and_a_word_for_no_data() {
    for dashboard in Dashboard::all() {
        let file = &dashboard.file;
        let ids: BTreeSet<_> = dashboard
            .rows_and_panels()
            .iter()
            .map(|it| it["id"].as_u64())
            .collect();
        assert_eq!(
            ids.len(),
            dashboard.rows_and_panels().len(),
            "{file}: an id stands twice"
        );
        for panel in dashboard.rows_and_panels() {
            let title = text(panel, "title");
            assert!(!title.is_empty(), "{file}");
            assert!(
                PANELS.contains(&text(panel, "type")),
                "{file}: {title}: type"
            );
        }
        for panel in dashboard.panels() {
            let title = text(panel, "title");
            assert!(
                text(panel, "description").ends_with('.'),
                "{file}: {title}: description"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(
                UNITS.contains(&text(defaults, "unit")),
                "{file}: {title}: unit"
            );
            assert!(
                !text(defaults, "noValue").is_empty(),
                "{file}: {title}: noValue"
            );
            for property in
                list(&panel["fieldConfig"]["overrides"]).flat_map(|it| list(&it["properties"]))
            {
                let is_well = property["id"] != "unit" || UNITS.contains(&text(property, "value"));
                assert!(is_well, "{file}: {title}: {property}");
            }
        }
    }
}

/// Colours by name are other ones in the light and in the dark.
#[test]
fn colours_have_names_so_that_they_fit_the_light_and_the_dark() {
    const NAMES: [&str; 8] = [
        "text",
        "green",
        "yellow",
        "orange",
        "red",
        "blue",
        "purple",
        "transparent",
    ];
    for dashboard in Dashboard::all() {
        let own = dashboard.json["annotations"]["list"].clone();
        let own = list(&own)
            .find(|it| it["builtIn"] == 1)
            .map(|it| text(it, "iconColor").to_owned());
        visit(&dashboard.json, &mut |key, value| {
            let Some(color) = value
                .as_str()
                .filter(|_| ["color", "iconColor", "fixedColor"].contains(&key))
            else {
                return;
            };
            let is_grafanas = own.as_deref() == Some(color);
            assert!(
                is_grafanas || NAMES.contains(&color),
                "{}: {color}",
                dashboard.file
            );
        });
    }
}

#[test]
fn panels_fill_their_rows_without_overlaps_and_are_wide_enough_at_1280_pixels() {
    for dashboard in Dashboard::all() {
        let file = &dashboard.file;
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard.json["panels"]) {
            let title = text(panel, "title");
            let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
            assert!(side("w") >= NARROWEST, "{file}: {title} is too narrow");
            assert!(
                side("x") + side("w") <= COLUMNS,
                "{file}: {title} is too far right"
            );
            assert!(
                panel["type"] == "row" || side("h") >= 3,
                "{file}: {title} is too low"
            );
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((y, x)), "{file}: {title} is over another");
                }
            }
        }
        let rows: BTreeSet<u64> = taken.iter().map(|(y, _)| *y).collect();
        let bottom = rows.last().map_or(0, |last| last + 1);
        for y in 0..bottom {
            let across = taken.range((y, 0)..(y, COLUMNS)).count() as u64;
            assert_eq!(across, COLUMNS, "{file}: a hole in line {y}");
        }
    }
}

/// The package of Grafana's types, as `tests/run` installs it.
const SDK: &str = "grafana_foundation_sdk";

fn types() -> Option<Command> {
    let mut python = python_package(SDK)?;
    python.arg(path("tests/grafana_types.py"));
    Some(python)
}

/// What the check of types says of these files, and whether they are well.
fn checked(mut types: Command, files: &[PathBuf]) -> (bool, String) {
    let said = types.args(files).output().expect("python");
    let words = [said.stdout, said.stderr].concat();
    (
        said.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

#[test]
fn every_dashboard_is_what_grafanas_own_types_hold() {
    let Some(types) = types() else { return };
    let files: Vec<PathBuf> = Dashboard::all()
        .iter()
        .map(|dashboard| path("dashboards").join(&dashboard.file))
        .collect();
    let (are_well, words) = checked(types, &files);
    assert!(are_well, "{words}");
}

#[test]
fn grafanas_types_do_not_take_a_key_or_a_value_that_they_do_not_have() {
    let dashboards = Dashboard::all();
    let dashboard = dashboards
        .iter()
        .find(|it| it.name() == "metaaccess-overview");
    let dashboard = &dashboard.expect("the overview").json;
    let at = |kind: &str| {
        let mut panels = list(&dashboard["panels"]).enumerate();
        let found = panels.find(|(_, panel)| panel["type"] == kind);
        format!("/panels/{}", found.expect(kind).0)
    };
    let (bars, stat) = (at("timeseries"), at("stat"));
    let folder = tempfile::tempdir().expect("a folder");
    let mistakes = [
        ("/titel".to_owned(), json!("A title"), "titel"),
        ("/refresh".to_owned(), json!(5), "refresh"),
        (
            format!("{stat}/options/colourMode"),
            json!("value"),
            "colourMode",
        ),
        (
            format!("{stat}/options/colorMode"),
            json!("valeu"),
            "color_mode",
        ),
        (
            format!("{bars}/options/legend/showLegend"),
            json!("yes"),
            "show_legend",
        ),
        (
            format!("{bars}/options/legend/place"),
            json!("bottom"),
            "place",
        ),
        (
            format!("{bars}/fieldConfig/defaults/custom/drawStile"),
            json!("bars"),
            "drawStile",
        ),
        (
            format!("{bars}/fieldConfig/defaults/custom/lineWidth"),
            json!("2"),
            "line_width",
        ),
        (
            format!("{bars}/fieldConfig/defaults/units"),
            json!("s"),
            "units",
        ),
        (format!("{bars}/targets/0/exp"), json!("up"), "exp"),
        (format!("{bars}/targets/0/instant"), json!("no"), "instant"),
        (format!("{bars}/gridPos/w"), json!("12"), "w"),
        (format!("{bars}/type"), json!("timeserie"), "timeserie"),
        ("/templating/list/1/refresh".to_owned(), json!(7), "refresh"),
        ("/annotations/list/1/names".to_owned(), json!("x"), "names"),
        ("/links/0/keepTimes".to_owned(), json!(true), "keepTimes"),
    ];
    for (number, (pointer, value, named)) in mistakes.into_iter().enumerate() {
        let Some(types) = types() else { return };
        let mut wrong = dashboard.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a key");
        wrong.pointer_mut(parent).expect(parent)[key] = value;
        let file = folder.path().join(format!("{number}.json"));
        std::fs::write(&file, wrong.to_string()).expect("written");
        let (is_well, words) = checked(types, &[file]);
        assert!(!is_well && words.contains(named), "{pointer}: {words}");
    }
}
