//! Why there is no connection to the database, in words that say how to mend it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use tokio_postgres::error::{DbError, SqlState};

use crate::causes::causes;
use crate::config::{Database, DatabaseHost};
use crate::store::error::Cause;

pub(super) type BoxedCause = Box<dyn Error + Send + Sync>;

/// There is no connection to the database. It holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "no address is known of the database's host {host}: check its name in --state.url and the name servers"
    )]
    Unknown {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database's host {host} cannot be reached: see that it runs, takes connections there, and that no firewall is between"
    )]
    Unreachable {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database's host {host} did not answer within {limit:?}: see that it runs and that no firewall is between, or set connect_timeout in --state.url to more"
    )]
    TimedOut { host: String, limit: Duration },
    #[error("the database's host {host} is starting up or shutting down ({words}): wait for it")]
    Unavailable { host: String, words: String },
    #[error(
        "the database's host {host} has no room for a connection ({words}): raise its max_connections, or end connections of others"
    )]
    Crowded { host: String, words: String },
    #[error("the connection to the database's host {host} broke off: see the log of the server")]
    Lost {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "no host takes writes: {hosts} can only be read, as a standby can: promote one, or name the primary in --state.url"
    )]
    ReadOnly { hosts: String },
    #[error(
        "the database's host {host} does not take the password of {user}: give the one it knows by --state.password-file or METAACCESS_STATE_PASSWORD"
    )]
    Password { host: String, user: String },
    #[error(
        "the database's host {host} asks for a password of {user}, and none is given: give it by --state.password-file or METAACCESS_STATE_PASSWORD"
    )]
    NoPassword { host: String, user: String },
    #[error(
        "the database's host {host} does not let {user} in ({words}): let it in by the server's pg_hba.conf and grants, or name another user in --state.url"
    )]
    Refused {
        host: String,
        user: String,
        words: String,
    },
    #[error(
        "the database's host {host} has no database {name}: create it, or name another in --state.url"
    )]
    NoDatabase { host: String, name: String },
    #[error(
        "the database's host {host} has a certificate that is not trusted: sslrootcert in --state.url names the authorities that are"
    )]
    Untrusted {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database's host {host} has a certificate for other names: use one of them in --state.url, or issue one for this name"
    )]
    OtherName {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database's host {host} does not take this client's certificate: sslcert and sslkey in --state.url name one that an authority of the server's ssl_ca_file issued"
    )]
    ClientCertificate {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database's host {host} has no TLS: switch it on there (ssl = on), or write sslmode=disable in --state.url if nobody can listen or answer in its place"
    )]
    NoTls { host: String },
    #[error("cannot read the password of the database: check --state.password-file")]
    Secret(#[source] Cause),
    #[error("cannot use {path}, which {parameter} in --state.url names: check path and content")]
    File {
        path: PathBuf,
        parameter: &'static str,
        #[source]
        cause: Cause,
    },
    #[error("the database's host {host} cannot be used: see the log of the server")]
    Other {
        host: String,
        #[source]
        cause: Cause,
    },
    #[error("cannot connect to the database: this points to an error in the exporter")]
    Broken(#[source] Cause),
}

impl ConnectError {
    /// Every value of [`ConnectError::reason`].
    #[cfg(test)]
    pub const REASONS: [&str; 15] = [
        "unknown_host",
        "unreachable",
        "timeout",
        "unavailable",
        "crowded",
        "lost",
        "read_only",
        "password",
        "refused",
        "no_database",
        "certificate",
        "client_certificate",
        "no_tls",
        "files",
        "other",
    ];

    /// The value of the `reason` label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_host",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timeout",
            Self::Unavailable { .. } => "unavailable",
            Self::Crowded { .. } => "crowded",
            Self::Lost { .. } => "lost",
            Self::ReadOnly { .. } => "read_only",
            Self::Password { .. } | Self::NoPassword { .. } => "password",
            Self::Refused { .. } => "refused",
            Self::NoDatabase { .. } => "no_database",
            Self::Untrusted { .. } | Self::OtherName { .. } => "certificate",
            Self::ClientCertificate { .. } => "client_certificate",
            Self::NoTls { .. } => "no_tls",
            Self::Secret(_) | Self::File { .. } => "files",
            Self::Other { .. } | Self::Broken(_) => "other",
        }
    }

    /// Whether somebody has to mend it; what is not will pass by itself.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Unknown { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Unavailable { .. }
            | Self::Crowded { .. }
            | Self::Lost { .. }
            | Self::ReadOnly { .. }
            | Self::Other { .. } => false,
            Self::Password { .. }
            | Self::NoPassword { .. }
            | Self::Refused { .. }
            | Self::NoDatabase { .. }
            | Self::Untrusted { .. }
            | Self::OtherName { .. }
            | Self::ClientCertificate { .. }
            | Self::NoTls { .. }
            | Self::Secret(_)
            | Self::File { .. }
            | Self::Broken(_) => true,
        }
    }

    pub(super) fn file(path: &Path, parameter: &'static str, cause: impl Into<BoxedCause>) -> Self {
        Self::File {
            path: path.to_owned(),
            parameter,
            cause: Arc::from(cause.into()),
        }
    }

    /// Of the failures of two hosts the one that says more: what somebody has to mend first, and that
    /// a host can only be read last. All that can only be read are named.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::ReadOnly { hosts }, Self::ReadOnly { hosts: others }) => Self::ReadOnly {
                hosts: format!("{hosts} and {others}"),
            },
            (one, other) if other.rank() < one.rank() => other,
            (one, _) => one,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            error if error.is_permanent() => 0,
            Self::ReadOnly { .. } => 2,
            _ => 1,
        }
    }
}

