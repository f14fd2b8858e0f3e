//! The pace of simulated time: so fast, and not at all in a pause.

use std::time::Duration;

/// Simulated seconds in a real one at most: a day of minutes in every tenth of a second.
const FASTEST: f64 = 1e6;

/// Turns real time since the start into simulated time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Simulated seconds in a real one.
    speed: f64,
    paused_at: Option<Duration>,
    /// Real time spent in pauses that are over.
    paused_for: Duration,
}

impl Pace {
    pub fn new(speed: f64) -> Self {
        Self {
            speed: speed.clamp(0.0, FASTEST),
            paused_at: None,
            paused_for: Duration::ZERO,
        }
    }

    /// Simulated milliseconds since the start, when this much real time has passed.
    pub fn millis(&self, elapsed: Duration) -> u64 {
        let counted = self
            .paused_at
            .unwrap_or(elapsed)
            .saturating_sub(self.paused_for);
        (counted.as_secs_f64() * self.speed * 1000.0) as u64
    }

    /// Stops at this real time since the start; one that has stopped stays as it is.
    pub fn pause(&mut self, elapsed: Duration) {
        self.paused_at.get_or_insert(elapsed);
    }

    /// Goes on from where the pause began.
    pub fn resume(&mut self, elapsed: Duration) {
        if let Some(since) = self.paused_at.take() {
            self.paused_for += elapsed.saturating_sub(since);
        }
    }

    pub fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_leaves_no_gap() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(60.0);
        assert_eq!(pace.millis(seconds(2)), 120_000);
        pace.pause(seconds(2));
        pace.pause(seconds(5));
        assert_eq!(pace.millis(seconds(9)), 120_000);
        pace.resume(seconds(10));
        pace.resume(seconds(12));
        assert_eq!(pace.millis(seconds(12)), 240_000);
    }
}
