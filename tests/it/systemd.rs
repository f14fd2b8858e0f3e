//! The unit of systemd, and the file of settings beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use metaaccess_exporter::config::table::{Row, rows};

use crate::commands::run;
use crate::documents::{assert_accepts, fenced_in, read};
use crate::tools::tool;

const UNIT: &str = "deploy/systemd/metaaccess-exporter.service";
const SETTINGS: &str = "deploy/debian/default";
const MANUAL: &str = "deploy/systemd/README.md";

/// The unit in a folder of its own, with the program that the tests have.
fn unit() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metaaccess-exporter.service");
    let program = env!("CARGO_BIN_EXE_metaaccess-exporter");
    let unit = read(UNIT);
    assert!(unit.contains("\nExecStart=/usr/bin/metaaccess-exporter\n"));
    let here = unit.replace("=/usr/bin/metaaccess-exporter\n", &format!("={program}\n"));
    fs::write(&path, here).expect("written");
    (folder, path)
}

fn value_of<'a>(unit: &'a str, key: &str) -> &'a str {
    let value = unit
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    let (_folder, path) = unit();
    let output = analyze.args(["verify", "--man=no"]).arg(&path).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    // Other units of this machine may have their faults.
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("metaaccess"))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_unit_is_exposed_no_more_than_its_manual_says() {
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    let manual = read(MANUAL);
    let said = manual
        .split("an exposure of **")
        .nth(1)
        .expect("it says the exposure");
    let said: f64 = said
        .split("**")
        .next()
        .and_then(|it| it.parse().ok())
        .expect("a number");
    assert!(said <= 1.5, "{said}");
    let (_folder, path) = unit();
    let threshold = format!("--threshold={}", (said * 10.0).round());
    analyze.args(["security", "--offline=true", "--no-pager", &threshold]);
    assert_accepts(analyze.arg(path));
}

#[test]
fn a_wrong_configuration_is_not_tried_again_and_anything_else_is_for_ever() {
    let unit = read(UNIT);
    let refused = run(&["--log.level=loud"], &[]).code.expect("a code");
    assert_eq!(
        value_of(&unit, "RestartPreventExitStatus"),
        refused.to_string()
    );
    assert_eq!(value_of(&unit, "Restart"), "on-failure");
    assert_eq!(value_of(&unit, "StartLimitIntervalSec"), "0");
}

#[test]
fn the_counts_are_kept_where_the_unit_may_write() {
    let unit = read(UNIT);
    let folder = value_of(&unit, "StateDirectory");
    let path = format!("METAACCESS_STATE_PATH=%S/{folder}/state.db");
    assert_eq!(value_of(&unit, "Environment"), path);
    assert_eq!(value_of(&unit, "StateDirectoryMode"), "0700");
    assert_eq!(
        value_of(&unit, "EnvironmentFile"),
        "-/etc/default/metaaccess-exporter"
    );
}

/// The settings of a service.
fn settings() -> Vec<Row> {
    let mut rows = rows();
    rows.retain(|row| {
        let of_others = ["--simulate.", "--check.", "--format"];
        !row.flag.is_empty() && !of_others.iter().any(|other| row.flag.starts_with(other))
    });
    rows
}

/// What the file says of each variable, which it leaves at its default.
fn shown() -> BTreeMap<String, String> {
    let text = read(SETTINGS);
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("#METAACCESS_"));
    let mut shown = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
        let before = shown.insert(format!("METAACCESS_{name}"), value.to_owned());
        assert!(before.is_none(), "{name} is there twice");
    }
    shown
}

#[test]
fn the_file_of_settings_has_each_of_them_with_its_default() {
    let mut shown = shown();
    for Row {
        variable, default, ..
    } in settings()
    {
        let value = shown
            .remove(&variable)
            .unwrap_or_else(|| panic!("no {variable}"));
        if variable == "METAACCESS_STATE_PATH" {
            assert_eq!(value, "/var/lib/metaaccess-exporter/state.db");
        } else if !default.is_empty() {
            assert_eq!(value, default, "{variable}");
        }
    }
    assert!(shown.is_empty(), "no such settings: {shown:?}");
}

#[test]
fn the_file_of_settings_sets_nothing_and_explains_everything() {
    let text = read(SETTINGS);
    assert!(
        text.lines()
            .all(|line| line.is_empty() || line.starts_with('#')),
        "{text}"
    );
    for paragraph in text
        .split("\n\n")
        .filter(|it| it.contains("\n#METAACCESS_"))
    {
        assert!(paragraph.starts_with("# "), "not explained: {paragraph}");
    }
    for row in rows().iter().filter(|row| row.flag.is_empty()) {
        assert!(!text.contains(&format!("{}=", row.variable)), "{row:?}");
    }
}

#[test]
fn what_the_file_of_settings_shows_is_taken_by_the_program() {
    let shown = shown();
    let is_set = |name: &&String| {
        let of_a_file = shown[*name].starts_with("/etc/") || name.contains("CLIENT_ID");
        !of_a_file && *name != "METAACCESS_STATE_PATH"
    };
    let mut environment: Vec<(&str, &str)> = shown
        .keys()
        .filter(is_set)
        .map(|name| (&**name, &*shown[name]))
        .collect();
    environment.push(("METAACCESS_ACCESS_TOKEN", "TEST-TOKEN"));
    environment.push(("METAACCESS_LOG_LEVEL", "loud"));
    let refused = run(&[], &environment);
    // The one mistake is ours.
    assert!(
        refused.err.contains("1 mistake") && refused.err.contains("loud"),
        "{}",
        refused.err
    );
}

#[test]
fn two_machines_share_a_database_as_the_manual_says() {
    let manual = read(MANUAL);
    let settings = fenced_in(MANUAL, "sh");
    let settings = settings.iter().find(|it| it.contains("STATE_URL"));
    let set = settings.expect("settings of a database").lines();
    let mut environment = vec![
        // As the unit has it; what comes later replaces it.
        (
            "METAACCESS_STATE_PATH",
            "/var/lib/metaaccess-exporter/state.db",
        ),
        ("METAACCESS_ACCESS_TOKEN", "TEST-TOKEN"),
        ("METAACCESS_LOG_LEVEL", "loud"),
    ];
    let set = set.filter_map(|line| line.split_once('='));
    // There is no such file here.
    for (name, value) in set.filter(|(name, _)| *name != "METAACCESS_STATE_PASSWORD_FILE") {
        environment.retain(|(its, _)| *its != name);
        environment.push((name, value));
    }
    let refused = run(&[], &environment);
    // There are no such authorities either, and the other mistake is ours.
    for words in ["2 mistakes", "sslrootcert: expected a PEM file", "loud"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    let unit = read(UNIT);
    let families = value_of(&unit, "RestrictAddressFamilies");
    assert!(!families.contains("AF_UNIX"), "{families}");
    assert!(manual.contains("RestrictAddressFamilies=AF_UNIX"));
}

#[test]
fn the_manual_has_the_account_of_the_unit() {
    let unit = read(UNIT);
    let user = value_of(&unit, "User");
    assert_eq!(user, value_of(&unit, "Group"));
    assert!(read("deploy/debian/postinst").contains(&format!("user={user}\n")));
    assert!(read(MANUAL).contains(&format!(
        "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {user}"
    )));
}
