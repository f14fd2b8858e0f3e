//! The state of several replicas, in a PostgreSQL database that they share.
//!
//! # What holds
//!
//! - A commit is one transaction. It succeeds only if its writer holds the lease of the account by the
//!   fence that it took it with, and nothing of the account changed since it was read: who was paused or
//!   cut off writes nothing late. Where the answer is lost, the next commit of the same writer succeeds
//!   whether the one before did or not, and one that comes late after it does not.
//! - A place of the request window is taken in the same transaction, by the clock of the database, with
//!   the lease locked: all replicas together never hold more than the limit.
//! - No clock of this machine is compared with another: places are saved by how long they are held from
//!   now on, and read so.
//! - The cost of a commit is that of what it changes: one row of each thing, found by its key.

mod board;
mod commit;
mod connect;
mod connect_error;
mod ids;
mod lease;
mod look;
mod pool;
mod read;
mod schema;
mod session;
mod standing;
mod statements;
mod text;
mod tls;
mod way;
mod write;

#[cfg(test)]
mod connect_tests;
#[cfg(test)]
pub(super) mod tests;
#[cfg(test)]
mod writers_tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::types::ToSql;

pub use board::{News, Seen};
pub use ids::{AccountId, LeaseId};
pub use lease::{Beat, LIFE, Lease, Peer, Watch};
pub use look::{DatabaseLook, Eyes, SharedState};

pub(in crate::store) use connect_error::ConnectError;

use commit::{Conditions, Ended};
use ids::Ids;
use pool::{Connection, Pool};
use read::Scraped;
use statements as sql;
use text::{column, text};
use write::Columns;

use super::error::{Fault, StoreError};
use crate::births::{Generation, SavedScraper};
use crate::clock;
use crate::config::Database;
use crate::event::Account;
use crate::moment::Moment;
use crate::saved::{Changes, Identity, Saved, SavedRequests, SavedStanding};

/// By which replicas tell each other that there is something to look at.
const CHANNEL: &str = "metaaccess";

/// A shared state. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    identity: Identity,
    ids: Ids,
    /// Random, as 16 hexadecimal digits; and as a number, to which each term adds one.
    replica: String,
    writer: AtomicI64,
    lives_until: Mutex<Option<Moment>>,
}

/// The right to write one account, for as long as the lease is held and nobody else writes.
#[derive(Debug)]
pub struct Term {
    account: Account,
    id: AccountId,
    lease: Lease,
    /// The version that was read or written last, and the last one that was tried.
    known: i64,
    tried: i64,
    /// Of this term alone, of all replicas.
    writer: i64,
    /// The version at which what scrapes see changed last.
    shown: i64,
}

impl Term {
    pub fn shown(&self) -> i64 {
        self.shown
    }
}

/// What is read of an account by who is to write it.
#[derive(Debug)]
pub struct Loaded {
    /// Of the series, those that changed after what is known of them.
    pub saved: Saved,
    pub term: Term,
    /// The newest generation that was ever shown.
    pub generation: Generation,
    /// Who scrapes other replicas.
    pub others: Vec<SavedScraper>,
    /// Who scraped one that is gone, or this one as it said before.
    pub left: Vec<SavedScraper>,
}

/// How a commit ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    Saved,
    /// The window has no place for the request that it was to pay for, for so long; nothing is saved.
    NotBefore(Duration),
}

/// What a commit is beside its changes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occasion<'a> {
    /// The end of a refresh that began so long ago, if one could ask at all, and how the account
    /// stands after it.
    pub refreshed: Option<Duration>,
    pub standing: Option<&'a SavedStanding>,
    /// A request is paid for: how many the window may hold with it.
    pub limit: Option<u32>,
}

impl Shared {
    /// Opens the state in this database; where there is none, makes one with the identity `fresh`. Says
    /// whether it did. The replica is named by the random number.
    pub async fn open(
        database: Database,
        fresh: &Identity,
        replica: u64,
    ) -> Result<(Self, bool), StoreError> {
        Self::open_with(database, fresh, replica, schema::STEPS).await
    }

