//! `rate_limit`: how many requests are looked into.

use std::time::Duration;

use crate::config::duration;
use crate::config::mistake::{Mistake, Wrong};
use crate::config::setting::Setting;
use crate::config::value;
use crate::config::yaml::Spot;

/// A token bucket: so many requests at once, and one more each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// More than nothing.
    pub interval: Duration,
    /// At least one.
    pub burst: u32,
}

/// The section as it was written.
#[derive(Debug)]
pub struct Written {
    pub spot: Spot,
    pub interval: Option<Setting>,
    pub burst: Option<Setting>,
}

/// The limit; none, where the interval is 0.
pub fn read(written: &Written, mistakes: &mut Vec<Mistake>) -> Option<RequestRate> {
    let day = Duration::from_hours(24);
    let interval = match &written.interval {
        Some(given) => given.read(duration::within(Duration::ZERO..=day), mistakes)?,
        None => Duration::ZERO,
    };
    let burst = match &written.burst {
        Some(given) => given.read(value::number(0..=1_000_000_u32), mistakes)?,
        None => 0,
    };
    if interval.is_zero() {
        return None;
    }
    if burst == 0 {
        let spot = written
            .burst
            .as_ref()
            .map_or(written.spot, |given| given.spot);
        let wrong = Wrong::new("at least 1", "with 0 no request would ever be answered");
        mistakes.push(Mistake::sentence(format!(
            "{spot}: rate_limit.burst: {wrong}"
        )));
        return None;
    }
    Some(RequestRate { interval, burst })
}
