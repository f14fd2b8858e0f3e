//! When the lines of a company reach its logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::company::Company;
use super::line::{Line, written};
use super::rng::Rng;
use super::settings::Settings;
use crate::event::{EventType, Minute};

const MINUTE_MS: u64 = 60_000;
/// A late line arrives within so many milliseconds after its minute is over.
const LATEST_MS: u64 = 90_000;

/// A company and its lines on the way to the logs.
#[derive(Debug)]
pub struct Arrivals {
    settings: Arc<Settings>,
    company: Company,
    rng: Rng,
    /// The minute at which simulated time starts.
    start: Minute,
    /// Minutes since the start that the company has lived.
    lived: u64,
    /// Lines to come, by the millisecond since the start at which they arrive, and their number.
    coming: BTreeMap<(u64, u64), Line>,
    numbered: u64,
}

impl Arrivals {
    pub fn new(settings: Arc<Settings>, start: Minute) -> Self {
        Self {
            company: Company::new(settings.seed),
            // Apart from the company's, so that late lines are the same lines, only late.
            rng: Rng::new(settings.seed ^ 0x5eed),
            start,
            lived: 0,
            coming: BTreeMap::new(),
            numbered: 0,
            settings,
        }
    }

    /// The lines of the hours before the start, oldest first. To be asked first, and once.
    pub fn history(&mut self) -> Vec<Line> {
        let minutes = i64::from(self.settings.history_hours) * 60;
        let rate = self.settings.history_rate;
        let past = self.start.minus(minutes).0..self.start.0;
        past.flat_map(|minute| self.live(Minute(minute), rate))
            .collect()
    }

    /// The lines that arrived since the last call and before this millisecond since the start, in
    /// the order of their arrival.
    pub fn due(&mut self, now_ms: u64) -> Vec<Line> {
        while self.lived * MINUTE_MS < now_ms {
            self.live_minute();
        }
        let later = self.coming.split_off(&(now_ms, 0));
        std::mem::replace(&mut self.coming, later)
            .into_values()
            .collect()
    }

    /// One line of this log.
    pub fn one(&mut self, event_type: EventType, minute: Minute) -> Line {
        self.company.happen_in(event_type, minute)
    }

    pub fn company(&self) -> &Company {
        &self.company
    }

    /// Gives the lines of the next minute their moments within it, and late ones theirs after it.
    fn live_minute(&mut self) {
        let begins = self.lived * MINUTE_MS;
        let minute = self.start.minus(-(self.lived as i64));
        for line in self.live(minute, self.settings.rate) {
            let wait = if self.rng.chance(self.settings.late_fraction) {
                MINUTE_MS + self.rng.below(LATEST_MS)
            } else {
                self.rng.below(MINUTE_MS)
            };
            self.numbered += 1;
            self.coming.insert((begins + wait, self.numbered), line);
        }
        self.lived += 1;
    }

    fn live(&mut self, minute: Minute, rate: f64) -> Vec<Line> {
        let hour = written(minute, &self.settings.timezone).hour();
        self.company.live(minute, hour, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(late_fraction: f64) -> Arrivals {
        let settings = Settings {
            rate: 60.0,
            late_fraction,
            ..Settings::default()
        };
        Arrivals::new(Arc::new(settings), Minute(0))
    }

    #[test]
    fn the_lines_of_a_minute_trickle_in_within_it() {
        let mut arrivals = arrivals(0.0);
        arrivals.due(60 * MINUTE_MS);
        for ten_seconds in 1..=6 {
            let lines = arrivals.due(60 * MINUTE_MS + ten_seconds * 10_000);
            assert!(!lines.is_empty(), "none in ten seconds {ten_seconds}");
            assert!(lines.iter().all(|line| line.minute == Minute(60)));
        }
    }

    #[test]
    fn late_lines_are_the_same_lines_only_late() {
        let mut late = arrivals(1.0);
        assert_eq!(late.due(MINUTE_MS), []);
        let mut lines = late.due(5 * MINUTE_MS + LATEST_MS);
        lines.retain(|line| line.minute < Minute(5));
        let mut on_time = arrivals(0.0).due(5 * MINUTE_MS);
        let key = |line: &Line| format!("{line:?}");
        lines.sort_by_key(key);
        on_time.sort_by_key(key);
        assert_eq!(lines, on_time);
    }
}
