//! The requests that may be spent for a credential, and the token that it has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use crate::api::client::Reply;
use crate::api::failure::Failure;
use crate::budget::{Budget, RateLimit, Slot};
use crate::clock;
use crate::config::{AccountConfig, Secret};
use crate::event::Account;
use crate::moment::Moment;
use crate::saved::SavedRequests;
use crate::store::Sight;

/// How often the state is looked at while there is no place, in a window.
const LOOKS: u32 = 100;
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// After so many looks that show nothing new, the exporter's refresh is over.
const SETTLED_AFTER: u32 = 3;

/// How much longer than its window and its time-out a place may be held: saving takes time too.
const SAVING: Duration = Duration::from_secs(1);

/// What accounts with one credential share.
#[derive(Debug)]
pub struct Purse {
    first: AccountConfig,
    budget: Budget,
    /// The accounts, and how many logs all of them read.
    sharers: Vec<Account>,
    logs: u32,
    state: Option<Arc<Sight>>,
    seen: BTreeMap<Account, SavedRequests>,
    /// When what is seen changed last, other than by the first look.
    changed: Option<Moment>,
    /// Whether an exporter has the state open, or the API knows of requests that we do not.
    is_shared: bool,
    /// What came of the request for a token, if there was one.
    pub(super) fetched: Option<Fetched>,
}

/// A token that was asked for.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The account for which it was.
    pub(super) by: Account,
    /// None where none came.
    pub(super) token: Option<Secret>,
}

/// Why no request may be sent, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace(pub String);

impl Purse {
    /// What this account has together with those of `all` that share its credential. This state says what
    /// they have spent.
    pub fn of(config: &AccountConfig, all: &[AccountConfig], state: Option<Arc<Sight>>) -> Self {
        let sharers = all.iter().filter(|other| other.shares_with(config));
        let logs: usize = sharers.clone().map(|it| it.reading.logs.len()).sum();
        Self {
            first: config.clone(),
            budget: Budget::new(config.limits.rate),
            sharers: sharers.map(|sharer| sharer.name.clone()).collect(),
            logs: u32::try_from(logs).unwrap_or(u32::MAX),
            state,
            seen: BTreeMap::new(),
            changed: None,
            is_shared: false,
            fetched: None,
        }
    }

    /// Whether it is that of this account too.
    pub fn is_of(&self, config: &AccountConfig) -> bool {
        self.first.shares_with(config)
    }

    pub fn limit(&self) -> RateLimit {
        self.budget.limit()
    }

    /// Whether the requests of an exporter would be seen.
    pub fn knows_the_exporter(&self) -> bool {
        self.state.is_some()
    }

    /// A place for a request; waits for one, a window at most. Beside a running exporter it takes none of
    /// the last ones, so that what the exporter sends before it learns of this request finds a place too.
    pub async fn take(&mut self) -> Result<Slot, NoPlace> {
        let limits = self.first.limits;
        // Clocks may differ over a window.
        let patience = limits.rate.window * 101 / 100 + limits.timeout + 2 * SAVING;
        let (begin, mut is_said) = (clock::now(), false);
        loop {
            self.look().await;
            let now = clock::now();
            if self.is_hopeless() {
                return Err(NoPlace(format!(
                    "{} leaves no request beside a running exporter: stop it for a check",
                    limits.rate
                )));
            }
            if self.is_free(now)
                && let Ok(slot) = self.budget.take(&ourselves(), now, limits.timeout)
            {
                return Ok(slot);
            }
            if now.since(begin) >= patience {
                return Err(NoPlace(format!(
                    "none of {} was free: what was sent before uses them all. Try again, or stop the \
                     exporter for a check",
                    limits.rate
                )));
            }
            if !std::mem::replace(&mut is_said, true) {
                info!(
                    account = %self.first.name, limit = %limits.rate,
                    "no request is free beside those that were sent before: waiting up to {} s for one",
                    patience.as_secs()
                );
            }
            tokio::time::sleep(self.pause()).await;
        }
    }

