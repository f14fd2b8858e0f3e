//! What a refresh says of itself: metrics at every change, log lines when something changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::access::Trouble;
use super::log::Log;
use super::room::Room;
use super::{LogStanding, Refresher};
use crate::api::failure::Failure;
use crate::catalogue::{
    AMBIGUOUS_READS, BUDGET, BUDGET_WINDOW, DELAY, FAILING, GAPS, LINES_BEHIND, MISSED_LINES,
    NEWEST_LINE_TIMESTAMP, ORDER, READ_TIMESTAMP, READING_LINES, READY, REFRESH_FAILURES,
    REFRESHES, REPLICA_LEADS, REQUEST_DURATION, REQUESTS, STATE_REGRESSED_SERIES, STATE_UNSAVED,
    TOKEN_REQUESTS, UNATTRIBUTED, UNPARSABLE, UNSETTLED_LINES, UP,
};
use crate::clock;
use crate::event::{BadLine, EventType, Minute};
use crate::ledger::{Gain, Gains};
use crate::meters::Meters;
use crate::moment::Moment;
use crate::order::Order;
use crate::plan::{LogState, Outcome, Read};
use crate::saved::SavedStanding;
use crate::series::Series;
use crate::sighting::{Sighting, What};
use crate::tally::{Apart, Tallies};

/// The least time between two log lines about the progress of a first read.
const BETWEEN_PROGRESS: Duration = Duration::from_secs(30);

/// The least time between two warnings of unparsable entries.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// A line dated further ahead of this machine's clock is not taken for the newest: more than any
/// time zone set wrongly explains.
const AHEAD_AT_MOST: Duration = Duration::from_hours(26);

/// The metrics and log lines of one account.
#[derive(Debug)]
pub struct Report {
    account: String,
    refresher: Refresher,
    logs: Vec<EventType>,
    meters: Arc<Meters>,
    room: Room,
    last_progress: Option<Moment>,
    last_unparsable: Option<Moment>,
    /// Why logs could not be read since the start.
    failed: BTreeSet<(EventType, Failure)>,
    /// Unparsable entries that no log line has told of yet.
    unparsable_unsaid: u64,
    /// Why the token could not be renewed that is still good.
    not_renewed: Option<Failure>,
}

impl Report {
    pub fn new(refresher: &Refresher, logs: &[EventType], meters: Arc<Meters>) -> Self {
        let limit = refresher.budget().limit();
        let account = refresher.account().to_string();
        meters.set(BUDGET, &[&account], f64::from(limit.requests));
        meters.set(BUDGET_WINDOW, &[&account], limit.window.as_secs_f64());
        *refresher.logs() = logs.iter().copied().map(LogStanding::new).collect();
        let report = Self {
            account,
            refresher: refresher.clone(),
            logs: logs.to_vec(),
            meters,
            room: Room::default(),
            last_progress: None,
            last_unparsable: None,
            failed: BTreeSet::new(),
            unparsable_unsaid: 0,
            not_renewed: None,
        };
        report.start();
        report
    }

    /// Makes every series that will come known at 0.
    fn start(&self) {
        let account = self.account.as_str();
        let meters = &self.meters;
        meters.set(UP, &[account], 0.0);
        meters.add(REQUESTS, &[account, "200"], 0);
        meters.add(TOKEN_REQUESTS, &[account, "200"], 0);
        meters.observe(REQUEST_DURATION, &[account], 0.0, 0);
        for log in &self.logs {
            let labels = [account, log.as_str()];
            for counter in [
                REFRESHES,
                REFRESH_FAILURES,
                UNATTRIBUTED,
                AMBIGUOUS_READS,
                MISSED_LINES,
                GAPS,
            ] {
                meters.add(counter, &labels, 0);
            }
            for gauge in [
                READ_TIMESTAMP,
                NEWEST_LINE_TIMESTAMP,
                READY,
                LINES_BEHIND,
                UNSETTLED_LINES,
            ] {
                meters.set(gauge, &labels, 0.0);
            }
            // Of whoever refreshed the account before: nobody else would ever say that it is over.
            for failure in Failure::ALL {
                meters.forget(FAILING, &[account, log.as_str(), failure.reason()]);
            }
            for reason in BadLine::ALL {
                meters.add(UNPARSABLE, &[account, log.as_str(), reason.reason()], 0);
            }
            meters.observe(DELAY, &labels, 0.0, 0);
        }
        self.reading(self.logs.iter().map(|log| (*log, 0)));
    }

