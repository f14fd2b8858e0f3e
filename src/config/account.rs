//! The account: where its logs are, how it knows us, how its lines are read.

use std::time::Duration;

use super::ca::CaFile;
use super::credential::credential;
use super::environment::Environment;
use super::flags::{ApiFlags, ScrapeFlags};
use super::mistake::{Mistake, Mistakes};
use super::settings::{Endpoint, Reading};
use super::{address, duration, value};
use crate::budget::RateLimit;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

pub fn endpoint(
    flags: &ApiFlags,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<Endpoint> {
    let base_url = mistakes.read(&flags.base_url, address::base_url);
    let credential = credential(flags, environment, mistakes);
    let ca = mistakes.read_if_given(flags.ca_file.as_ref(), |text| CaFile::read(text.as_ref()));
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
pub fn min_interval(flags: &ScrapeFlags, mistakes: &mut Mistakes) -> Option<Option<Duration>> {
    let bounds = Duration::ZERO..=HOUR;
    mistakes.read_if_given(flags.min_interval.as_ref(), duration::within(bounds))
}

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
                 by --api.logs",
                logs.len()
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
