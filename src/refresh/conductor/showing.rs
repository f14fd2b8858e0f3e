//! Saving what is counted, and showing what is saved.

use super::Conductor;
use crate::api::failure::Failure;
use crate::births::SavedScraper;
use crate::clock;
use crate::event::EventType;
use crate::refresh::Shown;
use crate::refresh::log::Log;
use crate::saved::Changes;
use crate::store::StoreError;

impl Conductor {
    /// Saves what is counted and then shows it; where it cannot be saved, what is shown stays.
    pub(super) async fn show(&mut self) {
        self.grow_up();
        if self.save().await.is_ok() {
            self.publish();
        } else {
            for log in &mut self.logs {
                log.failing = Some(Failure::NotSaved);
                self.report.failing(log.event_type, log.failing);
            }
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
        self.report.up(healthy && !self.keeper.is_failing());
        self.report.warn_of_unparsable(clock::now());
    }

    /// Saves what changed since it was saved last, if anything did.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        let scrapers = self.refresher.births().saved(clock::now());
        if self.keeper.keeps() {
            let changes = self.changes(&scrapers);
            if !changes.is_empty() {
                self.keeper.save(changes).await?;
            }
        }
        self.spent = false;
        self.scrapers_saved = scrapers;
        self.series.are_saved();
        self.tallies.are_saved();
        let zone = self.source.zone_name();
        self.logs.iter_mut().for_each(|log| log.is_saved(&zone));
        Ok(())
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
            return;
        }
        let complete = self.logs.iter().filter(|log| log.state.is_complete());
        let shown: Vec<EventType> = complete.map(|log| log.event_type).collect();
        for log in shown {
            let changed = self.series.take_unwritten(log);
            self.events.update(log, &self.series, &changed);
        }
        let mut births = self.refresher.births();
        let next = births.next();
        if next.is_some() && self.series.at_zero().any(|born| Some(born) == next) {
            births.are_shown(clock::now());
        }
        let generation = births.newest();
        drop(births);
        let [text, openmetrics] = self.events.rows();
        self.refresher.show(Shown {
            text,
            openmetrics,
            generation,
        });
    }
}
