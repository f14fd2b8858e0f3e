//! How often a scraper comes, if it comes regularly.

use std::time::Duration;

use crate::moment::Moment;

/// So many intervals have to be alike.
const LEAST: usize = 3;

/// So many scrapers that look the same are taken into account where their intervals tell nothing: two
/// that scrape in turn at equal intervals look like one.
const ALIKE_AT_LEAST: usize = 2;

/// So many scrapers that look the same may scrape in turn.
pub(super) const ALIKE_AT_MOST: usize = 3;

/// So many intervals are looked at: two of each scraper that looks the same.
const REMEMBERED: usize = 2 * ALIKE_AT_MOST;

/// Who comes less often is not waited for.
pub(super) const PERIOD_AT_MOST: Duration = Duration::from_mins(15);

/// When a regular scraper comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// Each of those that look like it comes within this.
    pub(super) length: Duration,
    /// How many of them there are, at most.
    pub(super) alike: usize,
}

/// When a scraper came, and when it is expected.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    last: Moment,
    /// The intervals that are alike, as far as is known, the newest last.
    gaps: Vec<Duration>,
    /// The newest intervals that are not like them, as of a scrape that was missed.
    odd: Vec<Duration>,
    /// When it comes again, if it comes regularly.
    period: Option<Period>,
    /// It was seen by an earlier process, and not by this one.
    is_resumed: bool,
}

impl Rhythm {
    pub(super) fn new(at: Moment) -> Self {
        Self {
            last: at,
            gaps: Vec::new(),
            odd: Vec::new(),
            period: None,
            is_resumed: false,
        }
    }

    /// One that was regular with this period. It is expected as if it had come at `now`.
    pub(super) fn resume(length: Duration, now: Moment) -> Self {
        let alike = ALIKE_AT_LEAST;
        Self {
            period: Some(Period { length, alike }),
            is_resumed: true,
            ..Self::new(now)
        }
    }

    /// It was regular with this period elsewhere. Says whether nothing else was known of it here.
    pub(super) fn is_regular_by(&mut self, length: Duration) -> bool {
        let alike = ALIKE_AT_LEAST;
        let is_new = self.period.is_none() || self.is_resumed;
        self.period.get_or_insert(Period { length, alike });
        is_new
    }

    /// Whether this process has seen it.
    pub(super) fn has_come(&self) -> bool {
        !self.is_resumed
    }

    pub(super) fn last(&self) -> Moment {
        self.last
    }

    /// When it comes again, where it is regular and not overdue: not away for longer than two and a
    /// half of its intervals.
    pub(super) fn period(&self, now: Moment) -> Option<Period> {
        let is_due = |period: &Period| now.since(self.last) <= period.length * 5 / 2;
        self.period.filter(is_due)
    }

    /// It came at this moment.
    pub(super) fn came(&mut self, at: Moment) {
        let gap = at.since(self.last);
        // Answers that were sent in another order than they were asked for tell nothing.
        if gap.is_zero() {
            return;
        }
        self.last = at;
        // What lies between two processes is not its interval.
        if std::mem::take(&mut self.is_resumed) {
            return;
        }
        let overslept = self
            .period
            .is_some_and(|period| gap > period.length * 5 / 2);
        self.gaps.push(gap);
        let surplus = self.gaps.len().saturating_sub(REMEMBERED);
        self.gaps.drain(..surplus);
        if let Some(period) = period_of(&self.gaps) {
            self.period = Some(period);
            self.odd.clear();
        } else if overslept {
            // It was away, and has to show its interval again.
            *self = Self::new(at);
        } else if self.period.is_some() && self.gaps.len() > LEAST {
            self.is_odd(gap);
        }
    }

    /// One scrape that was missed ends no rhythm, but three odd ones may be a new one.
    fn is_odd(&mut self, gap: Duration) {
        self.gaps.pop();
        self.odd.push(gap);
        if self.odd.len() == LEAST {
            self.gaps = std::mem::take(&mut self.odd);
            self.period = period_of(&self.gaps);
        }
    }
}

