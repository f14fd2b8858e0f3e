//! What the man page says that the definitions of the command line do not hold.

pub const DESCRIPTION: [&str; 4] = [
    "It reads the device log and the administrator log of OPSWAT MetaAccess by the vendor's API, \
     counts each line once, and shows the counts to Prometheus.",
    "The logs are read when Prometheus scrapes, and never more often than --api.rate-limit allows. \
     A scrape waits for no longer than it may, and never fails because the API does: \
     metaaccess_up and the metrics beside it say what is wrong.",
    "With --state.path the counts are kept over restarts and crashes. Without it they are in \
     memory, and begin again with the lines of --api.lookback.",
    "Two exporters of one account use its requests twice over: run one, and stop it before \
     another one starts; or let them share their state in a PostgreSQL by --state.url.",
];

pub const WITHOUT_COMMAND: &str =
    "Without a command it serves /metrics of one account, or of all that a file names.";

/// More of a command than its help says.
pub fn of_command(name: &str) -> Option<&'static str> {
    match name {
        "demo" => Some("It takes the flags of Web, Scrape, Metrics and Log."),
        "simulate" => {
            Some("It listens on loopback alone, and takes the flags of Simulator and Log.")
        }
        "check" => Some(
            "It takes all flags but those of Simulator. It spends a request for each log, and \
             one for a token, and may run beside an exporter.",
        ),
        "healthcheck" => Some("It takes --web.listen-address, --web.config.file and those of Log."),
        _ => None,
    }
}

pub const FLAGS: &str = "Every flag may stand before the command or after it, and may be set by its \
    variable instead; the flag wins. An empty variable is as one that is not set. All mistakes are \
    listed at once. Durations are numbers with a unit: 100ms, 5s, 2m, 24h, 7d.";

pub const OTHER_FLAGS: [(&str, &str); 2] = [
    ("-h, --help", "Say what the program, or a command, takes."),
    ("-V, --version", "Say the version."),
];

pub const ENVIRONMENT: &str = "Beside the variables of the flags there are those of secrets, which \
    no flag takes: arguments can be read by every user of a machine. A variable that begins with \
    METAACCESS_ and is not known is told of in the log.";

pub const PROXIES: [(&str, &str); 1] = [(
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
    "A proxy that connects to the API, and the hosts that are asked without it.",
)];

pub const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGHUP",
        "Read the file of accounts and the web configuration anew. What is wrong is logged, and \
         what was there before stays. A changed file is seen within seconds without it.",
    ),
    (
        "SIGTERM, SIGINT",
        "End: answers that are under way have ten seconds, and what was counted is saved.",
    ),
];

pub const PATHS: [(&str, &str); 5] = [
    (
        "/metrics",
        "The metrics; of some accounts by /metrics?account=NAME. --web.telemetry-path names another \
         path.",
    ),
    (
        "/",
        "A page for people: which accounts there are, and how fresh each log is.",
    ),
    ("/-/healthy", "200 while the program runs."),
    (
        "/-/ready",
        "200 while scrapes can be served, whether the API works or not.",
    ),
    (
        "/-/reload",
        "To POST or PUT, with --web.enable-lifecycle: as SIGHUP.",
    ),
];

pub const FILES: [(&str, &str); 4] = [
    (
        "/etc/default/metaaccess-exporter",
        "The variables that the service of the package is started with. Each is explained there.",
    ),
    (
        "/etc/metaaccess-exporter/",
        "Secrets, the file of accounts and the web configuration. Root may write, and the group \
         metaaccess-exporter may read.",
    ),
    (
        "/var/lib/metaaccess-exporter/state.db",
        "The counts of the service, an SQLite file, with -wal, -shm and .lock beside it.",
    ),
    (
        "/usr/share/metaaccess-exporter/",
        "Rules for Prometheus and dashboards for Grafana.",
    ),
];

pub const EXIT_CODES: [(&str, &str); 3] = [
    (
        "0",
        "It was told to end, or what was asked for is done and well.",
    ),
    (
        "1",
        "It could not go on, such as for a state that cannot be written; check or healthcheck \
         found something wrong.",
    ),
    (
        "64",
        "What was typed or configured is wrong. To start it again as it is will not help.",
    ),
];

pub const EXAMPLES: [(&str, &str); 3] = [
    (
        "Without an account, against a built-in simulator:",
        "metaaccess-exporter demo",
    ),
    (
        "Try what is configured, and what the API says to it:",
        "metaaccess-exporter check --api.client-id=YOUR-CLIENT-ID \\\n    \
         --api.client-secret-file=/etc/metaaccess-exporter/client-secret",
    ),
    (
        "The same as a service of the package, after its variables were set:",
        "systemctl enable --now metaaccess-exporter",
    ),
];

pub const SEE_ALSO: [&str; 1] =
    ["prometheus(1), promtool(1), systemctl(1), systemd.exec(5) of LoadCredential="];
