//! Connections to the database: some, each for one piece of work at a time, made when they are
//! needed. After one could not be made the next is tried only after a while, which grows and is another
//! one in every process, so that replicas do not all come back at the same moment.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use tracing::debug;

use super::connect::{Connected, connect};
use super::statements::Sql;
use crate::clock;
use crate::config::Database;
use crate::moment::Moment;
use crate::store::error::{Fault, StoreError};

/// A replica needs few: what is to be saved at the same time goes to the disk at the same time.
const CONNECTIONS: usize = 8;

/// Longer than the database itself allows a statement: then nobody answers.
const ANSWER_AT_MOST: Duration = Duration::from_secs(8);

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pool {
    database: Database,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    /// Why none could be made, how often in a row, and when it is tried again.
    failure: Option<(StoreError, u32, Moment)>,
    /// Which host took writes the last time. One that is away may cost the whole time-out each time that
    /// it is tried first.
    last_host: Option<usize>,
    /// How many were lost that had been made.
    lost: u64,
}

/// One connection, and the statements that it knows.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<Sql, Statement>,
}

impl Pool {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            places: Semaphore::new(CONNECTIONS),
            state: Mutex::default(),
        }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// How many connections were lost.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Does a piece of work by a connection, after those that wait for one already.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let waiting = tokio::time::timeout(ANSWER_AT_MOST, self.places.acquire());
        let Ok(Ok(_place)) = waiting.await else {
            return Err(self.error(Fault::Silent));
        };
        self.at_once(work).await
    }

    /// Does it before all who wait: for the few tasks of a replica by which it lives and looks, each of
    /// which does one thing at a time. A connection whose work failed, or was broken off, is not used
    /// again: nobody knows what is left open in it.
    pub(super) async fn at_once<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let idle = self.idle();
        let mut connection = match idle {
            Some(idle) => idle,
            None => self.connect().await?,
        };
        let worked = match tokio::time::timeout(ANSWER_AT_MOST, work(&mut connection)).await {
            Ok(worked) => worked,
            Err(_) => Err(Fault::Silent),
        };
        match worked {
            Ok(done) => {
                self.state().idle.push(connection);
                Ok(done)
            }
            Err(fault) => {
                if fault.is_of_the_connection() || connection.client.is_closed() {
                    self.loses();
                }
                Err(self.error(fault))
            }
        }
    }

    fn loses(&self) {
        let mut state = self.state();
        state.lost += 1;
        // The others go to the same server.
        state.idle.clear();
    }

    fn idle(&self) -> Option<Connection> {
        let mut state = self.state();
        while let Some(connection) = state.idle.pop() {
            if !connection.client.is_closed() {
                return Some(connection);
            }
            state.lost += 1;
        }
        None
    }

    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        Ok(Connection::over(self.connect_once().await?.client))
    }

    /// Makes a connection, unless that failed just before.
    pub(super) async fn connect_once(&self) -> Result<Connected, StoreError> {
        let now = clock::now();
        let (failed, last_host) = {
            let state = self.state();
            (state.failure.clone(), state.last_host)
        };
        if let Some((error, _, _)) = failed.filter(|(_, _, again)| *again > now) {
            return Err(error);
        }
        match connect(&self.database, last_host).await {
            Ok((connected, host)) => {
                debug!(server = connected.server, "connected to the database");
                let mut state = self.state();
                state.failure = None;
                state.last_host = Some(host);
                Ok(connected)
            }
            Err(error) => {
                debug!(
                    reason = error.reason(),
                    "the database cannot be connected to"
                );
                let error = StoreError::unreachable(&self.database, error);
                let mut state = self.state();
                // Another one has failed at the same time.
                if state
                    .failure
                    .as_ref()
                    .is_some_and(|(_, _, again)| *again > now)
                {
                    return Err(error);
                }
                let times = state.failure.take().map_or(0, |(_, times, _)| times);
                let wait = (FIRST_WAIT * 2_u32.saturating_pow(times.min(10))).min(LONGEST_WAIT);
                let again = clock::now().plus(jittered(wait));
                state.failure = Some((error.clone(), times.saturating_add(1), again));
                Err(error)
            }
        }
    }

    pub(super) fn error(&self, fault: Fault) -> StoreError {
        fault.of(&self.database)
    }

    /// Lets go of all connections that are idle.
    pub(super) fn close(&self) {
        self.state().idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn over(client: Client) -> Self {
        Self {
            client,
            prepared: HashMap::new(),
        }
    }

    pub(super) async fn query(
        &mut self,
        sql: Sql,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    /// What several statements find, which are done in turn. All are sent before the first answer
    /// comes, so that it takes no longer than one, however far the database is.
    pub(super) async fn query_all<const N: usize>(
        &mut self,
        asked: [(Sql, &[&(dyn ToSql + Sync)]); N],
    ) -> Result<[Vec<Row>; N], Fault> {
        let mut unknown: Vec<Sql> = asked.iter().map(|(sql, _)| *sql).collect();
        unknown.retain(|sql| !self.prepared.contains_key(sql));
        let preparing = unknown.iter().map(|sql| self.client.prepare(sql.text()));
        let known = try_join_all(preparing).await?;
        self.prepared.extend(unknown.into_iter().zip(known));
        let mut statements = Vec::with_capacity(N);
        for (sql, parameters) in asked {
            statements.push((self.prepare(sql).await?, parameters));
        }
        let asking = (statements.iter())
            .map(|(statement, parameters)| self.client.query(statement, parameters));
        let found = try_join_all(asking).await?;
        found
            .try_into()
            .map_err(|_| Fault::Odd("it leaves out answers".to_owned()))
    }

    /// How many rows it changed.
    pub(super) async fn execute(
        &mut self,
        sql: Sql,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    pub(super) async fn simple(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// What it is asked by statements that are prepared: they can be sent without waiting for the answer
    /// to each.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn prepare(&mut self, sql: Sql) -> Result<Statement, Fault> {
        if let Some(statement) = self.prepared.get(&sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql.text()).await?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// A wait of half to all of this.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 2];
    let source = rustls::crypto::ring::default_provider().secure_random;
    // Without random numbers it is always the longest.
    let part = source
        .fill(&mut random)
        .map(|()| u16::from_be_bytes(random));
    wait / 2 + wait * u32::from(part.unwrap_or(u16::MAX)) / (2 * u32::from(u16::MAX))
}

/// Waits no longer than the database may take.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER_AT_MOST, work).await {
        Ok(worked) => worked,
        Err(_) => Err(Fault::Silent),
    }
}
