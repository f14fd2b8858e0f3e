//! A look at a shared state that changes nothing: no table is made, and no lease is taken.

use std::collections::BTreeMap;

use super::pool::{Connection, Pool};
use super::text::text;
use super::{read, schema, statements as sql};
use crate::config::Database;
use crate::event::Account;
use crate::saved::{Identity, SavedRequests};
use crate::store::error::{Fault, StoreError};
use crate::store::look::{Kept, Windows};
use crate::store::value;

/// What is seen of a shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseLook {
    /// What the server calls itself.
    pub server: String,
    /// The state, if there is one yet.
    pub state: Option<SharedState>,
}

/// A state in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedState {
    /// The version of its format, and the newest that is known.
    pub format: i64,
    pub newest_format: i64,
    pub identity: Identity,
    /// How many replicas live.
    pub replicas: usize,
    /// How many leases nobody living holds.
    pub free_leases: usize,
    pub accounts: BTreeMap<Account, Kept>,
}

/// Looks into one database.
#[derive(Debug)]
pub struct Eyes(Pool);

impl Eyes {
    pub fn on(database: Database) -> Self {
        Self(Pool::new(database))
    }

    /// Where it looks, without a secret.
    pub fn place(&self) -> String {
        self.0.database().to_string()
    }

    /// Whether what goes to and fro is kept from others.
    pub fn has_tls(&self) -> bool {
        self.0.database().tls.is_some()
    }

    /// What is there.
    pub async fn look(&self) -> Result<DatabaseLook, StoreError> {
        self.0
            .with(async |connection| {
                let server = connection
                    .client()
                    .query_one("SELECT version()", &[])
                    .await?;
                let server: &str = server.try_get(0)?;
                // What stands after a comma is how it was built.
                let server = server.split(',').next().unwrap_or_default().to_owned();
                let state = match schema::version(connection).await? {
                    None | Some(0) => None,
                    Some(found) if found > schema::newest() => {
                        let known = schema::newest();
                        return Err(Fault::Newer { found, known });
                    }
                    Some(format) => Some(state(connection, format).await?),
                };
                Ok(DatabaseLook { server, state })
            })
            .await
    }

    /// What each account has paid for, and whether a replica lives.
    pub async fn windows(&self) -> Result<Windows, StoreError> {
        self.0
            .with(
                async |connection| match schema::version(connection).await? {
                    None | Some(0) => Ok(Windows::default()),
                    Some(_) => Ok(Windows {
                        is_in_use: !connection.query(sql::REPLICAS, &[]).await?.is_empty(),
                        requests: requests(connection).await?,
                    }),
                },
            )
            .await
    }
}

async fn state(connection: &mut Connection, format: i64) -> Result<SharedState, Fault> {
    let identity = schema::identity(connection).await?;
    let replicas = connection.query(sql::REPLICAS, &[]).await?.len();
    let free_leases = connection.query(sql::LEASES_TO_TAKE, &[]).await?.len();
    let mut requests = requests(connection).await?;
    let mut accounts = BTreeMap::new();
    for row in connection.query(sql::NUMBER_OF_SERIES, &[]).await? {
        let account = Account::new(&text(row.try_get(0)?));
        let series = value::unsigned("a number of series", row.try_get(1)?)?;
        let requests = requests.remove(&account);
        accounts.insert(account, Kept { series, requests });
    }
    Ok(SharedState {
        format,
        newest_format: schema::newest(),
        identity,
        replicas,
        free_leases,
        accounts,
    })
}

async fn requests(connection: &mut Connection) -> Result<BTreeMap<Account, SavedRequests>, Fault> {
    read::requests(&connection.query(sql::ALL_REQUESTS, &[]).await?)
}
