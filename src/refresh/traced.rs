//! What ties the log lines of one refresh together.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Span, error_span};

use crate::event::Account;

/// Of this process: no two refreshes have the same number, of whatever account, whatever was reloaded
/// in between.
static REFRESHES: AtomicU64 = AtomicU64::new(0);

/// The span of the next refresh of an account: every line that is logged within it has `account`, and
/// the number of the `refresh`, counted since the exporter started. It is there at every level of the
/// log, for the lines of each.
pub(super) fn next_refresh(account: &Account) -> Span {
    let refresh = REFRESHES.fetch_add(1, Ordering::Relaxed) + 1;
    error_span!("refresh", %account, refresh)
}
