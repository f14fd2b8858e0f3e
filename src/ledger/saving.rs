//! What of the ledger is saved, and taken up again.

use super::{Ledger, LeftOpen};
use crate::event::EventType;
use crate::saved::{SavedBucket, SavedLog, SavedOpen};
use crate::sighting::Bucket;

impl Ledger {
    /// The ledger that was saved of a log.
    pub fn restore(log: &SavedLog, buckets: Vec<SavedBucket>) -> Self {
        let open = log.open.iter().map(|open| {
            let left_open = LeftOpen {
                attempts: open.attempts,
                postponed: open.postponed,
                uncounted: open.uncounted,
            };
            (open.minute, left_open)
        });
        let mut ledger = Self {
            horizon: log.horizon,
            closed_below: log.closed_below,
            left_open: open.collect(),
            ..Self::default()
        };
        for saved in buckets {
            // Minutes of two may be one in another zone.
            let tally = ledger.buckets.entry(saved.bucket).or_default();
            tally.total += saved.total;
            tally.most_at_once += saved.most_at_once;
            for (fingerprint, count) in saved.counted {
                *tally.counted.entry(fingerprint).or_default() += count;
                tally.known += u64::from(count);
            }
        }
        ledger
    }

    /// Notes that everything has to be saved anew, and that these buckets are saved but not held.
    pub fn is_rewritten(&mut self, forgotten: &[Bucket]) {
        self.unsaved = self.buckets.keys().copied().collect();
        self.forgotten = forgotten.to_vec();
    }

    /// Writes the fields of the ledger into those of the log.
    pub fn write(&self, log: &mut SavedLog) {
        log.horizon = self.horizon;
        log.closed_below = self.closed_below;
        let open = self.left_open.iter().map(|(minute, open)| SavedOpen {
            minute: *minute,
            attempts: open.attempts,
            postponed: open.postponed,
            uncounted: open.uncounted,
        });
        log.open = open.collect();
    }

    /// The buckets that changed since [`Self::are_saved`].
    pub fn changes(&self, event_type: EventType) -> Vec<SavedBucket> {
        let changed = self.unsaved.iter();
        let saved = changed.filter_map(|bucket| Some((bucket, self.buckets.get(bucket)?)));
        saved
            .map(|(bucket, tally)| SavedBucket {
                event_type,
                bucket: *bucket,
                total: tally.total,
                most_at_once: tally.most_at_once,
                counted: tally.counted.iter().map(|(f, n)| (*f, *n)).collect(),
            })
            .collect()
    }

    /// The buckets that were forgotten since [`Self::are_saved`].
    pub fn forgotten(&self) -> &[Bucket] {
        &self.forgotten
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        self.unsaved.clear();
        self.forgotten.clear();
    }
}
