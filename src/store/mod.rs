//! Where the state is kept from one process to the next: in one SQLite file, or not at all.
//!
//! # What holds
//!
//! - A commit is one transaction, and is on disk before it is answered. A process that is killed, or
//!   a machine that loses power, leaves exactly the last commit that was answered, or one after it.
//! - A commit that fails leaves nothing of it. The next one tries again on the same file.
//! - One process writes: a lock beside the file is held as long as it lives. Others may read, as with
//!   `sqlite3 -readonly`; [`Look`] does it without leaving a trace.
//! - What cannot be used is refused before anything is written to it: a file that is damaged, of
//!   another program, or of a newer format.
//! - The cost of a commit is that of what it changes, whatever is kept beside it: 0.3 ms for the
//!   places of a window and 2 ms for 1,000 series among 100,000, where the disk takes 0.13 ms for a
//!   write; 1,000 accounts that commit at once wait 8 ms (`tests::how_long_a_commit_takes`).
//!
//! Room is needed for the file, its write-ahead log (`-wal`), the memory its readers share (`-shm`)
//! and the lock (`.lock`), all in one folder.

mod database;
mod error;
mod format;
mod look;
mod memory;
mod place;
mod postgres;
mod read;
mod statements;
mod value;
mod write;
mod writer;

#[cfg(test)]
#[path = "../../tests/it/certificates.rs"]
mod certificates;
#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
#[path = "../../tests/it/postgres.rs"]
#[expect(dead_code, reason = "what others need of it is more")]
mod real_postgres;
#[cfg(test)]
pub(crate) use postgres::tests::{change, joined};
#[cfg(test)]
pub(crate) use real_postgres::shared_server;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::{mpsc, oneshot};

pub use error::{Cause, StoreError, TRIED_AGAIN};
pub use look::{Kept, Look, Windows};
pub use postgres::{
    AccountId, Beat, Committed, DatabaseLook, Eyes, LIFE, Lease, LeaseId, Loaded, News, Occasion,
    Peer, Seen, Shared, SharedState, Term, Watch,
};

use crate::config::Database;
use crate::event::Account;
use crate::saved::{Changes, Identity, Saved, SavedRequests, SavedSeries};
use memory::Memory;
use writer::{Command, Commit};

/// Where a state is that is only looked at.
#[derive(Debug)]
pub enum Sight {
    File(PathBuf),
    Database(Box<Eyes>),
}

impl Sight {
    /// What each account has paid for, as far as it is saved there.
    pub async fn windows(&self) -> Result<Windows, StoreError> {
        match self {
            Self::Database(eyes) => eyes.windows().await,
            Self::File(path) => {
                let path = path.clone();
                let looked = tokio::task::spawn_blocking(move || Windows::at(&path)).await;
                looked.unwrap_or(Err(StoreError::Closed))
            }
        }
    }
}

/// The state of all accounts. A clone is the same state.
#[derive(Clone, Debug)]
pub struct Store(Arc<Open>);

#[derive(Debug)]
struct Open {
    identity: Identity,
    fresh: bool,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Memory(Memory),
    Sqlite {
        path: PathBuf,
        commands: Sender<Command>,
    },
    Shared(Shared),
}

impl Store {
    /// A state that ends with the process: nothing is kept, and every commit works. Within the process
    /// an account may be handed over.
    pub fn memory(identity: Identity) -> Self {
        Self::new(identity, true, Backend::Memory(Memory::default()))
    }

    /// Opens the state file at `path`; where there is none, makes one with the identity `fresh`.
    pub async fn open(path: &Path, fresh: Identity) -> Result<Self, StoreError> {
        let (commands, opened) = writer::start(path.to_owned(), fresh).await?;
        let path = path.to_owned();
        let backend = Backend::Sqlite { path, commands };
        Ok(Self::new(opened.identity, opened.fresh, backend))
    }

    /// Opens the state that replicas share in this database; where there is none, makes one with the
    /// identity `fresh`. This replica is named by the random number.
    pub async fn shared(
        database: Database,
        fresh: &Identity,
        replica: u64,
    ) -> Result<Self, StoreError> {
        let (shared, is_fresh) = Shared::open(database, fresh, replica).await?;
        let identity = shared.identity().clone();
        Ok(Self::new(identity, is_fresh, Backend::Shared(shared)))
    }

    /// What only a state has that replicas share.
    pub fn of_replicas(&self) -> Option<&Shared> {
        match &self.0.backend {
            Backend::Shared(shared) => Some(shared),
            Backend::Memory(_) | Backend::Sqlite { .. } => None,
        }
    }

