//! What was typed: every flag with its help and its default, nothing yet of what the values mean.
//!
//! The doc comments are the help that users read; `commandline` adds default and variable to them.

use clap::{Args, Parser, Subcommand, ValueHint};

use super::given::{Given, GivenParser};
use super::{hostnames, value};
use crate::event::EventType;

/// Prometheus exporter for the OPSWAT MetaAccess event logs that counts every line exactly once.
///
/// Without a command it serves /metrics for one account, or for all of a file. Every flag may stand before or after the
/// command, and can be set by its environment variable instead; the flag wins. Secrets come from
/// files or the environment alone.
#[derive(Debug, Parser)]
#[command(
    name = "metaaccess-exporter",
    bin_name = "metaaccess-exporter",
    version,
    next_line_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Chosen>,
    #[command(flatten)]
    pub web: WebFlags,
    #[command(flatten)]
    pub account: AccountFlags,
    #[command(flatten)]
    pub api: ApiFlags,
    #[command(flatten)]
    pub state: StateFlags,
    #[command(flatten)]
    pub scrape: ScrapeFlags,
    #[command(flatten)]
    pub metrics: MetricsFlags,
    #[command(flatten)]
    pub log: LogFlags,
    #[command(flatten)]
    pub misplaced: MisplacedFlags,
}

/// The command that was chosen; none serves.
#[derive(Debug, Subcommand)]
pub enum Chosen {
    /// Serve /metrics of a built-in simulator of the API: no account needed
    Demo,
    /// Serve only the simulator of the API, for trying things out against it
    Simulate(Box<super::simulate::SimulateFlags>),
    /// Try configuration, credentials and one page of each log, and say what was seen
    Check(Box<super::check::CheckFlags>),
    /// Ask a running exporter's /-/healthy; the exit code is the answer
    Healthcheck,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Web")]
pub struct WebFlags {
    /// Where to listen: `:port` on all interfaces, or an address with its port. Repeatable, or
    /// separated by commas
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":19720"
    )]
    pub listen_address: Vec<Given>,
    /// The path of the metrics
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub telemetry_path: Given,
    /// TLS, client certificates and basic auth: a file in the exporter-toolkit format
    #[arg(long = "web.config.file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub web_config_file: Option<Given>,
    /// Allow a reload of the configuration by POST or PUT to /-/reload
    #[arg(
        long = "web.enable-lifecycle", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = GivenParser::of(&value::SWITCH)
    )]
    pub enable_lifecycle: Given,
    /// The most connections that are answered at the same time, 1 to 65536; health checks find a place
    /// beyond it
    #[arg(
        long = "web.max-connections",
        value_name = "CONNECTIONS",
        default_value = "512"
    )]
    pub max_connections: Given,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Account")]
pub struct AccountFlags {
    /// Several accounts and all their settings: a YAML file
    #[arg(long = "config.file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub config_file: Option<Given>,
    /// The value of the account label, on every series: 1 to 128 characters
    #[arg(long = "account.name", value_name = "NAME", default_value = "default")]
    pub account_name: Given,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "API")]
pub struct ApiFlags {
    /// Where the vendor's API is. Plain http only on loopback
    #[arg(
        long = "api.base-url",
        value_name = "URL",
        default_value = "https://gears.opswat.com"
    )]
    pub base_url: Given,
    /// A file that holds the access token, read again for each request. Instead of
    /// METAACCESS_ACCESS_TOKEN
    #[arg(long = "api.access-token-file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub access_token_file: Option<Given>,
    /// The OAuth client's id, to fetch access tokens with
    #[arg(long = "api.client-id", value_name = "ID")]
    pub client_id: Option<Given>,
    /// A file that holds the OAuth client's secret. Instead of METAACCESS_CLIENT_SECRET
    #[arg(long = "api.client-secret-file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub client_secret_file: Option<Given>,
    /// The most requests in any window, all logs together: requests/duration
    #[arg(
        long = "api.rate-limit",
        value_name = "N/DURATION",
        default_value = "10/1m"
    )]
    pub rate_limit: Given,
    /// Which logs to read: device, admin, or both separated by a comma
    #[arg(long = "api.logs", value_name = "LOGS", default_value = "device,admin", value_parser = GivenParser::of_words(EventType::ALL.map(EventType::as_str)))]
    pub logs: Given,
    /// Which end of a log is on page 1: auto, newest-first or oldest-first
    #[arg(long = "api.order", value_name = "ORDER", default_value = "auto", value_parser = GivenParser::of(&value::ORDERS))]
    pub order: Given,
    /// The time zone of the log's dates and times: an IANA name
    #[arg(long = "api.timezone", value_name = "ZONE", default_value = "UTC")]
    pub timezone: Given,
    /// How much log time before the newest line the first start counts: 0s to 366d
    #[arg(long = "api.lookback", value_name = "DURATION", default_value = "24h")]
    pub lookback: Given,
    /// How much log time is read again for lines that came late: 0s to 24h
    #[arg(long = "api.lateness", value_name = "DURATION", default_value = "2m")]
    pub lateness: Given,
    /// How long one request may take: 100ms to 1m
    #[arg(long = "api.timeout", value_name = "DURATION", default_value = "5s")]
    pub request_timeout: Given,
    /// Certificate authorities to trust instead of the system's: a PEM file
    #[arg(long = "api.ca-file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<Given>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub struct StateFlags {
    /// Where the counts are kept over a restart: an SQLite file
    #[arg(long = "state.path", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub state_path: Option<Given>,
    /// Where replicas share the counts: postgres://user@host:port/name. Not together with
    /// --state.path
    #[arg(long = "state.url", value_name = "URL")]
    pub state_url: Option<Given>,
    /// A file that holds the password of that database, read again for each connection. Instead of
    /// METAACCESS_STATE_PASSWORD
    #[arg(long = "state.password-file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub password_file: Option<Given>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Scrape")]