    fn pause(&self) -> Duration {
        (self.limit().window / LOOKS).min(LOOK_AT_MOST_EVERY)
    }

    fn is_hopeless(&self) -> bool {
        self.is_shared && self.in_flight() >= self.limit().requests
    }

    /// Whether a request may be sent now. Each account of an exporter sends one request after the other,
    /// and learns from each answer what is left: between two refreshes a place for each account is
    /// enough to spare, and at any other time one for each log.
    fn is_free(&self, now: Moment) -> bool {
        let spare = match self.is_shared {
            false => 0,
            true if self.is_between_refreshes(now) => self.in_flight(),
            true => self.logs,
        };
        self.budget.left(now) > spare
    }

    /// Whether the exporter has just ended a refresh, so that our request is there before the next.
    fn is_between_refreshes(&self, now: Moment) -> bool {
        let half = self.first.limits.min_interval / 2;
        let over = self.pause() * SETTLED_AFTER;
        self.changed
            .is_some_and(|changed| (over..half).contains(&now.since(changed)))
    }

    /// How many requests of an exporter may be on their way.
    fn in_flight(&self) -> u32 {
        u32::try_from(self.sharers.len()).unwrap_or(u32::MAX)
    }

    /// Notes that an answer came, and what it said of the window. Returns how many requests of it were
    /// known just before that.
    pub async fn obey<T>(&mut self, slot: Slot, reply: &Reply<T>) -> u32 {
        self.look().await;
        let now = clock::now();
        self.budget.answered(slot, now);
        let known = self.budget.used(now);
        if let Some(remaining) = reply.rate.remaining {
            self.is_shared |= remaining < self.budget.left(now);
            // For a window, whenever the next place is freed: those of others are not known.
            self.budget.server_says(&ourselves(), remaining, None, now);
        }
        let wait = reply.rate.retry_after;
        if let Err(Failure::RateLimited) = reply.outcome {
            self.budget.refused(wait.or(reply.rate.reset), now);
        } else if wait.is_some() {
            self.budget.refused(wait, now);
        }
        known
    }

    /// Takes up what was paid for since the last look. Where that cannot be read now, what was known
    /// holds on.
    async fn look(&mut self) {
        let Some(state) = self.state.clone() else {
            return;
        };
        let Ok(windows) = state.windows().await else {
            return;
        };
        self.is_shared |= windows.is_in_use;
        let (boot, now) = (clock::boot(), clock::now());
        for sharer in &self.sharers {
            let Some(requests) = windows.requests.get(sharer) else {
                continue;
            };
            // Places of another boot would be held from now on each time that they are taken up.
            if self
                .seen
                .get(sharer)
                .is_some_and(|seen| are_the_same(seen, requests))
            {
                continue;
            }
            let timeout = self.first.limits.timeout + SAVING;
            self.budget.take_up(sharer, requests, &boot, now, timeout);
            if self.seen.contains_key(sharer) {
                self.changed = Some(now);
            }
            self.seen.insert(sharer.clone(), requests.clone());
        }
    }
}

/// Whether nothing was paid for in between: what is read of a database is held a little longer or shorter
/// each time.
fn are_the_same(seen: &SavedRequests, now: &SavedRequests) -> bool {
    let is_near = |one: Moment, other: Moment| {
        one.since(other).max(other.since(one)) < Duration::from_millis(50)
    };
    let mut places = seen.places.iter().zip(&now.places);
    seen.boot == now.boot
        && seen.places.len() == now.places.len()
        && places.all(|(one, other)| is_near(one.free_at, other.free_at))
        && seen.paused_until.is_some() == now.paused_until.is_some()
}