    fn new(identity: Identity, fresh: bool, backend: Backend) -> Self {
        Self(Arc::new(Open {
            identity,
            fresh,
            backend,
        }))
    }

    /// Which state this is.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Whether the state was made just now, so that counts begin again.
    pub fn is_fresh(&self) -> bool {
        self.0.fresh
    }

    /// Where the state is kept, for a label.
    pub fn backend(&self) -> &'static str {
        match self.0.backend {
            Backend::Memory(_) => "memory",
            Backend::Sqlite { .. } => "sqlite",
            Backend::Shared(_) => "postgresql",
        }
    }

    /// The version of the format in which the state is kept; none in memory.
    pub fn format(&self) -> Option<i64> {
        match self.0.backend {
            Backend::Memory(_) => None,
            Backend::Sqlite { .. } => Some(format::newest()),
            Backend::Shared(_) => Some(Shared::format()),
        }
    }

    /// All that is kept of an account; nothing of one that was never saved. Its series are given one
    /// by one, since there may be very many: where it fails, some of them. The places of its requests
    /// are in the order in which they were saved, all else in any.
    pub async fn load(
        &self,
        account: &Account,
        mut each_series: impl FnMut(SavedSeries),
    ) -> Result<Saved, StoreError> {
        let commands = match &self.0.backend {
            Backend::Memory(memory) => return Ok(memory.take_up(account, each_series)),
            Backend::Sqlite { commands, .. } => commands,
            // Who writes it takes it up with a lease.
            Backend::Shared(_) => return Ok(Saved::default()),
        };
        let (series, mut some_series) = mpsc::channel(1);
        let account = account.clone();
        let loaded = ask(commands, |answer| Command::Load {
            account,
            series,
            answer,
        });
        let each = async {
            while let Some(some) = some_series.recv().await {
                Vec::into_iter(some).for_each(&mut each_series);
            }
        };
        tokio::join!(loaded, each).0
    }

    /// The same with its series.
    #[cfg(test)]
    async fn load_all(&self, account: &Account) -> Result<Saved, StoreError> {
        let mut series = Vec::new();
        let mut saved = self.load(account, |one| series.push(one)).await?;
        saved.series = series;
        Ok(saved)
    }

    /// What each account that was ever saved had paid for then.
    pub async fn requests(&self) -> Result<BTreeMap<Account, SavedRequests>, StoreError> {
        match &self.0.backend {
            Backend::Memory(_) | Backend::Shared(_) => Ok(BTreeMap::new()),
            Backend::Sqlite { commands, .. } => ask(commands, Command::Requests).await,
        }
    }

    /// Saves all changes or none; they are on disk when it returns. What is forgotten is forgotten
    /// first. An answer that nobody waits for any more does not undo the commit.
    pub async fn commit(&self, account: &Account, changes: Changes) -> Result<(), StoreError> {
        let Backend::Sqlite { path, commands } = &self.0.backend else {
            return Ok(());
        };
        write::check(&changes).map_err(|fault| fault.at(path))?;
        let account = account.clone();
        let commit = |answer| {
            Command::Commit(Commit {
                account,
                changes: Box::new(changes),
                answer,
            })
        };
        ask(commands, commit).await
    }

    /// Leaves what is known of an account to the next [`Self::load`], where the state is in memory.
    pub fn hand_over(&self, account: &Account, all: Saved) {
        if let Backend::Memory(memory) = &self.0.backend {
            memory.hand_over(account, all);
        }
    }

    /// Moves all into the one file and lets go of it, for every clone. A state that is closed
    /// already stays so.
    pub async fn close(self) -> Result<(), StoreError> {
        match &self.0.backend {
            Backend::Memory(_) => Ok(()),
            Backend::Shared(shared) => {
                shared.close();
                Ok(())
            }
            Backend::Sqlite { commands, .. } => match ask(commands, Command::Close).await {
                Err(StoreError::Closed) => Ok(()),
                closed => closed,
            },
        }
    }

    #[cfg(test)]
    async fn run(&self, sql: &'static str) {
        if let Backend::Sqlite { commands, .. } = &self.0.backend {
            ask(commands, |answer| Command::Run(sql, answer))
                .await
                .unwrap();
        }
    }
}

async fn ask<T>(
    commands: &Sender<Command>,
    command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
) -> Result<T, StoreError> {
    let (answer, answered) = oneshot::channel();
    if commands.send(command(answer)).is_err() {
        return Err(StoreError::Closed);
    }
    answered.await.unwrap_or(Err(StoreError::Closed))
}
