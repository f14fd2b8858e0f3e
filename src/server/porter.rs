//! Who is let in, and by which rules: the web configuration as it is now.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::bucket::Bucket;
use super::passwords::{Admission, Passwords, Queue};
use crate::catalogue::{WEB_CONFIG_RELOADED, WEB_CONFIG_SUCCESSFUL};
use crate::clock;
use crate::config::{Tls, WebConfig, WebConfigError, WebFile};
use crate::meters::Meters;
use crate::moment::Moment;

/// Between two looks at the web configuration and the files that it names.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Before a change is believed it has to stay the same for so long: files are written in pieces.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// Why a web configuration did not take over. The one before it goes on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Wrong(#[from] WebConfigError),
    #[error(
        "{path} no longer asks for {what}: a running exporter does not open its door further; restart it if that is meant"
    )]
    Opens { path: String, what: &'static str },
}

/// The rules of one web configuration.
#[derive(Debug)]
pub(super) struct Rules {
    headers: HeaderMap,
    bucket: Option<Bucket>,
    passwords: Arc<Passwords>,
    tls: Option<Tls>,
    has_users: bool,
}

impl Rules {
    fn new(config: &WebConfig, key: &[u8; 32], queue: Arc<Queue>) -> Self {
        let header = |(name, value): &(&'static str, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        };
        Self {
            headers: config.headers.iter().filter_map(header).collect(),
            bucket: (config.rate_limit).map(|limit| Bucket::new(limit.interval, limit.burst)),
            passwords: Arc::new(Passwords::new(&config.users, key, queue)),
            tls: config.tls.clone(),
            has_users: !config.users.is_empty(),
        }
    }

    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        let config = self.tls.as_ref().map(|tls| Arc::clone(&tls.config));
        config.map(TlsAcceptor::from)
    }

    /// The headers that every answer has.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the rate limit allows another request at `now`.
    pub(super) fn allows_another(&self, now: Moment) -> bool {
        self.bucket.as_ref().is_none_or(|bucket| bucket.take(now))
    }

    pub(super) async fn admit(&self, peer: IpAddr, headers: &HeaderMap) -> Admission {
        let authorization = headers.get(header::AUTHORIZATION);
        self.passwords
            .admit(peer, authorization.map(HeaderValue::as_bytes))
            .await
    }

    /// What these rules ask for that others do not.
    fn asks_more_than(&self, other: &WebConfig) -> Option<&'static str> {
        if self.tls.is_some() && other.tls.is_none() {
            return Some("TLS");
        }
        let requires = |tls: &Option<Tls>| tls.as_ref().is_some_and(|tls| tls.requires_certificate);
        if requires(&self.tls) && !requires(&other.tls) {
            return Some("client certificates");
        }
        (self.has_users && other.users.is_empty()).then_some("passwords")
    }
}

/// The web configuration that is in force. Without a file there is one rule: everybody may come in.
#[derive(Debug)]
pub struct Porter {
    path: Option<PathBuf>,
    rules: ArcSwap<Rules>,
    /// What the file and those that it names held when they were last looked at.
    digest: Mutex<[u8; 32]>,
    queue: Arc<Queue>,
    key: [u8; 32],
    meters: Arc<Meters>,
}

impl Porter {
    /// Puts the configuration into force that was read at start. The key is random, and of this
    /// process alone.
    pub fn new(file: Option<&WebFile>, key: [u8; 32], meters: Arc<Meters>) -> Self {
        let queue = Queue::new();
        let config = file.map(|file| file.config.clone()).unwrap_or_default();
        let porter = Self {
            path: file.map(|file| file.path.clone()),
            rules: ArcSwap::from_pointee(Rules::new(&config, &key, Arc::clone(&queue))),
            digest: Mutex::new(file.map(|file| file.digest).unwrap_or_default()),
            queue,
            key,
            meters,
        };
        if file.is_some() {
            porter.show(true);
        }
        porter
    }

