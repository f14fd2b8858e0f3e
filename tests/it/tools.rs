//! Programs of others that some tests need, such as `promtool`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A command that runs this program, or none if it is not installed here: then the test returns, and
/// its line says that it was skipped. Where `METAACCESS_TESTS_REQUIRE_TOOLS` is set, it fails.
pub fn tool(name: &str) -> Option<Command> {
    let found = running(name, "--version");
    if found.is_none() {
        skip(name);
    }
    found
}

/// A command that runs Helm, or none: it is in none of Debian's packages, so that nobody has to have it.
pub fn helm() -> Option<Command> {
    running("helm", "version")
}

/// A command that runs this program, if it does and can say its version when it is asked so.
fn running(name: &str, version: &str) -> Option<Command> {
    let mut asked = Command::new(name);
    asked.arg(version).stdin(Stdio::null());
    let runs = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
    runs.is_ok_and(|status| status.success())
        .then(|| Command::new(name))
}

/// A command that runs Python, which has this module; or none.
pub fn python_module(name: &str) -> Option<Command> {
    // The system's own first: it has the modules that the system's packages bring.
    for python in ["/usr/bin/python3", "python3"] {
        let mut import = Command::new(python);
        import.args(["-c", &format!("import {name}")]);
        import.stdin(Stdio::null()).stderr(Stdio::null());
        if import.status().is_ok_and(|status| status.success()) {
            return Some(Command::new(python));
        }
    }
    skip(&format!("python3 with {name}"));
    None
}

/// A command that runs Python with a package that `tests/run` unpacked; or none.
pub fn python_package(name: &str) -> Option<Command> {
    let folders = folders_of_path()
        .into_iter()
        .map(|folder| folder.join("python"));
    for folder in folders.filter(|folder| folder.join(name).is_dir()) {
        for python in ["/usr/bin/python3", "python3"] {
            let mut import = Command::new(python);
            import.args(["-c", &format!("import {name}")]);
            import.env("PYTHONPATH", &folder).stderr(Stdio::null());
            if import.status().is_ok_and(|status| status.success()) {
                let mut python = Command::new(python);
                python.env("PYTHONPATH", folder);
                return Some(python);
            }
        }
    }
    skip(&format!("python3 with {name}"));
    None
}

/// A library that can be loaded before a program's own ones, or none if it is neither in a folder of
/// `PATH`, where `tests/run` unpacks it, nor where Debian has it.
pub fn library(name: &str) -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let installed = installed.filter_map(|folder| Some(folder.ok()?.path().join("faketime")));
    file_in(folders_of_path().into_iter().chain(installed), name)
}

/// A file in a folder of `PATH`, such as a program that cannot say its version by itself; or none.
pub fn file_on_path(name: &str) -> Option<PathBuf> {
    file_in(folders_of_path().into_iter(), name)
}

/// The first file of this name in these folders; or none, and the test is skipped.
fn file_in(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    let found = folders
        .map(|folder| folder.join(name))
        .find(|it| it.is_file());
    if found.is_none() {
        skip(name);
    }
    found
}

fn folders_of_path() -> Vec<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// Says that a test is skipped, or fails it where all have to run.
fn skip(name: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let required = std::env::var_os("METAACCESS_TESTS_REQUIRE_TOOLS").is_some();
    assert!(
        !required,
        "{name} is not installed: run the tests by ./tests/run"
    );
    // Written to the stream itself, since the test harness keeps what passing tests print.
    let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed");
}
