//! New configurations while the program runs: by SIGHUP, by request, and when a file has changed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::fleet::Fleet;
use crate::catalogue::{CONFIG_RELOADED, CONFIG_SUCCESSFUL};
use crate::causes::chain;
use crate::clock;
use crate::config::{Accounts, ConfigFileError, Contents, WatchedFile};
use crate::meters::Meters;
use crate::server::{Porter, ReloadRequest};

/// Between two looks at the file of accounts and the files that it names.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Before a change is believed it has to stay the same for so long: files are written in pieces.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// Puts new configurations in the place of those before.
#[derive(Debug)]
pub struct Reloader {
    fleet: Fleet,
    accounts: Option<WatchedFile>,
    porter: Arc<Porter>,
    meters: Arc<Meters>,
    /// Why what was read could not take over, though nothing is wrong with it: it is tried again.
    behind: Option<String>,
}

impl Reloader {
    /// Goes on from what was read at start.
    pub fn new(
        fleet: Fleet,
        accounts: Option<WatchedFile>,
        porter: Arc<Porter>,
        meters: Arc<Meters>,
    ) -> Self {
        let reloader = Self {
            fleet,
            accounts,
            porter,
            meters,
            behind: None,
        };
        if reloader.accounts.is_some() {
            reloader.measure(true);
        }
        reloader
    }

    /// Reloads when somebody asks for it, at each hangup, and when a file has changed. Never ends.
    pub async fn run(
        &mut self,
        mut told: mpsc::Receiver<ReloadRequest>,
        mut hangups: impl Hangups,
    ) {
        let porter = Arc::clone(&self.porter);
        let watching = porter.watch();
        let mut watching = std::pin::pin!(watching);
        loop {
            tokio::select! {
                () = &mut watching => {}
                () = changed(self.accounts.as_ref(), self.behind.is_some()) => {
                    // It is logged and shown.
                    let _ = self.reload_accounts().await;
                }
                () = hangups.next() => {
                    info!(signal = "SIGHUP", "reloading");
                    // They are logged and shown.
                    let _ = self.reload().await;
                }
                Some(ReloadRequest(answer)) = told.recv() => {
                    // Who asked may be gone.
                    let _ = answer.send(self.reload().await);
                }
            }
        }
    }

    /// Ends the refreshing.
    pub async fn stop(mut self) {
        self.fleet.stop().await;
    }

    /// Reads all configurations anew. One that is wrong keeps no other from taking over.
    async fn reload(&mut self) -> Result<(), String> {
        // Who asks is told, though it was said before.
        self.behind = None;
        let web = self
            .porter
            .reload()
            .await
            .map_err(|error| error.to_string());
        let accounts = self.reload_accounts().await;
        let wrong: Vec<String> = [web, accounts]
            .into_iter()
            .filter_map(Result::err)
            .collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        }
    }

    async fn reload_accounts(&mut self) -> Result<(), String> {
        let Some(watched) = &mut self.accounts else {
            return Ok(());
        };
        let file = watched.file.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || file.read()).await else {
            return Err("reading the file of accounts broke off".to_owned());
        };
        watched.contents = contents(&read).clone();
        let said = self.behind.take();
        let taken = match read {
            Ok(accounts) => self.take_over(accounts).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &taken
            && said.as_ref() != Some(error)
        {
            error!(
                error,
                "the accounts were not reloaded, and those before go on"
            );
        }
        self.measure(taken.is_ok());
        taken
    }

    async fn take_over(&mut self, accounts: Accounts) -> Result<(), String> {
        accounts
            .warnings
            .iter()
            .for_each(|warning| warn!("{warning}"));
        let count = accounts.list.len();
        let taken = self.fleet.take_over(accounts.list).await;
        if let Err(error) = taken.map_err(|error| chain(&error)) {
            self.behind = Some(error.clone());
            return Err(error);
        }
        info!(accounts = count, "the accounts were reloaded");
        Ok(())
    }

    fn measure(&self, is_good: bool) {
        let good = f64::from(u8::from(is_good));
        self.meters.set(CONFIG_SUCCESSFUL, &[], good);
        if is_good {
            let now = clock::unix_now().as_secs_f64();
            self.meters.set(CONFIG_RELOADED, &[], now);
        }
    }
}

/// Where hangups come from.
pub trait Hangups {
    /// Waits for the next one.
    fn next(&mut self) -> impl Future<Output = ()> + Send;
}

/// Waits until a file is not what it was, and does not change any more; or only until the next look,
/// where something else is behind.
async fn changed(watched: Option<&WatchedFile>, is_behind: bool) {
    let Some(WatchedFile { contents, .. }) = watched else {
        return std::future::pending().await;
    };
    let mut seen = contents.clone();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut found = now(&seen).await;
        if found == *contents {
            match is_behind {
                true => return,
                false => continue,
            }
        }
        loop {
            tokio::time::sleep(SETTLES_IN).await;
            seen = std::mem::replace(&mut found, now(&seen).await);
            if found == seen {
                return;
            }
        }
    }
}

async fn now(seen: &Contents) -> Contents {
    let looking = seen.clone();
    let look = tokio::task::spawn_blocking(move || looking.now());
    look.await.unwrap_or_else(|_| seen.clone())
}

fn contents(read: &Result<Accounts, ConfigFileError>) -> &Contents {
    match read {
        Ok(accounts) => &accounts.contents,
        Err(error) => &error.contents,
    }
}
