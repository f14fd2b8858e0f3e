//! README, dashboards and examples say what the program does: held against its own tables.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use metaaccess_exporter::api::failure::Failure;
use metaaccess_exporter::event::BadLine;
use metaaccess_exporter::{catalogue, config};
use serde_json::Value;

use crate::tools::tool;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    let text = std::fs::read_to_string(path(name));
    text.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds what stands between the markers of this name in the README against what the program says.
/// With `UPDATE_README` set, writes it there instead.
fn assert_marked(name: &str, expected: &str) {
    let readme = read("README.md");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&begin).expect("the first marker");
    let (text, after) = rest.split_once(&end).expect("the second marker");
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let update = std::env::var_os("UPDATE_README").is_some();
    if update {
        let new = [before, &begin, expected, &end, after].concat();
        std::fs::write(path("README.md"), new).expect("written");
    } else {
        let same = text == expected;
        assert!(
            same,
            "the table of {name} is old: UPDATE_README=1 cargo test --test it -- --test-threads=1 readme_lists"
        );
    }
}

/// The contents of the README's fences of this language.
pub fn fenced(language: &str) -> Vec<String> {
    let readme = read("README.md");
    let mut parts = readme.split("\n```");
    parts.next();
    let opened = parts.step_by(2).filter_map(|part| part.split_once('\n'));
    opened
        .filter(|(name, _)| *name == language)
        .map(|(_, text)| text.to_owned())
        .collect()
}

#[test]
fn the_readme_lists_every_metric_as_the_catalogue_has_it() {
    assert_marked("metrics", &catalogue::markdown());
}

#[test]
fn the_readme_lists_every_setting_as_the_program_takes_it() {
    assert_marked("flags", &config::flags_markdown());
}

#[test]
fn the_readme_names_the_two_commands() {
    let commands: Vec<String> = fenced("sh")
        .iter()
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for command in ["cargo run --release -- demo", "./tests/run"] {
        assert!(commands.iter().any(|line| line == command), "{command}");
    }
}

/// Cargo looks for a benchmark or an example whose path is not named before it builds anything else.
#[test]
fn the_image_is_built_from_the_files_that_it_takes() {
    let manifest = read("Cargo.toml");
    let sections = manifest.split("\n[").skip(1);
    let others = sections.filter(|section| {
        ["[bench]]", "[example]]"]
            .iter()
            .any(|kind| section.starts_with(kind))
    });
    let mut paths = Vec::new();
    for section in others {
        let path = section
            .lines()
            .find_map(|line| line.strip_prefix("path = "));
        paths.push(path.unwrap_or_else(|| panic!("no path: {section}")));
    }
    assert!(!paths.is_empty());
    let taken = read(".dockerignore");
    for file in ["Cargo.toml", "Cargo.lock", "src", "LICENSE"] {
        assert!(
            taken.lines().any(|line| line == format!("!{file}")),
            "{file}"
        );
    }
}

#[test]
fn the_readme_says_what_to_do_about_every_failure() {
    let readme = read("README.md");
    let (_, wrongs) = readme
        .split_once("\n## When something is wrong\n")
        .expect("the section");
    let wrongs = wrongs.split("\n## ").next().unwrap_or_default();
    let failures = Failure::ALL.iter().map(|failure| failure.reason());
    let bad_lines = BadLine::ALL.iter().map(|bad| bad.reason());
    for reason in failures.chain(bad_lines) {
        let has_row = wrongs
            .lines()
            .any(|line| line.starts_with('|') && line.contains(&format!("`{reason}`")));
        assert!(has_row, "{reason}");
    }
}

#[test]
fn queries_name_only_metrics_and_labels_that_there_are() {
    for (place, query) in all_queries() {
        let (names, labels) = names_and_labels(&query);
        for name in names {
            assert!(metric_exists(&name), "{place}: {name}\n{query}");
        }
        for label in labels {
            assert!(label_exists(&label), "{place}: {label}\n{query}");
        }
    }
}

#[test]
fn every_dashboard_has_a_uid_and_a_data_source_to_choose() {
    for (file, dashboard) in dashboards() {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        assert_eq!(file, format!("{uid}.json"));
        let mut sources = BTreeSet::new();
        visit(&dashboard, &mut |key, value| {
            if key == "datasource"
                && let Some(uid) = value["uid"].as_str()
            {
                sources.insert(uid.to_owned());
            }
        });
        // Grafana's own annotations have a source of their own.
        sources.remove("-- Grafana --");
        assert_eq!(sources, BTreeSet::from(["${datasource}".to_owned()]));
        let variables = dashboard["templating"]["list"].as_array().expect("a list");
        let has = |name: &str| variables.iter().any(|variable| variable["name"] == name);
        for name in ["datasource", "account", "event_type", "version"] {
            assert!(has(name), "{file}: no variable {name}");
        }
    }
}

