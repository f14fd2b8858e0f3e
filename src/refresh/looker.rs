//! The eyes of a replica: when somebody scrapes it, it looks at what the others have saved, shows that,
//! and wishes for the refresh of what is too old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use super::bell::{Accounts, Asked, Bell};
use super::roster::Roster;
use super::{NEVER, Refresher};
use crate::api::failure::Failure;
use crate::catalogue::{STATE_REGRESSIONS, UP};
use crate::clock;
use crate::meters::Meters;
use crate::moment::Moment;
use crate::store::{AccountId, News, Seen, Shared, StoreError};

/// How often is looked while scrapes wait for the refresh of another replica, if nobody says when to.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// So long scrapes wait for the refresh of another replica: it may have no request left.
const WAITED_FOR: Duration = Duration::from_secs(3);

/// So long, and so often, a look waits for what this replica has saved and is about to show.
const SHOWN_WITHIN: Duration = Duration::from_millis(300);
const LOOKS_AT_MOST: u32 = 6;

/// The others are told at most so often that refreshes have ended.
const TELLS_EVERY: Duration = Duration::from_millis(50);

/// What is noticed within this is one loss.
const ONE_LOSS: Duration = Duration::from_mins(5);

/// The accounts whose changes are read at once.
const AT_ONCE: usize = 500;

/// The task that looks.
#[derive(Debug)]
pub struct Looker {
    shared: Shared,
    roster: Arc<Roster>,
    bell: Arc<Bell>,
    meters: Arc<Meters>,
    /// Since when scrapes wait for others, and whether those know.
    waiting: Option<Moment>,
    /// When the others were told last that a refresh has ended, and are to be told again.
    told: Option<Moment>,
    to_tell_at: Option<Moment>,
    /// When it was last noticed that the database has lost something.
    noticed: Option<Moment>,
    is_failing: bool,
}

impl Looker {
    pub fn new(shared: Shared, roster: Arc<Roster>, bell: Arc<Bell>, meters: Arc<Meters>) -> Self {
        Self {
            shared,
            roster,
            bell,
            meters,
            waiting: None,
            told: None,
            to_tell_at: None,
            noticed: None,
            is_failing: false,
        }
    }

