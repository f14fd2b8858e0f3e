//! The account: where its logs are, how it knows us, how its lines are read.

use std::path::PathBuf;
use std::time::Duration;

use super::ca::CaFile;
use super::environment::Environment;
use super::flags::ApiFlags;
use super::given::Given;
use super::mistake::{Mistake, Mistakes, Wrong};
use super::secret::{ACCESS_TOKEN, Secret, TokenSource};
use super::settings::{Endpoint, Limits, Reading};
use super::{address, duration, value};
use crate::budget::RateLimit;

const DAY: Duration = Duration::from_secs(86_400);

pub fn endpoint(
    flags: &ApiFlags,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<Endpoint> {
    let base_url = mistakes.read(&flags.base_url, address::base_url);
    let token = token(flags.access_token_file.as_ref(), environment, mistakes);
    let ca = mistakes.read_if_given(flags.ca_file.as_ref(), |text| CaFile::read(text.as_ref()));
    Some(Endpoint {
        base_url: base_url?,
        token: token?,
        ca: ca?,
    })
}

fn token(
    file: Option<&Given>,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<TokenSource> {
    let mistake = match (file, environment.get(ACCESS_TOKEN)) {
        (Some(file), None) => return mistakes.read(file, token_file),
        (None, Some(text)) => match Secret::new(&text.to_string_lossy()) {
            Ok(secret) => return Some(TokenSource::Given(secret)),
            Err(error) => Mistake::about(
                ACCESS_TOKEN,
                format_args!("{error}; set it to the access token alone"),
            ),
        },
        (Some(file), Some(_)) => Mistake::about(
            format_args!("{} and {ACCESS_TOKEN}", file.name()),
            "both give the access token; give one of them",
        ),
        (None, None) => Mistake::about(
            "the access token",
            format_args!(
                "none is given; set {ACCESS_TOKEN}, or write it to a file and name that by \
                 --api.access-token-file (without an account, try: metaaccess-exporter demo)"
            ),
        ),
    };
    mistakes.add(mistake);
    None
}

fn token_file(text: &str) -> Result<TokenSource, Wrong> {
    let source = TokenSource::File(PathBuf::from(text));
    match source.read() {
        Ok(_) => Ok(source),
        Err(error) => Err(Wrong::new(
            "a file that holds the access token alone",
            format!("{error}: check path, permissions and content"),
        )),
    }
}

pub fn limits(
    flags: &ApiFlags,
    rate: Option<RateLimit>,
    mistakes: &mut Mistakes,
) -> Option<Limits> {
    let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
    let timeout = mistakes.read(&flags.request_timeout, duration::within(bounds));
    Some(Limits {
        rate: rate?,
        timeout: timeout?,
    })
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
    use crate::config::Command;
    use crate::config::typing::{ACCOUNT, exporter, mistake, mistakes, typed};

    #[test]
    fn every_log_needs_its_request() {
        assert!(mistake("--api.rate-limit=1/1m").contains("one request for each of 2 logs"));
        assert_eq!(
            exporter("--api.rate-limit=1/1m --api.logs=admin")
                .account
                .limits
                .rate
                .requests,
            1
        );
    }

    #[test]
    fn the_token_has_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\n").unwrap();
        let line = format!("--api.access-token-file={}", path.display());
        let config = typed(&line, &[]).unwrap();
        let Command::Serve(exporter) = config.command else {
            panic!("{config:?}");
        };
        assert_eq!(
            exporter.account.endpoint.token.read().unwrap().expose(),
            "hunter2"
        );
        let both = mistake(&line);
        assert!(
            both.starts_with("--api.access-token-file and METAACCESS_ACCESS_TOKEN: "),
            "{both}"
        );
        assert!(!both.contains("hunter2"));
        std::fs::write(&path, "").unwrap();
        assert!(
            mistakes(&line, &[])
                .concat()
                .contains("there is nothing in it")
        );
        std::fs::remove_file(&path).unwrap();
        assert!(mistakes(&line, &[]).concat().contains("cannot be read"));
    }

    #[test]
    fn a_broken_token_is_refused_without_being_shown() {
        let all = mistakes("", &[("METAACCESS_ACCESS_TOKEN", "hunter2 hunter3")]);
        assert!(
            all[0].starts_with("METAACCESS_ACCESS_TOKEN: it holds spaces"),
            "{all:?}"
        );
        assert!(!all.concat().contains("hunter"));
        let all = mistakes("", &[("METAACCESS_ACCESS_TOKEN", " \n")]);
        assert!(
            all[0].starts_with("METAACCESS_ACCESS_TOKEN: there is nothing in it"),
            "{all:?}"
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
