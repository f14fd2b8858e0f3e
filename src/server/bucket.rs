//! A token bucket, as the web configuration has it for requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::moment::Moment;

/// A bucket that is full at first, and gets a token back every so often.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    burst: u32,
    /// When it will be full again.
    full_at: Mutex<Moment>,
}

impl Bucket {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst,
            full_at: Mutex::new(Moment(Duration::ZERO)),
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Moment) -> bool {
        let full_at = self.full_at.lock();
        let mut full_at = full_at.unwrap_or_else(PoisonError::into_inner);
        let later = (*full_at).max(now).plus(self.interval);
        let allowed = later.since(now) <= self.interval.saturating_mul(self.burst);
        if allowed {
            *full_at = later;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lets_a_burst_through_and_then_one_each_interval() {
        let bucket = Bucket::new(Duration::from_secs(1), 3);
        let taken = |ms: u64| bucket.take(Moment(Duration::from_millis(100_000 + ms)));
        let at = [
            0, 0, 0, 0, 999, 1000, 1500, 2000, 60_000, 60_000, 60_000, 60_000,
        ];
        let expected = [
            true, true, true, false, false, true, false, true, true, true, true, false,
        ];
        assert_eq!(at.map(taken), expected);
    }
}
