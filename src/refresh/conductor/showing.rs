//! Saving what is counted, and showing what is saved.

use super::Conductor;
use crate::api::failure::Failure;
use crate::births::{Generation, SavedScraper};
use crate::clock;
use crate::event::EventType;
use crate::refresh::LogStanding;
use crate::refresh::following::Seen;
use crate::refresh::log::Log;
use crate::saved::{Changes, SavedStanding};
use crate::store::{Committed, Occasion, StoreError};

/// What a commit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It pays for a request, of so many in a window.
    Paying(u32),
    OfRefresh,
    Other,
}

impl Conductor {
    /// Saves what is counted and then shows it; where it cannot be saved, what is shown stays.
    pub(super) async fn show(&mut self, end: End) {
        if self.hears_of_others().await {
            self.grow_up();
        }
        match self.save(end).await {
            Ok(_) => self.publish(),
            Err(StoreError::Fenced { .. }) => return,
            Err(_) => {
                for log in &mut self.logs {
                    log.failing = Some(Failure::NotSaved);
                    self.report.failing(log.event_type, log.failing);
                }
            }
        }
        let reading = self
            .logs
            .iter()
            .map(|log| (log.event_type, log.lines_read()));
        self.report.reading(reading);
        self.report
            .up(self.is_healthy() && !self.keeper.is_failing());
        self.report.warn_of_unparsable(clock::now());
    }

    fn is_healthy(&self) -> bool {
        let mut logs = self.logs.iter();
        logs.all(|log| log.failing.is_none() && log.was_asked())
    }

    /// Saves what changed since it was saved last, if anything did.
    pub(super) async fn save(&mut self, end: End) -> Result<Committed, StoreError> {
        let now = clock::now();
        let scrapers = match self.keeper.shares() {
            // What is left by others stays where they left it.
            true => self.refresher.births().came_here(now),
            false => self.refresher.births().saved(now),
        };
        if self.keeper.keeps() {
            let changes = self.changes(&scrapers);
            let standing = self.standing();
            let occasion = self.occasion(end, &standing);
            if !changes.is_empty() || occasion.refreshed.is_some() {
                match self.keeper.save(changes, occasion).await {
                    Ok(Committed::Saved) => {}
                    Err(StoreError::Fenced { account }) => {
                        self.is_deposed = true;
                        return Err(StoreError::Fenced { account });
                    }
                    other => return other,
                }
            }
        }
        self.spent = false;
        self.scrapers_saved = scrapers;
        self.series.are_saved();
        self.tallies.are_saved();
        let zone = self.source.zone_name();
        self.logs.iter_mut().for_each(|log| log.is_saved(&zone));
        if self.keeper.shares() {
            // Others show it from now on.
            self.publish();
        }
        Ok(Committed::Saved)
    }

    /// What a commit is for, which only those ask who share the state.
    fn occasion<'a>(&self, end: End, standing: &'a SavedStanding) -> Occasion<'a> {
        if !self.keeper.shares() {
            return Occasion::default();
        }
        match end {
            End::Paying(limit) => Occasion {
                limit: Some(limit),
                ..Occasion::default()
            },
            End::OfRefresh => {
                let began = self.logs.iter().map(Log::began).min().flatten();
                Occasion {
                    refreshed: began.map(|began| clock::now().since(began)),
                    standing: Some(standing),
                    limit: None,
                }
            }
            End::Other => Occasion::default(),
        }
    }

    fn standing(&self) -> SavedStanding {
        SavedStanding {
            up: self.is_healthy(),
            logs: self
                .refresher
                .logs()
                .iter()
                .map(LogStanding::saved)
                .collect(),
        }
    }

    /// Asks who scrapes the other replicas, where series wait for them; and says whether that is known.
    async fn hears_of_others(&mut self) -> bool {
        if !self.keeper.shares() || !self.refresher.births().are_waited_for() {
            return true;
        }
        match self.keeper.scrapers_of_others().await {
            Ok(others) => {
                self.refresher.births().others_are(others);
                true
            }
            Err(_) => false,
        }
    }

    /// Leaves all that is counted to whoever goes on with the account in this process. Where it is kept
    /// beyond that, it is saved already.
    pub(super) fn hand_over(mut self) {
        if self.keeper.keeps() {
            return;
        }
        self.series.are_unsaved();
        self.tallies.are_unsaved();
        self.logs.iter_mut().for_each(Log::is_unsaved);
        self.scrapers_saved.clear();
        // Another credential may open the same window.
        self.spent = true;
        let scrapers = self.refresher.births().saved(clock::now());
        let all = self.changes(&scrapers).changed;
        self.keeper.hand_over(all);
    }

    /// Whether newborn series may take their values.
    pub(super) fn are_ripe(&self) -> bool {
        self.refresher.births().ripe(clock::now()).is_some()
    }

    /// Gives the newborn series that are ripe their values, which have to be saved before they are
    /// shown.
    fn grow_up(&mut self) {
        let mut births = self.refresher.births();
        if let Some(generation) = births.ripe(clock::now()) {
            births.grew_up(generation);
            self.series.grow_up(generation);
            self.changed = true;
        }
    }

    fn changes(&self, scrapers: &[SavedScraper]) -> Changes {
        let mut changes = Changes::default();
        let changed = &mut changes.changed;
        if self.spent {
            let budget = self.refresher.budget();
            changed.requests =
                Some(budget.saved(self.refresher.account(), &self.boot, clock::now()));
        }
        changed.series = self.series.changes();
        changed.overflowed = self.series.overflowed_changes();
        if self.scrapers_saved != scrapers {
            changed.scrapers = Some(scrapers.to_vec());
        }
        changed.tallies = self.tallies.changes();
        let zone = self.source.zone_name();
        for log in &self.logs {
            log.changes(&zone, &mut changes);
        }
        changes
    }

    /// Shows what is saved: the logs that were read once as far back as the lookback.
    pub(super) fn publish(&mut self) {
        self.report.counted(&self.series, &self.tallies);
        if !std::mem::take(&mut self.changed) {
            if let Some(version) = self.keeper.shown() {
                self.refresher.is_shown(version);
            }
            return;
        }
        let mut births = self.refresher.births();
        let next = births.next();
        if next.is_some() && self.series.at_zero().any(|born| Some(born) == next) {
            births.are_shown(clock::now());
        }
        let generation = births.newest();
        drop(births);
        self.publish_as(generation);
    }

    fn publish_as(&mut self, generation: Generation) {
        let complete = self.logs.iter().filter(|log| log.state.is_complete());
        let logs: Vec<EventType> = complete.map(|log| log.event_type).collect();
        let seen = Seen {
            logs: &logs,
            generation,
            version: self.keeper.shown().unwrap_or_default(),
        };
        self.refresher
            .publish(&mut self.series, &mut self.events, &seen);
        if self.keeper.shares() {
            self.report.regressed(self.refresher.short_of_floor());
        }
    }
}
