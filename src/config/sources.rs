//! The two places of one secret: a file that a setting names, and a variable.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::given::Given;
use super::mistake::{Mistake, Mistakes, Wrong};
use super::secret::{Kind, SecretSource};

/// What is said of a secret.
pub struct Words {
    /// What it is.
    pub what: &'static str,
    pub alone: &'static str,
    pub kind: Kind,
}

/// Where a secret was written, which is in one place at most.
pub struct Sources<'a> {
    pub file: Option<&'a Given>,
    pub variable: Option<(&'static str, &'a OsStr)>,
}

impl Sources<'_> {
    /// The setting that gives it, if any does.
    pub fn name(&self) -> Option<String> {
        let variable = self.variable.map(|(name, _)| name.to_owned());
        self.file.map(Given::name).or(variable)
    }

    /// The same without the place in a file.
    pub fn short_name(&self) -> Option<String> {
        let variable = self.variable.map(|(name, _)| name.to_owned());
        self.file.map(Given::short_name).or(variable)
    }

    /// The one source that is given; nothing where none is, and mistakes where it is not good.
    pub fn read(&self, words: &Words, mistakes: &mut Mistakes) -> Option<SecretSource> {
        let Words { what, kind, .. } = words;
        match (self.file, self.variable) {
            (Some(file), None) => of_file(file, words, mistakes),
            (None, Some((name, text))) => kind
                .secret(&text.to_string_lossy())
                .map(SecretSource::Given)
                .map_err(|error| {
                    let mend = format!("{error}; set it to {what} alone");
                    mistakes.add(Mistake::about(name, mend));
                })
                .ok(),
            (Some(file), Some((name, _))) => {
                mistakes.add(Mistake::about(
                    format_args!("{} and {name}", file.name()),
                    format_args!("both give {what}; give one of them"),
                ));
                None
            }
            (None, None) => None,
        }
    }
}

fn of_file(file: &Given, words: &Words, mistakes: &mut Mistakes) -> Option<SecretSource> {
    let Words { alone, kind, .. } = words;
    if *kind == Kind::Token || looks_like_path(file) {
        return mistakes.read(file, |text| secret_file(file.resolved(text), alone, *kind));
    }
    // It may be the password itself, put in the wrong place. A token is told by its form.
    let path = PathBuf::from(file.raw());
    let wrong = match secret_file(path, alone, *kind) {
        Ok(source) => return Some(source),
        Err(wrong) => wrong,
    };
    let name = format!("{} (value not shown)", file.name());
    mistakes.add(Mistake::about(name, wrong));
    None
}

fn looks_like_path(given: &Given) -> bool {
    let text = given.text();
    text.is_some_and(|text| text.starts_with(['/', '.']))
}

fn secret_file(path: PathBuf, expected: &str, kind: Kind) -> Result<SecretSource, Wrong> {
    let source = kind.of_file(path);
    match source.read() {
        Ok(_) => Ok(source),
        Err(error) => Err(Wrong::new(
            expected,
            format!("{error}: check path, permissions and content"),
        )),
    }
}
