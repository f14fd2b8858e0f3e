//! What the API grants to a credential: a request window and an access token. Accounts that share a
//! credential share both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::api::client::Fresh;
use crate::api::failure::Failure;
use crate::budget::{Budget, RateLimit};
use crate::clock;
use crate::config::{Credential, Secret, SecretSource};
use crate::event::Account;
use crate::moment::Moment;
use crate::saved::SavedRequests;
use crate::store::Lease as WindowLease;
use crate::token::{Advice, Cause, Lease, Patience};

/// The first wait after a refusal is a part of the window: two logs that are read as often as the
/// default interval allows lose one refresh.
const FIRST_WAIT: u32 = 4;

/// But not more than what this many requests take on average, or so long: an hour's window that has
/// hundreds of requests is no reason to wait for a quarter of it.
const FIRST_WAIT_REQUESTS: u32 = 5;
const FIRST_WAIT_ALLOWED: Duration = Duration::from_secs(15);

/// The longest wait, in first ones.
const LONGEST_WAIT: u32 = 20;

/// The access of one credential. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Access {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    credential: Mutex<Credential>,
    budget: Mutex<Budget>,
    token: Mutex<Token>,
    /// Held by the one who fetches a token; the others wait for what comes of it.
    fetching: Arc<tokio::sync::Mutex<()>>,
    /// How many logs each account reads.
    members: Mutex<BTreeMap<Account, usize>>,
    /// The lease by which what others had paid for was taken up, where replicas share the window.
    taken_up: tokio::sync::Mutex<Option<WindowLease>>,
}

#[derive(Debug)]
struct Token {
    lease: Lease,
    held: Option<Secret>,
    /// The secret that a token was asked for by; of a given token, itself.
    tried: Option<Secret>,
    /// Why there is no token.
    failure: Option<Trouble>,
}

/// Why there is no token, with what is known of it for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub failure: Failure,
    pub detail: Option<String>,
}

/// What there is to ask the API with.
#[derive(Debug)]
pub(super) enum Found {
    Token(Secret),
    /// Nothing, until somebody asks for a token.
    Due(Due),
    /// Nothing for now.
    Failing(Trouble),
}

/// The right to ask for a token, which one account has at a time.
#[derive(Debug)]
pub(super) struct Due {
    pub id: String,
    pub secret: Secret,
    _turn: OwnedMutexGuard<()>,
}

/// An account's share in an access, until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    access: Access,
    account: Account,
}

