//! The thread that owns the state file. Commits that wait for the disk are gathered: the next
//! transaction takes all of them, so that a thousand accounts wait for a few writes and not for a
//! thousand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::error::StoreError;
use crate::event::Account;
use crate::saved::{Changes, Identity, Saved, SavedRequests, SavedSeries};

/// How many commits one transaction takes.
const BATCH_AT_MOST: usize = 1000;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Of the saved, the series are sent apart, some at a time.
    Load {
        account: Account,
        series: mpsc::Sender<Vec<SavedSeries>>,
        answer: Answer<Saved>,
    },
    /// The requests of all accounts.
    Requests(Answer<BTreeMap<Account, SavedRequests>>),
    Commit(Commit),
    Close(Answer<()>),
    #[cfg(test)]
    Run(&'static str, Answer<()>),
}

/// Changes of an account that are to be saved.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) account: Account,
    pub(super) changes: Box<Changes>,
    pub(super) answer: Answer<()>,
}

/// What is told of a state that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) identity: Identity,
    pub(super) fresh: bool,
}

/// Starts the thread, which opens the file. It ends when it is told to close, or when nobody can
/// tell it anything any more.
pub(super) async fn start(
    path: PathBuf,
    fresh: Identity,
) -> Result<(Sender<Command>, Opened), StoreError> {
    let (commands, waiting) = channel();
    let (answer, opened) = oneshot::channel();
    let shown = path.clone();
    let body = move || match Database::open(&path, &fresh) {
        Ok(database) => {
            let identity = database.identity().clone();
            let fresh = database.is_fresh();
            let _ = answer.send(Ok(Opened { identity, fresh }));
            obey(database, &waiting);
        }
        Err(error) => drop(answer.send(Err(error))),
    };
    let thread = thread::Builder::new().name("state".to_owned()).spawn(body);
    if let Err(error) = thread {
        return Err(StoreError::Other {
            path: shown,
            cause: Arc::new(error),
        });
    }
    let opened = opened.await.unwrap_or(Err(StoreError::Closed))?;
    Ok((commands, opened))
}

fn obey(mut database: Database, commands: &Receiver<Command>) {
    let mut next = commands.recv().ok();
    while let Some(command) = next {
        let mut left = None;
        match command {
            Command::Load {
                account,
                series,
                answer,
            } => {
                // Who does not wait for them any more does not wait for the answer either.
                let some = |some| drop(series.blocking_send(some));
                let _ = answer.send(database.load(&account, some));
            }
            Command::Requests(answer) => {
                let _ = answer.send(database.requests());
            }
            Command::Commit(first) => {
                let (batch, other) = gather(first, commands);
                save(&mut database, batch);
                left = other;
            }
            Command::Close(answer) => {
                let _ = answer.send(database.close());
                return;
            }
            #[cfg(test)]
            Command::Run(sql, answer) => {
                database.connection().execute_batch(sql).unwrap();
                let _ = answer.send(Ok(()));
            }
        }
        next = left.or_else(|| commands.recv().ok());
    }
    // Nobody is left who could be told.
    let _ = database.close();
}

/// The commits that wait, and the command after them, if one was taken that is none.
fn gather(first: Commit, commands: &Receiver<Command>) -> (Vec<Commit>, Option<Command>) {
    let mut batch = vec![first];
    while batch.len() < BATCH_AT_MOST {
        match commands.try_recv() {
            Ok(Command::Commit(commit)) => batch.push(commit),
            Ok(other) => return (batch, Some(other)),
            Err(_) => break,
        }
    }
    (batch, None)
}

fn save(database: &mut Database, batch: Vec<Commit>) {
    let all = batch
        .iter()
        .map(|commit| (&commit.account, &*commit.changes));
    let saved = database.commit(all);
    for commit in batch {
        let _ = commit.answer.send(saved.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> (Commit, oneshot::Receiver<Result<(), StoreError>>) {
        let (answer, answered) = oneshot::channel();
        let commit = Commit {
            account: Account::new("main"),
            changes: Box::default(),
            answer,
        };
        (commit, answered)
    }

    #[test]
    fn commits_that_wait_are_gathered_up_to_the_next_other_command() {
        let (commands, waiting) = channel();
        for _ in 0..3 {
            commands.send(Command::Commit(commit().0)).unwrap();
        }
        commands.send(Command::Close(oneshot::channel().0)).unwrap();
        commands.send(Command::Commit(commit().0)).unwrap();
        let (batch, other) = gather(commit().0, &waiting);
        assert_eq!(batch.len(), 4);
        assert!(matches!(other, Some(Command::Close(_))));
        let (batch, other) = gather(commit().0, &waiting);
        assert_eq!((batch.len(), other.is_none()), (2, true));
    }
}
