//! What the API says of its rate limit, against the one that is set.

use super::finding::{Finding, Name};
use crate::api::v2::RateHeaders;
use crate::budget::RateLimit;
use crate::config::spell;

/// What an answer said.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub headers: RateHeaders,
    /// How many requests of the window were known just then, its own included.
    pub known: u32,
}

/// Holds the last answer that said something against the limit. `knows_the_exporter` is whether the
/// requests of a running exporter would be among those that are known.
pub fn judge(told: &[Told], limit: RateLimit, knows_the_exporter: bool) -> Finding {
    let name = Name::RateLimit;
    if told.is_empty() {
        return Finding::skipped(name, "no answer came that could say it");
    }
    let says = |told: &&Told| told.headers.limit.is_some() || told.headers.remaining.is_some();
    let Some(Told { headers, known }) = told.iter().rev().find(says) else {
        return Finding::ok(
            name,
            format!("the API does not say it; --api.rate-limit is {limit}"),
        );
    };
    let message = said(headers, limit);
    if let Some(allowed) = headers.limit.filter(|allowed| *allowed < limit.requests) {
        let window = spell(limit.window);
        return Finding::warning(
            name,
            message,
            format!(
                "set --api.rate-limit to {}/{window}, or less",
                allowed.max(1)
            ),
        );
    }
    let allowed = headers.limit.unwrap_or(limit.requests);
    let used = allowed.saturating_sub(headers.remaining.unwrap_or(allowed));
    let others = used.saturating_sub(*known);
    if others == 0 {
        return Finding::ok(name, message);
    }
    let whose = match knows_the_exporter {
        true => "another integration uses the same account",
        false => {
            "another integration uses the same account, or an exporter whose state is not named here \
             by --state.path"
        }
    };
    Finding::warning(
        name,
        format!("{message}; {others} of those that are used are others'"),
        format!("{whose}: if it stays, lower --api.rate-limit by its share, here or there"),
    )
}

fn said(headers: &RateHeaders, limit: RateLimit) -> String {
    let number =
        |number: Option<u32>| number.map_or("an untold number".to_owned(), |n| n.to_string());
    let reset = headers.reset.map_or_else(String::new, |reset| {
        format!(", the next is freed in {}", spell(reset))
    });
    format!(
        "the API allows {} requests, {} are left{reset}; --api.rate-limit is {limit}",
        number(headers.limit),
        number(headers.remaining)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::Verdict;

    const LIMIT: RateLimit = RateLimit {
        requests: 10,
        window: Duration::from_secs(60),
    };

    fn told(limit: Option<u32>, remaining: Option<u32>, known: u32) -> Told {
        Told {
            headers: RateHeaders {
                limit,
                remaining,
                ..RateHeaders::default()
            },
            known,
        }
    }

    #[test]
    fn a_limit_that_is_as_set_and_used_by_nobody_else_is_well() {
        let finding = judge(&[told(Some(10), Some(7), 3)], LIMIT, true);
        assert_eq!(finding.verdict, Verdict::Ok);
        assert_eq!(
            finding.message,
            "the API allows 10 requests, 7 are left; --api.rate-limit is 10/1m"
        );
        let more_known = judge(&[told(Some(10), Some(9), 3)], LIMIT, true);
        assert_eq!(more_known.verdict, Verdict::Ok);
        assert_eq!(
            judge(&[told(Some(20), Some(17), 3)], LIMIT, true).verdict,
            Verdict::Ok
        );
    }

    #[test]
    fn a_lower_limit_is_warned_of_with_the_value_to_set() {
        let finding = judge(&[told(Some(5), Some(2), 3)], LIMIT, true);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert_eq!(
            finding.advice.unwrap(),
            "set --api.rate-limit to 5/1m, or less"
        );
    }

    #[test]
    fn requests_of_others_are_told() {
        let finding = judge(&[told(Some(10), Some(3), 3)], LIMIT, true);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(
            finding
                .message
                .contains("4 of those that are used are others'"),
            "{finding:?}"
        );
        let unknown = judge(&[told(None, Some(3), 3)], LIMIT, false);
        assert!(unknown.advice.unwrap().contains("--state.path"));
    }

    #[test]
    fn an_api_that_says_nothing_is_believed() {
        assert_eq!(
            judge(&[told(None, None, 1)], LIMIT, true).verdict,
            Verdict::Ok
        );
        assert_eq!(judge(&[], LIMIT, true).verdict, Verdict::Skipped);
        let last = judge(
            &[told(Some(5), Some(1), 1), told(None, None, 2)],
            LIMIT,
            true,
        );
        assert_eq!(last.verdict, Verdict::Warning);
    }
}