#[test]
fn every_panel_has_a_title_a_description_and_a_unit_and_a_place_of_its_own() {
    for (file, dashboard) in dashboards() {
        let panels = dashboard["panels"].as_array().expect("panels");
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: an id stands twice");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(!title.is_empty(), "{file}");
            let description = panel["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{file}: {title}: description");
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            assert!(unit.is_string(), "{file}: {title}: unit");
        }
        let mut taken = BTreeSet::new();
        for panel in panels {
            let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{file}: {}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn promtool_understands_every_query() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("queries.yml");
    let mut text = "groups:\n- name: queries\n  rules:\n".to_owned();
    for (number, (place, query)) in all_queries().into_iter().enumerate() {
        let query = with_variables_filled_in(&query);
        // JSON's strings are YAML's too.
        let _ = writeln!(
            text,
            "  - record: query:{number}\n    labels: {{place: {}}}\n    expr: {}",
            Value::from(place),
            Value::from(query)
        );
    }
    std::fs::write(&rules, text).unwrap();
    assert_accepts(promtool.args(["check", "rules"]).arg(&rules));
}

#[test]
fn promtool_understands_the_scrape_configuration() {
    let Some(mut promtool) = tool("promtool") else {
        return;
    };
    let example = path("deploy/prometheus/prometheus.yml");
    assert_accepts(promtool.args(["check", "config"]).arg(example));
}

#[test]
fn the_scrape_configuration_of_the_readme_is_the_one_in_deploy() {
    let example = read("deploy/prometheus/prometheus.yml");
    let shown = fenced("yaml").swap_remove(0);
    assert!(!shown.is_empty() && example.contains(&shown), "{shown}");
}

fn assert_accepts(check: &mut Command) {
    let output = check.output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(path("dashboards")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let json = |name: &String| Path::new(name).extension().is_some_and(|e| e == "json");
    let found: Vec<_> = names
        .filter(json)
        .map(|name| {
            let dashboard = serde_json::from_str(&read(&format!("dashboards/{name}")));
            let dashboard = dashboard.unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, dashboard)
        })
        .collect();
    assert!(!found.is_empty(), "no dashboards");
    found
}

/// Every query that users are given, and where it stands.
fn all_queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (file, dashboard) in dashboards() {
        visit(&dashboard, &mut |key, value| {
            if (key == "expr" || key == "query")
                && let Some(query) = value.as_str()
                && query != "prometheus"
            {
                queries.push((file.clone(), query.to_owned()));
            }
        });
    }
    let in_readme = fenced("promql");
    assert!(!in_readme.is_empty(), "no queries in the README");
    for query in in_readme.iter().flat_map(|text| text.split("\n\n")) {
        let code = |line: &&str| !line.starts_with('#');
        let query: Vec<&str> = query.lines().filter(code).collect();
        queries.push(("README.md".to_owned(), query.join("\n")));
    }
    let queries: Vec<_> = queries
        .into_iter()
        .map(|(place, query)| (place, inside_label_values(&query)))
        .filter(|(_, query)| !query.trim().is_empty())
        .collect();
    queries
}

/// The series of `label_values(series, label)`, which is Grafana's and not PromQL.
fn inside_label_values(query: &str) -> String {
    let call = query.strip_prefix("label_values(");
    let series = call.and_then(|call| call.rsplit_once(',')).map(|(s, _)| s);
    series.unwrap_or(query).to_owned()
}

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

fn with_variables_filled_in(query: &str) -> String {
    query
        .replace("$__rate_interval", "1m")
        .replace("$__range", "1h")
        .replace("$account", "default")
        .replace("$event_type", "device")
        .replace("$version", "1.1.1.1")
}

/// A histogram has its name with three endings.
fn metric_exists(name: &str) -> bool {
    catalogue::ALL.iter().any(|metric| {
        let rest = name.strip_prefix(metric.name);
        let endings: &[&str] = match metric.kind {
            catalogue::Kind::Histogram => &["_bucket", "_sum", "_count"],
            catalogue::Kind::Counter | catalogue::Kind::Gauge => &[""],
        };
        rest.is_some_and(|rest| endings.contains(&rest))
    })
}

/// Ours, a histogram's, or one that Prometheus or a cluster adds to each target.
fn label_exists(label: &str) -> bool {
    let mut ours = catalogue::ALL.iter().flat_map(|metric| metric.labels);
    ours.any(|name| *name == label) || ["le", "job", "instance", "pod"].contains(&label)
}

/// The metrics that a query reads and the labels that it matches or groups by: words in braces
/// before a comparison, and words in the parentheses of `by`, `without`, `on` and `ignoring`.
fn names_and_labels(query: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    const GROUPING: [&str; 6] = [
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
    ];
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let mut in_braces = false;
    let (mut grouping, mut word_before) = (false, String::new());
    for token in tokens(query) {
        let word = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match token.as_str() {
            "{" => in_braces = true,
            "}" => in_braces = false,
            "(" => grouping = GROUPING.contains(&word_before.as_str()),
            ")" => grouping = false,
            _ if word && (in_braces || grouping) => {
                labels.insert(token.clone());
            }
            _ if token.starts_with("metaaccess_") || token.starts_with("process_") => {
                names.insert(token.clone());
            }
            _ => {}
        }
        word_before = token;
    }
    (names, labels)
}

/// Words, and every other sign by itself; quoted text and variables are left out.
fn tokens(query: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '$' => while rest.next_if(|c| is_of_word(*c)).is_some() {},
            c if is_of_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| is_of_word(*c)) {
                    word.push(c);
                }
                tokens.push(word);
            }
            c if c.is_whitespace() => {}
            c => tokens.push(c.to_string()),
        }
    }
    tokens
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[test]
fn the_reader_of_queries_finds_names_and_labels() {
    let query = r#"sum by (version) (max without (pod) (increase(metaaccess_events_total{event=~"$a,b=\"c",category!=""}[5m:15s])))"#;
    let (names, labels) = names_and_labels(query);
    assert_eq!(
        names,
        BTreeSet::from(["metaaccess_events_total".to_owned()])
    );
    let expected = ["category", "event", "pod", "version"].map(str::to_owned);
    assert_eq!(labels, BTreeSet::from(expected));
}
