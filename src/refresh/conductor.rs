//! The task that refreshes one account: asks in turn, counts, and shows.

use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use tracing::debug;

use super::Refresher;
use super::log::{Log, failure_of};
use super::report::Report;
use crate::api::client::{Client, Content, Reply};
use crate::api::failure::Failure;
use crate::api::v2;
use crate::budget::{NotBefore, Slot};
use crate::clock;
use crate::config::{Secret, TokenSource};
use crate::event::EventType;
use crate::exposition;
use crate::ledger::Gains;
use crate::moment::Moment;
use crate::plan::{Answer, LogState, OrderSetting, Outcome, Reach};
use crate::series::Series;
use crate::sight::{self, FingerprintKey};
use crate::sighting::What;
use crate::window::Query;

/// Where the lines of an account come from, and how they are read.
#[derive(Debug)]
pub struct Source {
    pub client: Client,
    pub token: TokenSource,
    /// The longest that a request of the client takes.
    pub timeout: Duration,
    pub logs: Vec<EventType>,
    pub order: OrderSetting,
    pub zone: TimeZone,
    pub reach: Reach,
    pub key: FingerprintKey,
}

/// Refreshes the account of a [`Refresher`].
#[derive(Debug)]
pub struct Conductor {
    refresher: Refresher,
    source: Source,
    logs: Vec<Log>,
    series: Series,
    report: Report,
    changed: bool,
    /// When requests were sent that need not have been, lately.
    spare_sent: Vec<Moment>,
}

impl Conductor {
    /// Starts from nothing: what the lookback reaches become the starting values.
    pub fn new(refresher: Refresher, source: Source, series: Series, report: Report) -> Self {
        let new_log = |event_type: &EventType| {
            Log::new(*event_type, LogState::new(source.order), source.reach)
        };
        let logs = source.logs.iter().map(new_log).collect();
        let conductor = Self {
            refresher,
            source,
            logs,
            series,
            report,
            changed: false,
            spare_sent: Vec::new(),
        };
        conductor.report.start(&conductor.series);
        conductor
    }

    /// Refreshes whenever a scrape wishes for it; never ends.
    pub async fn run(mut self) {
        loop {
            self.refresher.shared.gate.wished().await;
            self.refresh().await;
        }
    }

    async fn refresh(&mut self) {
        let begin = clock::now();
        let young = self.refresher.shared.gate.young();
        self.refresher.shared.gate.runs();
        self.logs
            .iter_mut()
            .for_each(|log| log.begin_if_due(begin, young));
        while let Some((turn, query)) = self.next() {
            // Before the slot is taken: whatever a file takes, a slot is held from sending on.
            let token = match self.token().await {
                Ok(token) => token,
                Err(detail) => {
                    self.fail(turn, Failure::NoToken, Some(detail));
                    continue;
                }
            };
            match self.slot_for(turn) {
                Ok(slot) => self.ask(turn, query, &token, slot).await,
                Err(NotBefore(when)) if self.logs.iter().any(Log::has_begun) => {
                    self.wait_for_the_window(when).await;
                }
                // Nothing is under way: the next scrape may try again.
                Err(NotBefore(_)) => self.logs.iter_mut().for_each(Log::never_mind),
            }
        }
        self.logs.iter_mut().for_each(Log::end);
        self.show();
        // As old as the oldest read in it; none, if a log could not be asked.
        let began = self.logs.iter().map(Log::began).min().flatten();
        self.refresher.shared.gate.ends(began);
    }

    /// A place in the window. A long read takes no more than an even share of it after its first
    /// requests: taken all at once, they would leave none to keep the other log fresh.
    fn slot_for(&self, turn: usize) -> Result<Slot, NotBefore> {
        let now = clock::now();
        let mut budget = self.refresher.budget();
        let limit = budget.limit();
        let asked = self.logs.get(turn).map_or(0, Log::asked);
        let last = self.logs.iter().filter_map(Log::last_asked).max();
        let share = limit.time_for(1);
        let earliest = last.map(|last| last.plus(share)).filter(|when| *when > now);
        match earliest {
            Some(when) if asked >= limit.requests / 2 => Err(NotBefore(when)),
            _ => budget.take(now, self.source.timeout),
        }
    }

    /// Shows what there is and waits; then logs that scrapes wish to be fresh join in.
    async fn wait_for_the_window(&mut self, until: Moment) {
        self.show();
        self.refresher.shared.gate.is_out_of_budget();
        let now = clock::now();
        for log in self.logs.iter().filter(|log| log.wants(false).is_some()) {
            self.report.waiting(log, now);
        }
        tokio::time::sleep(until.since(now)).await;
        let now = clock::now();
        let wished = self.refresher.shared.gate.is_wished();
        let young = self.refresher.shared.gate.young();
        self.refresher.shared.gate.runs();
        if wished {
            self.logs
                .iter_mut()
                .for_each(|log| log.begin_if_due(now, young));
        }
    }

    /// Whose turn it is, and what to ask. Late lines are looked for only with requests to spare.
    fn next(&self) -> Option<(usize, Query)> {
        let wanting = |spare| {
            let logs = self.logs.iter().enumerate();
            logs.filter_map(move |(turn, log)| Some((log.turn(), turn, log.wants(spare)?)))
        };
        let must = wanting(false).min_by_key(|(order, _, _)| *order);
        let may = || wanting(self.has_spare()).min_by_key(|(order, _, _)| *order);
        must.or_else(may).map(|(_, turn, query)| (turn, query))
    }