pub struct ScrapeFlags {
    /// How long before Prometheus gives up a scrape is answered: 0s to 10s
    #[arg(
        long = "scrape.timeout-offset",
        value_name = "DURATION",
        default_value = "0.5s"
    )]
    pub timeout_offset: Given,
    /// A refresh younger than this is served again without a request: 0s to 1h. When not given:
    /// 1.25 × window × logs ÷ requests, so 15s for two logs at 10/1m
    #[arg(long = "scrape.min-interval", value_name = "DURATION")]
    pub min_interval: Option<Given>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsFlags {
    /// What becomes of hostnames: keep, hash (with a key) or drop
    #[arg(long = "metrics.hostname", value_name = "MODE", default_value = "keep", value_parser = GivenParser::of(&hostnames::MODES))]
    pub hostname: Given,
    /// The key for --metrics.hostname=hash: a file
    #[arg(long = "metrics.hostname-key-file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub hostname_key_file: Option<Given>,
    /// The most series of events, 1 to 10000000; beyond it counts go to hostname="__other__"
    #[arg(
        long = "metrics.max-series",
        value_name = "SERIES",
        default_value = "20000"
    )]
    pub max_series: Given,
    /// The most different events of a log, 1 to 10000; beyond it event="__other__"
    #[arg(
        long = "metrics.max-events",
        value_name = "EVENTS",
        default_value = "100"
    )]
    pub max_events: Given,
    /// How long a new series is shown as 0 before it takes its value, so that increase() sees the
    /// first event: auto (a little more than the longest scrape interval), or 0s (not at all) to 1h
    #[arg(
        long = "metrics.zero-for",
        value_name = "DURATION",
        default_value = "auto"
    )]
    pub zero_for: Given,
    /// Add _created to OpenMetrics answers
    #[arg(
        long = "metrics.created", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = GivenParser::of(&value::SWITCH)
    )]
    pub created: Given,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogFlags {
    /// How much is logged: error, warn, info, debug or trace
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", value_parser = GivenParser::of(&value::LOG_LEVELS))]
    pub level: Given,
    /// How a log line is written: logfmt or json
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt", value_parser = GivenParser::of(&value::LOG_FORMATS))]
    pub format: Given,
}

/// Flags that people try for secrets. They exist to be refused without showing what was typed.
#[derive(Debug, Args)]
pub struct MisplacedFlags {
    #[arg(
        long = "api.access-token", aliases = ["api.token", "access-token", "token"], hide = true,
        num_args = 0..=1, default_missing_value = "", value_parser = GivenParser::forgetful()
    )]
    pub access_token: Option<Given>,
    #[arg(
        long = "api.client-secret", aliases = ["client-secret", "api.secret", "secret"],
        hide = true, num_args = 0..=1, default_missing_value = "", value_parser = GivenParser::forgetful()
    )]
    pub client_secret: Option<Given>,
    #[arg(
        long = "state.password", aliases = ["password"], hide = true,
        num_args = 0..=1, default_missing_value = "", value_parser = GivenParser::forgetful()
    )]
    pub state_password: Option<Given>,
}
