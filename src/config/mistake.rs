//! What is wrong with what was typed, in words that say how to mend it.

use std::collections::HashSet;
use std::fmt;

use super::given::Given;

/// Why the program does not start with this command line.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The text of `--help` or `--version`: no mistake, but all that was asked for.
    #[error("{0}")]
    Asked(String),
    /// The command line cannot be read at all: an unknown flag, a value left out.
    #[error("{0}")]
    Unreadable(String),
    /// Everything that is wrong with the values, at once.
    #[error("{}", listed(.0))]
    Mistakes(Vec<Mistake>),
}

impl Problem {
    /// What is said of a command line that cannot be read, in lines.
    pub fn unreadable(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(visible).collect();
        Self::Unreadable(lines.join("\n"))
    }

    /// The exit code: 0 for text that was asked for, else 64, `EX_USAGE` of sysexits.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Asked(_) => 0,
            Self::Unreadable(_) | Self::Mistakes(_) => 64,
        }
    }
}

fn listed(mistakes: &[Mistake]) -> String {
    let head = match mistakes.len() {
        1 => "error: 1 mistake in the configuration:".to_owned(),
        several => format!("error: {several} mistakes in the configuration:"),
    };
    let lines = mistakes.iter().map(|mistake| format!("\n  {mistake}"));
    head + &lines.collect::<String>()
        + "\nEvery setting is described by: metaaccess-exporter --help"
}

/// One mistake: the setting's name, its value where that is no secret, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mistake(String);

impl Mistake {
    /// A mistake about a setting as a whole, or about several together.
    pub fn about(setting: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::sentence(format!("{setting}: {what}"))
    }

    /// A mistake in a sentence of its own.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self(visible(&text.into()))
    }

    /// A value that means nothing for its setting.
    pub fn in_value(given: &Given, wrong: &Wrong) -> Self {
        match given.shown() {
            Some(value) => Self::sentence(format!("{} {value}: {wrong}", given.name())),
            None => Self::sentence(format!("{} (value not shown): {wrong}", given.name())),
        }
    }
}

/// The text on one line, with characters that a terminal would obey, or not show, written out: what
/// was typed wrongly is part of it.
fn visible(text: &str) -> String {
    let escaped = |character: char| match character {
        '"' | '\'' | '\\' => character.to_string(),
        other => other.escape_debug().collect(),
    };
    text.chars().map(escaped).collect()
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a value should have been, and what to write instead. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    expected: String,
    mend: String,
}

impl Wrong {
    pub fn new(expected: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; {}", self.expected, self.mend)
    }
}

/// The mistakes found so far. A value that cannot be read leaves one here and nothing in its place,
/// so that the reading goes on to the next.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub fn add(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// The meaning of a value, or nothing and one mistake more.
    pub fn read<T>(
        &mut self,
        given: &Given,
        meaning: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let read = match given.text() {
            Some(text) => meaning(text),
            None => Err(Wrong::new("text in UTF-8", "write it in UTF-8")),
        };
        read.map_err(|wrong| self.add(Mistake::in_value(given, &wrong)))
            .ok()
    }

    /// As `read`, where a setting that was left out is no mistake.
    pub fn read_if_given<T>(
        &mut self,
        given: Option<&Given>,
        meaning: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        match given {
            Some(given) => self.read(given, meaning).map(Some),
            None => Some(None),
        }
    }

    /// The finished reading, if nothing was wrong with any part of it.
    pub fn none_in<T>(self, whole: Option<T>) -> Result<T, Problem> {
        match whole {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(Problem::Mistakes(self.all())),
        }
    }

    /// All of them. What several accounts have from one flag is wrong once.
    pub fn all(self) -> Vec<Mistake> {
        let mut seen = HashSet::new();
        let mut all = self.0;
        all.retain(|mistake| seen.insert(mistake.clone()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_has_its_line() {
        let problem = Problem::Mistakes(vec![
            Mistake::about("--api.timeout", "too long"),
            Mistake::about("--api.logs", "empty"),
        ]);
        assert_eq!(
            problem.to_string(),
            "error: 2 mistakes in the configuration:\n  --api.timeout: too long\n  --api.logs: empty\n\
             Every setting is described by: metaaccess-exporter --help"
        );
    }

    #[test]
    fn no_mistake_speaks_to_the_terminal() {
        let mistake = Mistake::sentence("a\u{1b}[31m\nb\u{85}\u{202e}c \"d\\e\" Zürich");
        let shown = "a\\u{1b}[31m\\nb\\u{85}\\u{202e}c \"d\\e\" Zürich";
        assert_eq!(mistake.to_string(), shown);
        let problem = Problem::unreadable("no command \u{1b}[31m\n\nusage:\r");
        assert_eq!(problem.to_string(), "no command \\u{1b}[31m\n\nusage:\\r");
    }

    #[test]
    fn asking_for_help_is_no_failure() {
        assert_eq!(Problem::Asked(String::new()).exit_code(), 0);
        assert_eq!(Problem::Unreadable(String::new()).exit_code(), 64);
        assert_eq!(Problem::Mistakes(Vec::new()).exit_code(), 64);
    }
}
