//! What the command line means: plain data, complete and checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use super::accounts::ConfigFile;
use super::ca::CaFile;
use super::database::Database;
use super::duration;
use super::files::Contents;
use super::secret::{Credential, Secret, SecretSource};
use super::simulate::SimulateConfig;
use super::web::WebFile;
use crate::births::ZeroFor;
use crate::budget::RateLimit;
use crate::classify::EventRules;
use crate::event::{Account, EventType};
use crate::hostnames::Hostnames;
use crate::plan::OrderSetting;

/// Everything that was configured. Its Debug shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    pub command: Command,
    pub log: Log,
    /// What the user should know though the program can start; each a sentence for the log.
    pub warnings: Vec<String>,
}

/// What to do, with what that needs.
#[derive(Clone, Debug)]
pub enum Command {
    Serve(Exporter),
    Demo(Demo),
    Simulate(SimulateConfig),
    Healthcheck(Healthcheck),
    Check(Check),
}

/// A question whether a running exporter is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthcheck {
    /// Where it is reached from this machine.
    pub address: SocketAddr,
    /// Its web configuration, which says whether it speaks TLS.
    pub web_config: Option<PathBuf>,
}

/// A look at what an exporter would do.
#[derive(Clone, Debug)]
pub struct Check {
    pub exporter: Exporter,
    /// The accounts to look at; all where none is named.
    pub only: Vec<Account>,
    pub format: CheckFormat,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckFormat {
    Text,
    Json,
}

/// An exporter of at least one account.
#[derive(Clone, Debug)]
pub struct Exporter {
    pub web: Web,
    /// At least one; their names differ.
    pub accounts: Vec<AccountConfig>,
    /// The file in which the accounts are written, to be read again; none where flags set the one.
    pub config_file: Option<WatchedFile>,
    /// How long before the scraper's own deadline an answer is sent.
    pub timeout_offset: Duration,
    pub metrics: Metrics,
    pub state: State,
}

/// Where the counts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nowhere beyond this process.
    Memory,
    /// A file of one exporter.
    File(PathBuf),
    /// A database of several.
    Shared(Box<Database>),
}

/// The file of accounts, and what it and the files that it names held when they were read last.
#[derive(Clone, Debug)]
pub struct WatchedFile {
    pub file: ConfigFile,
    pub contents: Contents,
}

/// An exporter that still lacks the simulator it shall read.
#[derive(Clone, Debug)]
pub struct Demo {
    web: Web,
    name: Account,
    limits: Limits,
    reading: Reading,
    timeout_offset: Duration,
    metrics: Metrics,
}

impl Demo {
    pub(super) fn new(
        web: Web,
        (name, limits, reading): (Account, Limits, Reading),
        (timeout_offset, metrics): (Duration, Metrics),
    ) -> Self {
        Self {
            web,
            name,
            limits,
            reading,
            timeout_offset,
            metrics,
        }
    }

    /// How a browser reaches the exporter.
    pub fn scheme(&self) -> &'static str {
        self.web.scheme()
    }

    /// The budget that the simulator has to grant.
    pub fn rate_limit(&self) -> RateLimit {
        self.limits.rate
    }

    /// How the lines will be read: the simulator has to write them in that zone and order.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The exporter that reads the API at `base_url`, which ends with a slash, by this token.
    pub fn against(self, base_url: Url, token: Secret) -> Exporter {
        Exporter {
            web: self.web,
            accounts: vec![AccountConfig {
                name: self.name,
                endpoint: Endpoint {
                    base_url,
                    credential: Credential::Token(SecretSource::Given(token)),
                    ca: None,
                },
                limits: self.limits,
                reading: self.reading,
                labels: Vec::new(),
                rules: EventRules::default(),
            }],
            config_file: None,
            timeout_offset: self.timeout_offset,
            metrics: self.metrics,
            state: State::Memory,
        }
    }
}

