//! How much room there is for series, said when it gets scarce.

use std::collections::BTreeMap;

use tracing::warn;

use crate::catalogue::{
    EVENT_NAMES, EVENT_NAMES_LIMIT, NEWBORN_SERIES, OVERFLOWED, OVERFLOWED_SERIES, SERIES,
    SERIES_LIMIT,
};
use crate::event::EventType;
use crate::meters::Meters;
use crate::series::Series;

/// How full a limit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Fill {
    #[default]
    Low,
    /// Four fifths or more.
    High,
    /// What is new finds no room.
    Full,
}

impl Fill {
    fn of(used: usize, limit: usize) -> Self {
        match used {
            used if used >= limit => Self::Full,
            used if used >= limit - limit / 5 => Self::High,
            _ => Self::Low,
        }
    }
}

/// What was said of the limits of an account.
#[derive(Debug, Default)]
pub(super) struct Room {
    series: Fill,
    is_overflow_full: bool,
    events: BTreeMap<EventType, Fill>,
}

impl Room {
    /// Shows how much there is, and warns once where it got scarcer.
    pub(super) fn show(&mut self, account: &str, logs: &[EventType], series: &Series, to: &Meters) {
        let (limits, used) = (series.limits(), series.told_apart());
        to.set(SERIES, &[account], used as f64);
        to.set(SERIES_LIMIT, &[account], limits.series as f64);
        to.set(NEWBORN_SERIES, &[account], series.at_zero().count() as f64);
        to.raise_to(OVERFLOWED, &[account], series.overflowed_lines() as f64);
        let overflowed = series.overflowed_label_sets() as f64;
        to.set(OVERFLOWED_SERIES, &[account], overflowed);
        if series.is_overflow_full() && !std::mem::replace(&mut self.is_overflow_full, true) {
            warn!(
                account,
                overflowed,
                "so many label sets found no room that no new one ever will, even if --metrics.max-series is raised: --metrics.hostname=drop with a new state would have few"
            );
        }
        if rises(&mut self.series, Fill::of(used, limits.series)) {
            warn_of_series(account, self.series, used, limits.series);
        }
        for log in logs {
            let (labels, used) = ([account, log.as_str()], series.event_names(*log));
            to.set(EVENT_NAMES, &labels, used as f64);
            to.set(EVENT_NAMES_LIMIT, &labels, limits.events as f64);
            let said = self.events.entry(*log).or_default();
            if rises(said, Fill::of(used, limits.events)) {
                warn_of_events(account, *log, *said, used, limits.events);
            }
        }
    }
}

/// Whether the fill is higher than what was said of it.
fn rises(said: &mut Fill, now: Fill) -> bool {
    let rises = now > *said;
    *said = now.max(*said);
    rises
}

fn warn_of_series(account: &str, fill: Fill, series: usize, limit: usize) {
    match fill {
        Fill::Full => warn!(
            account,
            series,
            limit,
            "there is no room for more series: lines of new ones are counted under hostname __other__, and always will be. For others, raise --metrics.max-series, or use --metrics.hostname=drop"
        ),
        Fill::Low | Fill::High => warn!(
            account,
            series,
            limit,
            "there is little room left for series: beyond the limit new ones are counted under hostname __other__. Raise --metrics.max-series, or use --metrics.hostname=drop"
        ),
    }
}

fn warn_of_events(account: &str, log: EventType, fill: Fill, events: usize, limit: usize) {
    match fill {
        Fill::Full => warn!(
            account, event_type = %log, events, limit,
            "there is no room for more events: lines of new ones are counted as event __other__, and always will be. For others, raise --metrics.max-events"
        ),
        Fill::Low | Fill::High => warn!(
            account, event_type = %log, events, limit,
            "there is little room left for events: beyond the limit new ones are counted as event __other__. Raise --metrics.max-events"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_when_it_gets_scarce_and_once_when_there_is_none() {
        let mut said = Fill::default();
        let mut warned = Vec::new();
        for used in [0, 79, 80, 81, 79, 99, 100, 100] {
            if rises(&mut said, Fill::of(used, 100)) {
                warned.push(used);
            }
        }
        assert_eq!(warned, [80, 100]);
        assert_eq!(Fill::of(1, 1), Fill::Full);
        assert_eq!(Fill::of(0, 1), Fill::Low);
    }
}
