//! `/metrics`: one scrape.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use siphasher::sip::SipHasher13;
use url::form_urlencoded;

use super::Exporter;
use super::body::Parts;
use super::deadline;
use super::delivery::{Delivery, Receipt};
use super::pages;
use crate::births::{Scraper, ScraperId};
use crate::catalogue::{SCRAPES, SCRAPES_STALE};
use crate::clock;
use crate::event::Account;
use crate::exposition::{self, Wanted};
use crate::moment::Moment;
use crate::process;
use crate::refresh::{Refresher, Shown, Waited, Wish};

/// A database that gives no answer holds a scrape up for no longer.
const LOOK_AT_MOST: Duration = Duration::from_secs(2);

/// Of a name in a message, the most characters.
const LONGEST_SHOWN: usize = 128;

impl Exporter {
    /// Refreshes and answers. To be asked for the head alone is no scrape: nobody reads the counts.
    pub(super) async fn metrics(
        &self,
        request: &Request<Incoming>,
        peer: SocketAddr,
        delivery: Delivery,
    ) -> Response<Parts> {
        let arrived = clock::now();
        let headers = request.headers();
        let is_scrape = *request.method() == Method::GET;
        let asked = asked_for(request);
        let refreshers = match self.roster.named(&asked) {
            Ok(refreshers) => refreshers,
            Err(unknown) => return unknown_account(&unknown),
        };
        let scraper = is_scrape.then(|| self.scraper(peer, headers, &asked));
        if let Some(scraper) = scraper {
            for refresher in refreshers.iter() {
                refresher.came(scraper, arrived);
            }
            self.refresh(&refreshers, &asked, headers, arrived).await;
        }
        let wanted = exposition::wanted(
            &joined(headers, &header::ACCEPT),
            &joined(headers, &header::ACCEPT_ENCODING),
        );
        let of: Vec<(Refresher, Shown)> = refreshers
            .iter()
            .map(|refresher| (refresher.clone(), refresher.shown()))
            .collect();
        let mut body = self.body(wanted, &of, !asked.is_empty());
        if let Some(scraper) = scraper {
            body = body.with_receipt(delivery, Receipt { scraper, of });
        }
        answer(wanted, body)
    }

    async fn refresh(
        &self,
        refreshers: &[Refresher],
        asked: &[String],
        headers: &HeaderMap,
        arrived: Moment,
    ) {
        let timeout = headers.get(deadline::TIMEOUT_HEADER);
        let timeout = timeout.and_then(|value| value.to_str().ok());
        let deadline = arrived.plus(deadline::time_to_answer(timeout, self.timeout_offset));
        // First what the other replicas have shown: no count falls from one to the next.
        let left = deadline.since(clock::now());
        self.roster.look(asked, left.min(LOOK_AT_MOST)).await;
        // All wish before any is waited for, so that they are refreshed at the same time.
        let wishes: Vec<Wish> = refreshers.iter().map(|one| one.wish(arrived)).collect();
        let mut stale = false;
        for wish in wishes {
            let left = deadline.since(clock::now());
            stale |= wish.wait(left).await == Waited::Stale;
        }
        self.meters.add(SCRAPES, &[], 1);
        self.meters.add(SCRAPES_STALE, &[], u64::from(stale));
    }

    fn body(&self, wanted: Wanted, of: &[(Refresher, Shown)], are_some: bool) -> Parts {
        process::measure(&self.meters);
        let only: Option<Vec<Account>> =
            are_some.then(|| of.iter().map(|(one, _)| one.account().clone()).collect());
        let now = clock::now();
        for (refresher, _) in of {
            refresher.measure(&self.meters, now);
        }
        let events = of.iter().map(|(_, shown)| shown.events(wanted.format));
        let settled = self.meters.settled(wanted.format, only.as_deref());
        let live = self.meters.live(wanted.format, only.as_deref());
        Parts::new(exposition::body(wanted, events, &settled, live))
    }

    /// Who scrapes, as far as it can be told: the address without the port, which is another one with
    /// every connection; the program; how long it waits, which is a setting of its own; and the
    /// accounts that it asks for.
    fn scraper(&self, peer: SocketAddr, headers: &HeaderMap, asked: &[String]) -> Scraper {
        let mut hasher = SipHasher13::new_with_key(&self.scraper_key);
        let mut write = |bytes: &[u8]| {
            hasher.write(bytes);
            hasher.write(b"\n");
        };
        write(peer.ip().to_canonical().to_string().as_bytes());
        for name in [header::USER_AGENT.as_str(), deadline::TIMEOUT_HEADER] {
            let value = headers.get(name);
            write(value.map_or(&b""[..], HeaderValue::as_bytes));
        }
        asked.iter().for_each(|account| write(account.as_bytes()));
        let id = ScraperId(hasher.finish());
        hasher.write_u16(peer.port());
        let connection = ScraperId(hasher.finish());
        Scraper { id, connection }
    }
}

/// The accounts that are asked for by name, each once and in order; none for all of them.
fn asked_for(request: &Request<Incoming>) -> Vec<String> {
    let query = request.uri().query().unwrap_or_default();
    let parameters = form_urlencoded::parse(query.as_bytes());
    let accounts = parameters.filter(|(name, _)| name == "account");
    let accounts: BTreeSet<String> = accounts.map(|(_, value)| value.into_owned()).collect();
    accounts.into_iter().collect()
}

/// To a scrape of accounts of which one is not there: were it left out, nobody would notice.
fn unknown_account(name: &str) -> Response<Parts> {
    let shown: String = name.chars().take(LONGEST_SHOWN).collect();
    pages::words(
        StatusCode::NOT_FOUND,
        format!("no account is called {shown:?}: see / for those that there are\n"),
    )
}

fn answer(wanted: Wanted, body: Parts) -> Response<Parts> {
    let content_type = wanted.format.content_type();
    let mut response = pages::answer(StatusCode::OK, content_type, body);
    let headers = response.headers_mut();
    let vary = HeaderValue::from_static("Accept, Accept-Encoding");
    headers.insert(header::VARY, vary);
    if wanted.gzip {
        let gzip = HeaderValue::from_static("gzip");
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

/// The values of all headers of this name, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}