/// Who pays for what is asked here. No account has this name.
fn ourselves() -> Account {
    Account::new("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::store::Store;

    const WINDOW: Duration = Duration::from_secs(60);

    fn at(millis: u64) -> Moment {
        Moment(Duration::from_millis(millis))
    }

    /// That of an account that reads both logs at 5/1m, of which so many requests are spent.
    fn purse(spent: usize, state: Option<&std::path::Path>) -> Purse {
        let line = "metaaccess-exporter check --api.rate-limit=5/1m --scrape.min-interval=30s";
        let environment = config::Environment::from_iter([("METAACCESS_ACCESS_TOKEN", "hunter2")]);
        let args = line.split(' ').map(std::ffi::OsString::from);
        let config::Command::Check(check) = config::parse(args, &environment).unwrap().command
        else {
            panic!("no check");
        };
        let accounts = check.exporter.accounts;
        let state = state.map(|path| Arc::new(Sight::File(path.to_owned())));
        let mut purse = Purse::of(&accounts[0], &accounts, state);
        for _ in 0..spent {
            let slot = purse
                .budget
                .take(&ourselves(), at(0), Duration::ZERO)
                .unwrap();
            purse.budget.answered(slot, at(0));
        }
        purse
    }

    #[test]
    fn alone_it_may_spend_the_last_request_and_no_more() {
        assert!(purse(4, None).is_free(at(1)));
        assert!(!purse(5, None).is_free(at(1)));
    }

    #[test]
    fn beside_an_exporter_it_leaves_a_request_for_each_log() {
        let shared = |spent| Purse {
            is_shared: true,
            ..purse(spent, None)
        };
        assert!(shared(2).is_free(at(1)));
        assert!(!shared(3).is_free(at(1)));
    }

    #[test]
    fn between_two_refreshes_a_request_for_each_account_is_enough_to_leave() {
        let changed = |spent| Purse {
            is_shared: true,
            changed: Some(at(10_000)),
            ..purse(spent, None)
        };
        for (millis, between) in [
            (10_000, false),
            (10_299, false),
            (10_300, true),
            (24_999, true),
            (25_000, false),
        ] {
            assert_eq!(changed(3).is_free(at(millis)), between, "{millis}");
            assert!(!changed(4).is_free(at(millis)), "{millis}");
            assert!(changed(2).is_free(at(millis)), "{millis}");
        }
    }

    #[test]
    fn where_the_exporter_needs_every_request_waiting_is_of_no_use() {
        let mut purse = purse(0, None);
        assert!(!purse.is_hopeless());
        purse.is_shared = true;
        assert!(!purse.is_hopeless());
        purse.sharers = vec![Account::new("one"); 5];
        assert!(purse.is_hopeless());
    }

    #[tokio::test]
    async fn places_of_another_boot_are_held_once_however_often_they_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let identity = crate::saved::Identity {
            epoch: "0123456789abcdef".to_owned(),
            created: Duration::ZERO,
            key: [7; 16],
        };
        let store = Store::open(&path, identity).await.unwrap();
        let place = crate::saved::SavedPlace {
            free_at: at(1),
            foreign: false,
        };
        let changed = crate::saved::Saved {
            requests: Some(SavedRequests {
                boot: "another boot".to_owned(),
                places: vec![place],
                paused_until: None,
            }),
            ..crate::saved::Saved::default()
        };
        let changes = crate::saved::Changes {
            changed,
            ..crate::saved::Changes::default()
        };
        store
            .commit(&Account::new("default"), changes)
            .await
            .unwrap();
        store.close().await.unwrap();
        let mut purse = purse(0, Some(&path));
        purse.look().await;
        let held = purse
            .budget
            .saved(&Account::new("default"), "", clock::now());
        assert_eq!(purse.budget.left(clock::now()), 4);
        purse.look().await;
        let again = purse
            .budget
            .saved(&Account::new("default"), "", clock::now());
        assert_eq!(held, again);
        assert!(held.places[0].free_at > clock::now().plus(WINDOW));
        assert_eq!(purse.changed, None);
    }
}
