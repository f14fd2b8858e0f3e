//! How long a scrape may take.

use std::time::Duration;

/// Prometheus says here how many seconds it waits.
pub(super) const TIMEOUT_HEADER: &str = "X-Prometheus-Scrape-Timeout-Seconds";

/// What a scraper that says nothing waits: Prometheus's own default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time to the answer: what the scraper waits, less the offset for the way back. Nothing, where
/// the offset is the larger one; and as if the header were absent, where it makes no sense.
pub(super) fn time_to_answer(header: Option<&str>, offset: Duration) -> Duration {
    let seconds = header.and_then(|text| text.trim().parse::<f64>().ok());
    let timeout = seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(DEFAULT_TIMEOUT);
    timeout.saturating_sub(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: Duration = Duration::from_millis(500);

    #[test]
    fn the_scraper_says_how_long_it_waits() {
        assert_eq!(
            time_to_answer(Some("3"), OFFSET),
            Duration::from_millis(2500)
        );
        assert_eq!(
            time_to_answer(Some(" 0.75 "), OFFSET),
            Duration::from_millis(250)
        );
        assert_eq!(time_to_answer(Some("0.25"), OFFSET), Duration::ZERO);
    }

    #[test]
    fn a_scraper_that_says_nothing_sensible_waits_ten_seconds() {
        let sensible = Duration::from_millis(9500);
        for header in [
            None,
            Some(""),
            Some("soon"),
            Some("-1"),
            Some("0"),
            Some("NaN"),
            Some("inf"),
        ] {
            assert_eq!(time_to_answer(header, OFFSET), sensible, "{header:?}");
        }
    }
}