/// The time within which each of the scrapers behind these intervals comes again, as the newest of
/// them tell. One has its intervals alike; of several that look the same and scrape in turn, every
/// second or third is.
fn period_of(gaps: &[Duration]) -> Option<Period> {
    (1..=ALIKE_AT_MOST).find_map(|alike| {
        let least = LEAST.max(2 * alike);
        let older = 0..(gaps.len() + 1).saturating_sub(least);
        let mut newest = older.filter_map(|older| gaps.get(older..));
        let length = newest.find_map(|gaps| period_of_alike(gaps, alike))?;
        let alike = alike.max(ALIKE_AT_LEAST);
        Some(Period { length, alike })
    })
}

fn period_of_alike(gaps: &[Duration], alike: usize) -> Option<Duration> {
    let mut period = Duration::ZERO;
    for nth in 0..alike {
        let of_nth = gaps.iter().skip(nth).step_by(alike);
        let (shortest, longest) = (of_nth.clone().min()?, of_nth.max()?);
        if *longest > *shortest * 3 / 2 {
            return None;
        }
        period += *longest;
    }
    (period <= PERIOD_AT_MOST).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gaps: &[u64]) -> (Rhythm, Moment) {
        let mut now = Moment(Duration::from_secs(1000));
        let mut rhythm = Rhythm::new(now);
        for gap in gaps {
            now = now.plus(Duration::from_secs(*gap));
            rhythm.came(now);
        }
        (rhythm, now)
    }

    #[track_caller]
    fn assert_period(gaps: &[u64], expected: Option<u64>) {
        let (rhythm, now) = after(gaps);
        assert_eq!(
            rhythm.period(now).map(|period| period.length.as_secs()),
            expected,
            "{gaps:?}"
        );
    }

    #[test]
    fn three_intervals_that_are_alike_make_a_regular_scraper() {
        assert_period(&[], None);
        assert_period(&[15, 15], None);
        assert_period(&[15, 15, 15], Some(15));
        assert_period(&[14, 16, 15, 14], Some(16));
        assert_period(&[15, 15, 30], None);
        assert_period(&[3, 15, 15, 15], Some(15));
        assert_period(&[5, 100, 7], None);
    }

    #[test]
    fn two_or_three_that_look_the_same_come_within_the_sum_of_their_intervals() {
        assert_period(&[3, 12, 3], None);
        assert_period(&[3, 12, 3, 12], Some(15));
        assert_period(&[12, 3, 12, 3, 12], Some(15));
        assert_period(&[2, 4, 9, 2, 4, 9], Some(15));
    }

    #[test]
    fn a_scrape_that_was_missed_ends_no_rhythm() {
        assert_period(&[15, 15, 15, 15, 30], Some(15));
        assert_period(&[15, 15, 15, 15, 30, 15, 15, 30, 15], Some(15));
    }

    #[test]
    fn another_interval_is_soon_the_new_one() {
        assert_period(&[15, 15, 15, 15, 15, 15, 30, 30, 30], Some(30));
        assert_period(&[60, 60, 60, 60, 60, 60, 15, 15, 15], Some(15));
    }

    #[test]
    fn who_is_away_for_long_is_not_regular() {
        let (rhythm, now) = after(&[20, 20, 20]);
        assert!(rhythm.period(now.plus(Duration::from_secs(50))).is_some());
        assert!(rhythm.period(now.plus(Duration::from_secs(51))).is_none());
        assert_period(&[20, 20, 20, 51], None);
        assert_period(&[20, 20, 20, 51, 20, 20], None);
        assert_period(&[20, 20, 20, 51, 20, 20, 20], Some(20));
        assert_period(&[900, 900, 900], Some(900));
        assert_period(&[901, 901, 901], None);
    }

    #[test]
    fn one_that_an_earlier_process_knew_is_regular_until_it_is_overdue() {
        let start = Moment(Duration::from_secs(1000));
        let seconds = |seconds| start.plus(Duration::from_secs(seconds));
        let known = Rhythm::resume(Duration::from_secs(20), start);
        assert!(known.period(seconds(50)).is_some());
        assert!(known.period(seconds(51)).is_none());
        let mut back = known;
        for at in [3, 23, 43, 63, 83] {
            back.came(seconds(at));
            let period = back.period(seconds(at)).map(|period| period.length);
            assert_eq!(period, Some(Duration::from_secs(20)));
        }
    }
}
