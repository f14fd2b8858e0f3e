//! The task that refreshes one account: asks in turn, counts, and shows.

mod paying;
mod showing;
mod token;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug};

use paying::{Paid, Purpose};
use showing::End;

use super::Refresher;
use super::access::{Member, Trouble};
use super::following::Following;
use super::keeper::Keeper;
use super::log::{Log, failure_of};
use super::report::Report;
use super::restored::Restored;
use super::traced::next_refresh;
use crate::api::client::{Client, Content, Reply};
use crate::api::failure::Failure;
use crate::api::v2;
use crate::births::{Birth, SavedScraper};
use crate::budget::Slot;
use crate::classify::EventRules;
use crate::clock;
use crate::config::Secret;
use crate::event::{EventType, Labels};
use crate::exposition::EventsText;
use crate::hostnames::Hostnames;
use crate::ledger::Gains;
use crate::moment::Moment;
use crate::plan::{Answer, OrderSetting, Outcome, Reach};
use crate::series::Series;
use crate::sight::{self, FingerprintKey};
use crate::sighting::What;
use crate::tally::{Apart, Tallies};
use crate::window::Query;

/// Where the lines of an account come from, and how they are read.
#[derive(Clone, Debug)]
pub struct Source {
    pub client: Client,
    /// How many requests of all accounts may be on their way.
    pub in_flight: Arc<Semaphore>,
    /// The longest that a request of the client takes.
    pub timeout: Duration,
    pub logs: Vec<EventType>,
    pub order: OrderSetting,
    pub zone: TimeZone,
    pub reach: Reach,
    pub hostnames: Hostnames,
    pub key: FingerprintKey,
    /// What some lines are to count as.
    pub rules: EventRules,
}

/// Refreshes the account of a [`Refresher`].
#[derive(Debug)]
pub struct Conductor {
    refresher: Refresher,
    source: Source,
    logs: Vec<Log>,
    series: Series,
    events: EventsText,
    tallies: Tallies,
    report: Report,
    keeper: Keeper,
    key: [u8; 16],
    boot: String,
    /// Whether the text that is shown has to be written anew.
    changed: bool,
    /// Whether the places of the window changed since they were saved.
    spent: bool,
    /// When requests were sent that need not have been, lately.
    spare_sent: Vec<Moment>,
    /// The regular scrapers as they were saved last.
    scrapers_saved: Vec<SavedScraper>,
    /// Another replica refreshes the account now.
    is_deposed: bool,
    _member: Member,
}

/// Why a request was not sent.
enum Obstacle {
    /// The window is used up before this moment.
    NotBefore(Moment),
    /// There is no token, or what was paid could not be saved.
    Failed(Trouble),
    /// Another replica refreshes the account now.
    Deposed,
}

impl Conductor {
    /// Goes on from what was saved; where that is nothing, what the lookback reaches becomes the
    /// starting values. What was saved is shown at once.
    pub fn new(
        refresher: Refresher,
        source: Source,
        restored: Restored,
        events: EventsText,
        report: Report,
        keeper: Keeper,
    ) -> Self {
        let Restored {
            states,
            series,
            tallies,
            budget,
            scrapers,
            taken_over,
        } = restored;
        let boot = clock::boot();
        if let Some(requests) = budget {
            let access = refresher.access();
            access.take_up(refresher.account(), &requests, source.timeout);
        }
        let now = clock::now();
        match taken_over {
            Some(newest) => {
                refresher.births().take_over(newest, series.at_zero(), now);
            }
            None => refresher.births().resume(&scrapers, series.at_zero(), now),
        }
        let new_log = |(event_type, state)| {
            let mut log = Log::new(event_type, state, source.reach);
            // As who refreshed it before has left it: so it is told when that is over.
            log.failing = refresher.failing(event_type);
            log
        };
        let logs = states.into_iter().map(new_log).collect();
        let member = refresher
            .access()
            .join(refresher.account(), source.logs.len());
        let mut conductor = Self {
            _member: member,
            events,
            refresher,
            source,
            logs,
            series,
            tallies,
            report,
            key: keeper.key(),
            keeper,
            boot,
            changed: true,
            spent: false,
            spare_sent: Vec::new(),
            scrapers_saved: scrapers,
            is_deposed: false,
        };
        conductor.publish();
        conductor
    }

