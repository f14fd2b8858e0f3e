//! metaaccess-exporter: a Prometheus exporter for the OPSWAT MetaAccess event logs that counts every
//! line exactly once.
//!
//! # The walk of a scrape
//!
//! 1. [`server`] takes `GET /metrics` of whom the web configuration lets in, works out by when the
//!    scraper wants its answer, and wishes for a refresh of the account.
//! 2. [`refresh`] is a task of its own for each account. Scrapes that wish at the same time share one
//!    refresh; one that is young enough is served again.
//! 3. [`plan`] says which page to ask for next, from what is known of the log: a state machine of
//!    `Ask(query)` and `Done(outcome)`, for either order of the log.
//! 4. [`budget`] gives the request a place in the window, or says before when it may not be sent;
//!    [`store`] has the place on disk, with all that was counted before, when it is sent.
//! 5. [`api::client`] sends it, within bounds of time and size, by an access token that [`token`] says
//!    when to fetch: that is a request like any other.
//! 6. [`api::v2`] reads status, headers and body; [`sight`] places each line in time, makes its
//!    fingerprint, and has [`classify`] name what is counted of it.
//! 7. [`stitch`] joins the page to those before it, although lines moved in between.
//! 8. [`ledger`] knows what was counted of each minute, and gives what is new.
//! 9. [`series`] adds that to the counts, and [`tally`] those lines that are in none of them.
//! 10. When the refresh ends, [`store`] saves what changed, in one transaction. Only then does
//!     [`exposition`] write the counts as text, which every scrape gets until the next change, with
//!     the [`meters`] of the exporter itself.
//!
//! Where replicas share the state, a scrape first waits for a look at what the others have saved
//! (`refresh::looker`); an account follows them, and is refreshed here only as long as this replica holds
//! its lease (`refresh::seat`), which `refresh::beater` takes and gives away.
//!
//! Before all that, [`check`] looks at what an exporter would meet: its configuration, its state and
//! one page of each log. It counts nothing and keeps nothing.
//!
//! # What holds
//!
//! - A count never falls and is never above the truth. It may lag until the log was read again.
//! - What is shown is saved ([`saved`] is what that is): a crash takes nothing back that was seen.
//! - No window of the server holds more requests than the limit: every request has a [`budget`] slot,
//!   and every slot is saved before its request is sent.
//! - Of the replicas that share a state one at a time refreshes an account: what another writes late is
//!   refused, and a request is sent only while the lease is held.
//! - Without scrapes nothing is asked, but for the end of a read that has begun.
//! - A scrape never waits beyond its deadline, nor for the request window, and never fails because
//!   the API does.
//! - No client keeps out another: heads, bodies, silence, connections and tries of passwords have
//!   bounds, and health checks are answered beyond them.
//! - A token is in a `Secret`, in the URL of one request, and nowhere else: errors carry no URL.
//! - The core (`event`, `moment`, `budget`, `ledger`, `stitch`, `window`, `order`, `series`,
//!   `sighting`, `tally`, `token`, `saved`, and `plan` above it) is told the time, and knows no socket, task or file.
//!
//! # What is absent on purpose
//!
//! - No clock decides what is counted; [`clock`] is for budgets, deadlines and showing.
//! - No timer asks the API, and no sample carries a timestamp.
//! - No cursor in time, and no set of seen lines: equal lines are different lines, so what was
//!   counted is a multiset by minute.
//! - No trait objects for backends, and no retries inside the client: a request is paid for once.

pub mod api;
pub mod births;
pub mod budget;
pub mod catalogue;
pub mod causes;
pub mod check;
pub mod classify;
pub mod clock;
pub mod config;
pub mod event;
pub mod exposition;
#[cfg(test)]
mod fuzz_tests;
pub mod hostnames;
pub mod ledger;
pub mod logging;
pub mod meters;
pub mod moment;
pub mod names;
pub mod order;
pub mod plan;
pub mod process;
pub mod refresh;
pub mod run;
pub mod saved;
pub mod series;
pub mod server;
pub mod sight;
pub mod sighting;
pub mod simulator;
pub mod stitch;
pub mod store;
pub mod tally;
pub mod token;
pub mod window;
