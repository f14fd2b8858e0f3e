//! The heart of a replica: it says each second that it lives, and sees who else does, which leases are
//! free, and who wishes for a refresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::Refresher;
use super::bell::Bell;
use super::roster::Roster;
use super::spread::{Circle, Kept};
use crate::catalogue::{
    LEASE_TAKEOVERS, REPLICAS, STATE, STATE_CONNECTED, STATE_CONNECTIONS_LOST, STATE_REGRESSIONS,
};
use crate::clock;
use crate::event::Account;
use crate::meters::Meters;
use crate::saved::Identity;
use crate::store::{AccountId, Beat, Lease, LeaseId, Peer, Shared, StoreError, Watch};

/// Between two beats: a few may fail before anybody takes this replica for dead.
const EVERY: Duration = Duration::from_secs(1);

/// Word of others is heard at most so often.
const HEARD_EVERY: Duration = Duration::from_millis(20);

/// Every so many beats the dead are forgotten, and all accounts made known that are not.
const TIDIES_EVERY: u64 = 30;

/// Every so many beats it is told who scrapes no more.
const TELLS_EVERY: u64 = 5;

/// The leases that accounts are refreshed by, as the beater grants them and the seats use them.
#[derive(Debug)]
pub struct Offices {
    granted: watch::Sender<BTreeMap<LeaseId, Lease>>,
    /// How many seats use each.
    used: Mutex<BTreeMap<LeaseId, usize>>,
    /// What is configured: the leases, and what tells those of the same accounts.
    wanted: ArcSwap<(BTreeSet<LeaseId>, i64)>,
}

/// The use of a lease, until it is dropped.
#[derive(Debug)]
pub(super) struct Office {
    offices: Arc<Offices>,
    lease: LeaseId,
}

impl Default for Offices {
    fn default() -> Self {
        Self {
            granted: watch::Sender::new(BTreeMap::new()),
            used: Mutex::default(),
            wanted: ArcSwap::default(),
        }
    }
}

impl Offices {
    /// Wants these leases from now on.
    pub fn want(&self, leases: BTreeSet<LeaseId>, config: i64) {
        self.wanted.store(Arc::new((leases, config)));
    }

    /// Waits until the lease is held.
    pub(super) async fn granted(&self, lease: LeaseId) -> Lease {
        let mut granted = self.granted.subscribe();
        let held = granted.wait_for(|held| held.contains_key(&lease)).await;
        match held.ok().and_then(|held| held.get(&lease).copied()) {
            Some(lease) => lease,
            // The sender lives as long as this.
            None => std::future::pending().await,
        }
    }

    /// Waits until the lease is not held any more as it was, or is to be given away.
    pub(super) async fn revoked(&self, lease: Lease) {
        let mut granted = self.granted.subscribe();
        let gone = granted.wait_for(|held| held.get(&lease.id) != Some(&lease));
        // The sender lives as long as this.
        let _ = gone.await;
    }

    pub(super) fn enter(self: &Arc<Self>, lease: LeaseId) -> Office {
        *self.used().entry(lease).or_default() += 1;
        Office {
            offices: Arc::clone(self),
            lease,
        }
    }

    fn is_used(&self, lease: LeaseId) -> bool {
        self.used().get(&lease).is_some_and(|seats| *seats > 0)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<LeaseId, usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, held: BTreeMap<LeaseId, Lease>) {
        self.granted.send_if_modified(|granted| {
            if granted.len() != held.len() {
                let (leases, before) = (held.len(), granted.len());
                info!(
                    leases,
                    before, "this replica refreshes the accounts of so many leases"
                );
            }
            let changes = *granted != held;
            *granted = held;
            changes
        });
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(seats) = self.offices.used().get_mut(&self.lease) {
            *seats = seats.saturating_sub(1);
        }
    }
}

/// The task that beats.
#[derive(Debug)]
pub struct Beater {
    shared: Shared,
    offices: Arc<Offices>,
    roster: Arc<Roster>,
    bell: Arc<Bell>,
    meters: Arc<Meters>,
    watch: Option<Watch>,
    /// How many beats each lease was seen free.
    left: BTreeMap<LeaseId, u32>,
    kept: Kept,
    /// What the others wished for the last time.
    wishes: BTreeMap<String, (i64, i64)>,
    account_wishes: BTreeMap<AccountId, i64>,
    /// Which state it was.
    identity: Identity,
    beats: u64,
    lost_before: u64,
    is_failing: bool,
    is_of_another: bool,
}

