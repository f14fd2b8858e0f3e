//! The accounts that are refreshed, as they are configured now.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher13};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::alarm::{Alarm, Alarms, Task};
use super::joint::{Joint, Left};
use crate::api::client::{Client, ClientError, Clients};
use crate::catalogue::UP;
use crate::clock;
use crate::config::{AccountConfig, Limits, Metrics};
use crate::event::Account;
use crate::exposition::EventsText;
use crate::meters::Meters;
use crate::plan::Reach;
use crate::refresh::{Access, Conductor, Keeper, Refresher, Report, Restored, Roster, Source};
use crate::saved::{SavedRequests, SavedSeries};
use crate::series::{Series, SeriesLimits};
use crate::sight::FingerprintKey;
use crate::store::{Store, StoreError};

/// The most requests that are on their way at the same time, of all accounts: each takes a socket, of
/// which a process has about a thousand.
const IN_FLIGHT_AT_MOST: usize = 256;

/// Why other accounts did not take over.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Requests(#[from] StoreError),
    #[error("the state of account {account} could not be read")]
    State {
        account: Account,
        #[source]
        error: StoreError,
    },
}

/// What all accounts have in common.
#[derive(Debug)]
pub struct Common {
    pub store: Store,
    pub meters: Arc<Meters>,
    pub metrics: Metrics,
    /// Where replicas share the state.
    pub joint: Option<Joint>,
}

/// A task for each account.
#[derive(Debug)]
pub struct Fleet {
    common: Common,
    roster: Arc<Roster>,
    running: BTreeMap<Account, Running>,
    /// Those of accounts that are gone stay while their window holds requests: the API still counts
    /// them.
    accesses: BTreeMap<Grantee, Known>,
    in_flight: Arc<Semaphore>,
    alarms: Alarms,
    /// What accounts had paid for in the process before that have another name now, or none, together
    /// and by the name of one of them: nobody knows by which credential.
    left_behind: Option<(Account, SavedRequests)>,
    /// Whether the first accounts have taken over.
    has_begun: bool,
}

/// What tells those apart to whom the API grants a budget: a hash, since it may be of a token.
type Grantee = u128;

/// What the credential of accounts opens.
#[derive(Debug)]
struct Known {
    access: Access,
    /// Whether it was made for the accounts that take over now.
    is_new: bool,
}

#[derive(Debug)]
struct Running {
    config: AccountConfig,
    refresher: Refresher,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Fleet {
    /// No account yet.
    pub fn new(common: Common, roster: Arc<Roster>, alarms: Alarms) -> Self {
        Self {
            common,
            roster,
            running: BTreeMap::new(),
            accesses: BTreeMap::new(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_AT_MOST)),
            alarms,
            left_behind: None,
            has_begun: false,
        }
    }

    /// Refreshes these accounts from now on, and no others. Those that are configured as before are
    /// not disturbed; the others save what they counted, and go on from that. Where it fails, the
    /// accounts whose state could not be read show what they showed, are not up, and the next call tries
    /// again.
    pub async fn take_over(&mut self, configs: Vec<AccountConfig>) -> Result<(), FleetError> {
        let clients = self.clients(&configs)?;
        let left = match &self.common.joint {
            Some(joint) => joint.want(&configs).await?,
            None => Left::new(),
        };
        let known = self.accesses.values_mut();
        known.for_each(|known| known.is_new = false);
        self.find_left_behind(&configs).await?;
        let gone = self.part_with_all_but(&configs).await;
        let mut failed = Ok(());
        for (config, client) in configs.iter().zip(clients) {
            let Some(client) = client else { continue };
            let before = (gone.get(&config.name), &left);
            let begun = self.begin(config.clone(), client, before).await;
            if let Err(error) = begun {
                failed = failed.and(Err(error));
            }
        }
        self.left_behind = None;
        self.has_begun = true;
        self.show(&configs);
        self.forget_accesses();
        failed
    }

    /// At the first start: which requests the window may still hold that no account will take up.
    async fn find_left_behind(&mut self, configs: &[AccountConfig]) -> Result<(), FleetError> {
        if self.has_begun {
            return Ok(());
        }
        let mut left_behind = self.common.store.requests().await?;
        for config in configs {
            left_behind.remove(&config.name);
        }
        // Those of another boot are too old to matter.
        let boot = clock::boot();
        left_behind.retain(|_, requests| requests.boot == boot);
        let most = configs.iter().map(|config| config.limits.rate.requests);
        let most = most.max().and_then(|most| usize::try_from(most).ok());
        let join = |(payer, mut all): (Account, SavedRequests), (_, other)| {
            all.join(other, most.unwrap_or(usize::MAX));
            (payer, all)
        };
        self.left_behind = left_behind.into_iter().reduce(join);
        Ok(())
    }

