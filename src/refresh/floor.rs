//! What an account showed before the database lost some of it: no series is shown as less.

use std::collections::BTreeSet;

use super::Refresher;
use crate::event::EventType;
use crate::series::Series;

/// What was shown once stays.
#[derive(Debug, Default)]
pub(super) struct Floor {
    /// The logs that were shown.
    logs: BTreeSet<EventType>,
    /// From a loss until all are counted as high again.
    lost: Option<Lost>,
}

/// The series that the database has less of, as they were shown.
#[derive(Debug)]
struct Lost {
    series: Series,
    /// How many are not counted as high.
    short: usize,
}

impl Refresher {
    /// From now on none of these series, as they were shown, is shown as less.
    pub(super) fn never_less_than(&self, mut series: Series) {
        let Some(joint) = self.joint().filter(|_| series.number() > 0) else {
            return;
        };
        let mut floor = Self::locked(&joint.floor);
        if let Some(lost) = &floor.lost {
            // They were lost before.
            series.raise_to(&lost.series);
        }
        // Until it is seen how many are counted by now.
        let short = series.number();
        floor.lost = Some(Lost { series, short });
        drop(floor);
        joint.bell.lost();
        tracing::debug!(account = %self.account(), short, "the database has less of this account");
    }

    /// The logs to show where these are complete: what was shown once is not hidden again.
    pub(super) fn logs_to_show(&self, complete: &[EventType]) -> BTreeSet<EventType> {
        let mut logs: BTreeSet<EventType> = complete.iter().copied().collect();
        if let Some(joint) = self.joint() {
            let mut floor = Self::locked(&joint.floor);
            floor.logs.append(&mut logs);
            logs.clone_from(&floor.logs);
        }
        logs
    }

    /// What is to be shown instead of these series, as long as one of them is less than it was.
    pub(super) fn raised(&self, series: &Series, logs: &BTreeSet<EventType>) -> Option<Series> {
        let mut floor = Self::locked(&self.joint()?.floor);
        let lost = floor.lost.as_mut()?;
        lost.short = series.short_of(&lost.series);
        if lost.short == 0 {
            tracing::info!(account = %self.account(), "the counts have caught up with what was shown");
            floor.lost = None;
            return None;
        }
        let mut shown = series.only(logs);
        shown.raise_to(&lost.series);
        Some(shown)
    }

    /// How many series are shown at the count that the database has lost.
    pub(super) fn short_of_floor(&self) -> usize {
        let Some(joint) = self.joint() else { return 0 };
        let floor = Self::locked(&joint.floor);
        floor.lost.as_ref().map_or(0, |lost| lost.short)
    }
}
