//! What is set for an account, in one line without secrets.

use super::finding::{Finding, Name};
use crate::config::{AccountConfig, Credential, spell};
use crate::plan::OrderSetting;

/// What is set; it was found to be good already.
pub fn configuration(config: &AccountConfig) -> Finding {
    let AccountConfig {
        endpoint,
        limits,
        reading,
        ..
    } = config;
    let credential = match endpoint.credential {
        Credential::Token(_) => "an access token",
        Credential::Client { .. } => "an OAuth client",
    };
    let logs = reading.logs.iter().map(|log| log.as_str());
    let order = match reading.order {
        OrderSetting::Auto => "auto",
        OrderSetting::Fixed(order) => order.as_str(),
    };
    Finding::ok(
        Name::Configuration,
        format!(
            "{} by {credential}; logs {}, order {order}, zone {}, {}, lookback {}",
            endpoint.base_url,
            logs.collect::<Vec<_>>().join(" and "),
            reading.zone.iana_name().unwrap_or("without a name"),
            limits.rate,
            spell(reading.lookback)
        ),
    )
}
