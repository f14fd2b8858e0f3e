//! The requests of a walk, and what came of them.

use super::account::Walk;
use super::finding::{Finding, Name};
use super::limit::Told;
use super::page::Page;
use super::purse::{Fetched, NoPlace};
use super::skew::Clocks;
use crate::api::client::{Client, Content, Fresh, Reply};
use crate::api::failure::Failure;
use crate::api::v2;
use crate::budget::Slot;
use crate::clock;
use crate::config::{Secret, spell};
use crate::event::EventType;
use crate::sight::{self, FingerprintKey};
use crate::window::{PAGE, Query};

impl Walk<'_> {
    /// The token of the credential, fetched for the first account that has it.
    pub(super) async fn token(
        &mut self,
        client: &Client,
        id: &str,
        secret: &Secret,
    ) -> Option<Secret> {
        if let Some(Fetched { by, token }) = &self.purse.fetched {
            let name = Name::Token;
            let finding = match token {
                Some(_) => Finding::ok(
                    name,
                    format!("the one of account {by}, which has the same credential"),
                ),
                None => Finding::failed(
                    name,
                    format!("none came for account {by}, which has the same credential"),
                    format!("see account {by}"),
                ),
            };
            let token = token.clone();
            self.add(finding);
            return token;
        }
        let token = self.fetch(client, id, secret).await;
        self.purse.fetched = Some(Fetched {
            by: self.config.name.clone(),
            token: token.clone(),
        });
        token
    }

    async fn fetch(&mut self, client: &Client, id: &str, secret: &Secret) -> Option<Secret> {
        let name = Name::Token;
        let slot = match self.purse.take().await {
            Ok(slot) => slot,
            Err(no_place) => {
                self.add(no_request(name, no_place));
                return None;
            }
        };
        self.requests += 1;
        let reply = client.token(id, secret).await;
        self.note(&reply, slot).await;
        let (finding, token) = match &reply.outcome {
            Ok(fresh) => (granted(fresh), Some(fresh.token.clone())),
            Err(failure) => (refused(name, *failure, &reply), None),
        };
        self.add(finding);
        token
    }

    /// The first page of a log; none of the failures is that no request could be sent.
    pub(super) async fn page(
        &mut self,
        log: EventType,
        client: &Client,
        token: &Secret,
    ) -> Result<Page, Option<Failure>> {
        let name = Name::Page(log);
        let slot = match self.purse.take().await {
            Ok(slot) => slot,
            Err(no_place) => {
                self.add(no_request(name, no_place));
                return Err(None);
            }
        };
        self.requests += 1;
        let reply = client.logs(log, Query::FIRST, token).await;
        self.note(&reply, slot).await;
        match self.read(&reply) {
            Ok(page) => {
                let zone = &self.config.reading.zone;
                self.add(page.lines(log, zone));
                Ok(page)
            }
            Err(failure) => {
                self.add(refused(name, failure, &reply));
                Err(Some(failure))
            }
        }
    }

    fn read(&self, reply: &Reply) -> Result<Page, Failure> {
        let body = match &reply.outcome {
            Ok(Content::Page(body)) => body,
            Ok(Content::PastTheEnd) => return Ok(Page::default()),
            Err(failure) => return Err(*failure),
        };
        let page = v2::parse(body)?;
        if u64::try_from(page.entries.len()).is_ok_and(|entries| entries > PAGE) {
            return Err(Failure::TooManyLines);
        }
        let zone = &self.config.reading.zone;
        // Nothing of it is kept, so that any key does.
        let key = FingerprintKey::new(&[0; 16]);
        let sightings = sight::sightings_by(&self.config.rules, &page, zone, &key);
        Ok(Page::of(&sightings, &self.metrics.hostnames))
    }

    async fn note<T>(&mut self, reply: &Reply<T>, slot: Slot) {
        if reply.status.is_some() {
            self.clocks = Some(Clocks {
                theirs: reply.date,
                ours: clock::unix_now(),
            });
        }
        let known = self.purse.obey(slot, reply).await;
        if reply.status.is_some() {
            let headers = reply.rate;
            self.told.push(Told { headers, known });
        }
    }
}

/// Whether a request for the other log would fail in the same way.
pub(super) fn concerns_all_logs(failure: Failure) -> bool {
    !matches!(
        failure,
        Failure::Forbidden
            | Failure::PageMissing
            | Failure::ServerError
            | Failure::BodyCutOff
            | Failure::UnexpectedAnswer
            | Failure::TooManyLines
    )
}

fn granted(fresh: &Fresh) -> Finding {
    let lives = match fresh.lifetime {
        Some(lifetime) => format!("it lives for {}", spell(lifetime)),
        None => "it does not say for how long".to_owned(),
    };
    Finding::ok(Name::Token, format!("it was fetched; {lives}"))
}

fn no_request(name: Name, NoPlace(why): NoPlace) -> Finding {
    Finding::failed(
        name,
        "no request was left for it",
        format!("{why}; nothing was sent, so that a running exporter keeps its requests"),
    )
}

fn refused<T>(name: Name, failure: Failure, reply: &Reply<T>) -> Finding {
    let status = reply.status.map(|status| format!(" (status {status})"));
    let detail = reply.detail.as_ref().map(|detail| format!(": {detail}"));
    Finding::failed(
        name,
        format!(
            "{}{}{}",
            failure.reason(),
            status.unwrap_or_default(),
            detail.unwrap_or_default()
        ),
        failure.advice(),
    )
}
