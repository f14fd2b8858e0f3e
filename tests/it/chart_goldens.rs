//! What the chart renders of the values beside it is what stands in `tests/expected/chart`, whichever
//! Helm renders it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::chart::{self, CASES, CHART, Case, Rendering, look_at};
use crate::documents::{path, read, yaml};
use crate::grafana::text;
use crate::tools::helm;

const RULES: &str = "dashboards/rules/metaaccess.prometheusrule.yml";

fn golden(case: &str) -> PathBuf {
    path("tests/expected/chart").join(format!("{case}.yaml"))
}

/// The objects as text, in order. What is as large as a dashboard, and just as a file has it, is named
/// by that file.
fn written(objects: &[Value]) -> String {
    let mut objects = objects.to_vec();
    objects.sort_by_key(|object| {
        let kind = text(object, "kind").to_owned();
        (kind, text(&object["metadata"], "name").to_owned())
    });
    let mut all = String::new();
    for object in &mut objects {
        match text(object, "kind") {
            "ConfigMap" => shorten_dashboard(object),
            "PrometheusRule" => shorten_rules(object),
            _ => {}
        }
        let object = serde_saphyr::to_string(object).expect("YAML");
        all += &format!("---\n{}\n", object.trim_end());
    }
    all
}

fn shorten_dashboard(object: &mut Value) {
    for (name, body) in object["data"].as_object_mut().expect("data") {
        if name.ends_with(".json") && body.as_str() == Some(&read(&format!("dashboards/{name}"))) {
            *body = json!(format!("as dashboards/{name} is, byte for byte"));
        }
    }
}

fn shorten_rules(object: &mut Value) {
    let file = yaml(RULES);
    let known = file["spec"]["groups"].as_array().expect("groups");
    for group in object["spec"]["groups"].as_array_mut().expect("groups") {
        if known.contains(group) {
            *group = json!(format!("{}, as in {RULES}", text(group, "name")));
        }
    }
}

#[test]
fn the_chart_renders_what_is_expected_of_each_file_of_values() {
    let Some(_) = chart::all() else { return };
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let update = std::env::var_os("UPDATE_CHART").is_some();
    for case in CASES {
        let rendering = chart::of_file(case).expect("rendered");
        assert_eq!(rendering.error, None, "{case}");
        let text = written(&rendering.objects) + &notes(rendering);
        if update {
            std::fs::create_dir_all(golden(case).parent().expect("a folder")).expect("made");
            std::fs::write(golden(case), text).expect("written");
        } else {
            let expected = std::fs::read_to_string(golden(case)).unwrap_or_default();
            assert!(
                text == expected,
                "{case} renders something else: look at `git diff` after UPDATE_CHART=1 cargo test --test it -- chart_goldens\n{}",
                first_difference(&text, &expected)
            );
        }
    }
}

/// The notes as comments, so that the file is YAML as a whole.
fn notes(rendering: &Rendering) -> String {
    let lines = rendering.notes.trim_end().lines();
    let lines: Vec<String> = lines
        .map(|line| format!("# {line}").trim_end().to_owned())
        .collect();
    format!("---\n{}\n", lines.join("\n"))
}

fn first_difference(now: &str, before: &str) -> String {
    let mut lines = now.lines().zip(before.lines()).enumerate();
    let found = lines.find(|(_, (now, before))| now != before);
    found.map_or("one has more lines".to_owned(), |(nth, (now, before))| {
        format!("line {}: {now:?} instead of {before:?}", nth + 1)
    })
}

#[test]
fn every_file_of_values_beside_the_chart_is_a_case() {
    let files = std::fs::read_dir(path(CHART).join("ci")).expect("a folder");
    let mut names: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .replace("-values.yaml", "")
        })
        .collect();
    names.sort();
    assert_eq!(names, CASES);
    let expected = std::fs::read_dir(path("tests/expected/chart")).expect("a folder");
    assert_eq!(expected.count(), CASES.len());
}

#[test]
fn the_chart_renders_the_same_as_a_package() {
    let Some(packaged) = chart::render_packaged(&CASES.map(Case::of_file)) else {
        return;
    };
    for (case, rendering) in CASES.iter().zip(packaged) {
        let ours = chart::of_file(case).expect("rendered");
        assert_eq!(rendering.error, None, "{case}");
        assert_eq!(rendering.objects, ours.objects, "{case}");
    }
}

/// Where a Helm is installed: Debian has none.
#[test]
fn the_helm_of_this_machine_renders_the_same() {
    let Some(helm) = helm() else { return };
    for case in CASES {
        let values = path(CHART).join(format!("ci/{case}-values.yaml"));
        let run = |args: &[&str]| {
            let mut command = Command::new(helm.get_program());
            command
                .args(args)
                .arg(path(CHART))
                .arg("--values")
                .arg(&values);
            let output = command.output().expect("helm");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{case}: {said}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        run(&["lint", "--strict"]);
        let manifests = run(&["template", "metaaccess", "--namespace=monitoring"]);
        let Some(rendering) = look_at(&manifests) else {
            return;
        };
        assert_eq!(rendering.error, None, "{case}");
        assert_eq!(rendering.wrong, [""; 0], "{case}");
        let ours = chart::of_file(case).expect("rendered");
        assert_eq!(
            written(&rendering.objects),
            written(&ours.objects),
            "{case}"
        );
    }
}
