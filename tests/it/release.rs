//! Archives, lists of components and the scripts that make them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::documents::{assert_accepts, path, read};
use crate::tools::tool;

/// A time as no file has it by itself.
const MADE: &str = "1700000000";

/// Runs a program and gives what it printed.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// An archive of a stand-in for the program, made in this folder.
fn archive(folder: &Path) -> PathBuf {
    let made = folder.join("made");
    std::fs::create_dir(&made).expect("a folder");
    for name in [
        "program",
        "metaaccess-exporter.1",
        "metaaccess-exporter.bash",
        "_metaaccess-exporter",
        "metaaccess-exporter.fish",
        "THIRD-PARTY-LICENSES.txt",
    ] {
        std::fs::write(made.join(name), name).expect("written");
    }
    let mut pack = Command::new(path("deploy/release/archive"));
    pack.arg(made.join("program")).args([&made, &made]);
    pack.arg(folder).arg("NAME").env("SOURCE_DATE_EPOCH", MADE);
    said(&mut pack);
    folder.join("NAME.tar.gz")
}

#[test]
fn an_archive_made_twice_is_the_same_to_the_byte() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let [first, second] = [&one, &two].map(|folder| {
        let archive = archive(folder.path());
        std::fs::read(archive).expect("it can be read")
    });
    assert!(!first.is_empty() && first == second);
}

#[test]
fn an_archive_has_the_program_and_what_belongs_to_it_and_nothing_of_who_made_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let mut list = Command::new("tar");
    list.args([
        "--list",
        "--verbose",
        "--numeric-owner",
        "--full-time",
        "--utc",
    ]);
    let listed = said(list.arg("--file").arg(archive).env("LC_ALL", "C"));
    for line in listed.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[1], "0/0", "{line}");
        assert_eq!(fields[3..5], ["2023-11-14", "22:13:20"], "{line}");
        let name = fields[5];
        let mode = if name.ends_with('/') {
            "drwxr-xr-x"
        } else if name == "NAME/metaaccess-exporter" {
            "-rwxr-xr-x"
        } else {
            "-rw-r--r--"
        };
        assert_eq!(fields[0], mode, "{line}");
    }
    for name in [
        "metaaccess-exporter",
        "LICENSE",
        "THIRD-PARTY-LICENSES.txt",
        "README.md",
        "CHANGELOG.md",
        "metaaccess-exporter.1",
        "completions/_metaaccess-exporter",
        "systemd/metaaccess-exporter.service",
        "prometheus/prometheus.yml",
        "prometheus/metaaccess.rules.yml",
        "dashboards/metaaccess-overview.json",
    ] {
        let end = format!(" NAME/{name}");
        assert!(listed.lines().any(|line| line.ends_with(&end)), "{name}");
    }
}

/// What `deploy/release/components` writes for this target.
fn components(target: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = Command::new(path("deploy/release/components"));
    list.arg(target).arg(folder.path());
    said(list.env("SOURCE_DATE_EPOCH", MADE));
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("written");
    (read("sbom.cdx.json"), read("THIRD-PARTY-LICENSES.txt"))
}

fn names(components: &Value) -> BTreeSet<&str> {
    let components = components["components"].as_array().expect("a list");
    let names = components.iter().filter_map(|it| it["name"].as_str());
    names.collect()
}

#[test]
fn the_list_of_components_has_what_is_linked_and_not_what_only_builds_or_tests() {
    let (text, licences) = components("x86_64-unknown-linux-gnu");
    let bom: Value = serde_json::from_str(&text).expect("JSON");
    let names = names(&bom);
    for linked in [
        "ring",
        "libsqlite3-sys",
        "tokio",
        "sqlite",
        "glibc",
        "rust-std",
    ] {
        assert!(names.contains(linked), "{linked}");
    }
    for not_linked in ["proptest", "divan", "rcgen", "syn", "serde_derive", "cc"] {
        assert!(!names.contains(not_linked), "{not_linked}");
    }
    assert_eq!(
        bom["metadata"]["component"]["version"],
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(bom["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    assert!(
        !text.contains(env!("CARGO_MANIFEST_DIR")),
        "a path of this machine"
    );
    for name in ["ring 0", "tokio 1", "rusqlite 0"] {
        assert!(
            licences.lines().any(|line| line.starts_with(name)),
            "{name}"
        );
    }
}

#[test]
fn the_list_of_components_is_the_same_each_time_and_refers_to_nothing_outside_it() {
    let target = "x86_64-unknown-linux-gnu";
    let (text, licences) = components(target);
    assert_eq!((text.clone(), licences), components(target));
    let bom: Value = serde_json::from_str(&text).expect("JSON");
    let reference = |it: &Value| it["bom-ref"].as_str().map(str::to_owned);
    let listed = bom["components"].as_array().expect("a list").iter();
    let all = listed.chain([&bom["metadata"]["component"]]);
    let known: BTreeSet<String> = all.filter_map(reference).collect();
    for dependency in bom["dependencies"].as_array().expect("a list") {
        let on = dependency["dependsOn"].as_array().expect("a list");
        for name in on.iter().chain([&dependency["ref"]]) {
            assert!(known.contains(name.as_str().expect("text")), "{name}");
        }
    }
}

/// All shell scripts that git knows or could know, by their first line.
fn scripts() -> Vec<PathBuf> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = said(list.current_dir(env!("CARGO_MANIFEST_DIR")));
    let is_script = |name: &&str| {
        let start = std::fs::read(path(name)).unwrap_or_default();
        let first = start
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        first.starts_with(b"#!") && (first.ends_with(b"bash") || first.ends_with(b"/sh"))
    };
    listed.lines().filter(is_script).map(path).collect()
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let Some(mut shellcheck) = tool("shellcheck") else {
        return;
    };
    let scripts = scripts();
    for known in ["tests/run", ".ci/run", "deploy/release/run"] {
        assert!(scripts.contains(&path(known)), "{known}");
    }
    assert_accepts(shellcheck.args(scripts));
}

#[test]
fn a_program_is_built_for_a_target_that_is_known_and_nothing_else() {
    for (args, says) in [
        (
            ["riscv64gc-unknown-linux-gnu", ""],
            "no target riscv64gc-unknown-linux-gnu: take",
        ),
        (["", "fast"], "no profile fast: take release or dev"),
    ] {
        let mut build = Command::new(path("deploy/release/build"));
        let output = build.arg("--can").args(args).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(says), "{error}");
    }
}

#[test]
fn a_release_is_not_made_over_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Command::new(path("deploy/release/run"));
    let output = run.arg("--dirty").arg(folder.path()).output();
    let output = output.expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("already: name a folder"),
        "{error}"
    );
}

#[test]
fn the_version_is_that_of_the_manifest_wherever_it_is_repeated() {
    let changes = read("CHANGELOG.md");
    let newest = changes.lines().find_map(|line| line.strip_prefix("## "));
    let newest = newest.expect("a version");
    assert_eq!(newest.split(' ').next(), Some(env!("CARGO_PKG_VERSION")));
    let images = read("deploy/README.md");
    let images: Vec<&str> = images.split("metaaccess-exporter:").skip(1).collect();
    assert!(!images.is_empty());
    for image in images {
        assert!(image.starts_with(env!("CARGO_PKG_VERSION")), "{image:.20}");
    }
}
