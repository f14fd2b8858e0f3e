//! How an account stands, for people: what its metrics say, in one piece.

use std::time::Duration;

use crate::api::failure::Failure;
use crate::event::{Account, EventType};
use crate::order::Order;
use crate::saved::SavedLogStanding;

/// An account as it is now.
#[derive(Clone, Debug)]
pub struct Standing {
    pub account: Account,
    /// Those that are read, in their order.
    pub logs: Vec<LogStanding>,
    /// The requests that may be sent now, and in any window.
    pub left: u32,
    pub budget: u32,
}

/// A log as its last refresh left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStanding {
    pub event_type: EventType,
    /// When it was last read to its newest line, since the Unix epoch; none before the first time.
    pub read: Option<Duration>,
    /// Why the last refresh failed, if it did.
    pub failing: Option<Failure>,
    /// Whether it was read once as far back as it has to be, so that its events are shown.
    pub is_complete: bool,
    /// When its newest line was logged, since the Unix epoch.
    pub newest_line: Option<Duration>,
    /// Lines that were not read yet, and those that could not be told apart, at most.
    pub behind: u64,
    pub unsettled: u64,
    pub order: Option<Order>,
}

impl LogStanding {
    pub(super) fn new(event_type: EventType) -> Self {
        Self {
            event_type,
            read: None,
            failing: None,
            is_complete: false,
            newest_line: None,
            behind: 0,
            unsettled: 0,
            order: None,
        }
    }

    /// As others are told of it.
    pub(super) fn saved(&self) -> SavedLogStanding {
        SavedLogStanding {
            event_type: self.event_type,
            read: self.read,
            newest_line: self.newest_line,
            behind: self.behind,
            unsettled: self.unsettled,
            order: self.order,
            failing: self.failing.map(Failure::reason),
        }
    }
}
