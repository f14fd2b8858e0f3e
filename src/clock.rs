//! The only reader of time: everything else is told.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// The monotonic clock's reading.
#[expect(clippy::disallowed_methods, reason = "this is the room for it")]
pub fn now() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    Moment(START.get_or_init(Instant::now).elapsed())
}

/// The wall clock's reading, since the Unix epoch; zero before it. For showing, never for counting.
#[expect(clippy::disallowed_methods, reason = "this is the room for it")]
pub fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
