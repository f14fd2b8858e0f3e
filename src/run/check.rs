//! `check`: looks at configuration, credentials and one page of each log, and says what was seen.

use std::io::{self, Write};
use std::sync::Arc;

use crate::api::client::Clients;
use crate::check::{self, Purse, Report, look_at_state};
use crate::config::{AccountConfig, Check, CheckFormat, Exporter, State};
use crate::store::{Eyes, Sight};

/// Looks at every account, writes what was seen to standard output, and returns whether nothing failed.
pub async fn check(asked: Check) -> bool {
    let Check {
        exporter,
        only,
        format,
    } = asked;
    let Exporter {
        accounts,
        metrics,
        state,
        ..
    } = exporter;
    let is_text = format == CheckFormat::Text;
    let sight = match state {
        State::Memory => None,
        State::File(path) => Some(Arc::new(Sight::File(path))),
        State::Shared(database) => Some(Arc::new(Sight::Database(Box::new(Eyes::on(*database))))),
    };
    let seen = look_at_state(sight.as_deref()).await;
    tell(is_text, &seen.text());
    let mut report = Report {
        state: seen,
        accounts: Vec::new(),
    };
    let (mut clients, mut purses) = (Clients::default(), Vec::new());
    let is_meant = |config: &&AccountConfig| only.is_empty() || only.contains(&config.name);
    for config in accounts.iter().filter(is_meant) {
        let (endpoint, timeout) = (&config.endpoint, config.limits.timeout);
        let client = clients.client(&endpoint.base_url, endpoint.ca.as_ref(), timeout);
        let client = client.map_err(|error| error.to_string());
        let purse = purse_of(config, &mut purses, || {
            Purse::of(config, &accounts, sight.clone())
        });
        let account = check::account(config, client, purse, &metrics, &report.state).await;
        tell(is_text, &account.text());
        report.accounts.push(account);
    }
    tell(is_text, &report.sum());
    tell(!is_text, &report.json());
    report.is_ok()
}

/// What the account has together with those that share its credential: one for all of them.
fn purse_of<'a>(
    config: &AccountConfig,
    purses: &'a mut Vec<Purse>,
    new: impl FnOnce() -> Purse,
) -> &'a mut Purse {
    let known = purses.iter().position(|purse| purse.is_of(config));
    let place = known.unwrap_or_else(|| {
        purses.push(new());
        purses.len() - 1
    });
    &mut purses[place]
}

/// Writes a part of the result. If nobody reads it, nobody does.
fn tell(is_wanted: bool, text: &str) {
    if is_wanted {
        let _ = write!(io::stdout(), "{text}");
    }
}