impl Beater {
    pub fn new(
        shared: Shared,
        offices: Arc<Offices>,
        roster: Arc<Roster>,
        bell: Arc<Bell>,
        meters: Arc<Meters>,
    ) -> Self {
        meters.set(STATE_CONNECTED, &[], 1.0);
        meters.add(STATE_CONNECTIONS_LOST, &[], 0);
        meters.add(STATE_REGRESSIONS, &[], 0);
        meters.add(LEASE_TAKEOVERS, &[], 0);
        Self {
            identity: shared.identity().clone(),
            shared,
            offices,
            roster,
            bell,
            meters,
            watch: None,
            left: BTreeMap::new(),
            kept: Kept::default(),
            wishes: BTreeMap::new(),
            account_wishes: BTreeMap::new(),
            beats: 0,
            lost_before: 0,
            is_failing: false,
            is_of_another: false,
        }
    }

    /// Beats for ever.
    pub async fn run(mut self) {
        loop {
            let next = clock::now().plus(EVERY);
            self.beat().await;
            while clock::now() < next {
                self.listen(next.since(clock::now())).await;
            }
        }
    }

    /// Hears what others wish for, for so long.
    async fn listen(&mut self, time: Duration) {
        let Some(watch) = &mut self.watch else {
            return tokio::time::sleep(time).await;
        };
        if tokio::time::timeout(time, watch.heard()).await.is_err() {
            return;
        }
        self.bell.heard();
        let heard = match self.shared.living(watch).await {
            Ok(living) => self.hear(&living).await,
            Err(error) => Err(error),
        };
        if heard.is_err() {
            // The next beat says so.
            self.watch = None;
        }
        tokio::time::sleep(HEARD_EVERY).await;
    }

    async fn beat(&mut self) {
        let was_alive = self.shared.lives(clock::now());
        let beaten = self.beat_once().await;
        if beaten.is_ok() && !was_alive {
            // What was told of the scrapers of the dead may be forgotten by now.
            self.roster.all().iter().for_each(Refresher::tells_again);
        }
        let lost = self.shared.lost_connections();
        let more = lost.saturating_sub(std::mem::replace(&mut self.lost_before, lost));
        self.meters.add(STATE_CONNECTIONS_LOST, &[], more);
        let is_good = beaten.is_ok();
        self.meters
            .set(STATE_CONNECTED, &[], f64::from(u8::from(is_good)));
        match beaten {
            Ok(()) if std::mem::take(&mut self.is_failing) => {
                info!("the database answers again");
                self.roster.leads(&self.meters, true);
            }
            // Nobody refreshes what another state does not have.
            Ok(()) if self.is_of_another => self.roster.cannot_be_refreshed(&self.meters),
            Ok(()) => {}
            Err(error) => {
                self.watch = None;
                if matches!(error, StoreError::DatabaseNewer { .. }) {
                    self.offices.grant(BTreeMap::new());
                }
                self.roster.cannot_be_refreshed(&self.meters);
                if !self.shared.lives(clock::now()) {
                    self.roster.leads(&self.meters, false);
                }
                if !std::mem::replace(&mut self.is_failing, true) {
                    let cause = error.causes();
                    warn!(
                        reason = error.reason(),
                        cause,
                        "the database cannot be asked: {error}. Until it can, the last counts are shown and the API is not asked"
                    );
                }
            }
        }
    }

    async fn beat_once(&mut self) -> Result<(), StoreError> {
        let (mut watch, is_new) = match self.watch.take() {
            Some(watch) => (watch, false),
            None => (self.shared.watch().await?, true),
        };
        let wanted = self.offices.wanted.load_full();
        let (leases, config) = &*wanted;
        let beat = self.shared.beat(&mut watch, *config).await?;
        self.watch = Some(watch);
        self.meters.set(REPLICAS, &[], beat.living.len() as f64);
        if !self.is_the_same_state(&beat.identity) {
            self.offices.grant(BTreeMap::new());
            return Ok(());
        }
        let is_first = self.beats == 0;
        let is_time_to_tidy = !is_first && self.beats.is_multiple_of(TIDIES_EVERY);
        if is_new && !is_first {
            // It may be a standby or a backup, which has lost something and is as far again by now.
            let all = self.roster.all();
            all.iter().for_each(Refresher::reads_again);
            all.iter().for_each(Refresher::tells_again);
        }
        if is_time_to_tidy || (is_new && !is_first) {
            self.registers(leases).await?;
        }
        self.hear(&beat.living).await?;
        self.spread(beat, leases, *config).await?;
        if self.beats.is_multiple_of(TELLS_EVERY) {
            self.bell.scrapers_may_change();
        }
        self.beats += 1;
        if is_time_to_tidy {
            self.shared.forget_the_dead().await?;
        }
        Ok(())
    }