/// The exporter's own HTTP side.
#[derive(Clone, Debug)]
pub struct Web {
    /// At least one. `[::]` stands for all interfaces, those of IPv4 too: where a machine has no
    /// IPv6, bind `0.0.0.0` instead.
    pub listen: Vec<SocketAddr>,
    /// Starts with a slash; none of the exporter's other paths.
    pub telemetry_path: String,
    /// TLS, passwords and the like, as they are at start.
    pub config: Option<WebFile>,
    /// Whether a reload may be asked for by request.
    pub has_lifecycle: bool,
    /// The most connections that are answered at the same time.
    pub max_connections: usize,
}

impl Web {
    /// How a browser reaches it: `https` where TLS is asked for.
    pub fn scheme(&self) -> &'static str {
        let file = self.config.as_ref();
        match file.is_some_and(|file| file.config.tls.is_some()) {
            true => "https",
            false => "http",
        }
    }
}

/// One account: where its logs are, what may be asked, how they are read and shown. Equal is what is
/// read and shown in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    pub name: Account,
    pub endpoint: Endpoint,
    pub limits: Limits,
    pub reading: Reading,
    /// Names and values that every series of its events has, in the order of the names.
    pub labels: Vec<(String, String)>,
    /// What some of its lines are to count as.
    pub rules: EventRules,
}

impl AccountConfig {
    /// Whether the vendor knows the two by one credential, so that they have one budget. Their rate
    /// limits are equal then.
    pub fn shares_with(&self, other: &Self) -> bool {
        self.endpoint.grantee() == other.endpoint.grantee()
    }
}

impl AccountConfig {
    /// Writes what is the same for all accounts of which [`Self::shares_with`] is true, and for no others,
    /// in whichever process. It may hold a token: it is to be hashed by a key.
    pub fn write_grantee(&self, mut write: impl FnMut(&[u8])) {
        let (url, id, path, token) = self.endpoint.grantee();
        for field in [url, id, &path.to_string_lossy(), token] {
            write(&(field.len() as u64).to_le_bytes());
            write(field.as_bytes());
        }
    }
}

/// Whom the API grants a budget: by URL, and client or source of the token.
pub(super) type Grantee<'a> = (&'a str, &'a str, &'a Path, &'a str);

impl Endpoint {
    /// Whom the API takes us for, wherever the secret of a client is kept. It may hold a token.
    pub(super) fn grantee(&self) -> Grantee<'_> {
        let (id, path, token) = match &self.credential {
            Credential::Client { id, .. } => (id.as_str(), Path::new(""), ""),
            Credential::Token(SecretSource::File(path) | SecretSource::PasswordFile(path)) => {
                ("", path.as_path(), "")
            }
            Credential::Token(SecretSource::Given(token)) => ("", Path::new(""), token.expose()),
        };
        (self.base_url.as_str(), id, path, token)
    }
}

/// Where the API is, and how it knows us.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Ends with a slash, so that `join("o/api/v2/logs")` keeps a path prefix.
    pub base_url: Url,
    pub credential: Credential,
    /// Trusted instead of the system's authorities.
    pub ca: Option<CaFile>,
}

/// What the requests of an account may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub rate: RateLimit,
    /// For one request, from its start to the last byte of the answer.
    pub timeout: Duration,
    /// A refresh younger than this is served again.
    pub min_interval: Duration,
}

/// How the lines of an account are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// At least one, each once, in the order of `EventType::ALL`.
    pub logs: Vec<EventType>,
    pub order: OrderSetting,
    /// The zone that the log's dates and times are written in.
    pub zone: TimeZone,
    /// Log time before the newest line that a first start counts.
    pub lookback: Duration,
    /// Log time that is read again for lines that came late.
    pub lateness: Duration,
}

impl std::fmt::Display for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.requests, duration::spell(self.window))
    }
}

#[derive(Clone, Debug)]
pub struct Metrics {
    pub hostnames: Hostnames,
    /// The most series of events, all labels together.
    pub max_series: usize,
    /// The most different events of one log.
    pub max_events: usize,
    /// How long a new series is shown at zero.
    pub zero_for: ZeroFor,
    /// Whether OpenMetrics answers say since when each series is counted.
    pub created: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Logfmt,
    Json,
}