    pub(super) fn request(&self, status: Option<u16>, took: Duration) {
        self.meters
            .add(REQUESTS, &[&self.account, &code_of(status)], 1);
        let seconds = took.as_secs_f64();
        self.meters
            .observe(REQUEST_DURATION, &[&self.account], seconds, 1);
    }

    /// What came of a request for a token, which [`Self::request`] counts too.
    pub(super) fn token_request(&self, status: Option<u16>) {
        self.meters
            .add(TOKEN_REQUESTS, &[&self.account, &code_of(status)], 1);
    }

    /// The token could not be renewed, but is good for a while. Only a change is logged.
    pub(super) fn not_renewed(&mut self, trouble: &Trouble) {
        let before = self.not_renewed.replace(trouble.failure);
        if before != Some(trouble.failure) {
            warn!(
                account = self.account,
                reason = trouble.failure.reason(),
                detail = trouble.detail,
                "the access token could not be renewed: {}. The old one is used until it ends",
                trouble.failure.advice()
            );
        }
    }

    pub(super) fn renewed(&mut self) {
        if self.not_renewed.take().is_some() {
            info!(account = self.account, "the access token was renewed");
        }
    }

    /// The newest line of a page, without those that are dated far ahead: one of them would hide for
    /// ever how old the others are.
    pub(super) fn newest_line(&self, log: EventType, sightings: &[Sighting]) {
        let latest = clock::unix_now() + AHEAD_AT_MOST;
        let is_credible = |minute: &Minute| {
            u64::try_from(minute.unix_seconds()).is_ok_and(|seconds| seconds <= latest.as_secs())
        };
        let minutes = sightings.iter().filter_map(|s| s.id.bucket.minute());
        let Some(newest) = minutes.filter(is_credible).max() else {
            return;
        };
        let labels = [self.account.as_str(), log.as_str()];
        self.meters
            .raise(NEWEST_LINE_TIMESTAMP, &labels, newest.unix_seconds() as f64);
        let newest = u64::try_from(newest.unix_seconds()).map(Duration::from_secs);
        self.refresher.stands(log, |standing| {
            standing.newest_line = standing.newest_line.max(newest.ok());
        });
    }

    /// Whether this log is read.
    pub(super) fn reads(&self, log: EventType) -> bool {
        self.logs.contains(&log)
    }

    /// Shows how the account stands, as who refreshes it says.
    pub(super) fn follow(&mut self, saved: &SavedStanding, complete: &[EventType]) {
        let account = self.account.clone();
        let meters = Arc::clone(&self.meters);
        for log in &saved.logs {
            if !self.reads(log.event_type) {
                continue;
            }
            let labels = [account.as_str(), log.event_type.as_str()];
            let is_complete = complete.contains(&log.event_type);
            let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
            meters.set(READ_TIMESTAMP, &labels, seconds(log.read));
            meters.set(NEWEST_LINE_TIMESTAMP, &labels, seconds(log.newest_line));
            meters.set(READY, &labels, f64::from(u8::from(is_complete)));
            meters.set(LINES_BEHIND, &labels, log.behind as f64);
            meters.set(UNSETTLED_LINES, &labels, log.unsettled as f64);
            self.order(log.event_type, log.order);
            self.refresher.stands(log.event_type, |standing| {
                (standing.read, standing.newest_line) = (log.read, log.newest_line);
                (standing.behind, standing.unsettled) = (log.behind, log.unsettled);
                (standing.order, standing.is_complete) = (log.order, is_complete);
            });
            let known = |reason: &str| Failure::ALL.into_iter().find(|one| one.reason() == reason);
            self.failing(log.event_type, log.failing.and_then(known));
        }
        self.up(saved.up);
    }

    fn order(&self, log: EventType, order: Option<Order>) {
        for one in [Order::NewestFirst, Order::OldestFirst] {
            let labels = [self.account.as_str(), log.as_str(), one.as_str()];
            if order == Some(one) {
                self.meters.set(ORDER, &labels, 1.0);
            } else {
                self.meters.forget(ORDER, &labels);
            }
        }
    }

