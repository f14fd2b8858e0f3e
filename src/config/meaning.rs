//! What was typed -> what it means, or everything that is wrong with it.

use std::net::SocketAddr;
use std::time::Duration;

use super::commandline::Typed;
use super::environment::Environment;
use super::flags::{Chosen, Cli, LogFlags, MetricsFlags, ScrapeFlags, WebFlags};
use super::mistake::{Mistake, Mistakes, Problem};
use super::secret::ACCESS_TOKEN;
use super::settings::{
    Check, Command, Config, Demo, Exporter, Healthcheck, Limits, Log, Metrics, Reading, Web,
};
use super::verb::Verb;
use super::web::WebFile;
use super::{
    account, accounts, address, check, duration, help, hostnames, place, simulate, state, value,
};
use crate::budget::RateLimit;

/// What `demo` allows itself, so that there is something to see soon.
const DEMO_RATE: RateLimit = RateLimit {
    requests: 10,
    window: Duration::from_secs(2),
};

/// The meaning of what was typed. Reads the files that are named, and nothing else.
pub fn of(typed: &Typed, environment: &Environment) -> Result<Config, Problem> {
    let mut mistakes = Mistakes::default();
    let mut warnings = unknown_variables(typed, environment);
    warnings.extend(place::check(typed, environment, &mut mistakes));
    let log = log(&typed.cli.log, &mut mistakes);
    let command = command(typed, environment, &mut mistakes);
    let (log, command) = mistakes.none_in(log.zip(command))?;
    if let Command::Serve(exporter) | Command::Check(Check { exporter, .. }) = &command {
        let of_a_file = exporter.config_file.is_some();
        warnings.extend(accounts::warnings(&exporter.accounts, of_a_file));
        warnings.extend(state::warning(&exporter.state));
    }
    Ok(Config {
        command,
        log,
        warnings,
    })
}

fn unknown_variables(typed: &Typed, environment: &Environment) -> Vec<String> {
    if typed.verb == Verb::Healthcheck {
        // It runs every few seconds, and the exporter beside it has said it already.
        return Vec::new();
    }
    let known = help::known_variables();
    let unknown = environment.unknown(&known).into_iter();
    let warnings = unknown.map(|name| {
        let hint = match name.ends_with("TOKEN") {
            true => format!("; an access token goes into {ACCESS_TOKEN}"),
            false => String::new(),
        };
        format!("{name} is set, but there is no such setting: it is ignored{hint}")
    });
    warnings.collect()
}

fn command(typed: &Typed, environment: &Environment, mistakes: &mut Mistakes) -> Option<Command> {
    let cli = &typed.cli;
    match (typed.verb, &cli.command) {
        (Verb::Serve, _) => exporter(cli, environment, mistakes).map(Command::Serve),
        (Verb::Demo, _) => demo(cli, mistakes).map(Command::Demo),
        (Verb::Healthcheck, _) => healthcheck(&cli.web, mistakes).map(Command::Healthcheck),
        (_, Some(Chosen::Simulate(flags))) => {
            simulate::read(flags, environment, mistakes).map(Command::Simulate)
        }
        (_, Some(Chosen::Check(flags))) => {
            let exporter = exporter(cli, environment, mistakes);
            check::read(flags, exporter, mistakes).map(Command::Check)
        }
        // Each comes with its flags.
        (Verb::Check | Verb::Simulate, _) => None,
    }
}

fn exporter(cli: &Cli, environment: &Environment, mistakes: &mut Mistakes) -> Option<Exporter> {
    let web = web(&cli.web, mistakes);
    let accounts = match &cli.account.config_file {
        Some(given) => accounts::of_file(given, cli, mistakes),
        None => account::of_flags(cli, environment, mistakes).map(|account| (vec![account], None)),
    };
    let timeout_offset = timeout_offset(&cli.scrape, mistakes);
    let metrics = metrics(&cli.metrics, mistakes);
    let state = state::read(&cli.state, environment, mistakes);
    let (accounts, config_file) = accounts?;
    Some(Exporter {
        web: web?,
        accounts,
        config_file,
        timeout_offset: timeout_offset?,
        metrics: metrics?,
        state: state?,
    })
}

