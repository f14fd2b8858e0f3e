//! The only reader of time: everything else is told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// The time since the machine started, sleep included. No setting of the wall clock moves it, and
/// processes of one machine agree on it, so that a request window outlives a restart.
#[cfg(target_os = "linux")]
pub fn now() -> Moment {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Moment(Duration::new(seconds, nanos))
}

/// Which start of which machine [`now`] counts from; empty where that cannot be told.
#[cfg(target_os = "linux")]
pub fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The time since the first reading in this process, by the monotonic clock.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is the room for it")]
pub fn now() -> Moment {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    Moment(START.get_or_init(std::time::Instant::now).elapsed())
}

/// Which start of which machine [`now`] counts from: here it cannot be told.
#[cfg(not(target_os = "linux"))]
pub fn boot() -> String {
    String::new()
}

/// The wall clock's reading, since the Unix epoch; zero before it. For showing, never for counting.
#[expect(clippy::disallowed_methods, reason = "this is the room for it")]
pub fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// What the wall clock reads at a moment, since the Unix epoch, as it is set now.
pub fn unix_at(moment: Moment) -> Duration {
    let (now, unix) = (now(), unix_now());
    if moment > now {
        unix + moment.since(now)
    } else {
        unix.saturating_sub(now.since(moment))
    }
}
