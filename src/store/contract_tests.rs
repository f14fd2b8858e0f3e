//! What every durable state keeps: after any commits and restarts, what is loaded is what a model of
//! maps holds. Written for any backend: it is given a way to open the state again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::Store;
use super::postgres::tests::{Replica, shared_server};
use super::tests::{folder, identity};
use crate::births::{Birth, Generation, SavedScraper, ScraperId};
use crate::event::{Account, Event, EventType, Labels, Minute};
use crate::moment::Moment;
use crate::order::Order;
use crate::saved::{
    Changes, Saved, SavedBucket, SavedLog, SavedOpen, SavedPlace, SavedRequests, SavedSeries,
    SavedTally,
};
use crate::sighting::{Bucket, Fingerprint};

const ACCOUNTS: [&str; 3] = ["", "main", "m'ain\" -- Ω"];

#[derive(Clone, Debug)]
enum Step {
    Commit(usize, Box<Changes>),
    Reopen,
}

/// What an account should hold.
#[derive(Clone, Debug, Default)]
struct Model {
    logs: BTreeMap<EventType, SavedLog>,
    buckets: BTreeMap<(EventType, Bucket), SavedBucket>,
    series: BTreeMap<(EventType, Event), SavedSeries>,
    tallies: BTreeMap<(EventType, String), SavedTally>,
    requests: Option<SavedRequests>,
    overflowed: BTreeSet<u64>,
    scrapers: BTreeMap<ScraperId, SavedScraper>,
}

impl Model {
    fn apply(&mut self, changes: Changes) {
        for key in changes.forgotten {
            self.buckets.remove(&key);
        }
        let saved = changes.changed;
        for log in saved.logs {
            self.logs.insert(log.event_type, log);
        }
        for bucket in saved.buckets {
            let key = (bucket.event_type, bucket.bucket);
            self.buckets.insert(key, bucket);
        }
        for series in saved.series {
            let key = (series.event_type, series.event.clone());
            self.series.insert(key, series);
        }
        for tally in saved.tallies {
            let key = (tally.event_type, tally.name.clone());
            self.tallies.insert(key, tally);
        }
        self.requests = saved.requests.or(self.requests.take());
        self.overflowed.extend(saved.overflowed);
        if let Some(scrapers) = saved.scrapers {
            self.scrapers = scrapers.into_iter().map(|one| (one.id, one)).collect();
        }
    }

    fn of(saved: Saved) -> Self {
        let mut model = Self::default();
        let lengths = [saved.logs.len(), saved.buckets.len(), saved.series.len()];
        let tallies = saved.tallies.len();
        model.apply(Changes {
            changed: saved,
            ..Changes::default()
        });
        let kept = [model.logs.len(), model.buckets.len(), model.series.len()];
        assert_eq!(
            (lengths, tallies),
            (kept, model.tallies.len()),
            "a key twice"
        );
        model
    }

    /// All of it, the minutes of a log in their order.
    fn shown(mut self) -> String {
        for log in self.logs.values_mut() {
            log.open.sort_by_key(|open| open.minute);
        }
        format!("{self:#?}")
    }
}

/// A state that was opened.
enum Opened {
    Store(Store),
    Replica(Box<Replica>),
}

impl Opened {
    async fn commit(&mut self, account: &Account, changes: Changes) {
        match self {
            Self::Store(store) => store.commit(account, changes).await.unwrap(),
            Self::Replica(replica) => replica.commit(account, &changes).await,
        }
    }

    async fn load(&self, account: &Account) -> Saved {
        match self {
            Self::Store(store) => store.load_all(account).await.unwrap(),
            Self::Replica(replica) => replica.load(account).await.saved,
        }
    }

    async fn close(self) {
        match self {
            Self::Store(store) => store.close().await.unwrap(),
            Self::Replica(replica) => replica.shared.leave().await.unwrap(),
        }
    }
}

/// Where each series stands: as one process would have them, in the order in which they came.
#[derive(Default)]
struct Places(BTreeMap<EventType, Vec<Event>>);

impl Places {
    fn set(&mut self, changes: &mut Changes) {
        for series in &mut changes.changed.series {
            let known = self.0.entry(series.event_type).or_default();
            let place = known.iter().position(|event| *event == series.event);
            series.place = place.unwrap_or(known.len());
            if place.is_none() {
                known.push(series.event.clone());
            }
        }
    }
}

/// Runs the steps on a state that begins empty, and compares all accounts after each restart and at
/// the end.
async fn keeps_what_a_model_keeps(steps: Vec<Step>, open: impl AsyncFn() -> Opened) {
    let mut store = open().await;
    let mut models = vec![Model::default(); ACCOUNTS.len()];
    let mut places: Vec<Places> = ACCOUNTS.iter().map(|_| Places::default()).collect();
    for step in steps.into_iter().chain([Step::Reopen]) {
        match step {
            Step::Commit(account, mut changes) => {
                let name = Account::new(ACCOUNTS[account]);
                if matches!(store, Opened::Replica(_)) {
                    places[account].set(&mut changes);
                    // They are of one process and of one moment: see its own tests.
                    (changes.changed.requests, changes.changed.scrapers) = (None, None);
                }
                store.commit(&name, Changes::clone(&changes)).await;
                models[account].apply(*changes);
            }
            Step::Reopen => {
                store.close().await;
                store = open().await;
                for (name, model) in ACCOUNTS.iter().zip(&models) {
                    let saved = store.load(&Account::new(name)).await;
                    assert_eq!(Model::of(saved).shown(), model.clone().shown());
                }
            }
        }
    }
    store.close().await;
}

