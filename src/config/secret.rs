//! Secrets: where they come from, and a wrapping that no log or message shows.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::file;

/// The variable of the access token.
pub const ACCESS_TOKEN: &str = "METAACCESS_ACCESS_TOKEN";
/// The variable of the OAuth client's secret.
pub const CLIENT_SECRET: &str = "METAACCESS_CLIENT_SECRET";
/// The variable of the database's password.
pub const STATE_PASSWORD: &str = "METAACCESS_STATE_PASSWORD";
/// The variable of the token that the simulator takes.
pub const SIMULATE_TOKEN: &str = "METAACCESS_SIMULATE_TOKEN";

/// The variables that have no flag, and what they hold: arguments can be read by every user of a
/// machine.
pub const VARIABLES: [(&str, &str); 4] = [
    (
        ACCESS_TOKEN,
        "The API's access token. Instead of --api.access-token-file",
    ),
    (
        CLIENT_SECRET,
        "The OAuth client's secret. Instead of --api.client-secret-file",
    ),
    (
        STATE_PASSWORD,
        "The password of the database of --state.url. Instead of --state.password-file",
    ),
    (
        SIMULATE_TOKEN,
        "The access token that simulate takes; a well-known one when not set",
    ),
];

/// A secret text. Debug and Display hide it.
#[derive(Clone)]
pub struct Secret(SecretString);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Secret {
    /// Takes a secret in the form of an OAuth token, visible ASCII without spaces, as it was set or
    /// stored; white space round it is no part of it.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(SecretError::Malformed);
        }
        Ok(Self(text.into()))
    }

    /// Takes a password as it was set or stored: a line of any characters. A line break at its end is
    /// no part of it.
    pub fn password(text: &str) -> Result<Self, SecretError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(SecretError::Lines);
        }
        Ok(Self(text.into()))
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a secret looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Password,
}

impl Kind {
    /// Takes a secret as it was set or stored.
    pub fn secret(self, text: &str) -> Result<Secret, SecretError> {
        match self {
            Self::Token => Secret::new(text),
            Self::Password => Secret::password(text),
        }
    }

    /// A file that holds one.
    pub fn of_file(self, path: PathBuf) -> SecretSource {
        match self {
            Self::Token => SecretSource::File(path),
            Self::Password => SecretSource::PasswordFile(path),
        }
    }
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Given(Secret),
    /// A file of a token, which may change while the exporter runs.
    File(PathBuf),
    /// The same of a password.
    PasswordFile(PathBuf),
}

impl SecretSource {
    /// The secret as it is now. A file is read anew each time, blocking.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(path, Kind::Token),
            Self::PasswordFile(path) => read_file(path, Kind::Password),
        }
    }
}

fn read_file(path: &Path, kind: Kind) -> Result<Secret, SecretError> {
    const LONGEST: u64 = 64 * 1024;
    let bytes = file::read(path, LONGEST).map_err(SecretError::Unreadable)?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| match kind {
        Kind::Token => SecretError::Malformed,
        Kind::Password => SecretError::NoText,
    })?;
    kind.secret(text)
}

/// How the API knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token that somebody else renews.
    Token(SecretSource),
    /// An OAuth client, which fetches its tokens itself.
    Client { id: String, secret: SecretSource },
}

/// Why there is no secret where one was to be. Never holds any of what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("there is nothing in it")]
    Empty,
    #[error("it holds spaces, line breaks or other characters that no token has")]
    Malformed,
    #[error("it holds several lines, or other characters that no password has")]
    Lines,
    #[error("it is no text in UTF-8")]
    NoText,
}

impl SecretError {
    /// The fixed short form for labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Empty => "empty",
            Self::Malformed | Self::Lines | Self::NoText => "malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_by_neither_debug_nor_display() {
        let secret = Secret::new("hunter2").unwrap();
        let source = SecretSource::Given(secret.clone());
        assert_eq!(
            format!("{secret:?} {secret} {source:?}"),
            "Secret(…) … Given(Secret(…))"
        );
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn white_space_round_a_secret_is_no_part_of_it() {
        assert_eq!(Secret::new("  hunter2\r\n").unwrap().expose(), "hunter2");
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        for text in [
            "",
            " \n",
            "two words",
            "a\tb",
            "a\u{7f}b",
            "\u{feff}bom",
            "pässword",
        ] {
            let error = Secret::new(text).unwrap_err();
            let trimmed = text.trim();
            assert!(trimmed.is_empty() || !error.to_string().contains(trimmed));
        }
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = SecretSource::File(path.clone());
        assert_eq!(source.read().unwrap_err().reason(), "unreadable");
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(source.read().unwrap().expose(), "first");
        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(source.read().unwrap().expose(), "second");
    }

    #[test]
    fn a_file_that_holds_no_token_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let reason_of = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            SecretSource::File(path.clone())
                .read()
                .unwrap_err()
                .reason()
        };
        assert_eq!(reason_of(b" \n"), "empty");
        assert_eq!(reason_of(b"\xff\xfe"), "malformed");
        assert_eq!(reason_of(&[b'a'; 70_000]), "unreadable");
        let folder = SecretSource::File(folder.path().to_owned());
        assert_eq!(folder.read().unwrap_err().reason(), "unreadable");
    }
}