    /// Stops all tasks, and waits until each has saved what it counted; then gives the leases back.
    pub async fn stop(&mut self) {
        self.running.values_mut().for_each(Running::tell_to_stop);
        while let Some(mut first) = self.running.first_entry() {
            first.get_mut().has_stopped().await;
            first.remove();
        }
        if let Some(joint) = &self.common.joint {
            joint.leave().await;
        }
    }

    fn is_running(&self, config: &AccountConfig) -> bool {
        let running = self.running.get(&config.name);
        running.is_some_and(|one| one.config == *config)
    }

    /// For each account that does not run as it is configured, its client.
    fn clients(&self, configs: &[AccountConfig]) -> Result<Vec<Option<Client>>, FleetError> {
        let mut clients = Clients::default();
        let client = |config: &AccountConfig| {
            if self.is_running(config) {
                return Ok(None);
            }
            let (endpoint, timeout) = (&config.endpoint, config.limits.timeout);
            let client = clients.client(&endpoint.base_url, endpoint.ca.as_ref(), timeout)?;
            Ok(Some(client))
        };
        configs.iter().map(client).collect()
    }

    /// Stops all others, and gives what they were served by.
    async fn part_with_all_but(
        &mut self,
        configs: &[AccountConfig],
    ) -> BTreeMap<Account, Refresher> {
        let by_name: BTreeMap<&Account, &AccountConfig> = configs
            .iter()
            .map(|config| (&config.name, config))
            .collect();
        let stays = |one: &Running| by_name.get(&one.config.name) == Some(&&one.config);
        let goes = |one: &&mut Running| !stays(one);
        let gone = self.running.values_mut().filter(goes);
        let gone: Vec<Account> = gone
            .map(|running| {
                running.tell_to_stop();
                running.config.name.clone()
            })
            .collect();
        let mut refreshers = BTreeMap::new();
        for name in gone {
            let Some(running) = self.running.get_mut(&name) else {
                continue;
            };
            running.has_stopped().await;
            let logs = &running.config.reading.logs;
            match by_name.get(&name) {
                None => info!(account = %name, "the account is no longer configured"),
                // Nobody would ever change again what is said of a log that is read no more.
                Some(now) if now.reading.logs != *logs => {
                    self.common.meters.forget_account(&name);
                }
                Some(_) => {}
            }
            let refresher = self.running.remove(&name).map(|gone| gone.refresher);
            refreshers.extend(refresher.map(|refresher| (name, refresher)));
        }
        refreshers
    }

    async fn begin(
        &mut self,
        config: AccountConfig,
        client: Client,
        before: (Option<&Refresher>, &Left),
    ) -> Result<(), FleetError> {
        let (access, is_new) = self.access(&config);
        let source = source(&self.common, &config, client, &self.in_flight);
        let (stop, told_to_stop) = oneshot::channel::<()>();
        let told_to_stop = async {
            let _ = told_to_stop.await;
        };
        let alarm = || Alarm::of(Task::Refreshes(config.name.clone()), &self.alarms);
        let (refresher, task) = if let Some(joint) = &self.common.joint {
            let (refresher, seat) = joint.seat(&self.common, &config, source, access, before);
            let alarm = alarm();
            let task = tokio::spawn(async move {
                seat.run(told_to_stop).await;
                alarm.disarm();
            });
            (refresher, task)
        } else {
            let conducted = conduct(&self.common, &config, source, access, is_new).await;
            let (refresher, conductor) = conducted.map_err(|error| FleetError::State {
                account: config.name.clone(),
                error,
            })?;
            let alarm = alarm();
            let task = tokio::spawn(async move {
                conductor.run(told_to_stop).await;
                alarm.disarm();
            });
            (refresher, task)
        };
        let name = config.name.clone();
        let running = Running {
            config,
            refresher,
            stop: Some(stop),
            task,
        };
        self.running.insert(name, running);
        Ok(())
    }

    /// What the credential of the account opens, and whether it was made for the accounts that take over
    /// now.
    fn access(&mut self, config: &AccountConfig) -> (Access, bool) {
        let grantee = grantee(config);
        if let Some(Known { access, is_new }) = self.accesses.get(&grantee) {
            access.limit_to(config.limits.rate);
            access.is_known_by(config.endpoint.credential.clone());
            return (access.clone(), *is_new);
        }
        let Limits { rate, timeout, .. } = config.limits;
        let access = Access::new(config.endpoint.credential.clone(), rate);
        if let Some((payer, requests)) = &self.left_behind {
            access.take_up(payer, requests, timeout);
        }
        let known = Known {
            access: access.clone(),
            is_new: true,
        };
        self.accesses.insert(grantee, known);
        (access, true)
    }

