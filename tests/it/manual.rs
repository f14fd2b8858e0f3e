//! The man page and the completions: that they have every flag, that they are sound, and that a shell
//! completes by them.

use std::fs;
use std::path::Path;
use std::process::Command;

use metaaccess_exporter::config::table::rows;

use crate::documents::assert_accepts;
use crate::manual_source;
use crate::tools::{library, tool};

const DAY: &str = "2026-11-25";

fn written(name: &str) -> String {
    let files = manual_source::files(DAY).expect("they can be written");
    let file = files.into_iter().find(|file| file.name == name);
    file.unwrap_or_else(|| panic!("no {name}")).text
}

/// A man page as its source has it, without what makes letters bold and dashes dashes.
fn plain(page: &str) -> String {
    ["\\fB", "\\fR", "\\fI"]
        .iter()
        .fold(page.to_owned(), |text, font| text.replace(font, ""))
        .replace("\\-", "-")
        .replace("\\&", "")
}

#[test]
fn the_man_page_has_every_setting_with_default_and_variable() {
    let page = plain(&written("metaaccess-exporter.1"));
    for row in rows() {
        let begin = match row.flag.is_empty() {
            true => format!("\n.TP\n{}\n", row.variable),
            false => format!("\n.TP\n{}=", row.flag),
        };
        let (_, entry) = page.split_once(&begin).unwrap_or_else(|| panic!("{begin}"));
        let entry = entry.split("\n.TP\n").next().unwrap_or_default();
        if !row.flag.is_empty() {
            assert!(
                entry.contains(&format!("\nVariable: {}.", row.variable)),
                "{entry}"
            );
        }
        if !row.default.is_empty() {
            assert!(
                entry.contains(&format!("\nDefault: {}.\n", row.default)),
                "{entry}"
            );
        }
    }
}

#[test]
fn the_man_page_has_every_command_and_no_flag_that_is_refused() {
    let page = plain(&written("metaaccess-exporter.1"));
    for command in ["demo", "simulate", "check", "healthcheck"] {
        assert!(page.contains(&format!("\n.TP\n{command}\n")), "{command}");
    }
    let all: String = [
        "metaaccess-exporter.bash",
        "_metaaccess-exporter",
        "metaaccess-exporter.fish",
    ]
    .map(written)
    .concat();
    for refused in [
        "api.access-token",
        "api.client-secret",
        "simulate.token",
        "state.password",
    ] {
        for end in [" ", "=", "'", "\n"] {
            let flag = format!("{refused}{end}");
            assert!(!page.contains(&format!("--{flag}")), "{flag}");
            assert!(!all.contains(&format!("--{flag}")), "{flag}");
            assert!(!all.contains(&format!("-l {flag}")), "{flag}");
        }
    }
}

#[test]
fn mandoc_finds_nothing_wrong_with_the_man_page() {
    let Some(mandoc) = library("mandoc") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("metaaccess-exporter.1");
    fs::write(&page, written("metaaccess-exporter.1")).expect("written");
    assert_accepts(Command::new(mandoc).args(["-Tlint", "-Wwarning"]).arg(page));
}

#[test]
fn the_foot_of_the_man_page_says_the_day_that_it_is_told() {
    assert_eq!(
        manual_source::day_of("1764028800").expect("a day"),
        "2025-11-25"
    );
    assert!(manual_source::day_of("yesterday").is_err());
    let page = written("metaaccess-exporter.1");
    let version = concat!("metaaccess-exporter ", env!("CARGO_PKG_VERSION"));
    let head = format!(".TH metaaccess-exporter 1 {DAY} \"{version}\" \"User Commands\"\n");
    assert!(page.contains(&head), "{page}");
}

/// What bash offers after these words, of which the last is not finished.
fn offered(bash: &Command, script: &Path, words: &[&str]) -> Vec<String> {
    // With these words bash calls the function that `complete` names.
    let ask = r#"
        source "$1" && shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        function=$(complete -p metaaccess-exporter | sed -E 's/.* -F ([^ ]+) .*/\1/')
        "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut command = Command::new(bash.get_program());
    command.args(["--norc", "-c", ask, "bash"]).arg(script);
    let output = command.args(words).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_words_and_paths() {
    let Some(bash) = tool("bash") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("completions");
    fs::write(&script, written("metaaccess-exporter.bash")).expect("written");
    let program = "metaaccess-exporter";
    let levels = ["error", "warn", "info", "debug", "trace"];
    let words = |words: &[&str]| offered(&bash, &script, &[&[program], words].concat());

    let first = words(&[""]);
    for command in ["demo", "simulate", "check", "healthcheck"] {
        assert!(first.iter().any(|word| word == command), "{first:?}");
    }
    let of_simulate = words(&["simulate", "--"]);
    let of_check = words(&["check", "--"]);
    for row in rows().iter().filter(|row| !row.flag.is_empty()) {
        let offers = if row.flag.starts_with("--simulate") {
            &of_simulate
        } else {
            &of_check
        };
        assert!(offers.contains(&row.flag), "{}", row.flag);
    }
    assert_eq!(words(&["--log.level", ""]), levels);
    assert_eq!(words(&["--log.level", "="]), levels);
    assert_eq!(words(&["check", "--log.level", "=", "w"]), ["warn"]);
    assert_eq!(words(&["check", "--format", ""]), ["text", "json"]);
    let path = script.to_string_lossy().into_owned();
    assert_eq!(
        words(&["--config.file", "=", &path[..path.len() - 1]]),
        [path]
    );
}

#[test]
fn zsh_and_fish_are_offered_every_flag_too() {
    let (zsh, fish) = (
        written("_metaaccess-exporter"),
        written("metaaccess-exporter.fish"),
    );
    for row in rows().iter().filter(|row| !row.flag.is_empty()) {
        assert!(zsh.contains(&format!("{}=", row.flag)), "{}", row.flag);
        let name = row.flag.trim_start_matches('-');
        assert!(fish.contains(&format!(" -l {name} ")), "{name}");
    }
}
