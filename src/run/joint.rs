//! What a replica does for all its accounts together: it beats, looks, and knows which leases it wants.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use tokio::task::JoinHandle;
use tracing::warn;

use super::alarm::{Alarm, Alarms, Task};
use super::fleet::{Common, events_text, series_limits};
use crate::births::SavedScraper;
use crate::config::AccountConfig;
use crate::event::Account;
use crate::meters::Meters;
use crate::refresh::{
    Access, Beater, Bell, Following, Looker, Offices, Refresher, Report, Roster, Seat, Source,
};
use crate::store::{AccountId, LeaseId, Shared, StoreError};

/// Who scraped replicas that are gone, by account.
pub(super) type Left = BTreeMap<AccountId, Vec<SavedScraper>>;

/// The tasks of a replica, which end with it.
#[derive(Debug)]
pub struct Joint {
    shared: Shared,
    bell: Arc<Bell>,
    offices: Arc<Offices>,
    tasks: Vec<JoinHandle<()>>,
}

impl Joint {
    /// Begins to beat and to look, of no accounts yet; and gives the roster that is looked at.
    pub fn start(shared: &Shared, meters: &Arc<Meters>, alarms: &Alarms) -> (Arc<Roster>, Self) {
        let bell = Arc::new(Bell::default());
        let roster = Arc::new(Roster::of_replicas(Arc::clone(&bell)));
        let offices = Arc::new(Offices::default());
        let beater = Beater::new(
            shared.clone(),
            Arc::clone(&offices),
            Arc::clone(&roster),
            Arc::clone(&bell),
            Arc::clone(meters),
        );
        let looker = Looker::new(
            shared.clone(),
            Arc::clone(&roster),
            Arc::clone(&bell),
            Arc::clone(meters),
        );
        let (beats, looks) = (
            Alarm::of(Task::Beats, alarms),
            Alarm::of(Task::Looks, alarms),
        );
        let tasks = vec![
            tokio::spawn(async move {
                let _armed = beats;
                beater.run().await;
            }),
            tokio::spawn(async move {
                let _armed = looks;
                looker.run().await;
            }),
        ];
        let joint = Self {
            shared: shared.clone(),
            bell,
            offices,
            tasks,
        };
        (roster, joint)
    }

    /// Makes these accounts known to the state, and wants their leases. Gives who scraped replicas that
    /// are gone, and may come here.
    pub(super) async fn want(&self, configs: &[AccountConfig]) -> Result<Left, StoreError> {
        let accounts: Vec<Account> = configs.iter().map(|config| config.name.clone()).collect();
        let leases: Vec<LeaseId> = configs.iter().map(|config| self.lease(config)).collect();
        self.shared.register(&accounts, &leases).await?;
        // Of other accounts is who cannot take over what is given away here.
        let mut hasher = SipHasher13::new();
        let wanted: BTreeSet<LeaseId> = leases.into_iter().collect();
        for lease in &wanted {
            hasher.write_i64(lease.number());
        }
        let ids: Vec<AccountId> = accounts.iter().map(|it| self.shared.account(it)).collect();
        let left = self.shared.scrapers_left(&ids).await?;
        self.offices.want(wanted, hasher.finish().cast_signed());
        Ok(left)
    }

    /// What an account is served by, which follows until its lease is granted; and was served by before,
    /// with other settings.
    pub(super) fn seat(
        &self,
        common: &Common,
        config: &AccountConfig,
        source: Source,
        access: Access,
        (before, left): (Option<&Refresher>, &Left),
    ) -> (Refresher, Seat) {
        let metrics = &common.metrics;
        let refresher = Refresher::of_replicas(
            config.name.clone(),
            access,
            (config.limits.min_interval, metrics.zero_for),
            self.shared.account(&config.name),
            Arc::clone(&self.bell),
        );
        if let Some(before) = before {
            refresher.keeps_scrapers_of(before);
        }
        refresher.inherits(left);
        let report = Report::new(&refresher, &source.logs, Arc::clone(&common.meters));
        let following = Following::new(
            series_limits(metrics),
            common.store.identity().key,
            events_text(common, config),
            report,
        );
        refresher.follow(following);
        let seat = Seat::new(
            refresher.clone(),
            source,
            (common.store.clone(), self.shared.clone()),
            Arc::clone(&common.meters),
            (self.lease(config), Arc::clone(&self.offices)),
        );
        (refresher, seat)
    }

    fn lease(&self, config: &AccountConfig) -> LeaseId {
        self.shared.lease(|write| config.write_grantee(write))
    }

    /// Gives the leases back, after nobody uses them any more.
    pub(super) async fn leave(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.shared.leave().await {
            warn!(%error, "the leases could not be given back: others take them in a few seconds");
        }
    }
}
