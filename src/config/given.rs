//! One value as it was typed, with where it came from.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PossibleValue, TypedValueParser, ValueParserFactory};
use clap::parser::ValueSource;
use clap::{Arg, Command};

use super::yaml::Spot;

/// Where a value came from. A file wins over a flag, that over the environment, and all over the
/// default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    Default,
    File(Place),
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    pub spot: Spot,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.spot)
    }
}

/// A value before anybody has asked what it means. Its Debug leaves the value out.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    flag: String,
    origin: Origin,
    text: OsString,
}

impl Given {
    /// The value of a key, such as `accounts[0].base_url`, that stands in a file.
    pub fn in_file(key: String, place: Place, text: String) -> Self {
        Self {
            flag: key,
            origin: Origin::File(place),
            text: text.into(),
        }
    }

    /// The flag's long name without its dashes, such as `api.base-url`; the key in a file.
    pub fn flag(&self) -> &str {
        &self.flag
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the user would look for: `--api.base-url`, `METAACCESS_API_BASE_URL`, or
    /// `accounts.yml: line 3, column 15: accounts[0].base_url`.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::File(place) => format!("{place}: {}", self.flag),
            _ => self.short_name(),
        }
    }

    /// The name without the place, where that is clear.
    pub fn short_name(&self) -> String {
        match &self.origin {
            Origin::Flag | Origin::Default => format!("--{}", self.flag),
            Origin::Environment => variable(&self.flag),
            Origin::File(_) => self.flag.clone(),
        }
    }

    /// What a path means as this value: in a file it is relative to the folder of that.
    pub fn resolved(&self, path: &str) -> PathBuf {
        match &self.origin {
            Origin::File(place) => place.path.parent().unwrap_or(Path::new("")).join(path),
            _ => PathBuf::from(path),
        }
    }

    pub fn raw(&self) -> &OsStr {
        &self.text
    }

    /// The value, or nothing where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.text.to_str()
    }

    /// The value for a message, quoted; nothing where it might hold a password or a token.
    pub fn shown(&self) -> Option<String> {
        let text = self.text.to_string_lossy();
        let secretive = text.contains(['@', '?']) || looks_like_token(&text);
        (!secretive).then(|| format!("{:?}", shortened(&text)))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("flag", &self.flag)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The environment variable of a flag: `api.base-url` is `METAACCESS_API_BASE_URL`.
pub fn variable(flag: &str) -> String {
    let name = flag.replace(['.', '-'], "_").to_ascii_uppercase();
    format!("METAACCESS_{name}")
}

/// Whether a text has the form of the vendor's tokens, a UUID: then it was put in the wrong place.
pub fn looks_like_token(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    digits >= 32 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// As much of a text as a message has room for.
pub fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Takes every value, so that `meaning` can list all mistakes at once instead of clap the first.
#[derive(Clone, Debug, Default)]
pub struct GivenParser {
    environment: Option<OsString>,
    forgets: bool,
    words: Vec<&'static str>,
}

impl GivenParser {
    /// A parser whose default is what the environment says.
    pub fn with_environment(value: &OsStr) -> Self {
        Self {
            environment: Some(value.to_owned()),
            ..Self::default()
        }
    }

    /// A parser for flags that are refused because their value is a secret: it keeps none of it.
    pub fn forgetful() -> Self {
        Self {
            forgets: true,
            ..Self::default()
        }
    }

    /// A parser whose good values are these words, for completion to offer.
    pub fn of_words(words: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            words: words.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A parser whose good values are the words of a table.
    pub fn of<T>(words: &[(&'static str, T)]) -> Self {
        Self::of_words(words.iter().map(|(word, _)| *word))
    }
}

impl TypedValueParser for GivenParser {
    type Value = Given;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Given, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        _command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Given, clap::Error> {
        let (origin, text) = match (&self.environment, source) {
            (_, ValueSource::CommandLine) if self.forgets => (Origin::Flag, OsStr::new("")),
            (_, ValueSource::CommandLine) => (Origin::Flag, value),
            (Some(set), _) => (Origin::Environment, set.as_os_str()),
            (None, _) => (Origin::Default, value),
        };
        Ok(Given {
            flag: arg.and_then(Arg::get_long).unwrap_or_default().to_owned(),
            origin,
            text: text.to_owned(),
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = self.words.iter().map(PossibleValue::new);
        (!self.words.is_empty()).then(|| Box::new(words) as Box<dyn Iterator<Item = _>>)
    }
}

impl ValueParserFactory for Given {
    type Parser = GivenParser;

    fn value_parser() -> GivenParser {
        GivenParser::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Given {
        Given {
            flag: "api.base-url".to_owned(),
            origin: Origin::Flag,
            text: text.into(),
        }
    }

    #[test]
    fn dots_and_dashes_of_a_flag_are_underscores_of_its_variable() {
        assert_eq!(variable("api.base-url"), "METAACCESS_API_BASE_URL");
    }

    #[test]
    fn a_value_is_named_by_where_the_user_wrote_it() {
        let mut given = typed("x");
        assert_eq!(given.name(), "--api.base-url");
        given.origin = Origin::Environment;
        assert_eq!(given.name(), "METAACCESS_API_BASE_URL");
    }

    #[test]
    fn a_value_of_a_file_is_named_by_its_place_and_its_paths_begin_there() {
        let place = Place {
            path: Path::new("conf/accounts.yml").into(),
            spot: Spot {
                line: 3,
                column: 15,
            },
        };
        let given = Given::in_file("accounts[0].ca_file".to_owned(), place, "ca.pem".to_owned());
        assert_eq!(
            given.name(),
            "conf/accounts.yml: line 3, column 15: accounts[0].ca_file"
        );
        assert_eq!(given.resolved("ca.pem"), Path::new("conf/ca.pem"));
        assert_eq!(given.resolved("/ca.pem"), Path::new("/ca.pem"));
        assert_eq!(typed("x").resolved("ca.pem"), Path::new("ca.pem"));
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        assert_eq!(typed("https://me:hunter2@example.com").shown(), None);
        assert_eq!(typed("https://example.com?access_token=x").shown(), None);
        assert_eq!(typed("01234567-89ab-cdef-0123-456789abcdef").shown(), None);
        assert_eq!(typed("a\tb").shown(), Some("\"a\\tb\"".to_owned()));
    }

    #[test]
    fn a_long_value_is_shortened() {
        let shown = typed(&"ä".repeat(500)).shown().unwrap();
        assert_eq!(shown.chars().count(), 83);
    }

    #[test]
    fn debug_leaves_the_value_out() {
        assert!(!format!("{:?}", typed("hunter2")).contains("hunter2"));
    }
}