    /// What was counted anew; of history, how late it came says nothing.
    pub(super) fn gains(&mut self, log: EventType, gains: &Gains, is_news: bool) {
        let bad = |gain: &&Gain| matches!(gain.what, What::Bad(_));
        let unparsable: u32 = gains.lines.iter().filter(bad).map(|gain| gain.count).sum();
        self.unparsable_unsaid += u64::from(unparsable);
        let labels = [self.account.as_str(), log.as_str()];
        for gain in gains.lines.iter().filter(|_| is_news) {
            if let Some(minute) = gain.bucket.minute() {
                self.meters
                    .observe(DELAY, &labels, delay(minute), gain.count);
            }
        }
    }

    /// The tallies as they are saved.
    fn tallies(&self, tallies: &Tallies) {
        let account = self.account.as_str();
        for log in &self.logs {
            let labels = [account, log.as_str()];
            for apart in Apart::ALL {
                let total = tallies.of(*log, apart) as f64;
                match apart {
                    Apart::Unparsable(reason) => {
                        let labels = [account, log.as_str(), reason.reason()];
                        self.meters.raise_to(UNPARSABLE, &labels, total);
                    }
                    Apart::Unattributed => self.meters.raise_to(UNATTRIBUTED, &labels, total),
                    Apart::Missed => self.meters.raise_to(MISSED_LINES, &labels, total),
                    Apart::Gaps => self.meters.raise_to(GAPS, &labels, total),
                }
            }
        }
    }

    /// Tells of unparsable entries now and then, and not what stands in them.
    pub(super) fn warn_of_unparsable(&mut self, now: Moment) {
        let is_due = |last: Moment| now.since(last) >= BETWEEN_WARNINGS;
        if self.unparsable_unsaid == 0 || !self.last_unparsable.is_none_or(is_due) {
            return;
        }
        self.last_unparsable = Some(now);
        let lines = std::mem::take(&mut self.unparsable_unsaid);
        let (account, metric) = (&self.account, UNPARSABLE.name);
        warn!(
            account,
            lines,
            metric,
            "entries of the logs could not be read as lines: the metric has them by reason. If there are many, the vendor may have changed the format: please report it"
        );
    }

    /// A read that covered all.
    pub(super) fn read(
        &self,
        log: EventType,
        state: &LogState,
        outcome: Outcome,
        first_time: bool,
    ) {
        let account = self.account.as_str();
        let labels = [account, log.as_str()];
        let meters = &self.meters;
        meters.add(REFRESHES, &labels, 1);
        let now = clock::unix_now();
        meters.set(READ_TIMESTAMP, &labels, now.as_secs_f64());
        self.refresher.stands(log, |standing| {
            standing.read = Some(now);
            standing.is_complete = state.is_complete();
            standing.order = state.order();
            if let Outcome::Read(read) = outcome {
                standing.behind = read.behind;
                standing.unsettled = state.ledger().uncounted();
            }
        });
        meters.set(READY, &labels, f64::from(u8::from(state.is_complete())));
        if let Outcome::Read(read) = outcome {
            meters.set(LINES_BEHIND, &labels, read.behind as f64);
            meters.add(AMBIGUOUS_READS, &labels, u64::from(read.ambiguous));
            meters.set(UNSETTLED_LINES, &labels, state.ledger().uncounted() as f64);
            self.warn_of_lost(log, read);
        }
        self.order(log, state.order());
        if first_time {
            info!(account, event_type = %log, order = state.order().map_or("unknown", Order::as_str), "the log was read as far back as the lookback: its events are shown from now on");
        }
    }

    /// Says what may never be counted, or only later.
    fn warn_of_lost(&self, log: EventType, read: Read) {
        let account = self.account.as_str();
        if read.postponed > 0 {
            let minutes = read.postponed;
            info!(
                account, event_type = %log, minutes,
                "equal lines on moving pages could not be told apart: these minutes are read again when the log rests"
            );
        }
        if read.missed > 0 {
            let (lines, metric) = (read.missed, MISSED_LINES.name);
            warn!(
                account, event_type = %log, lines, metric,
                "lines were missed: the log did not rest for a day, so that so many lines, at most, could not be told apart and will never be counted"
            );
        }
        if read.gap {
            let metric = GAPS.name;
            warn!(
                account, event_type = %log, metric,
                "the log does not reach back to the lines that were counted last: those in between were purged, or kept too short a time, and nobody knows how many they were"
            );
        }
    }

