//! The values of the chart against all that they have to agree with: their schema, their README, the
//! flags of the program, its file of accounts, its image and its version.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::chart::{ACCOUNT, CHART, Case, KUBERNETES, render};
use crate::documents::{assert_marked, fenced_in, read, yaml};
use crate::grafana::list;

/// A value with the comment above it.
struct Documented {
    /// With those that it stands in: `web.port`.
    name: String,
    comment: String,
    default: Value,
}

fn values() -> Value {
    yaml(&format!("{CHART}/values.yaml"))
}

fn schema() -> Value {
    serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).expect("JSON")
}

fn at<'a>(values: &'a Value, name: &str) -> &'a Value {
    name.split('.').fold(values, |value, key| &value[key])
}

/// The values that have a comment, in the order of the file. What is set within one of them without a
/// comment of its own belongs to it.
fn documented() -> Vec<Documented> {
    let values = values();
    let mut found = Vec::new();
    let mut within: Vec<&str> = Vec::new();
    let mut comment = String::new();
    let file = read(&format!("{CHART}/values.yaml"));
    for line in file.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(words) = content.strip_prefix('#') {
            // What is further in is an example.
            if !words.starts_with("  ") {
                comment += words;
            }
            continue;
        }
        let key = content.split_once(':').map(|(key, _)| key);
        if let Some(key) = key.filter(|_| !comment.is_empty() && !content.starts_with('-')) {
            within.truncate(depth);
            within.push(key);
            let name = within.join(".");
            let default = at(&values, &name).clone();
            let comment = std::mem::take(&mut comment).trim().to_owned();
            found.push(Documented {
                name,
                comment,
                default,
            });
        }
        comment.clear();
    }
    found
}

#[test]
fn every_value_has_a_comment() {
    let documented = documented();
    let names: BTreeSet<&str> = documented.iter().map(|value| &*value.name).collect();
    assert!(
        documented
            .iter()
            .all(|value| value.comment.ends_with(['.', ':']) && value.comment.len() > 5)
    );
    let is_section = |name: &str| {
        names
            .iter()
            .any(|other| other.starts_with(&format!("{name}.")))
    };
    let mut undocumented = Vec::new();
    let values = values();
    let mut open: Vec<(String, &Value)> = vec![(String::new(), &values)];
    while let Some((name, value)) = open.pop() {
        let Some(entries) = value.as_object() else {
            continue;
        };
        for (key, value) in entries {
            let name = format!("{name}.{key}").trim_start_matches('.').to_owned();
            if !names.contains(&*name) {
                undocumented.push(name);
            } else if is_section(&name) {
                open.push((name, value));
            }
        }
    }
    assert_eq!(undocumented, [""; 0]);
}

#[test]
fn the_readme_of_the_chart_lists_every_value() {
    let documented = documented();
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    for Documented {
        name,
        comment,
        default,
    } in &documented
    {
        let is_section = documented
            .iter()
            .any(|other| other.name.starts_with(&format!("{name}.")));
        let default = match is_section {
            true => String::new(),
            false => format!("`{default}`"),
        };
        let comment = comment.trim_end_matches(':').replace('|', "\\|");
        let _ = writeln!(table, "| `{name}` | {default} | {comment} |");
    }
    assert_marked(&format!("{CHART}/README.md"), "values", &table);
}

/// Values of the README, which may leave out what others of it have.
#[test]
fn the_examples_in_the_readme_of_the_chart_render() {
    let document = format!("{CHART}/README.md");
    let examples = fenced_in(&document, "yaml");
    assert!(examples.len() >= 4, "{}", examples.len());
    let with_account = |example: &String| match example.contains("accounts:") {
        true => Case::new(example),
        false => Case::new(&format!("{example}\n{ACCOUNT}")),
    };
    let cases: Vec<Case> = examples.iter().map(with_account).collect();
    let Some(all) = render(&cases) else { return };
    for (example, rendering) in examples.iter().zip(all) {
        assert_eq!(rendering.error, None, "{example}");
    }
    let image = format!("metaaccess-exporter:{} ", env!("CARGO_PKG_VERSION"));
    assert!(fenced_in(&document, "sh")[0].contains(&image), "{image}");
}

