//! README and examples say what the program does: held against its own tables.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::tools::tool;
use metaaccess_exporter::api::failure::Failure;
use metaaccess_exporter::event::BadLine;
use metaaccess_exporter::{catalogue, config};

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn read(name: &str) -> String {
    let text = std::fs::read_to_string(path(name));
    text.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file of YAML.
#[track_caller]
pub fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds what stands between the markers of this name in a document against what the program says.
/// With `UPDATE_README` set, writes it there instead.
#[track_caller]
pub fn assert_marked(document: &str, name: &str, expected: &str) {
    let readme = read(document);
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
        std::fs::write(path(document), new).expect("written");
    } else {
        let same = text == expected;
        assert!(
            same,
            "the table of {name} in {document} is old: UPDATE_README=1 cargo test --test it -- --test-threads=1 readme_lists"
        );
    }
}

/// The contents of the README's fences of this language.
pub fn fenced(language: &str) -> Vec<String> {
    fenced_in("README.md", language)
}

/// The contents of a document's fences of this language.
pub fn fenced_in(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let mut parts = text.split("\n```");
    parts.next();
    let opened = parts.step_by(2).filter_map(|part| part.split_once('\n'));
    opened
        .filter(|(name, _)| *name == language)
        .map(|(_, text)| text.to_owned())
        .collect()
}

#[test]
fn the_readme_lists_every_metric_as_the_catalogue_has_it() {
    assert_marked("README.md", "metrics", &catalogue::markdown());
}

#[test]
fn the_readme_lists_every_setting_as_the_program_takes_it() {
    assert_marked("README.md", "flags", &config::flags_markdown());
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

pub fn assert_accepts(check: &mut Command) {
    let output = check.output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}