    /// Whether a request may go to what need not be asked: a fifth of the window at most, and never
    /// one that the next refresh of every log needs.
    fn has_spare(&self) -> bool {
        let now = clock::now();
        let budget = self.refresher.budget();
        let limit = budget.limit();
        let in_window = |sent: &&Moment| now.since(**sent) < limit.window;
        let spent = self.spare_sent.iter().filter(in_window).count();
        let a_fifth = usize::try_from(limit.requests / 5).unwrap_or(usize::MAX);
        let for_the_next = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        spent < a_fifth && budget.left(now) > for_the_next
    }

    async fn ask(&mut self, turn: usize, query: Query, token: &Secret, slot: Slot) {
        let Some(log) = self.logs.get_mut(turn) else {
            return;
        };
        let event_type = log.event_type;
        let sent = clock::now();
        if log.wants(false).is_none() {
            let window = self.refresher.budget().limit().window;
            self.spare_sent
                .retain(|before| sent.since(*before) < window);
            self.spare_sent.push(sent);
        }
        log.asks(sent);
        let reply = self.source.client.logs(event_type, query, token).await;
        let answered = clock::now();
        self.obey(slot, &reply);
        self.report.request(reply.status, answered.since(sent));
        debug!(
            account = %self.refresher.account(), %event_type, limit = query.limit, page = query.page,
            status = reply.status, "the API was asked"
        );
        match self.read(query, reply.outcome) {
            Ok(answer) => self.count(turn, answer),
            Err(failure) => self.fail(turn, failure, reply.detail),
        }
    }

    async fn token(&self) -> Result<Secret, String> {
        let source = self.source.token.clone();
        let read = tokio::task::spawn_blocking(move || source.read()).await;
        match read {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("reading the token broke off".to_owned()),
        }
    }

    fn obey(&self, slot: Slot, reply: &Reply) {
        let now = clock::now();
        let mut budget = self.refresher.budget();
        budget.answered(slot, now);
        if let Some(remaining) = reply.rate.remaining {
            budget.server_says(remaining, reply.rate.reset, now);
        }
        if let Err(Failure::RateLimited) = reply.outcome {
            budget.refused(reply.rate.retry_after.or(reply.rate.reset), now);
        } else if let Some(wait) = reply.rate.retry_after {
            budget.refused(Some(wait), now);
        }
    }

    fn read(&self, query: Query, outcome: Result<Content, Failure>) -> Result<Answer, Failure> {
        let body = match outcome? {
            Content::PastTheEnd => return Ok(Answer::PastTheEnd),
            Content::Page(body) => body,
        };
        let page = v2::parse(&body)?;
        if u64::try_from(page.entries.len()).is_ok_and(|lines| lines > query.limit) {
            return Err(Failure::TooManyLines);
        }
        let (zone, key) = (&self.source.zone, &self.source.key);
        Ok(Answer::Lines(sight::sightings(&page, zone, key)))
    }

    fn count(&mut self, turn: usize, answer: Answer) {
        let Some(log) = self.logs.get_mut(turn) else {
            return;
        };
        if let Answer::Lines(sightings) = &answer {
            self.report.newest_line(log.event_type, sightings);
            if let Some(failure) = log.failing.take_if(|failure| !is_of_the_lines(*failure)) {
                self.report.recovered(log.event_type, failure);
            }
        }
        let was_complete = log.state.is_complete();
        let Some((plan, state)) = log.plan() else {
            return;
        };
        let gains = plan.answer(answer, state);
        let event_type = log.event_type;
        for gains in &gains {
            self.add(event_type, gains, was_complete);
        }
        self.conclude(turn);
    }

    fn add(&mut self, event_type: EventType, gains: &Gains, was_complete: bool) {
        for gain in &gains.lines {
            if let What::Event(event) = &gain.what {
                self.series.add(event_type, event, u64::from(gain.count));
                self.changed = true;
            }
        }
        self.report.gains(event_type, gains, was_complete);
    }

    /// Notes how the read ended, if it did.
    fn conclude(&mut self, turn: usize) {
        let Some(log) = self.logs.get_mut(turn) else {
            return;
        };
        let Some(outcome) = log.news() else {
            return;
        };
        match outcome {
            Outcome::Failed(trouble) => {
                log.end();
                self.fail(turn, failure_of(trouble), None);
            }
            Outcome::Read { .. } | Outcome::Empty => {
                if let Some(failure) = log.failing.take() {
                    self.report.recovered(log.event_type, failure);
                }
                let first_time = log.is_shown_now();
                let report = &self.report;
                report.read(log.event_type, &log.state, outcome, first_time);
                self.changed = true;
            }
        }
    }

    fn fail(&mut self, turn: usize, failure: Failure, detail: Option<String>) {
        let Some(log) = self.logs.get_mut(turn) else {
            return;
        };
        let before = log.failing.replace(failure);
        log.pause();
        self.report.failure(log.event_type, failure, before, detail);
    }

    /// Shows what is counted: the logs that were read once as far back as the lookback.
    fn show(&mut self) {
        let shown: Vec<EventType> = self
            .logs
            .iter()
            .filter(|log| log.state.is_complete())
            .map(|log| log.event_type)
            .collect();
        if std::mem::take(&mut self.changed) {
            let account = self.refresher.account();
            let text = exposition::events(account, &self.series, &shown);
            self.refresher.show(Bytes::from(text));
        }
        let reading = self
            .logs
            .iter()
            .map(|log| (log.event_type, log.lines_read()));
        self.report.reading(reading);
        let healthy = self
            .logs
            .iter()
            .all(|log| log.failing.is_none() && log.was_asked());
        self.report.shown(healthy, &self.series);
        self.report.warn_of_unparsable(clock::now());
    }
}

/// Whether the failure is of what the lines say, so that one good page does not end it.
fn is_of_the_lines(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Drift | Failure::PageMissing | Failure::EmptyLog | Failure::OrderContradicted
    )
}