/// Who was to be let in where, for the words of an error.
#[derive(Debug)]
pub(super) struct Whom {
    host: String,
    user: String,
    name: String,
}

impl Whom {
    pub(super) fn new(host: &DatabaseHost, database: &Database) -> Self {
        Self {
            host: host.to_string(),
            user: database.user.clone(),
            name: database.name.clone(),
        }
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    pub(super) fn unknown(&self, cause: BoxedCause) -> ConnectError {
        ConnectError::Unknown {
            host: self.host(),
            cause: Arc::from(cause),
        }
    }

    pub(super) fn unreachable(&self, error: io::Error) -> ConnectError {
        ConnectError::Unreachable {
            host: self.host(),
            cause: Arc::new(error),
        }
    }

    pub(super) fn timed_out(&self, limit: Duration) -> ConnectError {
        ConnectError::TimedOut {
            host: self.host(),
            limit,
        }
    }

    pub(super) fn without_tls(&self) -> ConnectError {
        ConnectError::NoTls { host: self.host() }
    }

    pub(super) fn read_only(&self) -> ConnectError {
        ConnectError::ReadOnly { hosts: self.host() }
    }

    pub(super) fn untrusted(&self, cause: impl Error + Send + Sync + 'static) -> ConnectError {
        ConnectError::Untrusted {
            host: self.host(),
            cause: Arc::new(cause),
        }
    }

    /// What an error on the way means.
    pub(super) fn of_io(&self, error: io::Error) -> ConnectError {
        let (host, tls) = (self.host(), of_tls(&error).cloned());
        let cause: Cause = Arc::new(error);
        match tls {
            Some(error) => self.of_tls(error),
            None => ConnectError::Lost { host, cause },
        }
    }

    fn of_tls(&self, error: rustls::Error) -> ConnectError {
        let host = self.host();
        let cause: Cause = Arc::new(error.clone());
        match error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => ConnectError::OtherName { host, cause },
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                ConnectError::Untrusted { host, cause }
            }
            rustls::Error::AlertReceived(alert) if is_of_certificate(alert) => {
                ConnectError::ClientCertificate { host, cause }
            }
            _ => ConnectError::Other { host, cause },
        }
    }

    /// What an error of a session means, which was given a password or not.
    pub(super) fn of_postgres(
        &self,
        error: tokio_postgres::Error,
        has_password: bool,
    ) -> ConnectError {
        if let Some(said) = error.as_db_error() {
            return self.of_server(said);
        }
        if let Some(tls) = of_tls(&error) {
            return self.of_tls(tls.clone());
        }
        let (host, user) = (self.host(), self.user.clone());
        if !has_password && error.to_string() == "invalid configuration" {
            return ConnectError::NoPassword { host, user };
        }
        let is_lost = error.is_closed() || error.source().is_some_and(|it| it.is::<io::Error>());
        let words = innermost(&error).to_string();
        let is_of_key = error.to_string() == "authentication error";
        let cause: Cause = Arc::new(error);
        match (is_of_key, is_lost) {
            (true, _) => ConnectError::Refused { host, user, words },
            (_, true) => ConnectError::Lost { host, cause },
            _ => ConnectError::Other { host, cause },
        }
    }

    fn of_server(&self, said: &DbError) -> ConnectError {
        let (host, user) = (self.host(), self.user.clone());
        let words = said.message().to_owned();
        match said.code() {
            code if *code == SqlState::INVALID_PASSWORD => ConnectError::Password { host, user },
            code if *code == SqlState::INVALID_CATALOG_NAME => ConnectError::NoDatabase {
                host,
                name: self.name.clone(),
            },
            code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                || *code == SqlState::INSUFFICIENT_PRIVILEGE =>
            {
                ConnectError::Refused { host, user, words }
            }
            // Of resources, and of an operator who steps in: each class as a whole.
            code if code.code().starts_with("53") => ConnectError::Crowded { host, words },
            code if code.code().starts_with("57P") => ConnectError::Unavailable { host, words },
            _ => ConnectError::Other {
                host,
                cause: Arc::from(BoxedCause::from(said.to_string())),
            },
        }
    }
}

fn is_of_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
            | Alert::DecryptError
    )
}

/// The error of TLS among the causes, which errors of I/O hold without naming it as their source.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let held = |cause: &'a (dyn Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        let held = io.and_then(io::Error::get_ref);
        let held = held.and_then(|held| held.downcast_ref());
        cause.downcast_ref().or(held)
    };
    causes(error).find_map(held)
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