    /// Looks for ever.
    pub async fn run(mut self) {
        loop {
            let poll = async {
                match self.waiting {
                    Some(_) => tokio::time::sleep(LOOKS_EVERY).await,
                    None => std::future::pending().await,
                }
            };
            let telling = async {
                match self.to_tell_at {
                    Some(at) => tokio::time::sleep(at.since(clock::now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.bell.rings() => {}
                () = poll => {}
                () = telling => {
                    self.tell_of_refreshes().await;
                    continue;
                }
            }
            let asked = self.bell.take();
            self.obey(asked).await;
        }
    }

    /// Tells those who wait that refreshes have ended.
    async fn tell_of_refreshes(&mut self) {
        (self.to_tell_at, self.told) = (None, Some(clock::now()));
        self.shared.notify().await;
    }

    async fn obey(&mut self, asked: Asked) {
        if asked.lost > 0 {
            self.say_what_is_lost(asked.lost).await;
        }
        if asked.has_refreshed && are_others_waiting(&asked) {
            let next = self.told.map(|told| told.plus(TELLS_EVERY));
            self.to_tell_at = self.to_tell_at.or(Some(next.unwrap_or_default()));
        }
        let all = self.roster.all();
        let mut wanted = match asked.accounts {
            Accounts::All => all.iter().collect(),
            Accounts::Some(names) if names.is_empty() => Vec::new(),
            Accounts::Some(names) => named(&all, &names),
        };
        if self.waiting.is_some() {
            let known: BTreeSet<&str> = wanted.iter().map(|one| one.account().as_str()).collect();
            let waiting = all.iter().filter(|one| one.waits_for_another());
            let more: Vec<&Refresher> = waiting
                .filter(|one| !known.contains(one.account().as_str()))
                .collect();
            wanted.extend(more);
        }
        let looked = match wanted.is_empty() {
            true => Ok(()),
            false => self.look(&wanted).await,
        };
        if !wanted.is_empty() {
            self.tell(&looked, &wanted);
        }
        self.bell.looked(asked.look);
        if looked.is_ok() {
            self.wish(&all, asked.is_wished).await;
            if asked.may_scrapers_change {
                self.say_who_scrapes(&all).await;
            }
        }
    }

    /// The database has less than it had: the state is another one from now on. Each account is noticed
    /// when somebody looks at it, so that an epoch stands for all that are within a while.
    async fn say_what_is_lost(&mut self, accounts: u64) {
        self.meters.add(STATE_REGRESSIONS, &[], accounts);
        let now = clock::now();
        if self
            .noticed
            .is_some_and(|noticed| now.since(noticed) < ONE_LOSS)
        {
            return;
        }
        self.noticed = Some(now);
        error!(
            accounts,
            "the database has less than it had acknowledged, of this many accounts so far: it was restored from an older backup, or a standby took over that lacked the last commits. Each series is shown as it was until it is counted as high again from the log"
        );
        if let Err(error) = self.shared.begins_another_epoch().await {
            debug!(%error, "the epoch stays");
        }
    }

    /// Says once that nothing can be seen. What is shown stays as it was.
    fn tell(&mut self, looked: &Result<(), StoreError>, wanted: &[&Refresher]) {
        let Err(error) = looked else {
            self.is_failing = false;
            return;
        };
        for one in wanted {
            one.gives_up_waiting();
            if one.follows() {
                self.meters.set(UP, &[one.account().as_str()], 0.0);
            }
        }
        self.waiting = None;
        if !std::mem::replace(&mut self.is_failing, true) {
            let cause = error.causes();
            if error.is_of_all() {
                // The beats say so.
                debug!(%error, cause, "what the other replicas saved cannot be seen");
            } else {
                warn!(
                    reason = error.reason(),
                    cause,
                    "what the other replicas saved cannot be seen: {error}. Until it can, the last counts are shown"
                );
            }
        }
    }

    /// Looks until all that was seen is shown. What this replica has saved without knowing it, or what
    /// another has since this one was stopped for a while, is shown by its next refresh, or by following.
    async fn look(&self, wanted: &[&Refresher]) -> Result<(), StoreError> {
        let mut late = self.look_once(wanted).await?;
        for nth in 1..LOOKS_AT_MOST {
            if late.is_empty() {
                break;
            }
            // First it may be about to be shown.
            if nth > 1 {
                late.iter().for_each(|(one, _)| one.is_late());
            }
            let all_shown = async {
                for (one, seen) in &late {
                    one.has_shown(seen.shown).await;
                }
            };
            // Then it may be followed by now.
            let _ = tokio::time::timeout(SHOWN_WITHIN, all_shown).await;
            let again: Vec<&Refresher> = late.iter().map(|(one, _)| *one).collect();
            late = self.look_once(&again).await?;
        }
        Ok(())
    }

    /// Looks, and shows what is new of those that are followed. Gives the others of which less is shown
    /// than was seen.
    async fn look_once<'a>(
        &self,
        wanted: &[&'a Refresher],
    ) -> Result<Vec<(&'a Refresher, Seen)>, StoreError> {
        let ids: Vec<AccountId> = wanted.iter().filter_map(|one| one.id()).collect();
        let by_id: BTreeMap<AccountId, &Refresher> =
            (ids.iter().copied()).zip(wanted.iter().copied()).collect();
        let seen = self.shared.look(&ids).await?;
        let now = clock::now();
        let seen = seen
            .iter()
            .filter_map(|seen| Some((by_id.get(&seen.account).copied()?, *seen)));
        let seen: Vec<(&Refresher, Seen)> = seen.collect();
        let outdated = seen.iter().filter_map(|(one, seen)| {
            let known = one.lacks(seen)?;
            Some((*one, *seen, known))
        });
        let outdated: Vec<(&Refresher, Seen, i64)> = outdated.collect();
        for some in outdated.chunks(AT_ONCE) {
            self.take_up(some).await?;
        }
        for (one, seen) in &seen {
            if let Some(age) = seen.age {
                one.learns(now, age);
            }
        }
        let late = seen
            .into_iter()
            .filter(|(one, seen)| one.shows_less_than(seen.shown));
        Ok(late.collect())
    }

    async fn take_up(&self, some: &[(&Refresher, Seen, i64)]) -> Result<(), StoreError> {
        let reasons = Failure::ALL.map(Failure::reason);
        let known: Vec<(AccountId, i64)> = some
            .iter()
            .map(|(_, seen, known)| (seen.account, *known))
            .collect();
        let mut news = self.shared.news(&known, &reasons).await?;
        let mut misfits: Vec<(&Refresher, Seen)> = Vec::new();
        for (one, seen, since) in some {
            let of_it = news.remove(&seen.account).unwrap_or_default();
            if !one.takes_up(&of_it, *since, seen) {
                misfits.push((one, *seen));
            }
        }
        if misfits.is_empty() {
            return Ok(());
        }
        let known: Vec<(AccountId, i64)> = misfits
            .iter()
            .map(|(_, seen)| (seen.account, NEVER))
            .collect();
        let mut news = self.shared.news(&known, &reasons).await?;
        for (one, seen) in misfits {
            let of_it = news.remove(&seen.account).unwrap_or_default();
            one.takes_up(&of_it, NEVER, &seen);
        }
        Ok(())
    }

    /// Asks those who lead for a refresh of what scrapes wait for here.
    async fn wish(&mut self, all: &[Refresher], is_new: bool) {
        let now = clock::now();
        let waiting: Vec<&Refresher> = all.iter().filter(|one| one.waits_for_another()).collect();
        if waiting.is_empty() {
            self.waiting = None;
            return;
        }
        let since = *self.waiting.get_or_insert(now);
        if is_new {
            let ids: Vec<AccountId> = waiting.iter().filter_map(|one| one.id()).collect();
            let some = (ids.len() < all.len()).then_some(&ids[..]);
            if let Err(error) = self.shared.wish(some).await {
                debug!(%error, "the other replicas cannot be asked for a refresh");
            }
        }
        if now.since(since) >= WAITED_FOR {
            waiting.iter().for_each(|one| one.gives_up_waiting());
            self.waiting = None;
        }
    }

    async fn say_who_scrapes(&self, all: &[Refresher]) {
        let now = clock::now();
        let untold: Vec<_> = all
            .iter()
            .filter_map(|one| one.untold_scrapers(now))
            .collect();
        if untold.is_empty() {
            return;
        }
        match self.shared.scraped_by(&untold).await {
            Ok(()) => {
                let told: BTreeMap<AccountId, _> = untold.into_iter().collect();
                for one in all {
                    if let Some(scrapers) = one.id().and_then(|id| told.get(&id)) {
                        one.told(scrapers);
                    }
                }
            }
            Err(error) => debug!(%error, "the other replicas cannot be told who scrapes this one"),
        }
    }
}

/// Whether others wait for refreshes of this replica.
fn are_others_waiting(asked: &Asked) -> bool {
    let now = clock::now();
    let waited_for = asked.waited_for_at;
    waited_for.is_some_and(|at| now.since(at) < WAITED_FOR)
}

fn named<'a>(all: &'a [Refresher], names: &BTreeSet<crate::event::Account>) -> Vec<&'a Refresher> {
    all.iter()
        .filter(|one| names.contains(one.account()))
        .collect()
}

impl Refresher {
    /// Its number, where replicas share the state.
    pub(super) fn id(&self) -> Option<AccountId> {
        self.joint().map(|joint| joint.id)
    }

