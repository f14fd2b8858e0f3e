//! Basic authentication: who may come in, found out at a price that no flood can run up.
//!
//! A bcrypt hash takes a tenth of a second of a core on purpose. So each pair of name and password
//! is tried once, one at a time and off the tasks that serve; and the queue is short, above all for
//! one address.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use secrecy::zeroize::Zeroizing;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::PasswordHash;

/// Who may wait for a verdict at the same time, of all addresses and of one.
const WAITING: usize = 32;
const WAITING_OF_ADDRESS: usize = 4;

/// The verdicts that are kept of each kind.
const KEPT: usize = 1024;

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// No name and password, or wrong ones.
    Refused,
    /// Too many others wait for a verdict.
    Later,
}

/// A keyed hash: what is kept of a name and a password.
type Mark = [u8; 32];

/// The users of a configuration, and the verdicts so far.
#[derive(Debug)]
pub(super) struct Passwords {
    key: hmac::Key,
    /// By the mark of the name, so that looking one up takes as long whatever is guessed of it.
    users: HashMap<Mark, PasswordHash>,
    /// Tried where there is no such user, so that it takes as long.
    costliest: Option<PasswordHash>,
    verdicts: Mutex<Verdicts>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Verdicts {
    right: HashSet<Mark>,
    wrong: HashSet<Mark>,
}

impl Passwords {
    /// Without users everybody is admitted. The key must not be known to anybody.
    pub(super) fn new(users: &[(String, PasswordHash)], key: &[u8; 32], queue: Arc<Queue>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let costliest = users.iter().map(|(_, hash)| hash);
        let costliest = costliest.max_by_key(|hash| hash.cost()).cloned();
        let by_mark =
            |(name, hash): &(String, PasswordHash)| (mark(&key, &[name.as_bytes()]), hash.clone());
        Self {
            users: users.iter().map(by_mark).collect(),
            key,
            costliest,
            verdicts: Mutex::default(),
            queue,
        }
    }

    /// Whether a request with these credentials, as its header has them, is admitted. Waits for the
    /// verdicts that were asked for before.
    pub(super) async fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        authorization: Option<&[u8]>,
    ) -> Admission {
        let Some(costliest) = &self.costliest else {
            return Admission::Admitted;
        };
        let Some(credentials) = authorization.and_then(Credentials::read) else {
            return Admission::Refused;
        };
        let user = self.users.get(&mark(&self.key, &[credentials.name()]));
        let hash = user.unwrap_or(costliest).clone();
        let pair = [credentials.name(), credentials.password()];
        let mark = mark(&self.key, &pair);
        if let Some(verdict) = self.known(&mark) {
            return verdict;
        }
        let Some(place) = Queue::place(&self.queue, peer) else {
            return Admission::Later;
        };
        let turn = place.turn().await;
        if let Some(verdict) = self.known(&mark) {
            return verdict;
        }
        let (this, is_user) = (Arc::clone(self), user.is_some());
        // It goes on where the client hangs up, so that nobody runs more than one at a time.
        let trying = tokio::task::spawn_blocking(move || {
            let is_right = hash.is_of(credentials.password()) && is_user;
            this.keep(mark, is_right);
            drop((turn, place));
            is_right
        });
        match trying.await {
            Ok(true) => Admission::Admitted,
            Ok(false) | Err(_) => Admission::Refused,
        }
    }

    fn known(&self, mark: &Mark) -> Option<Admission> {
        let verdicts = self.verdicts();
        if verdicts.right.contains(mark) {
            return Some(Admission::Admitted);
        }
        verdicts.wrong.contains(mark).then_some(Admission::Refused)
    }

