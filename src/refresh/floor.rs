//! What an account showed before the database lost some of it: no series is shown as less.

use super::Refresher;
use super::following::Seen;
use crate::series::Series;

/// The series as they were shown. There is one from a loss until all are counted as high again.
#[derive(Debug)]
pub(super) struct Floor {
    series: Series,
    /// How many are not counted as high.
    short: usize,
}

impl Refresher {
    /// From now on no series is shown as less than in `before`, where `after` has less of any.
    pub(super) fn never_less_than(&self, before: &Series, after: &Series) {
        let Some(joint) = self.joint() else { return };
        let short = after.short_of(before);
        if short == 0 {
            return;
        }
        let mut floor = Self::locked(&joint.floor);
        let mut series = before.clone();
        if let Some(floor) = &*floor {
            // It was lost before these were counted.
            series.raise_to(&floor.series);
            series.are_saved();
        }
        *floor = Some(Floor { series, short });
        drop(floor);
        joint.bell.lost();
        tracing::debug!(account = %self.account(), short, "the database has less of this account");
    }

    /// What is to be shown instead of these series, as long as one of them is less than it was.
    pub(super) fn raised(&self, series: &Series, seen: &Seen<'_>) -> Option<Series> {
        let mut held = Self::locked(&self.joint()?.floor);
        let floor = held.as_mut()?;
        let mut shown = series.only(seen.logs);
        floor.short = shown.short_of(&floor.series);
        if floor.short == 0 {
            tracing::info!(account = %self.account(), "the counts have caught up with what was shown");
            *held = None;
            return None;
        }
        shown.raise_to(&floor.series);
        Some(shown)
    }

    /// How many series are shown at the count that the database has lost.
    pub(super) fn short_of_floor(&self) -> usize {
        let floor = self.joint().map(|joint| Self::locked(&joint.floor));
        floor.map_or(0, |floor| floor.as_ref().map_or(0, |floor| floor.short))
    }
}