    /// Whether another replica refreshes it, as far as is known.
    pub(super) fn follows(&self) -> bool {
        self.joint()
            .is_some_and(|joint| Self::locked(&joint.following).is_some())
    }

    /// Reads all again of what another replica counts: versions of another epoch tell nothing.
    pub(super) fn reads_again(&self) {
        if let Some(joint) = self.joint()
            && let Some(following) = Self::locked(&joint.following).as_mut()
        {
            following.known = NEVER;
        }
    }

    pub(super) fn waits_for_another(&self) -> bool {
        self.shared.gate.is_wished() && self.follows()
    }

    fn gives_up_waiting(&self) {
        if self.waits_for_another() {
            self.shared.gate.is_out_of_budget();
        }
    }

    /// Where what is known is not what was seen: the version from which on changes are lacking.
    fn lacks(&self, seen: &Seen) -> Option<i64> {
        let joint = self.joint()?;
        let mut following = Self::locked(&joint.following);
        let following = following.as_mut()?;
        if seen.shown < following.known {
            // The database has lost what it had.
            following.known = NEVER;
        }
        let is_same = (following.known, following.refreshed) == (seen.shown, seen.refreshed);
        (!is_same).then_some(following.known)
    }

    /// Takes up what changed after this version and shows it. Says whether it fits what is known.
    fn takes_up(&self, news: &News, since: i64, seen: &Seen) -> bool {
        let Some(joint) = self.joint() else {
            return true;
        };
        let mut following = Self::locked(&joint.following);
        // It refreshes by itself meanwhile.
        let Some(following) = following.as_mut() else {
            return true;
        };
        if !following.take_up(news, (since, seen.shown), self) {
            return false;
        }
        following.refreshed = seen.refreshed;
        following.publish(news, seen.shown, self);
        true
    }

