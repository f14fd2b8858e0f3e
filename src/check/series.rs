//! How many series there would be, and are, against the limits.

use super::finding::{Finding, Name};
use super::page::Page;
use crate::config::Metrics;
use crate::event::EventType;

/// The series that the pages would be, and those that the state holds, against the limits.
pub fn judge(pages: &[(EventType, Page)], kept: Option<u64>, metrics: &Metrics) -> Finding {
    let name = Name::Series;
    let on_page = pages.iter().map(|(log, page)| {
        let Page {
            series,
            events,
            entries,
            ..
        } = page;
        format!("{log}: {series} series of {events} events in these {entries} lines")
    });
    let limit = u64::try_from(metrics.max_series).unwrap_or(u64::MAX);
    let in_state = kept
        .map(|kept| format!("{kept} are in the state, of at most {limit} (--metrics.max-series)"));
    let told: Vec<String> = on_page.chain(in_state).collect();
    if told.is_empty() {
        return Finding::skipped(name, "there is no page to tell them by");
    }
    let message = told.join("; ");
    let events = pages
        .iter()
        .map(|(_, page)| page.events)
        .max()
        .unwrap_or_default();
    if events > metrics.max_events {
        return Finding::warning(
            name,
            message,
            format!(
                "raise --metrics.max-events, which is {}",
                metrics.max_events
            ),
        );
    }
    // The share from which a running exporter warns as well.
    match kept.is_some_and(|kept| kept >= limit - limit / 5) {
        true => Finding::warning(
            name,
            message,
            "raise --metrics.max-series, or use --metrics.hostname=drop: beyond it new ones are counted \
             under hostname __other__",
        ),
        false => Finding::ok(name, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::births::ZeroFor;
    use crate::check::Verdict;
    use crate::hostnames::Hostnames;

    const LIMITS: Metrics = Metrics {
        hostnames: Hostnames::Keep,
        max_series: 100,
        max_events: 5,
        zero_for: ZeroFor::Auto,
        created: false,
    };

    fn page(series: usize, events: usize) -> (EventType, Page) {
        let page = Page {
            entries: 50,
            series,
            events,
            ..Page::default()
        };
        (EventType::Device, page)
    }

    #[test]
    fn series_of_pages_and_state_are_told() {
        let finding = judge(&[page(7, 2)], Some(79), &LIMITS);
        assert_eq!(finding.verdict, Verdict::Ok);
        assert_eq!(
            finding.message,
            "device: 7 series of 2 events in these 50 lines; 79 are in the state, of at most 100 (--metrics.max-series)"
        );
        assert_eq!(judge(&[], None, &LIMITS).verdict, Verdict::Skipped);
    }

    #[test]
    fn a_limit_that_is_near_is_warned_of() {
        let near = judge(&[], Some(80), &LIMITS);
        assert_eq!(near.verdict, Verdict::Warning);
        assert!(
            near.advice
                .is_some_and(|advice| advice.contains("--metrics.max-series"))
        );
        let events = judge(&[page(7, 6)], None, &LIMITS);
        assert!(
            events
                .advice
                .is_some_and(|advice| advice.contains("--metrics.max-events"))
        );
    }
}