    fn forget_accesses(&mut self) {
        let running = self.running.values();
        let used: BTreeSet<Grantee> = running.map(|one| grantee(&one.config)).collect();
        self.accesses
            .retain(|grantee, known| used.contains(grantee) || !known.access.is_idle());
    }

    /// Serves the accounts in the order of the configuration.
    fn show(&self, configs: &[AccountConfig]) {
        let before = self.roster.all();
        let shown: BTreeMap<&Account, &Refresher> =
            before.iter().map(|one| (one.account(), one)).collect();
        let of = |config: &AccountConfig| {
            let running = self.running.get(&config.name).map(|one| &one.refresher);
            running
                .or_else(|| shown.get(&config.name).copied())
                .cloned()
        };
        let now: Vec<Refresher> = configs.iter().filter_map(of).collect();
        let served: BTreeSet<&Account> = now.iter().map(Refresher::account).collect();
        let gone = shown.keys().filter(|name| !served.contains(*name));
        let gone: Vec<Account> = gone.map(|name| (*name).clone()).collect();
        let is_idle = |one: &&Refresher| !self.running.contains_key(one.account());
        for idle in now.iter().filter(is_idle) {
            self.common.meters.set(UP, &[idle.account().as_str()], 0.0);
        }
        self.roster.replace(now);
        gone.iter()
            .for_each(|account| self.common.meters.forget_account(account));
    }
}

impl Running {
    fn tell_to_stop(&mut self) {
        // It may have broken off.
        drop(self.stop.take());
    }

    async fn has_stopped(&mut self) {
        // Why it broke off, if it did, has been told.
        let _ = (&mut self.task).await;
    }
}

async fn conduct(
    common: &Common,
    config: &AccountConfig,
    source: Source,
    access: Access,
    is_access_new: bool,
) -> Result<(Refresher, Conductor), StoreError> {
    let AccountConfig { name, limits, .. } = config;
    let (meters, metrics) = (&common.meters, &common.metrics);
    let mut restored = restored(common, name, config).await?;
    if !is_access_new {
        // It knows better than what was saved what it holds.
        restored.budget = None;
    }
    let keeper = Keeper::new(common.store.clone(), name.clone(), Arc::clone(meters));
    let refresher = Refresher::new(name.clone(), access, limits.min_interval, metrics.zero_for);
    let report = Report::new(&refresher, &source.logs, Arc::clone(meters));
    let events = events_text(common, config);
    let conductor = Conductor::new(refresher.clone(), source, restored, events, report, keeper);
    Ok((refresher, conductor))
}

pub(super) fn events_text(common: &Common, config: &AccountConfig) -> EventsText {
    EventsText::new(&config.name, common.metrics.created).with_labels(&config.labels)
}

fn source(
    common: &Common,
    config: &AccountConfig,
    client: Client,
    in_flight: &Arc<Semaphore>,
) -> Source {
    let AccountConfig {
        limits,
        reading,
        rules,
        ..
    } = config;
    Source {
        client,
        in_flight: Arc::clone(in_flight),
        timeout: limits.timeout,
        logs: reading.logs.clone(),
        order: reading.order,
        reach: Reach {
            lookback_minutes: whole_minutes(reading.lookback),
            lateness_minutes: whole_minutes(reading.lateness),
        },
        zone: reading.zone.clone(),
        hostnames: common.metrics.hostnames.clone(),
        key: FingerprintKey::new(&common.store.identity().key),
        rules: rules.clone(),
    }
}

pub(super) fn series_limits(metrics: &Metrics) -> SeriesLimits {
    SeriesLimits {
        series: metrics.max_series,
        events: metrics.max_events,
    }
}

async fn restored(
    common: &Common,
    name: &Account,
    config: &AccountConfig,
) -> Result<Restored, StoreError> {
    let (store, metrics) = (&common.store, &common.metrics);
    let mut series = Series::new(series_limits(metrics), store.identity().key);
    let mut of_before = 0_u64;
    let each = |one: SavedSeries| {
        of_before += u64::from(!metrics.hostnames.may_show(one.event.labels().hostname));
        series.take_up(&one);
    };
    let saved = store.load(name, each).await?;
    if of_before > 0 {
        warn!(
            account = %name, series = of_before,
            "these series show hostnames as they were counted before --metrics.hostname was set, and stay, since no count may fall: to be rid of them, begin with a new --state.path"
        );
    }
    let reading = &config.reading;
    Ok(Restored::new(
        saved,
        series,
        &reading.logs,
        reading.order,
        &reading.zone,
    ))
}

fn grantee(config: &AccountConfig) -> Grantee {
    let mut hasher = SipHasher13::new();
    config.write_grantee(|bytes| hasher.write(bytes));
    hasher.finish128().as_u128()
}

/// Minutes of log time, begun ones too.
fn whole_minutes(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs().div_ceil(60)).unwrap_or(i64::MAX)
}
