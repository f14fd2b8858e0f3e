//! The file of `--web.config.file`: TLS, client certificates, passwords, headers and a rate limit, in
//! the format of Prometheus's exporter-toolkit.
//!
//! `written` is what stands in the file, the other files what it means. What is documented of the
//! format is done, or refused by name with the reason.

mod ciphers;
mod clients;
mod headers;
mod rate;
mod san;
mod tls;
mod users;
mod written;

use std::fmt;
use std::path::{Path, PathBuf};

pub use rate::RequestRate;
pub use san::Elements as DerElements;
pub use tls::Tls;
pub use users::PasswordHash;

use super::files::{Digest, Files};
use super::mistake::Mistake;
use written::Written;

/// What the file asks for. Nothing, in an empty one.
#[derive(Clone, Default)]
pub struct WebConfig {
    /// None for clear text.
    pub tls: Option<Tls>,
    /// What every answer has, by names and values that HTTP allows.
    pub headers: Vec<(&'static str, String)>,
    /// Names and passwords; without any, nobody is asked for one.
    pub users: Vec<(String, PasswordHash)>,
    pub rate_limit: Option<RequestRate>,
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("tls", &self.tls.is_some())
            .field("headers", &self.headers)
            .field("users", &self.users.len())
            .field("rate_limit", &self.rate_limit)
            .finish()
    }
}

/// A web configuration as it was at one moment.
#[derive(Clone, Debug)]
pub struct WebFile {
    pub path: PathBuf,
    pub config: WebConfig,
    /// Of the file and of all that it names.
    pub digest: Digest,
}

/// Everything that is wrong with a web configuration.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", listed(path, mistakes))]
pub struct WebConfigError {
    path: PathBuf,
    mistakes: Vec<Mistake>,
    digest: Digest,
}

fn listed(path: &Path, mistakes: &[Mistake]) -> String {
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    format!("{}: {}", path.display(), mistakes.join("; "))
}

impl WebConfigError {
    /// Of what was read, as far as it could be.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Each mistake, with the path of the file.
    pub(super) fn mistakes(&self) -> impl Iterator<Item = Mistake> {
        let path = self.path.display();
        let mistakes = self.mistakes.iter();
        mistakes.map(move |mistake| Mistake::sentence(format!("{path}: {mistake}")))
    }
}

impl WebFile {
    /// Reads the file and all that it names, blocking.
    pub fn read(path: &Path) -> Result<Self, WebConfigError> {
        let mut files = Files::beside(path);
        let read = read(path, &mut files);
        let (path, digest) = (path.to_owned(), files.digest());
        match read {
            Ok(config) => Ok(Self {
                path,
                config,
                digest,
            }),
            Err(mistakes) => Err(WebConfigError {
                path,
                mistakes,
                digest,
            }),
        }
    }

    /// Whether the file asks for TLS, as far as that can be read; whatever else is wrong with it.
    pub fn asks_for_tls(path: &Path) -> bool {
        let text = text(path, &mut Files::beside(path));
        let written = text.and_then(|text| written::read(&text).0.ok_or(Vec::new()));
        written.is_ok_and(|written| written.tls.is_some())
    }
}

fn read(path: &Path, files: &mut Files) -> Result<WebConfig, Vec<Mistake>> {
    let (written, mut mistakes) = written::read(&text(path, files)?);
    let config = written.map(|written| meaning(&written, files, &mut mistakes));
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(mistakes),
    }
}

fn text(path: &Path, files: &mut Files) -> Result<String, Vec<Mistake>> {
    let one = |what: String| vec![Mistake::sentence(what)];
    let bytes = files.read_path(path).map_err(|error| {
        one(format!(
            "the file cannot be read ({error}): check path and permissions"
        ))
    })?;
    String::from_utf8(bytes).map_err(|_| one("it is no text in UTF-8; write it anew".to_owned()))
}

fn meaning(written: &Written, files: &mut Files, mistakes: &mut Vec<Mistake>) -> WebConfig {
    let tls = written.tls.as_ref();
    let rate = written.rate_limit.as_ref();
    headers::http2(written.http2.as_ref(), mistakes);
    WebConfig {
        tls: tls.and_then(|(spot, written)| tls::read(written, *spot, files, mistakes)),
        headers: headers::read(&written.headers, mistakes),
        users: users::read(&written.users, mistakes),
        rate_limit: rate.and_then(|written| rate::read(written, mistakes)),
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toolkit_tests;