    /// The rules for a new connection, or the next request.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Reads the configuration anew, with all files that it names. What is wrong with it changes
    /// nothing, and is logged and shown.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        match self.look().await {
            Some(file) => self.take_over(file),
            None => Ok(()),
        }
    }

    /// Reloads whenever the file, or one that it names, has changed. Never ends.
    pub async fn watch(&self) {
        if self.path.is_none() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Some(file) = self.settled_change().await {
                // It is logged and shown.
                let _ = self.take_over(file);
            }
        }
    }

    /// What is there now, if that is new and does not change any more.
    async fn settled_change(&self) -> Option<Result<WebFile, WebConfigError>> {
        let mut seen = *self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = self.look().await?;
        if digest(&found) == seen {
            return None;
        }
        while digest(&found) != seen {
            seen = digest(&found);
            tokio::time::sleep(SETTLES_IN).await;
            found = self.look().await?;
        }
        Some(found)
    }

    async fn look(&self) -> Option<Result<WebFile, WebConfigError>> {
        let path = self.path.clone()?;
        let reading = tokio::task::spawn_blocking(move || WebFile::read(&path));
        reading.await.ok()
    }

    fn take_over(&self, file: Result<WebFile, WebConfigError>) -> Result<(), ReloadError> {
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = digest(&file);
        let taken = file.map_err(ReloadError::from).and_then(|file| {
            if let Some(what) = self.rules().asks_more_than(&file.config) {
                let path = file.path.display().to_string();
                return Err(ReloadError::Opens { path, what });
            }
            let rules = Rules::new(&file.config, &self.key, Arc::clone(&self.queue));
            self.rules.store(Arc::new(rules));
            Ok(())
        });
        match &taken {
            Ok(()) => info!("the web configuration was reloaded"),
            Err(error) => error!(
                %error,
                "the web configuration was not reloaded, and the one before goes on"
            ),
        }
        self.show(taken.is_ok());
        taken
    }

    fn show(&self, is_good: bool) {
        let good = f64::from(u8::from(is_good));
        self.meters.set(WEB_CONFIG_SUCCESSFUL, &[], good);
        if is_good {
            let now = clock::unix_now().as_secs_f64();
            self.meters.set(WEB_CONFIG_RELOADED, &[], now);
        }
    }
}

fn digest(file: &Result<WebFile, WebConfigError>) -> [u8; 32] {
    match file {
        Ok(file) => file.digest,
        Err(error) => error.digest(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Users of these names, with a password of no importance.
    fn write(path: &Path, users: &[&str]) {
        let user = |name: &&str| {
            format!("  {name}: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n")
        };
        let users: String = users.iter().map(user).collect();
        std::fs::write(path, format!("basic_auth_users:\n{users}")).unwrap();
    }

    fn porter(path: &Path) -> Arc<Porter> {
        let meters = Arc::new(Meters::new().unwrap());
        let file = WebFile::read(path).unwrap();
        Arc::new(Porter::new(Some(&file), [7; 32], meters))
    }

    async fn seconds(seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_takes_over_when_it_has_settled_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        write(&path, &["alice", "bob"]);
        let porter = porter(&path);
        let first = porter.rules();
        let watched = Arc::clone(&porter);
        let watching = tokio::spawn(async move { watched.watch().await });
        seconds(9.0).await;
        write(&path, &["alice"]);
        seconds(1.5).await;
        write(&path, &["alice", "carol"]);
        seconds(1.0).await;
        assert!(Arc::ptr_eq(&first, &porter.rules()), "it is being written");
        seconds(1.0).await;
        assert!(!Arc::ptr_eq(&first, &porter.rules()), "it has settled");
        let second = porter.rules();
        seconds(60.0).await;
        assert!(Arc::ptr_eq(&second, &porter.rules()), "nothing has changed");
        watching.abort();
    }

    #[tokio::test]
    async fn a_running_exporter_does_not_open_its_door() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        write(&path, &["alice"]);
        let porter = porter(&path);
        for text in ["", "basic_auth_users: {}\n"] {
            std::fs::write(&path, text).unwrap();
            let error = porter.reload().await.unwrap_err().to_string();
            assert!(error.contains("no longer asks for passwords"), "{error}");
            assert!(porter.rules().has_users);
        }
        write(&path, &["bob"]);
        porter.reload().await.unwrap();
    }

    #[tokio::test]
    async fn nor_does_it_for_clients_without_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("crt"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(folder.path().join("key"), key).unwrap();
        let path = folder.path().join("web.yml");
        let tls = "tls_server_config:\n  cert_file: crt\n  key_file: key\n";
        let write = |more: &str| std::fs::write(&path, [tls, more].concat()).unwrap();
        let strict = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: crt\n";
        write(strict);
        let porter = porter(&path);
        write("");
        let error = porter.reload().await.unwrap_err().to_string();
        assert!(
            error.contains("no longer asks for client certificates"),
            "{error}"
        );
        std::fs::write(&path, "").unwrap();
        let error = porter.reload().await.unwrap_err().to_string();
        assert!(error.contains("no longer asks for TLS"), "{error}");
    }

    #[tokio::test]
    async fn without_a_file_a_reload_has_nothing_to_do() {
        let meters = Arc::new(Meters::new().unwrap());
        let porter = Porter::new(None, [7; 32], meters);
        assert!(porter.reload().await.is_ok());
    }
}