    fn learns(&self, now: Moment, age: Duration) {
        if self.follows() {
            self.shared.gate.learns(now.minus(age), now);
        }
    }

    fn shows_less_than(&self, version: i64) -> bool {
        self.joint()
            .is_some_and(|joint| *joint.version.borrow() < version)
    }

    /// What it shows is not what was saved last: it is refreshed again, however young that is.
    fn is_late(&self) {
        self.shared.gate.expires();
        // Nobody waits for its end but by its version.
        drop(self.wish(clock::now()));
    }

    /// Waits until that version is shown.
    async fn has_shown(&self, version: i64) {
        if let Some(joint) = self.joint() {
            let mut shown = joint.version.subscribe();
            // The sender lives as long as this.
            let _ = shown.wait_for(|shown| *shown >= version).await;
        }
    }

    /// The regular scrapers, where those who lead know others.
    fn untold_scrapers(
        &self,
        now: Moment,
    ) -> Option<(AccountId, Vec<crate::births::SavedScraper>)> {
        let joint = self.joint().filter(|_| self.follows())?;
        let scrapers = self.births().came_here(now);
        let is_told = Self::locked(&joint.told).as_ref() == Some(&scrapers);
        (!is_told).then_some((joint.id, scrapers))
    }

    /// Expects those who scraped replicas that are gone.
    pub fn inherits(&self, left: &BTreeMap<AccountId, Vec<crate::births::SavedScraper>>) {
        if let Some(scrapers) = self.id().and_then(|id| left.get(&id)) {
            self.births().inherit(scrapers, clock::now());
        }
    }

    /// Goes on with those who scraped this account of this process until now, when it had other settings.
    pub fn keeps_scrapers_of(&self, before: &Self) {
        let before = before.births().clone();
        self.births().keep_scrapers_of(before);
    }

    /// Tells who leads again who scrapes this replica.
    pub(super) fn tells_again(&self) {
        if let Some(joint) = self.joint() {
            *Self::locked(&joint.told) = None;
        }
    }

    pub(super) fn told(&self, scrapers: &[crate::births::SavedScraper]) {
        if let Some(joint) = self.joint() {
            *Self::locked(&joint.told) = Some(scrapers.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::births::{Scraper, ScraperId};
    use crate::event::EventType;
    use crate::refresh::following::tests::follower;

    #[test]
    fn who_scraped_an_account_before_a_reload_is_told_after_it_until_it_is_overdue() {
        let account = || {
            let (account, following) = follower(&EventType::ALL);
            account.follow(following);
            account
        };
        let scraper = Scraper {
            id: ScraperId(1),
            connection: ScraperId(2),
        };
        let (before, start) = (account(), clock::now());
        let seconds = |seconds| start.plus(Duration::from_secs(seconds));
        for at in [0, 15, 30, 45] {
            before.came(scraper, seconds(at));
            before.served(scraper, &before.shown());
        }
        let (id, scrapers) = before.untold_scrapers(seconds(46)).unwrap();
        assert_eq!(scrapers.len(), 1);
        before.told(&scrapers);
        assert_eq!(before.untold_scrapers(seconds(46)), None);
        let after = account();
        after.keeps_scrapers_of(&before);
        let untold = |at| after.untold_scrapers(seconds(at));
        assert_eq!(untold(46), Some((id, scrapers.clone())));
        after.told(&scrapers);
        assert_eq!(untold(46), None);
        assert_eq!(untold(90), Some((id, Vec::new())), "it went elsewhere");
    }
}
