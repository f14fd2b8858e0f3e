//! What was saved of an account, taken up again as it is configured now.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::births::{Generation, SavedScraper};
use crate::event::{EventType, Minute};
use crate::plan::{LogState, OrderSetting};
use crate::saved::{Saved, SavedBucket, SavedLog, SavedRequests};
use crate::series::Series;
use crate::sight;
use crate::sighting::Bucket;
use crate::tally::Tallies;

/// What an account goes on from.
#[derive(Debug)]
pub struct Restored {
    pub states: Vec<(EventType, LogState)>,
    pub series: Series,
    pub tallies: Tallies,
    pub budget: Option<SavedRequests>,
    pub scrapers: Vec<SavedScraper>,
    /// Of what another process refreshed until now, the newest generation that was shown.
    pub taken_over: Option<Generation>,
}

impl Restored {
    /// Takes up what was saved, for these logs, with its series. Where the lines are read in another
    /// zone than before, their minutes are moved as the lines will be: a line that was counted is not
    /// a new one.
    pub fn new(
        saved: Saved,
        mut series: Series,
        logs: &[EventType],
        order: OrderSetting,
        zone: &TimeZone,
    ) -> Self {
        series.take_up_overflowed(saved.overflowed);
        let mut buckets: BTreeMap<EventType, Vec<SavedBucket>> = BTreeMap::new();
        for bucket in saved.buckets {
            buckets.entry(bucket.event_type).or_default().push(bucket);
        }
        let states = logs.iter().map(|log| {
            let buckets = buckets.remove(log).unwrap_or_default();
            let state = match saved.logs.iter().find(|saved| saved.event_type == *log) {
                Some(saved) => state(order, saved, buckets, zone),
                None => LogState::new(order),
            };
            (*log, state)
        });
        Self {
            states: states.collect(),
            tallies: Tallies::restore(&saved.tallies),
            series,
            budget: saved.requests,
            scrapers: saved.scrapers.unwrap_or_default(),
            taken_over: None,
        }
    }
}

fn state(
    order: OrderSetting,
    saved: &SavedLog,
    buckets: Vec<SavedBucket>,
    zone: &TimeZone,
) -> LogState {
    let before = match TimeZone::get(&saved.zone) {
        Ok(before) if zone.iana_name() != Some(saved.zone.as_str()) => before,
        _ => return LogState::restore(order, saved, buckets),
    };
    let moved = |minute: Minute| sight::in_other_zone(minute, &before, zone);
    let earliest = |minute: Minute| moved(minute).first().copied().unwrap_or(minute);
    let latest = |minute: Minute| moved(minute).last().copied().unwrap_or(minute);
    let forgotten: Vec<Bucket> = buckets.iter().map(|saved| saved.bucket).collect();
    let mut log = saved.clone();
    log.horizon = log.horizon.map(latest);
    log.closed_below = log.closed_below.map(earliest);
    log.late_from = log.late_from.map(earliest);
    log.second_hour = None;
    for open in &mut log.open {
        open.minute = earliest(open.minute);
    }
    // Where a line may be in several minutes, it is taken as counted in each of them.
    let buckets = buckets.into_iter().flat_map(|saved| {
        let places: Vec<Bucket> = match saved.bucket {
            Bucket::Undated => vec![Bucket::Undated],
            Bucket::Day(start) => moved(start).into_iter().map(Bucket::Day).collect(),
            Bucket::At(minute) => moved(minute).into_iter().map(Bucket::At).collect(),
        };
        places.into_iter().map(move |bucket| SavedBucket {
            bucket,
            ..saved.clone()
        })
    });
    let mut state = LogState::restore(order, &log, buckets.collect());
    state.is_rewritten(&forgotten);
    state
}
