//! The database in which replicas share their state: what `--state.url` means.
//!
//! No mistake about a URL holds any of its text: where one is malformed, a password may stand anywhere.

mod complaints;
mod host;
mod parameters;
mod percent;
mod tls;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::ca::CaFile;
use super::mistake::Mistakes;
use super::secret::SecretSource;

pub use host::{DatabaseHost, HostPlace};

/// A database of PostgreSQL that takes writes, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// At least one.
    pub hosts: Vec<DatabaseHost>,
    pub name: String,
    pub user: String,
    /// None: the server trusts us for another reason, such as a certificate.
    pub password: Option<SecretSource>,
    /// None: in the clear.
    pub tls: Option<DatabaseTls>,
    /// For one address of one host.
    pub connect_timeout: Duration,
    pub application_name: String,
}

/// TLS that says who answers: the certificate has to be one for the host's name. A socket needs none.
///
/// All files held what they should when the configuration was read, and are to be read anew at each
/// connection, since certificates are renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseTls {
    /// None: the system's authorities.
    pub ca: Option<CaFile>,
    pub client: Option<ClientCertificate>,
}

/// The PEM files of a client's certificate, with those that lead to its authority, and of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Database {
    /// What this URL means, by which password is not known yet; or nothing and mistakes about this
    /// setting. Reads the files that it names, blocking.
    pub(super) fn read(text: &str, setting: &str, mistakes: &mut Mistakes) -> Option<Self> {
        url::read(text, &mut complaints::Complaints::new(setting, mistakes))
    }

    /// Whether what is said to a server travels where others may listen.
    pub(super) fn is_in_the_clear(&self) -> bool {
        self.tls.is_none() && !self.hosts.iter().all(DatabaseHost::is_here)
    }
}

/// The URL without parameters, from which the same hosts, user and name are read.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", percent::encoded(&self.user))?;
        for (nth, host) in self.hosts.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            write!(f, "{comma}{}", host.in_url())?;
        }
        write!(f, "/{}", percent::encoded(&self.name))
    }
}

#[cfg(test)]
pub(super) mod tests;
#[cfg(test)]
mod tls_tests;
