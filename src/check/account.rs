//! The walk through one account: from its configuration to a page of each log.

use super::asking::concerns_all_logs;
use super::configuration::configuration;
use super::finding::{Finding, Name, Verdict};
use super::limit::{self, Told};
use super::network::Place;
use super::page::Page;
use super::purse::Purse;
use super::skew::{self, Clocks};
use super::state::StateReport;
use super::{series, zone};
use crate::api::client::{Client, proxy_of};
use crate::api::failure::Failure;
use crate::clock;
use crate::config::{AccountConfig, Credential, Metrics, Secret, SecretSource};
use crate::event::EventType;

/// What was seen of an account.
#[derive(Debug)]
pub struct Account {
    pub name: String,
    pub findings: Vec<Finding>,
    /// How many requests were spent for it.
    pub requests: u32,
}

/// Walks through an account. Where a step fails, those that need it are left out.
pub async fn account(
    config: &AccountConfig,
    client: Result<Client, String>,
    purse: &mut Purse,
    metrics: &Metrics,
    state: &StateReport,
) -> Account {
    let mut walk = Walk {
        config,
        purse,
        metrics,
        findings: vec![configuration(config)],
        requests: 0,
        told: Vec::new(),
        clocks: None,
    };
    let secret = walk.secret().await;
    walk.connection().await;
    let pages = walk.pages(client, secret, state).await;
    walk.judge(&pages, state);
    Account {
        name: config.name.to_string(),
        findings: walk.findings,
        requests: walk.requests,
    }
}

/// An account under way.
pub(super) struct Walk<'a> {
    pub(super) config: &'a AccountConfig,
    pub(super) purse: &'a mut Purse,
    pub(super) metrics: &'a Metrics,
    findings: Vec<Finding>,
    /// How many requests were sent.
    pub(super) requests: u32,
    /// What the answers said of the limit, and what clocks read at the last one.
    pub(super) told: Vec<Told>,
    pub(super) clocks: Option<Clocks>,
}

/// The pages that were read, in the order of the logs.
type Pages = Vec<(EventType, Page)>;

/// What there is to ask with, or whose failing keeps us from asking.
type Ready = Result<(Client, Secret), Name>;

impl Walk<'_> {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn has_failed(&self, name: Name) -> bool {
        let is_it = |finding: &&Finding| finding.name == name;
        let found = self.findings.iter().find(is_it);
        found.is_some_and(|finding| finding.verdict == Verdict::Failed)
    }

    async fn secret(&mut self) -> Option<Secret> {
        let (what, source) = match &self.config.endpoint.credential {
            Credential::Token(source) => ("the access token", source.clone()),
            Credential::Client { secret, .. } => ("the client's secret", secret.clone()),
        };
        let place = match &source {
            SecretSource::Given(_) => "comes from the environment".to_owned(),
            SecretSource::File(path) | SecretSource::PasswordFile(path) => {
                format!("is in {}", path.display())
            }
        };
        let read = tokio::task::spawn_blocking(move || source.read()).await;
        let why = match read {
            Ok(Ok(secret)) => {
                self.add(Finding::ok(Name::Secret, format!("{what} {place}")));
                return Some(secret);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading it broke off".to_owned(),
        };
        self.add(Finding::failed(
            Name::Secret,
            format!("{what} {place}, but {why}"),
            Failure::NoToken.advice(),
        ));
        None
    }

    async fn connection(&mut self) {
        let endpoint = &self.config.endpoint;
        if let Some(proxy) = proxy_of(&endpoint.base_url) {
            let message = format!("the proxy {proxy}, which the environment names, does that");
            self.add(Finding::skipped(Name::Dns, message.clone()));
            self.add(Finding::skipped(
                Name::Connection,
                format!("{message}; the certificate is looked at by the first request"),
            ));
            return;
        }
        let timeout = self.config.limits.timeout;
        let Some(place) = Place::of(&endpoint.base_url, endpoint.ca.as_ref(), timeout) else {
            return;
        };
        let (dns, addresses) = place.look_up().await;
        let is_found = dns.verdict != Verdict::Failed;
        self.add(dns);
        let connection = match is_found {
            true => place.connect(&addresses).await,
            false => Finding::needs(Name::Connection, Name::Dns),
        };
        self.add(connection);
    }

    /// Asks for a page of each log, with a token that is fetched for it where none is given.
    async fn pages(
        &mut self,
        client: Result<Client, String>,
        secret: Option<Secret>,
        state: &StateReport,
    ) -> Pages {
        let mut ready = self.ready(client, secret, state).await;
        let mut pages = Vec::new();
        for log in &self.config.reading.logs {
            let (client, token) = match &ready {
                Ok(ready) => ready,
                Err(name) => {
                    self.add(Finding::needs(Name::Page(*log), *name));
                    continue;
                }
            };
            match self.page(*log, client, token).await {
                Ok(page) => pages.push((*log, page)),
                // Of the other log it would come to the same.
                Err(failure) if failure.is_none_or(concerns_all_logs) => {
                    ready = Err(Name::Page(*log));
                }
                Err(_) => {}
            }
        }
        pages
    }

    async fn ready(
        &mut self,
        client: Result<Client, String>,
        secret: Option<Secret>,
        state: &StateReport,
    ) -> Ready {
        let name = Name::Token;
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                self.add(Finding::failed(name, error, Failure::Tls.advice()));
                return Err(name);
            }
        };
        let failed = [Name::Dns, Name::Connection].into_iter();
        let failed = failed.chain([Name::Secret]).find(|it| self.has_failed(*it));
        let (None, Some(secret)) = (failed, secret) else {
            let needed = failed.unwrap_or(Name::Secret);
            self.add(Finding::needs(name, needed));
            return Err(needed);
        };
        if state.hides_requests {
            let message = "needs state: without it the requests of an exporter are not known";
            self.add(Finding::skipped(name, message));
            return Err(Name::State);
        }
        let token = match &self.config.endpoint.credential {
            Credential::Token(_) => {
                let message = "it is given; whether the API takes it, the pages show";
                self.add(Finding::ok(name, message));
                Some(secret)
            }
            Credential::Client { id, .. } => self.token(&client, id, &secret).await,
        };
        token.map(|token| (client, token)).ok_or(name)
    }

    /// What all of that means.
    fn judge(&mut self, pages: &Pages, state: &StateReport) {
        let reading = &self.config.reading;
        for log in &reading.logs {
            let page = pages.iter().find(|(of, _)| of == log);
            self.findings.push(match page {
                Some((_, page)) => page.order_found(*log, reading.order),
                None => Finding::needs(Name::Order(*log), Name::Page(*log)),
            });
        }
        let seen: Vec<&Page> = pages.iter().map(|(_, page)| page).collect();
        let now = self
            .clocks
            .map(|clocks| clocks.theirs.unwrap_or(clocks.ours));
        let now = now.unwrap_or_else(clock::unix_now).as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.add(zone::judge(&seen, now, &reading.zone));
        let (limit, knows) = (self.purse.limit(), self.purse.knows_the_exporter());
        self.add(limit::judge(&self.told, limit, knows));
        self.add(skew::judge(self.clocks));
        let kept = state.kept.get(&self.config.name).map(|kept| kept.series);
        self.add(series::judge(pages, kept, self.metrics));
    }
}