    /// Refreshes whenever a scrape wishes for it, until `stop` ends; then saves what was counted. The
    /// answer to a request under way is not waited for: its lines are counted after the next start.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.refresh_when_wished() => {}
        }
        // Where it fails it has been logged, and there is nobody left to show it to.
        let _ = self.save(End::Other).await;
        self.refresher.shared.gate.is_over();
        self.hand_over();
    }

    /// As [`Self::run`], where replicas share the state: until `stop` ends, or another refreshes the
    /// account. Gives back what it counted, of which some may not be saved.
    pub(super) async fn lead(mut self, stop: impl Future<Output = ()>) -> Following {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.refresh_when_wished() => {}
        }
        if !self.is_deposed {
            // Where it fails it has been logged; whoever is next reads the log again.
            let _ = self.save(End::Other).await;
        }
        self.refresher.shared.gate.is_left();
        let generation = self.refresher.births().newest();
        let counted = (self.series, self.events, self.report);
        Following::after(counted, self.key, generation)
    }

    /// Ends only when another refreshes the account.
    async fn refresh_when_wished(&mut self) {
        while !self.is_deposed {
            self.refresher.shared.gate.wished().await;
            let span = next_refresh(self.refresher.account());
            self.refresh().instrument(span).await;
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
            match self.send(turn, query).await {
                Ok(()) => {}
                // The next refresh looks on for late lines.
                Err(Obstacle::NotBefore(_)) if self.is_to_spare(turn) => break,
                Err(Obstacle::NotBefore(when)) if self.logs.iter().any(Log::has_begun) => {
                    self.wait_for_the_window(when).await;
                    if self.is_deposed {
                        return;
                    }
                }
                Err(Obstacle::NotBefore(when)) if self.is_soon(when) => {
                    tokio::time::sleep(when.since(clock::now())).await;
                }
                // Nothing is under way: the next scrape may try again.
                Err(Obstacle::NotBefore(_)) => self.logs.iter_mut().for_each(Log::never_mind),
                Err(Obstacle::Failed(trouble)) => self.fail(turn, trouble.failure, trouble.detail),
                Err(Obstacle::Deposed) => return,
            }
        }
        self.logs.iter_mut().for_each(Log::end);
        self.show(End::OfRefresh).await;
        // As old as the oldest read in it; none, if a log could not be asked.
        let began = self.logs.iter().map(Log::began).min().flatten();
        self.refresher.shared.gate.ends(began);
        if let Some(joint) = self.refresher.joint() {
            joint.bell.refreshed();
        }
    }

    /// Shows what there is and waits; then logs that scrapes wish to be fresh join in.
    async fn wait_for_the_window(&mut self, until: Moment) {
        self.show(End::Other).await;
        if self.is_deposed {
            return;
        }
        self.refresher.shared.gate.is_out_of_budget();
        let now = clock::now();
        for log in self.logs.iter().filter(|log| log.wants(false).is_some()) {
            self.report.waiting(log, now);
        }
        let wished = self.wait(until).await;
        let now = clock::now();
        let young = self.refresher.shared.gate.young();
        self.refresher.shared.gate.runs();
        if wished {
            self.logs
                .iter_mut()
                .for_each(|log| log.begin_if_due(now, young));
        }
    }

    /// Waits, and says whether a scrape came meanwhile. Newborn series need no request to take their
    /// values, nor what could not be saved to be tried again: the vendor may have us wait for an hour. Of
    /// what could not be saved the others may show that it was.
    async fn wait(&mut self, until: Moment) -> bool {
        let mut wished = false;
        let end = tokio::time::sleep(until.since(clock::now()));
        tokio::pin!(end);
        let shared = Arc::clone(&self.refresher.shared);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return wished || shared.gate.is_wished(),
                () = shared.gate.wished() => wished = true,
            }
            if self.are_ripe() || self.keeper.is_failing() {
                self.show(End::Other).await;
                if self.is_deposed {
                    return false;
                }
            }
            shared.gate.is_out_of_budget();
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

    async fn send(&mut self, turn: usize, query: Query) -> Result<(), Obstacle> {
        // Before a slot is taken: whatever others take, a slot is held from sending on.
        let in_flight = Arc::clone(&self.source.in_flight).acquire_owned().await;
        let token = self.token(turn).await?;
        let paid = self.pay(turn, Purpose::Page).await?;
        self.ask(turn, query, &token, paid).await;
        drop(in_flight);
        Ok(())
    }

    async fn ask(&mut self, turn: usize, query: Query, token: &Secret, paid: Paid) {
        let is_to_spare = self.is_to_spare(turn);
        // It is asked again, by another place.
        let Some(slot) = self.is_sent(paid) else {
            return;
        };
        let Some(log) = self.logs.get_mut(turn) else {
            return;
        };
        let event_type = log.event_type;
        let sent = clock::now();
        if is_to_spare {
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
        match &reply.outcome {
            Ok(_) => self.refresher.access().accepted(token),
            // It is asked again, by another token.
            Err(Failure::Unauthorized) if self.refresher.access().refused(token) => return,
            Err(_) => {}
        }
        match self.read(query, reply.outcome) {
            Ok(answer) => self.count(turn, answer),
            Err(failure) => self.fail(turn, failure, reply.detail),
        }
    }

    fn obey<T>(&mut self, slot: Slot, reply: &Reply<T>) {
        self.spent = true;
        let now = clock::now();
        let mut budget = self.refresher.budget();
        budget.answered(slot, now);
        if let Some(remaining) = reply.rate.remaining {
            budget.server_says(self.refresher.account(), remaining, reply.rate.reset, now);
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
        let Source {
            zone, key, rules, ..
        } = &self.source;
        let sightings = sight::sightings_by(rules, &page, zone, key);
        Ok(Answer::Lines(sightings))
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
        let gains = log.answer(answer);
        let event_type = log.event_type;
        for gains in &gains {
            self.add(event_type, gains, was_complete);
        }
        self.conclude(turn);
    }

    fn add(&mut self, event_type: EventType, gains: &Gains, was_complete: bool) {
        let birth = self.birth(event_type, was_complete);
        for gain in &gains.lines {
            if let What::Event(event) = &gain.what {
                let lines = u64::from(gain.count);
                let labels = event.labels();
                let hostname = &self.source.hostnames.shown(labels.hostname);
                let labels = Labels { hostname, ..labels };
                self.series.add(event_type, labels, lines, birth);
                self.changed = true;
            }
        }
        for gain in &gains.lines {
            if let What::Bad(reason) = gain.what {
                let lines = u64::from(gain.count);
                self.tallies
                    .add(event_type, Apart::Unparsable(reason), lines);
            }
        }
        self.tallies
            .add(event_type, Apart::Unattributed, gains.unattributed);
        self.report.gains(event_type, gains, was_complete);
    }

    /// How a series comes into the world that is counted now: at zero, unless it is history, which is
    /// counted from the horizon on.
    fn birth(&self, event_type: EventType, was_complete: bool) -> Birth {
        if was_complete {
            return Birth {
                created: u32::try_from(clock::unix_now().as_secs()).ok(),
                zero: self.refresher.births().next(),
            };
        }
        let log = self.logs.iter().find(|log| log.event_type == event_type);
        let horizon = log.and_then(|log| log.state.ledger().horizon());
        let created = horizon.and_then(|horizon| u32::try_from(horizon.unix_seconds()).ok());
        Birth {
            created,
            zero: None,
        }
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
            Outcome::Read(_) | Outcome::Empty => {
                if let Some(failure) = log.failing.take() {
                    self.report.recovered(log.event_type, failure);
                }
                if let Outcome::Read(read) = outcome {
                    let log = log.event_type;
                    self.tallies.add(log, Apart::Missed, read.missed);
                    self.tallies.add(log, Apart::Gaps, u64::from(read.gap));
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
}

impl Source {
    /// What the zone is called, so that a state read in another one is noticed.
    fn zone_name(&self) -> String {
        self.zone.iana_name().unwrap_or_default().to_owned()
    }
}

/// Whether the failure is of what the lines say, so that one good page does not end it.
fn is_of_the_lines(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Drift
            | Failure::PageMissing
            | Failure::EmptyLog
            | Failure::OrderContradicted
            | Failure::MixedOrder
    )
}
