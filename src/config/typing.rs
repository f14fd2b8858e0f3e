//! For the tests: a command line and an environment, as a person would type them.

use std::ffi::OsString;

use super::environment::Environment;
use super::mistake::Problem;
use super::settings::{Command, Config, Exporter};

/// The environment of somebody who has an account.
pub const ACCOUNT: [(&str, &str); 1] = [("METAACCESS_ACCESS_TOKEN", "hunter2")];

/// Reads what was typed after the program's name, its words separated by spaces.
pub fn typed(line: &str, environment: &[(&str, &str)]) -> Result<Config, Problem> {
    let words = ["metaaccess-exporter"]
        .into_iter()
        .chain(line.split_whitespace());
    let environment = Environment::from_iter(environment.iter().copied());
    super::parse(words.map(OsString::from), &environment)
}

/// The exporter that a good line means, for somebody who has an account.
pub fn exporter(line: &str) -> Exporter {
    match typed(line, &ACCOUNT).map(|config| config.command) {
        Ok(Command::Serve(exporter)) => exporter,
        other => panic!("{line:?} does not serve: {other:?}"),
    }
}

/// Everything that is said to be wrong with a line.
pub fn mistakes(line: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match typed(line, environment) {
        Err(Problem::Mistakes(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("{line:?} has no mistakes: {other:?}"),
    }
}

/// The one thing that is said to be wrong with a line, for somebody who has an account.
pub fn mistake(line: &str) -> String {
    let all = mistakes(line, &ACCOUNT);
    assert_eq!(all.len(), 1, "{line:?}: {all:?}");
    all.concat()
}