impl Access {
    /// A window in which nothing was sent, and no token yet.
    pub fn new(credential: Credential, limit: RateLimit) -> Self {
        let patience = patience(limit);
        let token = Token {
            lease: Lease::new(patience),
            held: None,
            tried: None,
            failure: None,
        };
        Self {
            shared: Arc::new(Shared {
                credential: Mutex::new(credential),
                budget: Mutex::new(Budget::new(limit)),
                token: Mutex::new(token),
                fetching: Arc::default(),
                members: Mutex::default(),
                taken_up: tokio::sync::Mutex::default(),
            }),
        }
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        let budget = self.shared.budget.lock();
        budget.unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps to another limit from now on.
    pub fn limit_to(&self, limit: RateLimit) {
        self.budget().limit_to(limit);
    }

    /// Holds what an account had paid for when it was saved.
    pub fn take_up(&self, payer: &Account, requests: &SavedRequests, timeout: Duration) {
        let (boot, now) = (clock::boot(), clock::now());
        self.budget().take_up(payer, requests, &boot, now, timeout);
    }

    /// Holds what all accounts of a lease had paid for when it was taken, before any of them asks by it.
    pub(super) async fn take_up_once<E>(
        &self,
        lease: WindowLease,
        timeout: Duration,
        paid: impl AsyncFnOnce() -> Result<BTreeMap<Account, SavedRequests>, E>,
    ) -> Result<(), E> {
        let mut taken_up = self.shared.taken_up.lock().await;
        if *taken_up != Some(lease) {
            for (payer, requests) in paid().await? {
                self.take_up(&payer, &requests, timeout);
            }
            *taken_up = Some(lease);
        }
        Ok(())
    }

    /// Whether no request is counted any more, so that another access of the same credential would
    /// know the same.
    pub fn is_idle(&self) -> bool {
        let budget = self.budget();
        budget.left(clock::now()) == budget.limit().requests
    }

    /// Lets an account that reads so many logs share in it.
    pub(super) fn join(&self, account: &Account, logs: usize) -> Member {
        self.members().insert(account.clone(), logs);
        Member {
            access: self.clone(),
            account: account.clone(),
        }
    }

    /// How many logs are read by it, of all accounts.
    pub(super) fn logs(&self) -> usize {
        self.members().values().sum()
    }

    /// The token as it is now. Reads the file of a secret where it has to; waits while another account
    /// asks for a token.
    pub(super) async fn token(&self) -> Found {
        let credential = self.credential().clone();
        match &credential {
            Credential::Token(source) => self.given(source).await,
            Credential::Client { id, secret } => self.leased(id, secret).await,
        }
    }

    /// Is known by this from now on: the same client, whose secret may be elsewhere.
    pub fn is_known_by(&self, credential: Credential) {
        *self.credential() = credential;
    }

    fn credential(&self) -> MutexGuard<'_, Credential> {
        let credential = self.shared.credential.lock();
        credential.unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that is good although a newer one could not be had.
    pub(super) fn still_good(&self) -> Option<Secret> {
        let token = self.lock();
        let is_good = token.lease.ends().is_some_and(|end| clock::now() < end);
        token.held.clone().filter(|_| is_good)
    }

    /// Notes the token that came for a request sent at `sent`.
    pub(super) fn fetched(&self, sent: Moment, fresh: &Fresh) {
        let mut token = self.lock();
        let is_the_same = token.held.as_ref() == Some(&fresh.token);
        token.lease.fetched(sent, fresh.lifetime, is_the_same);
        token.held = Some(fresh.token.clone());
        token.failure = None;
    }

    /// Notes that no token came.
    pub(super) fn not_fetched(&self, trouble: &Trouble) {
        let cause = match trouble.failure {
            Failure::ClientRefused | Failure::TokenMissing => Cause::Refused,
            _ => Cause::Unreached,
        };
        let mut token = self.lock();
        token.lease.not_fetched(clock::now(), cause);
        token.failure = Some(trouble.clone());
    }

    /// Notes that the API took this token.
    pub(super) fn accepted(&self, used: &Secret) {
        let mut token = self.lock();
        if token.held.as_ref() == Some(used) {
            token.lease.accepted(clock::now());
        }
    }

    /// Notes that the API refused this token, and says whether another one may be had at once.
    pub(super) fn refused(&self, used: &Secret) -> bool {
        let is_given = matches!(*self.credential(), Credential::Token(_));
        let mut token = self.lock();
        let now = clock::now();
        // Another account may have a newer one by now.
        if token.held.as_ref() == Some(used) {
            match is_given {
                true => token.lease.refused_for_good(now),
                false => token.lease.refused(now),
            }
            token.held = None;
            token.failure = Some(Trouble {
                failure: Failure::Unauthorized,
                detail: None,
            });
        }
        !matches!(token.lease.advice(now), Advice::Wait(_))
    }

    /// When the token ends that is held, if that is known.
    pub(super) fn token_ends(&self) -> Option<Moment> {
        self.lock().lease.ends()
    }

    async fn given(&self, source: &SecretSource) -> Found {
        let secret = match read(source).await {
            Ok(secret) => secret,
            Err(trouble) => return Found::Failing(trouble),
        };
        let mut token = self.lock();
        token.sees(&secret);
        let now = clock::now();
        match token.lease.advice(now) {
            Advice::Wait(_) => Found::Failing(token.trouble()),
            Advice::Use if token.held.as_ref() == Some(&secret) => Found::Token(secret),
            Advice::Use | Advice::Fetch => {
                token.lease.fetched(now, None, false);
                token.held = Some(secret.clone());
                Found::Token(secret)
            }
        }
    }

    async fn leased(&self, id: &str, source: &SecretSource) -> Found {
        if let Some(token) = self.lock().to_use() {
            return Found::Token(token);
        }
        let turn = Arc::clone(&self.shared.fetching).lock_owned().await;
        if let Some(token) = self.lock().to_use() {
            return Found::Token(token);
        }
        let secret = match read(source).await {
            Ok(secret) => secret,
            Err(trouble) => return Found::Failing(trouble),
        };
        let mut token = self.lock();
        token.sees(&secret);
        match token.lease.advice(clock::now()) {
            Advice::Wait(_) => Found::Failing(token.trouble()),
            Advice::Use | Advice::Fetch => Found::Due(Due {
                id: id.to_owned(),
                secret,
                _turn: turn,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Token> {
        let token = self.shared.token.lock();
        token.unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<Account, usize>> {
        let members = self.shared.members.lock();
        members.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn to_use(&self) -> Option<Secret> {
        let is_good = self.lease.advice(clock::now()) == Advice::Use;
        self.held.clone().filter(|_| is_good)
    }

    /// Takes note of the secret as it is now: another one than was tried is tried at once.
    fn sees(&mut self, secret: &Secret) {
        if self.tried.as_ref() != Some(secret) {
            self.tried = Some(secret.clone());
            self.lease.has_another_chance();
        }
    }

    fn trouble(&self) -> Trouble {
        let unknown = Trouble {
            failure: Failure::NoToken,
            detail: None,
        };
        self.failure.clone().unwrap_or(unknown)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.access.members().remove(&self.account);
        self.access.budget().leave(&self.account);
    }
}

fn patience(limit: RateLimit) -> Patience {
    let at_most = limit.time_for(FIRST_WAIT_REQUESTS).max(FIRST_WAIT_ALLOWED);
    let first = (limit.window / FIRST_WAIT).min(at_most);
    Patience {
        first,
        longest: first * LONGEST_WAIT,
    }
}

async fn read(source: &SecretSource) -> Result<Secret, Trouble> {
    let reading = match source {
        SecretSource::Given(secret) => return Ok(secret.clone()),
        SecretSource::File(_) | SecretSource::PasswordFile(_) => source.clone(),
    };
    let read = tokio::task::spawn_blocking(move || reading.read()).await;
    let detail = match read {
        Ok(Ok(secret)) => return Ok(secret),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "reading the file broke off".to_owned(),
    };
    Err(Trouble {
        failure: Failure::NoToken,
        detail: Some(detail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_quarter_of_an_hour_that_has_hundreds_of_requests() {
        let seconds = |requests, window| {
            let window = Duration::from_secs(window);
            let Patience { first, longest } = patience(RateLimit { requests, window });
            (first.as_secs(), longest.as_secs())
        };
        assert_eq!(seconds(10, 60), (15, 300));
        assert_eq!(seconds(200, 60), (15, 300));
        assert_eq!(seconds(600, 3_600), (30, 600));
        assert_eq!(seconds(10_000, 3_600), (15, 300));
        assert_eq!(seconds(10, 3_600), (900, 18_000));
        assert_eq!(seconds(10, 4), (1, 20));
    }
}