fn demo(cli: &Cli, mistakes: &mut Mistakes) -> Option<Demo> {
    let web = web(&cli.web, mistakes);
    let name = mistakes.read(&cli.account.account_name, value::account);
    let reading = account::reading(&cli.api, Some(DEMO_RATE), mistakes);
    let known = reading.as_ref().map(|reading| (DEMO_RATE, reading));
    let limits = limits(cli, known, mistakes);
    let timeout_offset = timeout_offset(&cli.scrape, mistakes);
    let metrics = metrics(&cli.metrics, mistakes);
    let account = (name?, limits?, reading?);
    Some(Demo::new(web?, account, (timeout_offset?, metrics?)))
}

fn web(flags: &WebFlags, mistakes: &mut Mistakes) -> Option<Web> {
    let listen = listen(flags, mistakes);
    let telemetry_path = mistakes.read(&flags.telemetry_path, value::telemetry_path);
    let config = web_config(flags, mistakes);
    let has_lifecycle = mistakes.read(&flags.enable_lifecycle, value::switch);
    let max_connections = mistakes.read(&flags.max_connections, value::number(1..=65_536));
    Some(Web {
        listen: listen?,
        telemetry_path: telemetry_path?,
        config: config?,
        has_lifecycle: has_lifecycle?,
        max_connections: max_connections?,
    })
}

/// The web configuration, or everything that is wrong with it.
fn web_config(flags: &WebFlags, mistakes: &mut Mistakes) -> Option<Option<WebFile>> {
    let path = mistakes.read_if_given(flags.web_config_file.as_ref(), value::path)?;
    let Some(path) = path else {
        return Some(None);
    };
    let read = WebFile::read(&path).map_err(|error| {
        error.mistakes().for_each(|mistake| mistakes.add(mistake));
    });
    read.ok().map(Some)
}

fn listen(flags: &WebFlags, mistakes: &mut Mistakes) -> Option<Vec<SocketAddr>> {
    let mut listen: Vec<SocketAddr> = Vec::new();
    let mut all_read = true;
    for given in &flags.listen_address {
        let Some(read) = mistakes.read(given, address::listen) else {
            all_read = false;
            continue;
        };
        for address in read {
            if address.port() != 0 && listen.contains(&address) {
                mistakes.add(Mistake::about(
                    given.name(),
                    format_args!("{address} is named twice; name it once"),
                ));
            }
            listen.push(address);
        }
    }
    all_read.then_some(listen)
}

fn healthcheck(flags: &WebFlags, mistakes: &mut Mistakes) -> Option<Healthcheck> {
    let web_config = mistakes.read_if_given(flags.web_config_file.as_ref(), value::path);
    let first = listen(flags, mistakes)?.into_iter().next()?;
    if first.port() == 0 {
        mistakes.add(Mistake::about(
            "--web.listen-address",
            "port 0 lets the system choose, so healthcheck cannot know it; name the port",
        ));
    }
    Some(Healthcheck {
        address: address::reached_at(first),
        web_config: web_config?,
    })
}

/// What the account may ask, which needs `known`: its budget and what is read by it.
fn limits(
    cli: &Cli,
    known: Option<(RateLimit, &Reading)>,
    mistakes: &mut Mistakes,
) -> Option<Limits> {
    let timeout = account::timeout(&cli.api, mistakes);
    let min_interval = account::min_interval(cli.scrape.min_interval.as_ref(), mistakes);
    let (rate, reading) = known?;
    Some(Limits {
        rate,
        timeout: timeout?,
        min_interval: min_interval?.unwrap_or_else(|| rate.sparing_interval(reading.logs.len())),
    })
}