/// The keys of a place of the schema, through its references.
fn properties<'a>(
    schema: &'a Value,
    place: &'a Value,
) -> Option<&'a serde_json::Map<String, Value>> {
    let place = match place["$ref"].as_str() {
        Some(reference) => schema
            .pointer(reference.trim_start_matches('#'))
            .expect("a definition"),
        None => place,
    };
    place["properties"].as_object()
}

#[test]
fn the_schema_has_the_keys_of_the_values_and_no_others() {
    let (schema, values) = (schema(), values());
    // Refused by the chart itself, in words; Helm's own; and what a chart around this one switches.
    let others = [
        "replicaCount",
        "autoscaling",
        "strategy",
        "updateStrategy",
        "extraArgs",
        "global",
        "enabled",
    ];
    // Left out, so that whoever gives the configuration itself is not told of keys that it has not.
    let open = ["web.config.value"];
    let mut left = vec![(String::new(), &schema, &values)];
    while let Some((name, place, value)) = left.pop() {
        let Some(keys) = properties(&schema, place).filter(|_| !open.contains(&&*name)) else {
            continue;
        };
        let optional = name.starts_with("probes.");
        let known: BTreeSet<&String> = keys
            .keys()
            .filter(|key| !(name.is_empty() && others.contains(&key.as_str())))
            .collect();
        let held: BTreeSet<&String> = value
            .as_object()
            .map(|it| it.keys().collect())
            .unwrap_or_default();
        assert!(
            known == held || (optional && held.is_subset(&known)),
            "{name}: {known:?} {held:?}"
        );
        for (key, place) in keys {
            let name = format!("{name}.{key}").trim_start_matches('.').to_owned();
            left.push((name, place, &value[key]));
        }
    }
}

#[test]
fn the_schema_takes_no_key_that_is_not_ours_to_know() {
    let schema = schema();
    let mut left = vec![(String::new(), &schema)];
    let mut strict = 0;
    while let Some((name, place)) = left.pop() {
        if let Some(keys) = place["properties"].as_object() {
            // Those of Kubernetes have more keys than those that the chart looks at.
            let is_foreign = ["/extraEnv/", "/extraVolumes/", "/extraVolumeMounts/"]
                .iter()
                .any(|it| name.contains(it));
            assert!(
                is_foreign || place["additionalProperties"] == false,
                "{name}"
            );
            strict += 1;
            assert!(!keys.is_empty(), "{name}");
        }
        for (key, place) in place.as_object().into_iter().flatten() {
            left.push((format!("{name}/{key}"), place));
        }
        for (nth, place) in list(place).enumerate() {
            left.push((format!("{name}/{nth}"), place));
        }
    }
    assert!(strict > 25, "{strict}");
}

#[test]
fn an_account_has_the_keys_of_the_exporters_file() {
    let file: Value = serde_json::from_str(&read("deploy/accounts.schema.json")).expect("JSON");
    let keys = |schema: &Value, name: &str| -> BTreeSet<String> {
        let keys = schema["definitions"][name]["properties"]
            .as_object()
            .expect("keys");
        keys.keys().cloned().collect()
    };
    let mut expected = keys(&file, "account");
    expected.extend(["client_secret".to_owned(), "access_token".to_owned()]);
    assert_eq!(keys(&schema(), "account"), expected);
    for key in ["order", "logs"] {
        let theirs = file["definitions"]["account"]["properties"][key].to_string();
        let words = schema()["definitions"]["account"]["properties"][key].to_string();
        let words = words
            .split('"')
            .filter(|word| word.contains(|c: char| c.is_ascii_lowercase()));
        let unknown: Vec<&str> = words.filter(|word| !theirs.contains(word)).collect();
        assert_eq!(unknown, [""; 0], "{key}");
    }
}

#[test]
fn the_chart_is_of_this_version_and_this_image() {
    let chart: Value = yaml(&format!("{CHART}/Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["kubeVersion"], format!(">={}.0-0", KUBERNETES[0]));
    let image = read("Dockerfile");
    let user = values()["podSecurityContext"]["runAsUser"].to_string();
    for line in [
        "ENTRYPOINT [\"/metaaccess-exporter\"]".to_owned(),
        format!("USER {user}:{user}"),
        format!("EXPOSE {}", values()["web"]["port"]),
    ] {
        assert!(image.lines().any(|its| its == line), "{line}");
    }
}