    /// The log is read again after a failure.
    pub(super) fn recovered(&mut self, log: EventType, failure: Failure) {
        self.failing(log, None);
        let after = failure.reason();
        info!(account = self.account, event_type = %log, after, "the log is read again");
    }

    /// A read that goes on when the request window allows. The first one, which shows nothing until
    /// its end, is worth a line now and then.
    pub(super) fn waiting(&mut self, log: &Log, now: Moment) {
        let is_due = |last: Moment| now.since(last) >= BETWEEN_PROGRESS;
        if log.state.is_complete() || !self.last_progress.is_none_or(is_due) {
            return;
        }
        self.last_progress = Some(now);
        let (account, event_type, lines) = (&self.account, log.event_type, log.lines_read());
        info!(
            account, %event_type, lines,
            "the log is being read for the first time, as the request window allows; its events are shown at the end"
        );
    }

    /// A read that failed. Only a change is logged: the same failure again tells nothing new.
    pub(super) fn failure(
        &mut self,
        log: EventType,
        failure: Failure,
        before: Option<Failure>,
        detail: Option<String>,
    ) {
        self.failing(log, Some(failure));
        let account = self.account.as_str();
        let labels = [account, log.as_str()];
        self.meters.add(REFRESHES, &labels, 1);
        self.meters.add(REFRESH_FAILURES, &labels, 1);
        // That the state is not saved has been said where it failed.
        if before != Some(failure) && failure != Failure::NotSaved {
            warn!(
                account, event_type = %log, reason = failure.reason(), detail,
                "the log could not be read: {}. The counts stay as they are",
                failure.advice()
            );
        }
    }

    /// Sets why the log cannot be read, if it cannot. There are so many reasons that showing all of
    /// them at 0 would be most of what is shown of an account.
    pub(super) fn failing(&mut self, log: EventType, failing: Option<Failure>) {
        self.refresher
            .stands(log, |standing| standing.failing = failing);
        self.failed.extend(failing.map(|failure| (log, failure)));
        for (_, failure) in self.failed.iter().filter(|(failed, _)| *failed == log) {
            let labels = [self.account.as_str(), log.as_str(), failure.reason()];
            let value = f64::from(u8::from(failing == Some(*failure)));
            self.meters.set(FAILING, &labels, value);
        }
    }

    /// How many lines each read under way holds.
    pub(super) fn reading(&self, logs: impl Iterator<Item = (EventType, u64)>) {
        for (log, lines) in logs {
            let labels = [self.account.as_str(), log.as_str()];
            self.meters.set(READING_LINES, &labels, lines as f64);
        }
    }

    /// Whether this replica refreshes the account.
    pub(super) fn leads(&self, leads: bool) {
        let value = f64::from(u8::from(leads));
        self.meters
            .set(REPLICA_LEADS, &[self.account.as_str()], value);
    }

    /// Another replica refreshes the account from now on: nothing is read or kept here.
    pub(super) fn leads_no_more(&self) {
        self.leads(false);
        self.reading(self.logs.iter().map(|log| (*log, 0)));
        self.meters
            .set(STATE_UNSAVED, &[self.account.as_str()], 0.0);
    }

    /// How many series are shown as they were before the database lost some of them.
    pub(super) fn regressed(&self, series: usize) {
        self.meters
            .set(STATE_REGRESSED_SERIES, &[&self.account], series as f64);
    }

    /// Whether the last refresh of every log worked.
    pub(super) fn up(&self, healthy: bool) {
        let value = f64::from(u8::from(healthy));
        self.meters.set(UP, &[self.account.as_str()], value);
    }

    /// What is counted and saved.
    pub(super) fn counted(&mut self, series: &Series, tallies: &Tallies) {
        self.room
            .show(&self.account, &self.logs, series, &self.meters);
        self.tallies(tallies);
    }
}

/// The value of the label `code`.
fn code_of(status: Option<u16>) -> String {
    status.map_or_else(|| "none".to_owned(), |status| status.to_string())
}

/// Seconds from the end of the minute to now.
fn delay(minute: Minute) -> f64 {
    let end = (minute.unix_seconds() + 60) as f64;
    (clock::unix_now().as_secs_f64() - end).max(0.0)
}