fn timeout_offset(flags: &ScrapeFlags, mistakes: &mut Mistakes) -> Option<Duration> {
    let offset = duration::within(Duration::ZERO..=Duration::from_secs(10));
    mistakes.read(&flags.timeout_offset, offset)
}

fn metrics(flags: &MetricsFlags, mistakes: &mut Mistakes) -> Option<Metrics> {
    let hostnames = hostnames::read(flags, mistakes);
    let max_series = mistakes.read(&flags.max_series, value::number(1..=10_000_000));
    let max_events = mistakes.read(&flags.max_events, value::number(1..=10_000));
    let zero_for = mistakes.read(&flags.zero_for, value::zero_for);
    let created = mistakes.read(&flags.created, value::switch);
    Some(Metrics {
        hostnames: hostnames?,
        max_series: max_series?,
        max_events: max_events?,
        zero_for: zero_for?,
        created: created?,
    })
}

fn log(flags: &LogFlags, mistakes: &mut Mistakes) -> Option<Log> {
    let level = mistakes.read(&flags.level, value::log_level);
    let format = mistakes.read(&flags.format, value::log_format);
    Some(Log {
        level: level?,
        format: format?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::config::typing::{ACCOUNT, exporter, mistake, mistakes, typed};
    use crate::config::{LogFormat, LogLevel};
    use crate::event::EventType;
    use crate::plan::OrderSetting;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn an_account_with_a_token_needs_no_flag() {
        let config = typed("", &ACCOUNT).unwrap();
        assert_eq!(
            (config.log.level, config.log.format),
            (LogLevel::Info, LogFormat::Logfmt)
        );
        assert!(config.warnings.is_empty());
        let exporter = exporter("");
        assert_eq!(exporter.web.listen, ["[::]:19720".parse().unwrap()]);
        assert_eq!(exporter.web.telemetry_path, "/metrics");
        let account = &exporter.accounts[0];
        assert_eq!(account.name.as_str(), "default");
        assert_eq!(
            account.endpoint.base_url.as_str(),
            "https://gears.opswat.com/"
        );
        assert!(account.endpoint.ca.is_none());
        assert_eq!(account.limits.rate.to_string(), "10/1m");
        assert_eq!(account.limits.timeout, Duration::from_secs(5));
        assert_eq!(account.reading.logs, EventType::ALL);
        assert_eq!(account.reading.order, OrderSetting::Auto);
        assert_eq!(account.reading.zone.iana_name(), Some("UTC"));
        assert_eq!(account.reading.lookback, 24 * HOUR);
        assert_eq!(account.reading.lateness, Duration::from_secs(120));
        assert_eq!(exporter.timeout_offset, Duration::from_millis(500));
        assert_eq!(
            (exporter.metrics.max_series, exporter.metrics.max_events),
            (20_000, 100)
        );
    }

    #[test]
    fn the_least_interval_leaves_a_fifth_of_the_budget_to_spare() {
        let interval = |line| exporter(line).accounts[0].limits.min_interval;
        assert_eq!(interval(""), Duration::from_secs(15));
        assert_eq!(interval("--api.logs=device"), Duration::from_millis(7_500));
        assert_eq!(
            interval("--api.rate-limit=10/2s"),
            Duration::from_millis(500)
        );
        assert_eq!(
            interval("--scrape.min-interval=20s"),
            Duration::from_secs(20)
        );
        assert_eq!(interval("--scrape.min-interval=0"), Duration::ZERO);
    }

    #[test]
    fn an_interval_that_uses_up_the_budget_is_warned_of() {
        let warnings = |line| typed(line, &ACCOUNT).unwrap().warnings;
        assert_eq!(warnings("--scrape.min-interval=12s"), Vec::<String>::new());
        let warning = warnings("--scrape.min-interval=11s").concat();
        assert!(
            warning.contains("is 11s, but 10/1m is used up by a refresh every 12s"),
            "{warning}"
        );
    }

    #[test]
    fn all_mistakes_are_listed_at_once() {
        let environment = [("METAACCESS_API_LOGS", "device,device")];
        let all = mistakes(
            "--api.timeout 5 --api.base-url http://example.com --log.level loud \
             --web.listen-address 19720 --metrics.max-series 0 --api.rate-limit 10 --state.url x",
            &environment,
        );
        let about = |name: &str| all.iter().any(|mistake| mistake.starts_with(name));
        for name in [
            "--api.timeout \"5\": expected a duration from 100ms to 1m; add the unit: 5s",
            "--api.base-url \"http://example.com\": ",
            "--log.level \"loud\": expected error, warn, info, debug or trace",
            "--web.listen-address \"19720\": ",
            "--metrics.max-series \"0\": expected a number from 1 to 10000000",
            "--api.rate-limit \"10\": ",
            "--state.url: it is no URL of PostgreSQL",
            "METAACCESS_API_LOGS \"device,device\": ",
            "the credential: none is given; name an OAuth client by --api.client-id",
        ] {
            assert!(about(name), "nothing starts with {name:?} in {all:#?}");
        }
        assert_eq!(all.len(), 9, "{all:#?}");
    }

    #[test]
    fn an_address_is_listened_on_once() {
        let line = "--web.listen-address=127.0.0.1:1,[::1]:1 --web.listen-address=:0 --web.listen-address=:0";
        assert_eq!(exporter(line).web.listen.len(), 4);
        assert!(mistake("--web.listen-address=:1,:1").contains("[::]:1 is named twice"));
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let config = typed("", &ACCOUNT).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let simulated = typed("simulate", &[("METAACCESS_SIMULATE_TOKEN", "hunter2")]).unwrap();
        assert!(!format!("{simulated:?}").contains("hunter2"));
    }

    #[test]
    fn the_demo_needs_its_simulator_to_become_an_exporter() {
        let config = typed("demo --account.name=try --api.logs=admin", &[]).unwrap();
        let Command::Demo(demo) = config.command else {
            panic!("{config:?}");
        };
        assert_eq!(demo.rate_limit(), DEMO_RATE);
        let url = "http://127.0.0.1:1/".parse().unwrap();
        let exporter = demo.against(url, Secret::new("hunter2").unwrap());
        assert_eq!(exporter.accounts[0].name.as_str(), "try");
        assert_eq!(
            exporter.accounts[0].endpoint.base_url.as_str(),
            "http://127.0.0.1:1/"
        );
        assert_eq!(
            exporter.accounts[0].limits.min_interval,
            Duration::from_millis(250)
        );
    }

    #[test]
    fn the_simulator_has_its_own_settings() {
        let config = typed(
            "simulate --simulate.rate=0.5 --simulate.fault=500*3,hang --simulate.fault html \
             --simulate.spaces --simulate.order oldest-first --log.level=debug",
            &[("METAACCESS_SIMULATE_SEED", "7")],
        );
        let Ok(Config {
            command: Command::Simulate(simulate),
            log,
            ..
        }) = config
        else {
            panic!("{config:?}");
        };
        assert_eq!(log.level, LogLevel::Debug);
        assert_eq!(simulate.listen, "127.0.0.1:19721".parse().unwrap());
        assert_eq!((simulate.lines_per_minute, simulate.seed), (0.5, 7));
        assert_eq!((simulate.faults.len(), simulate.spaces), (3, true));
        assert!(simulate.token.is_none());
    }

    #[test]
    fn healthcheck_asks_where_the_exporter_listens() {
        let asked = |line: &str| match typed(line, &[]).map(|config| config.command) {
            Ok(Command::Healthcheck(asked)) => asked.address.to_string(),
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(asked("healthcheck"), "127.0.0.1:19720");
        assert_eq!(
            asked("healthcheck --web.listen-address 192.0.2.1:80"),
            "192.0.2.1:80"
        );
        assert!(mistake("healthcheck --web.listen-address=:0").contains("cannot know"));
    }
}
