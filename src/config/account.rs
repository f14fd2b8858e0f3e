//! An account: where its logs are, how it knows us, how its lines are read.

use std::time::Duration;

use super::ca::CaFiles;
use super::credential::{Home, credential};
use super::environment::Environment;
use super::flags::{ApiFlags, Cli};
use super::given::Given;
use super::mistake::{Mistake, Mistakes};
use super::secret::Credential;
use super::settings::{AccountConfig, Endpoint, Limits, Reading};
use super::{address, duration, value};
use crate::budget::RateLimit;
use crate::classify::EventRules;
use crate::event::Account;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The one account that is set by flags and the environment.
pub fn of_flags(
    cli: &Cli,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<AccountConfig> {
    let credential = credential(&cli.api, Home::CommandLine(environment), mistakes);
    let settings = Settings {
        name: Some(&cli.account.account_name),
        api: &cli.api,
        min_interval: cli.scrape.min_interval.as_ref(),
    };
    let draft = Draft::of(settings, credential, &mut CaFiles::default(), mistakes)?;
    let logs = draft.logs();
    Some(draft.sharing(logs))
}

/// The values that make an account, wherever they were written.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// None where that was a mistake already.
    pub name: Option<&'a Given>,
    pub api: &'a ApiFlags,
    pub min_interval: Option<&'a Given>,
}

/// An account whose budget may be shared with others that are not known yet.
#[derive(Clone, Debug)]
pub struct Draft {
    name: Account,
    endpoint: Endpoint,
    rate: RateLimit,
    timeout: Duration,
    min_interval: Option<Duration>,
    reading: Reading,
}

impl Draft {
    /// Reads the settings, and what the credential is, which was read already.
    pub fn of(
        settings: Settings<'_>,
        credential: Option<Credential>,
        authorities: &mut CaFiles,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let Settings { name, api, .. } = settings;
        let name = name.and_then(|name| mistakes.read(name, value::account));
        let endpoint = endpoint(api, credential, authorities, mistakes);
        let rate = mistakes.read(&api.rate_limit, value::rate_limit);
        let reading = reading(api, rate, mistakes);
        let timeout = timeout(api, mistakes);
        let min_interval = min_interval(settings.min_interval, mistakes);
        Some(Self {
            name: name?,
            endpoint: endpoint?,
            rate: rate?,
            timeout: timeout?,
            min_interval: min_interval?,
            reading: reading?,
        })
    }

    /// The account, whose budget so many logs share.
    pub fn sharing(self, logs: usize) -> AccountConfig {
        let sparing = || self.rate.sparing_interval(logs);
        AccountConfig {
            name: self.name,
            endpoint: self.endpoint,
            limits: Limits {
                rate: self.rate,
                timeout: self.timeout,
                min_interval: self.min_interval.unwrap_or_else(sparing),
            },
            reading: self.reading,
            labels: Vec::new(),
            rules: EventRules::default(),
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn rate(&self) -> RateLimit {
        self.rate
    }

    /// How many logs it reads.
    pub fn logs(&self) -> usize {
        self.reading.logs.len()
    }
}

fn endpoint(
    flags: &ApiFlags,
    credential: Option<Credential>,
    authorities: &mut CaFiles,
    mistakes: &mut Mistakes,
) -> Option<Endpoint> {
    let base_url = mistakes.read(&flags.base_url, address::base_url);
    let ca = match &flags.ca_file {
        Some(given) => mistakes
            .read(given, |text| authorities.read(&given.resolved(text)))
            .map(Some),
        None => Some(None),
    };
    Some(Endpoint {
        base_url: base_url?,
        credential: credential?,
        ca: ca?,
    })
}

/// How long one request may take.
pub fn timeout(flags: &ApiFlags, mistakes: &mut Mistakes) -> Option<Duration> {
    let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
    mistakes.read(&flags.request_timeout, duration::within(bounds))
}

/// How long a refresh is served again, where it is given.
pub fn min_interval(given: Option<&Given>, mistakes: &mut Mistakes) -> Option<Option<Duration>> {
    mistakes.read_if_given(given, duration::within(Duration::ZERO..=HOUR))
}

/// How the lines are read, by requests of that rate.
pub fn reading(
    flags: &ApiFlags,
    rate: Option<RateLimit>,
    mistakes: &mut Mistakes,
) -> Option<Reading> {
    let logs = mistakes.read(&flags.logs, value::logs);
    let order = mistakes.read(&flags.order, value::order);
    let zone = mistakes.read(&flags.timezone, value::zone);
    let lookback = duration::within(Duration::ZERO..=366 * DAY);
    let lookback = mistakes.read(&flags.lookback, lookback);
    let lateness = mistakes.read(&flags.lateness, duration::within(Duration::ZERO..=DAY));
    if let (Some(rate), Some(logs)) = (rate, &logs)
        && usize::try_from(rate.requests).is_ok_and(|requests| requests < logs.len())
    {
        mistakes.add(Mistake::about(
            flags.rate_limit.name(),
            format_args!(
                "{rate} is less than one request for each of {} logs; allow more, or read one log \
                 by {}",
                logs.len(),
                flags.logs.short_name()
            ),
        ));
    }
    Some(Reading {
        logs: logs?,
        order: order?,
        zone: zone?,
        lookback: lookback?,
        lateness: lateness?,
    })
}

#[cfg(test)]
mod tests {
    use crate::config::typing::{ACCOUNT, exporter, mistake, mistakes};

    #[test]
    fn every_log_needs_its_request() {
        assert!(mistake("--api.rate-limit=1/1m").contains("one request for each of 2 logs"));
        assert_eq!(
            exporter("--api.rate-limit=1/1m --api.logs=admin").accounts[0]
                .limits
                .rate
                .requests,
            1
        );
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_shown() {
        let token = "01234567-89ab-cdef-0123-456789abcdef";
        for flag in ["api.access-token-file", "api.ca-file", "api.timezone"] {
            let all = mistakes(&format!("--{flag}={token}"), &[]).concat();
            assert!(
                all.contains(&format!("--{flag} (value not shown)")),
                "{all}"
            );
            assert!(!all.contains(token), "{all}");
        }
        let all = mistakes("--api.base-url=https://me:hunter2@example.com", &ACCOUNT).concat();
        assert!(!all.contains("hunter2"), "{all}");
    }
}