    /// Makes known what the database may have lost, and who scrapes accounts that are served no more.
    async fn registers(&self, leases: &BTreeSet<LeaseId>) -> Result<(), StoreError> {
        let all = self.roster.all();
        let accounts: Vec<Account> = all.iter().map(|one| one.account().clone()).collect();
        let leases: Vec<LeaseId> = leases.iter().copied().collect();
        self.shared.register(&accounts, &leases).await?;
        let ids: Vec<AccountId> = all.iter().filter_map(Refresher::id).collect();
        self.shared.is_scraped_for_no_others(&ids).await
    }

    /// Whether it is still the state that it was; of another, nothing is taken up.
    fn is_the_same_state(&mut self, now: &Identity) -> bool {
        let is_another = now.key != self.identity.key;
        if is_another && !std::mem::replace(&mut self.is_of_another, true) {
            error!(
                epoch = self.identity.epoch,
                found = now.epoch,
                "the database holds another state than before: the last counts are shown and the API is not asked. Give the old one back, or restart all replicas to go on with the new one, which Prometheus sees as a reset of every counter"
            );
        }
        if !is_another {
            self.is_of_another = false;
            if now.epoch != self.identity.epoch {
                let backend = "postgresql";
                self.meters.forget(STATE, &[backend, &self.identity.epoch]);
                self.meters.set(STATE, &[backend, &now.epoch], 1.0);
                self.identity = now.clone();
                let all = self.roster.all();
                all.iter().for_each(Refresher::reads_again);
                all.iter().for_each(Refresher::tells_again);
            }
        }
        !is_another
    }

    /// Refreshes what others wish for and this replica leads.
    async fn hear(&mut self, living: &[Peer]) -> Result<(), StoreError> {
        let me = self.shared.replica().to_owned();
        let others: Vec<&Peer> = living.iter().filter(|peer| peer.id != me).collect();
        let before = std::mem::take(&mut self.wishes);
        let known = |peer: &&Peer| before.get(&peer.id).copied().unwrap_or((0, 0));
        let all = others.iter().any(|peer| known(peer).0 != peer.wishes);
        let some = others.iter().any(|peer| known(peer).1 != peer.some);
        self.wishes = others
            .iter()
            .map(|peer| (peer.id.clone(), (peer.wishes, peer.some)))
            .collect();
        if all || some {
            self.bell.is_waited_for();
        }
        if all {
            self.roster.wish_led(|_| true);
        }
        if some {
            let led = self.roster.led();
            let wishes = self.shared.wishes(&led).await?;
            let before = std::mem::take(&mut self.account_wishes);
            self.account_wishes = wishes.into_iter().collect();
            let now = &self.account_wishes;
            self.roster.wish_led(|id| now.get(&id) != before.get(&id));
        }
        Ok(())
    }

    async fn spread(
        &mut self,
        beat: Beat,
        wanted: &BTreeSet<LeaseId>,
        config: i64,
    ) -> Result<(), StoreError> {
        let me = self.shared.replica().to_owned();
        let circle = Circle {
            me: &me,
            config,
            living: &beat.living,
        };
        let mut held = beat.held;
        let now = clock::now();
        self.kept.are_held(|lease| held.contains_key(&lease));
        let mut to_give = circle.gives(held.keys().copied());
        to_give.retain(|lease| !self.kept.keeps(*lease, now));
        to_give.extend(held.keys().filter(|lease| !wanted.contains(lease)));
        held.retain(|lease, _| !to_give.contains(lease));
        self.offices.grant(held.clone());
        let free = beat.free.iter().filter(|(lease, _)| wanted.contains(lease));
        let free: BTreeMap<LeaseId, bool> = free.copied().collect();
        self.left = (free.keys())
            .map(|lease| (*lease, self.left.get(lease).map_or(0, |beats| beats + 1)))
            .collect();
        // Only those that nobody uses any more, so that what they counted is saved.
        to_give.retain(|lease| !self.offices.is_used(*lease));
        if !to_give.is_empty() {
            self.shared.release(&to_give).await?;
        }
        let to_take = circle.takes(&self.left);
        if to_take.is_empty() {
            return Ok(());
        }
        let taken = self.shared.take(&to_take).await?;
        let of_the_dead = taken
            .iter()
            .filter(|lease| free.get(&lease.id) == Some(&true))
            .count();
        self.meters.add(LEASE_TAKEOVERS, &[], of_the_dead as u64);
        if of_the_dead > 0 {
            info!(
                leases = of_the_dead,
                "leases were taken over from replicas that do not live any more"
            );
        }
        let belongs_to_another = circle.gives(taken.iter().map(|lease| lease.id));
        for lease in belongs_to_another {
            self.kept.takes(lease, now);
        }
        held.extend(taken.into_iter().map(|lease| (lease.id, lease)));
        self.offices.grant(held);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