    async fn open_with(
        database: Database,
        fresh: &Identity,
        replica: u64,
        steps: &[&str],
    ) -> Result<(Self, bool), StoreError> {
        let pool = Pool::new(database);
        let (identity, is_fresh) = pool
            .with(async |connection| schema::prepare(connection, fresh, steps).await)
            .await?;
        let shared = Self(Arc::new(Inner {
            ids: Ids::new(identity.key),
            identity,
            pool,
            replica: format!("{replica:016x}"),
            writer: AtomicI64::new(replica.cast_signed()),
            lives_until: Mutex::default(),
        }));
        Ok((shared, is_fresh))
    }

    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The format of the tables.
    pub fn format() -> i64 {
        schema::newest()
    }

    /// What this replica is called.
    pub fn replica(&self) -> &str {
        &self.0.replica
    }

    /// Where the state is, without a secret.
    pub fn place(&self) -> String {
        self.pool().database().to_string()
    }

    pub fn account(&self, account: &Account) -> AccountId {
        self.0.ids.account(account)
    }

    /// The lease of whom the API grants a budget, who is told by what is written; it is hashed by the key
    /// of the state.
    pub fn lease(&self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> LeaseId {
        self.0.ids.lease(write)
    }

    /// How many connections were lost.
    pub fn lost_connections(&self) -> u64 {
        self.pool().lost()
    }

    /// Until when this replica lives for certain: what it holds it holds till then.
    pub fn lives(&self, now: Moment) -> bool {
        self.lock().is_some_and(|until| now < until)
    }

    fn lives_until(&self, until: Moment) {
        *self.lock() = Some(until);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Moment>> {
        self.0
            .lives_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Makes accounts and leases known that are not yet.
    pub async fn register(
        &self,
        accounts: &[Account],
        leases: &[LeaseId],
    ) -> Result<(), StoreError> {
        let ids: Vec<i64> = accounts
            .iter()
            .map(|account| self.account(account).0)
            .collect();
        let names: Vec<String> = (accounts.iter())
            .map(|account| column(account.as_str()).into_owned())
            .collect();
        let mut leases: Vec<i64> = leases.iter().map(|lease| lease.0).collect();
        leases.sort_unstable();
        leases.dedup();
        self.pool()
            .at_once(async |connection| {
                let add = async |connection: &mut Connection| {
                    let accounts: [&(dyn ToSql + Sync); 2] = [&ids, &names];
                    connection.execute(sql::ADD_ACCOUNTS, &accounts).await?;
                    connection.execute(sql::ADD_LEASES, &[&leases]).await
                };
                match add(connection).await {
                    // By now it is done.
                    Err(Fault::Postgres(error)) if schema::is_in_the_way(&error) => {
                        add(connection).await
                    }
                    added => added,
                }
            })
            .await?;
        Ok(())
    }

    /// What all accounts of these leases have paid for, whoever did.
    pub async fn paid_by(
        &self,
        leases: &[Lease],
    ) -> Result<BTreeMap<Account, SavedRequests>, StoreError> {
        let ids: Vec<i64> = leases.iter().map(|lease| lease.id.0).collect();
        self.pool()
            .with(async |connection| {
                read::requests(&connection.query(sql::REQUESTS_OF_LEASES, &[&ids]).await?)
            })
            .await
    }

    /// All that is kept of an account, for who writes it by this lease; of the series those that changed
    /// after the version `known`.
    pub async fn load(
        &self,
        account: &Account,
        lease: Lease,
        known: i64,
    ) -> Result<Loaded, StoreError> {
        self.pool()
            .with(async |connection| self.read(connection, account, lease, known).await)
            .await
    }

    async fn read(
        &self,
        connection: &mut Connection,
        account: &Account,
        lease: Lease,
        known: i64,
    ) -> Result<Loaded, Fault> {
        let id = self.account(account);
        // The version first: what is read after it may be newer, and then no commit succeeds.
        let rows = connection.query(sql::ACCOUNT, &[&id.0]).await?;
        let row = rows
            .first()
            .ok_or_else(|| Fault::Odd(format!("the account {account} is not in it any more")))?;
        let name = text(row.try_get(0)?).into_owned();
        if name != account.as_str() {
            return Err(Fault::Odd(format!(
                "the accounts {account} and {name} have the same number"
            )));
        }
        let (version, shown): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let generation = super::value::generation(row.try_get(3)?)?;
        let (saved, scrapers) = rows_of(connection, id, known).await?;
        let served = scrapers.iter().map(|one| one.scraper.served);
        let generation = served.max().unwrap_or_default().max(generation);
        let those = |is_meant: fn(&Scraped, &str) -> bool| {
            let meant = scrapers.iter().filter(|one| is_meant(one, self.replica()));
            meant.map(|one| one.scraper).collect()
        };
        Ok(Loaded {
            saved,
            term: Term {
                account: account.clone(),
                id,
                lease,
                known: version,
                tried: version,
                writer: self.0.writer.fetch_add(1, Ordering::Relaxed),
                shown,
            },
            generation,
            others: those(Scraped::is_to_be_waited_for_by),
            left: those(Scraped::is_left_to),
        })
    }

    /// Saves all changes or none: see the head of this file for when it does.
    pub async fn commit(
        &self,
        term: &mut Term,
        changes: &Changes,
        occasion: Occasion<'_>,
    ) -> Result<Committed, StoreError> {
        let failed = |fault: Fault| self.pool().error(fault);
        let columns = Columns::of(changes, clock::now()).map_err(failed)?;
        let standing = occasion.standing.map(standing::column);
        let standing = standing.transpose().map_err(failed)?;
        let next = term.tried + 1;
        // Before it is sent: what becomes of it may never be known.
        term.tried = next;
        let conditions = Conditions {
            account: term.id,
            lease: term.lease.id,
            fence: term.lease.fence,
            replica: self.replica(),
            writer: term.writer,
            known: term.known,
            next,
            refreshed: occasion.refreshed,
            standing: standing.as_deref(),
            limit: occasion.limit,
        };
        let ended = self
            .pool()
            .with(async |connection| commit::commit(connection, &conditions, &columns).await)
            .await?;
        match ended {
            Ended::Saved => {
                term.known = next;
                if columns.is_visible {
                    term.shown = next;
                }
                Ok(Committed::Saved)
            }
            Ended::NotBefore(wait) => Ok(Committed::NotBefore(wait)),
            Ended::Fenced => Err(StoreError::Fenced {
                account: term.account.to_string(),
            }),
        }
    }

    /// Gives the state another epoch, since it lost what it had acknowledged.
    pub async fn begins_another_epoch(&self) -> Result<(), StoreError> {
        self.pool()
            .with(async |connection| {
                let identity = schema::identity(connection).await?;
                let next = self.0.ids.next_epoch(&identity.epoch);
                connection
                    .execute(sql::SET_EPOCH, &[&next, &identity.epoch])
                    .await
            })
            .await?;
        Ok(())
    }

    /// Lets go of the database.
    pub fn close(&self) {
        self.pool().close();
    }
}

async fn rows_of(
    connection: &mut Connection,
    account: AccountId,
    known: i64,
) -> Result<(Saved, Vec<Scraped>), Fault> {
    let AccountId(id) = account;
    let [
        logs,
        buckets,
        series,
        overflowed,
        tallies,
        scrapers,
        requests,
    ] = connection
        .query_all([
            (sql::LOGS, &[&id]),
            (sql::BUCKETS, &[&id]),
            (sql::SERIES_OF_ACCOUNT_SINCE, &[&id, &known]),
            (sql::OVERFLOWED, &[&id]),
            (sql::TALLIES, &[&id]),
            (sql::SCRAPERS, &[&id]),
            (sql::REQUESTS, &[&id]),
        ])
        .await?;
    let scrapers: Vec<Scraped> = scrapers
        .iter()
        .map(read::scraped)
        .collect::<Result<_, _>>()?;
    let saved = Saved {
        logs: logs.iter().map(read::log).collect::<Result<_, _>>()?,
        buckets: buckets.iter().map(read::bucket).collect::<Result<_, _>>()?,
        series: series
            .iter()
            .map(|row| read::series(row, 0))
            .collect::<Result<_, _>>()?,
        overflowed: overflowed
            .iter()
            .map(read::overflowed)
            .collect::<Result<_, _>>()?,
        tallies: tallies.iter().map(read::tally).collect::<Result<_, _>>()?,
        requests: read::requests(&requests)?.into_values().next(),
        scrapers: None,
    };
    Ok((saved, scrapers))
}
