//! A reading of the monotonic clock, as an argument.

use std::time::Duration;

/// A moment of a clock that only goes on, counted from when the machine started; where the system
/// does not tell that, from the first reading in this process.
///
/// Budgets and deadlines use it, so that a step of the wall clock opens no window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

impl Moment {
    /// This moment, later by `wait`.
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// This moment, earlier by `time`, but not before the first one.
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }

    /// How long from `earlier` to this moment; zero where `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
