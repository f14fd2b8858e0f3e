//! Who lives, and who may ask the API. A replica lives as long as it renews its row, and holds its
//! leases as long as it lives; taking one over raises its fence, by which what an earlier holder still
//! writes is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;

use super::ids::LeaseId;
use super::pool::{Connection, in_time};
use super::statements as sql;
use super::write::microseconds;
use super::{CHANNEL, Shared, schema};
use crate::clock;
use crate::saved::Identity;
use crate::store::error::{Fault, StoreError};

/// So long a replica lives without renewing its row.
pub const LIFE: Duration = Duration::from_secs(5);

/// So long the rows of the dead stay that hold nothing: until the last of their scrapers is overdue, two and
/// a half of a quarter of an hour.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(40);

/// A lease that is held, and the fence by which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    pub id: LeaseId,
    pub(super) fence: i64,
}

/// A living replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: String,
    /// Equal is of the same accounts.
    pub config: i64,
    pub age: Duration,
    /// Another number means that all accounts are to be refreshed; or some.
    pub wishes: i64,
    pub some: i64,
}

/// What a beat found.
#[derive(Clone, Debug)]
pub struct Beat {
    pub living: Vec<Peer>,
    pub held: BTreeMap<LeaseId, Lease>,
    /// Leases that nobody living holds, and whether somebody did who died.
    pub free: Vec<(LeaseId, bool)>,
    /// Which state it is now.
    pub identity: Identity,
}

/// A connection of its own for beats, which hears of what others do.
#[derive(Debug)]
pub struct Watch {
    connection: Connection,
    notices: mpsc::UnboundedReceiver<()>,
}

impl Watch {
    /// Waits until another replica says that there is something to look at. Never, where the
    /// database has no such thing or the connection is lost.
    pub async fn heard(&mut self) {
        if self.notices.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while self.notices.try_recv().is_ok() {}
    }
}

impl Shared {
    /// Begins to listen.
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        let connected = self.pool().connect_once().await?;
        let connection = Connection::over(connected.client);
        // Without it a look every second is what there is.
        let listen = format!("LISTEN {CHANNEL}");
        match in_time(connection.simple(&listen)).await {
            Err(Fault::Silent) => return Err(self.pool().error(Fault::Silent)),
            Err(error) => tracing::debug!(?error, "the database has no LISTEN"),
            Ok(_) => {}
        }
        Ok(Watch {
            connection,
            notices: connected.notices,
        })
    }

    /// Renews the row of this replica, of these accounts, and looks around.
    pub async fn beat(&self, watch: &mut Watch, config: i64) -> Result<Beat, StoreError> {
        let begin = clock::now();
        let beating = in_time(beat(&mut watch.connection, self.replica(), config));
        let found = beating.await.map_err(|fault| self.pool().error(fault))?;
        self.lives_until(begin.plus(LIFE));
        Ok(found)
    }

    /// Who lives, without renewing anything.
    pub async fn living(&self, watch: &mut Watch) -> Result<Vec<Peer>, StoreError> {
        let asking = in_time(living(&mut watch.connection));
        asking.await.map_err(|fault| self.pool().error(fault))
    }

    /// Takes the leases that nobody living holds any more, each with a fence above all before.
    pub async fn take(&self, leases: &[LeaseId]) -> Result<Vec<Lease>, StoreError> {
        let ids: Vec<i64> = leases.iter().map(|id| id.0).collect();
        let replica = self.replica();
        let rows = self
            .pool()
            .at_once(async |connection| {
                let known = schema::newest();
                let given: [&(dyn ToSql + Sync); 3] = [&replica, &ids, &known];
                or_next_time(connection.query(sql::TAKE_LEASES, &given).await)
            })
            .await?;
        let taken = rows.iter();
        let taken = taken.map(|row| Ok(lease(row.try_get(0)?, row.try_get(1)?)));
        let taken: Result<_, Fault> = taken.collect();
        taken.map_err(|fault| self.pool().error(fault))
    }

    /// Gives leases back, so that others take them at once.
    pub async fn release(&self, leases: &[LeaseId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = leases.iter().map(|id| id.0).collect();
        let replica = self.replica();
        self.pool()
            .at_once(async |connection| {
                let given: [&(dyn ToSql + Sync); 2] = [&replica, &ids];
                or_next_time(connection.execute(sql::RELEASE_LEASES, &given).await)
            })
            .await?;
        self.notify().await;
        Ok(())
    }

    /// Gives all back and goes.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let replica = self.replica();
        self.pool()
            .at_once(async |connection| {
                connection.execute(sql::RELEASE_ALL, &[&replica]).await?;
                connection.execute(sql::LEAVE, &[&replica]).await
            })
            .await?;
        self.notify().await;
        Ok(())
    }

    /// Tells the others that there is something to look at. Where it fails they look by themselves.
    pub async fn notify(&self) {
        let told = self
            .pool()
            .at_once(async |connection| connection.simple(&format!("NOTIFY {CHANNEL}")).await);
        if let Err(error) = told.await {
            tracing::debug!(%error, "nobody could be told");
        }
    }

    /// Forgets who is dead for long, and frees what is held by nobody that is known.
    pub async fn forget_the_dead(&self) -> Result<(), StoreError> {
        let after = microseconds(FORGOTTEN_AFTER);
        self.pool()
            .at_once(async |connection| {
                let gone: u64 =
                    or_next_time(connection.execute(sql::FORGET_REPLICAS, &[&after]).await)?;
                let _freed: u64 = or_next_time(connection.execute(sql::FREE_LEASES, &[]).await)?;
                match gone {
                    0 => Ok(0),
                    _ => or_next_time(connection.execute(sql::FORGET_SCRAPERS, &[]).await),
                }
            })
            .await?;
        Ok(())
    }
}

