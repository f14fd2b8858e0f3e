//! An account whose counts replicas share: it follows what another one counts, and refreshes by itself as
//! long as the lease is held.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{debug, warn};

use super::beater::Offices;
use super::conductor::{Conductor, Source};
use super::following::Following;
use super::keeper::Keeper;
use super::restored::Restored;
use super::{NEVER, Refresher};
use crate::catalogue::{STATE_FENCED, STATE_REGRESSED_SERIES, UP};
use crate::clock;
use crate::meters::Meters;
use crate::series::Series;
use crate::store::{Lease, LeaseId, Loaded, News, Shared, Store, StoreError};

/// After it could not begin, or another one was first.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The task of one account.
#[derive(Debug)]
pub struct Seat {
    refresher: Refresher,
    source: Source,
    store: Store,
    shared: Shared,
    meters: Arc<Meters>,
    lease: LeaseId,
    offices: Arc<Offices>,
}

impl Seat {
    /// Nothing is followed or refreshed before it runs.
    pub fn new(
        refresher: Refresher,
        source: Source,
        (store, shared): (Store, Shared),
        meters: Arc<Meters>,
        (lease, offices): (LeaseId, Arc<Offices>),
    ) -> Self {
        let labels = [refresher.account().as_str()];
        meters.add(STATE_FENCED, &labels, 0);
        meters.set(STATE_REGRESSED_SERIES, &labels, 0.0);
        Self {
            refresher,
            source,
            store,
            shared,
            meters,
            lease,
            offices,
        }
    }

    /// Follows, and refreshes whenever the lease is granted, until `stop` ends; then saves what was
    /// counted.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let lease = tokio::select! {
                biased;
                () = &mut stop => break,
                lease = self.offices.granted(self.lease) => lease,
            };
            let office = self.offices.enter(lease.id);
            let conductor = tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.offices.revoked(lease) => continue,
                conductor = self.take_office(lease) => conductor,
            };
            let mut is_stopped = false;
            let until = async {
                tokio::select! {
                    biased;
                    () = &mut stop => is_stopped = true,
                    () = self.offices.revoked(lease) => {}
                }
            };
            let following = conductor.lead(until).await;
            following.leads_no_more();
            self.refresher.follow(following);
            // What was saved with the counts may be other scrapers.
            self.refresher.tells_again();
            if is_stopped {
                break;
            }
            drop(office);
            debug!(account = %self.refresher.account(), "another replica is to refresh the account");
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
        self.refresher.shared.gate.is_over();
    }

    /// Takes up all that is saved, as often as it needs to.
    async fn take_office(&self, lease: Lease) -> Conductor {
        let mut is_said = false;
        loop {
            match self.begin(lease).await {
                Ok(Some(conductor)) => return conductor,
                Ok(None) => {}
                Err(error) => {
                    // Nobody refreshes it.
                    self.meters
                        .set(UP, &[self.refresher.account().as_str()], 0.0);
                    let is_said_elsewhere = error.is_of_all();
                    if !std::mem::replace(&mut is_said, true) && !is_said_elsewhere {
                        let cause = error.causes();
                        warn!(
                            account = %self.refresher.account(), reason = error.reason(), cause,
                            "the account could not be taken over: {error}. It is tried again"
                        );
                    }
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn begin(&self, lease: Lease) -> Result<Option<Conductor>, StoreError> {
        let account = self.refresher.account();
        let access = self.refresher.access();
        let timeout = self.source.timeout;
        access
            .take_up_once(lease, timeout, async || self.shared.paid_by(&[lease]).await)
            .await?;
        let known = self.refresher.known();
        let loaded = self.shared.load(account, lease, known).await?;
        let Some(following) = self.refresher.leads() else {
            // Only this task takes it, and gives it back before it comes here again.
            return Err(StoreError::Closed);
        };
        match self.conductor(loaded, known, following) {
            Ok(conductor) => {
                debug!(%account, "this replica refreshes the account from now on");
                Ok(Some(conductor))
            }
            Err(following) => {
                self.refresher.follow(*following);
                Ok(None)
            }
        }
    }

    /// Or what is followed, where that does not fit what is saved and all is to be read again.
    fn conductor(
        &self,
        loaded: Loaded,
        known: i64,
        mut following: Following,
    ) -> Result<Conductor, Box<Following>> {
        let Loaded {
            mut saved,
            term,
            generation,
            others,
            left,
        } = loaded;
        let news = News {
            series: std::mem::take(&mut saved.series),
            ..News::default()
        };
        if !following.take_up(&news, (known, term.shown()), &self.refresher) {
            return Err(Box::new(following));
        }
        // What was shown here may be newer than what is left in a database that lost something.
        let generation = generation.max(following.generation());
        let (series, events, report): (Series, _, _) = following.into_parts();
        report.leads(true);
        let mut births = self.refresher.births();
        births.inherit(&left, clock::now());
        births.others_are(others);
        drop(births);
        let restored = Restored {
            taken_over: Some(generation),
            ..Restored::new(
                saved,
                series,
                &self.source.logs,
                self.source.order,
                &self.zone(),
            )
        };
        let keeper = Keeper::new(
            self.store.clone(),
            self.refresher.account().clone(),
            Arc::clone(&self.meters),
        );
        let source = self.source.clone();
        let keeper = keeper.with_term(term);
        let refresher = self.refresher.clone();
        let conductor = Conductor::new(refresher, source, restored, events, report, keeper);
        Ok(conductor)
    }

    fn zone(&self) -> TimeZone {
        self.source.zone.clone()
    }
}

impl Refresher {
    /// Follows what another replica counts, from now on.
    pub fn follow(&self, following: Following) {
        if let Some(joint) = self.joint() {
            *Self::locked(&joint.following) = Some(following);
        }
    }

    /// The version of what is followed.
    fn known(&self) -> i64 {
        let joint = self.joint();
        joint.map_or(NEVER, |joint| {
            Self::locked(&joint.following)
                .as_ref()
                .map_or(NEVER, |following| following.known)
        })
    }

    /// Follows no more: what was known until now.
    fn leads(&self) -> Option<Following> {
        Self::locked(&self.joint()?.following).take()
    }
}