fn a_log() -> impl Strategy<Value = EventType> + Clone {
    prop::sample::select(&EventType::ALL[..])
}

fn a_minute() -> impl Strategy<Value = Minute> + Clone {
    prop_oneof![4 => 0_i64..4, 1 => any::<i64>()].prop_map(Minute)
}

fn a_bucket() -> impl Strategy<Value = Bucket> + Clone {
    prop_oneof![
        Just(Bucket::Undated),
        a_minute().prop_map(Bucket::Day),
        a_minute().prop_map(Bucket::At),
    ]
}

fn a_count() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![0_u64..9, 0_u64..=i64::MAX as u64]
}

fn a_moment() -> impl Strategy<Value = Moment> + Clone {
    a_count().prop_map(|nanos| Moment(Duration::from_nanos(nanos)))
}

/// Few texts, so that keys come again; and any, so that all are kept as they are.
fn a_text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![3 => "[ab]?", 1 => any::<String>()]
}

prop_compose! {
    fn an_open_minute()(minute in a_minute(), attempts: u8, postponed: bool, uncounted: u32) -> SavedOpen {
        SavedOpen { minute, attempts, postponed, uncounted }
    }
}

prop_compose! {
    fn a_saved_log()(
        event_type in a_log(),
        order in option::of(prop::sample::select(&[Order::NewestFirst, Order::OldestFirst][..])),
        closed_place in option::of(a_count()),
        minutes in vec(option::of(a_minute()), 4),
        empty_answers: u32,
        complete: bool,
        zone in a_text(),
        open in vec(an_open_minute(), 0..4),
    ) -> SavedLog {
        let open: BTreeMap<_, _> = open.into_iter().map(|open| (open.minute, open)).collect();
        let [horizon, closed_below, late_from, second_hour] = minutes[..] else { unreachable!() };
        let open = open.into_values().collect();
        SavedLog {
            event_type, order, closed_place, horizon, closed_below, late_from, second_hour, empty_answers,
            complete, zone, open,
        }
    }
}

prop_compose! {
    fn a_saved_bucket()(
        event_type in a_log(),
        bucket in a_bucket(),
        total: u32,
        most_at_once: u32,
        counted in vec((any::<u64>().prop_map(Fingerprint), any::<u32>()), 0..5),
    ) -> SavedBucket {
        SavedBucket { event_type, bucket, total, most_at_once, counted }
    }
}

prop_compose! {
    fn a_saved_series()(
        event_type in a_log(),
        texts in [a_text(), a_text(), a_text(), a_text()],
        count in a_count(),
        created in option::of(any::<u32>()),
        zero in option::of((0..u32::MAX).prop_map(Generation)),
    ) -> SavedSeries {
        let [category, version, hostname, event] = texts.each_ref().map(|text| &**text);
        let event = Event::new(Labels { category, version, hostname, event });
        SavedSeries { event_type, event, place: 0, count, birth: Birth { created, zero } }
    }
}

prop_compose! {
    fn a_saved_tally()(event_type in a_log(), name in a_text(), lines in a_count()) -> SavedTally {
        SavedTally { event_type, name, lines }
    }
}

prop_compose! {
    fn some_requests()(
        boot in a_text(),
        places in vec((a_moment(), any::<bool>()), 0..5),
        paused_until in option::of(a_moment()),
    ) -> SavedRequests {
        let place = |(free_at, foreign)| SavedPlace { free_at, foreign };
        let places = places.into_iter().map(place).collect();
        SavedRequests { boot, places, paused_until }
    }
}

prop_compose! {
    fn a_saved_scraper()(id in any::<u64>(), seconds in 0_u64..9999, served in 0..u32::MAX) -> SavedScraper {
        SavedScraper {
            id: ScraperId(id),
            period: Duration::from_secs(seconds),
            served: Generation(served),
        }
    }
}

prop_compose! {
    fn some_changes()(
        logs in vec(a_saved_log(), 0..3),
        buckets in vec(a_saved_bucket(), 0..4),
        series in vec(a_saved_series(), 0..6),
        tallies in vec(a_saved_tally(), 0..3),
        requests in option::of(some_requests()),
        forgotten in vec((a_log(), a_bucket()), 0..4),
        overflowed in vec(prop_oneof![0_u64..4, any::<u64>()], 0..4),
        scrapers in option::of(vec(a_saved_scraper(), 0..4)),
    ) -> Changes {
        let changed = Saved { logs, buckets, series, overflowed, tallies, requests, scrapers };
        Changes { changed, forgotten }
    }
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..ACCOUNTS.len(), some_changes())
            .prop_map(|(account, changes)| Step::Commit(account, Box::new(changes))),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_file_keeps_what_a_model_keeps(steps in vec(a_step(), 0..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_folder, path) = folder();
        let open = async || Opened::Store(Store::open(&path, identity(1)).await.unwrap());
        runtime.block_on(keeps_what_a_model_keeps(steps, open));
    }

    #[test]
    fn a_database_of_replicas_keeps_what_a_model_keeps(steps in vec(a_step(), 0..12)) {
        let Some(server) = shared_server() else { return Ok(()) };
        let url = server.new_database();
        let accounts = ACCOUNTS.map(Account::new);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let open = async || Opened::Replica(Box::new(Replica::open(&url, &accounts).await));
        runtime.block_on(keeps_what_a_model_keeps(steps, open));
    }
}