/// Nothing, where another replica does the same at this moment and is in the way: there is another beat.
fn or_next_time<T: Default>(done: Result<T, Fault>) -> Result<T, Fault> {
    match done {
        Err(Fault::Postgres(error)) if schema::is_in_the_way(&error) => Ok(T::default()),
        done => done,
    }
}

async fn beat(connection: &mut Connection, replica: &str, config: i64) -> Result<Beat, Fault> {
    let life = microseconds(LIFE);
    let known = schema::newest();
    let [_, format, living, held, free, identity] = connection
        .query_all([
            (sql::BEAT, &[&replica, &life, &config, &known]),
            (sql::FORMAT, &[]),
            (sql::REPLICAS, &[]),
            (sql::LEASES_HELD, &[&replica]),
            (sql::LEASES_TO_TAKE, &[]),
            (sql::IDENTITY, &[]),
        ])
        .await?;
    schema::is_known(&format)?;
    let held = held.iter().map(|row| -> Result<_, Fault> {
        let lease = lease(row.try_get(0)?, row.try_get(1)?);
        Ok((lease.id, lease))
    });
    let free = free.iter().map(|row| -> Result<_, Fault> {
        let holder: &str = row.try_get(1)?;
        Ok((LeaseId(row.try_get(0)?), !holder.is_empty()))
    });
    Ok(Beat {
        living: peers(&living)?,
        held: held.collect::<Result<_, _>>()?,
        free: free.collect::<Result<_, _>>()?,
        identity: schema::identity_of(&identity)?,
    })
}

async fn living(connection: &mut Connection) -> Result<Vec<Peer>, Fault> {
    peers(&connection.query(sql::REPLICAS, &[]).await?)
}

fn peers(rows: &[tokio_postgres::Row]) -> Result<Vec<Peer>, Fault> {
    let peer = |row: &tokio_postgres::Row| -> Result<Peer, Fault> {
        let age: i64 = row.try_get(2)?;
        Ok(Peer {
            id: row.try_get(0)?,
            config: row.try_get(1)?,
            age: Duration::from_micros(u64::try_from(age).unwrap_or_default()),
            wishes: row.try_get(3)?,
            some: row.try_get(4)?,
        })
    };
    rows.iter().map(peer).collect()
}

fn lease(id: i64, fence: i64) -> Lease {
    Lease {
        id: LeaseId(id),
        fence,
    }
}
