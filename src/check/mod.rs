//! What `check` looks at, before an exporter is started or beside a running one.
//!
//! [`account`] walks through an account, from its configuration to a page of each log. What was seen is
//! judged apart from the seeing: `page`, `zone`, `limit`, `skew`, `series`, `certificate` and `state`
//! know no socket and no clock. `network` and `disk` ask, `purse` says when a
//! request may be sent.
//!
//! - Nothing is written: no state, no lock, no token.
//! - Requests are few: a page of each log, and a token for all accounts of a credential. Each takes a
//!   place that the state leaves free, and one is left to every account of a running exporter: it
//!   learns from the API's next answer how many were taken beside it.

mod account;
mod asking;
mod certificate;
mod configuration;
mod database;
mod disk;
mod finding;
mod limit;
mod network;
mod page;
mod purse;
mod report;
mod series;
mod skew;
mod spans;
mod state;
mod zone;

pub use account::{Account, account};
pub use finding::{Finding, Name, Verdict};
pub use purse::Purse;
pub use report::Report;
pub use state::{StateReport, look_at_state};