    /// Wrong ones never drive out right ones.
    fn keep(&self, mark: Mark, is_right: bool) {
        let mut verdicts = self.verdicts();
        let kept = match is_right {
            true => &mut verdicts.right,
            false => &mut verdicts.wrong,
        };
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(mark);
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        let verdicts = self.verdicts.lock();
        verdicts.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mark of some parts, told apart whatever is in them.
fn mark(key: &hmac::Key, parts: &[&[u8]]) -> Mark {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(context.sign().as_ref());
    mark
}

/// A name and a password, with the place of the colon between them.
struct Credentials(Zeroizing<Vec<u8>>, usize);

impl Credentials {
    /// Reads `Basic` and base64.
    fn read(header: &[u8]) -> Option<Self> {
        const SCHEME: &[u8] = b"basic ";
        let (scheme, encoded) = header.split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let pair = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Some(Self(pair, colon))
    }

    fn name(&self) -> &[u8] {
        self.0.split_at(self.1).0
    }

    fn password(&self) -> &[u8] {
        self.0.split_at(self.1 + 1).1
    }
}

/// Those who wait for a verdict, whatever the configuration that they are held against.
#[derive(Debug)]
pub(super) struct Queue {
    turn: Arc<Semaphore>,
    waiting: Mutex<HashMap<IpAddr, usize>>,
}

/// A place in the queue, until it is dropped.
struct Waiting {
    queue: Arc<Queue>,
    peer: IpAddr,
}

impl Queue {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            turn: Arc::new(Semaphore::new(1)),
            waiting: Mutex::default(),
        })
    }

    fn place(queue: &Arc<Self>, peer: IpAddr) -> Option<Waiting> {
        let mut waiting = queue.waiting();
        let of_peer = waiting.get(&peer).copied().unwrap_or_default();
        let of_all: usize = waiting.values().sum();
        if of_peer >= WAITING_OF_ADDRESS || of_all >= WAITING {
            return None;
        }
        waiting.insert(peer, of_peer + 1);
        drop(waiting);
        Some(Waiting {
            queue: Arc::clone(queue),
            peer,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let waiting = self.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The turn of who came first. None, if the queue were closed, which it never is.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.queue.turn).acquire_owned().await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        if let Some(of_peer) = waiting.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                waiting.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn hash(password: &str, cost: u32) -> PasswordHash {
        PasswordHash::read(&bcrypt::hash(password, cost).unwrap()).unwrap()
    }

    fn passwords(users: &[(&str, PasswordHash)]) -> Arc<Passwords> {
        let owned = |(name, hash): &(&str, PasswordHash)| ((*name).to_owned(), hash.clone());
        let users: Vec<_> = users.iter().map(owned).collect();
        Arc::new(Passwords::new(&users, &[7; 32], Queue::new()))
    }

    fn header(pair: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(pair)).into_bytes()
    }

    async fn admit(passwords: &Arc<Passwords>, pair: &str) -> Admission {
        passwords.admit(address(1), Some(&header(pair))).await
    }

    #[tokio::test]
    async fn the_right_name_and_password_are_admitted_and_no_others() {
        let passwords = passwords(&[("alice", hash("a:b", 4)), ("bob", hash("", 5))]);
        for _ in 0..2 {
            for right in ["alice:a:b", "bob:"] {
                assert_eq!(
                    admit(&passwords, right).await,
                    Admission::Admitted,
                    "{right}"
                );
            }
            for wrong in [
                "alice:",
                "alice:a",
                "bob:a:b",
                "carol:",
                "Alice:a:b",
                ":",
                "a",
            ] {
                assert_eq!(
                    admit(&passwords, wrong).await,
                    Admission::Refused,
                    "{wrong}"
                );
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_basic_authorization_is_refused() {
        let passwords = passwords(&[("alice", hash("secret", 4))]);
        let bearer = header("alice:secret").split_off(6);
        let bearer = [&b"Bearer "[..], &bearer].concat();
        for header in [
            None,
            Some(&b""[..]),
            Some(b"Basic"),
            Some(b"Basic !"),
            Some(&bearer),
        ] {
            let admission = passwords.admit(address(1), header).await;
            assert_eq!(admission, Admission::Refused, "{header:?}");
        }
        let lower = header("alice:secret").to_ascii_lowercase();
        let mixed = [&b"bAsIc "[..], &header("alice:secret").split_off(6)].concat();
        assert_eq!(
            passwords.admit(address(1), Some(&mixed)).await,
            Admission::Admitted
        );
        assert_eq!(
            passwords.admit(address(1), Some(&lower)).await,
            Admission::Refused
        );
    }

    #[tokio::test]
    async fn without_users_everybody_is_admitted() {
        let passwords = passwords(&[]);
        assert_eq!(passwords.admit(address(1), None).await, Admission::Admitted);
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_the_costliest() {
        let passwords = passwords(&[("alice", hash("a", 4)), ("bob", hash("b", 6))]);
        let cost = passwords.costliest.as_ref().map(PasswordHash::cost);
        assert_eq!(cost, Some(6));
    }

    #[tokio::test]
    async fn a_flood_of_wrong_passwords_keeps_out_nobody_who_was_admitted_before() {
        let passwords = passwords(&[("alice", hash("secret", 4))]);
        assert_eq!(admit(&passwords, "alice:secret").await, Admission::Admitted);
        for guess in 0..2 * KEPT {
            passwords.keep(mark(&passwords.key, &[&guess.to_be_bytes()]), false);
        }
        assert!(passwords.verdicts().wrong.len() <= KEPT);
        // Nobody gets a turn any more.
        let turn = Arc::clone(&passwords.queue.turn).acquire_owned().await;
        let admitting = admit(&passwords, "alice:secret");
        let admission = tokio::time::timeout(Duration::from_secs(5), admitting).await;
        assert_eq!(admission, Ok(Admission::Admitted));
        drop(turn);
    }

    #[tokio::test]
    async fn the_queue_is_short_and_shorter_for_one_address() {
        let queue = Queue::new();
        let of_one: Vec<_> = (0..WAITING_OF_ADDRESS)
            .map(|_| Queue::place(&queue, address(1)))
            .collect();
        assert!(of_one.iter().all(Option::is_some));
        assert!(Queue::place(&queue, address(1)).is_none());
        let others: Vec<_> = (2..100)
            .map_while(|last| Queue::place(&queue, address(last)))
            .collect();
        assert_eq!(of_one.len() + others.len(), WAITING);
        drop((of_one, others));
        assert!(queue.waiting().is_empty(), "nothing is kept of who is gone");
        assert!(Queue::place(&queue, address(1)).is_some());
    }

    #[tokio::test]
    async fn nothing_that_is_kept_shows_a_name_or_a_password() {
        let passwords = passwords(&[("alice-in-clear", hash("hunter2", 4))]);
        admit(&passwords, "alice-in-clear:hunter2").await;
        admit(&passwords, "alice-in-clear:hunter3").await;
        let shown = format!("{passwords:?}");
        for secret in ["hunter", "alice", "$2b$"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
