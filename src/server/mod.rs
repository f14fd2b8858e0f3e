//! The door: `/metrics`, `/`, `/-/healthy`, `/-/ready`, `/-/reload` over HTTP/1.1, with TLS and
//! passwords where the web configuration asks for them.
//!
//! A connection finds a place (`places`), greets (`connection`), is told apart by what it is at
//! (`visit`), and has to ask (`punctual`) and to read (`patience`) in time. A request has to be one
//! that the `porter` lets in.

mod body;
mod bucket;
mod caught;
mod connection;
mod deadline;
mod delivery;
mod landing;
mod metrics;
mod pages;
mod passwords;
mod patience;
mod places;
mod porter;
mod punctual;
mod reload;
mod unanswered;
mod visit;

pub use porter::{Porter, ReloadError};
pub use reload::ReloadRequest;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::warn;

use crate::catalogue::REQUESTS_REFUSED;
use crate::clock;
use crate::meters::Meters;
use crate::refresh::{Refresher, Roster};
use body::Parts;
use connection::connect;
use delivery::Delivery;
use passwords::Admission;
use places::Places;
use porter::Rules;
use unanswered::Unanswered;

/// For the answers under way when the program is told to stop.
const DRAIN_AT_MOST: Duration = Duration::from_secs(10);

/// After a failed accept, such as for want of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// What is served.
#[derive(Debug)]
pub struct Exporter {
    pub roster: Arc<Roster>,
    pub meters: Arc<Meters>,
    pub telemetry_path: String,
    /// How long before the scraper's own deadline an answer is sent.
    pub timeout_offset: Duration,
    /// With which scrapers are told apart, so that what is kept of them names nobody.
    pub scraper_key: [u8; 16],
    /// Who may come in.
    pub porter: Arc<Porter>,
    /// Whom to ask for a reload; none where that is not to be had by request.
    pub reload: Option<mpsc::Sender<ReloadRequest>>,
    /// The most connections that are answered at the same time.
    pub max_connections: usize,
}

/// Serves until the shutdown comes, then lets the answers under way end, for ten seconds at most.
pub async fn serve(
    listeners: Vec<TcpListener>,
    exporter: Arc<Exporter>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    let places = Places::new(exporter.max_connections, Arc::clone(&exporter.meters));
    for why in Unanswered::ALL {
        exporter.meters.add(REQUESTS_REFUSED, &[why.as_str()], 0);
    }
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            Arc::clone(&exporter),
            Arc::clone(&places),
            Arc::clone(&graceful),
        ));
    }
    shutdown.await;
    accepting.shutdown().await;
    let Some(graceful) = Arc::into_inner(graceful) else {
        return;
    };
    if tokio::time::timeout(DRAIN_AT_MOST, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some connections did not end in time and are cut off");
    }
}

async fn accept(
    listener: TcpListener,
    exporter: Arc<Exporter>,
    places: Arc<Places>,
    graceful: Arc<GracefulShutdown>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => connect(stream, peer, &exporter, &places, graceful.watcher()),
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

impl Exporter {
    /// The answer to a request; of a connection beyond the limit, to none but health checks.
    async fn answer(
        &self,
        request: &Request<Incoming>,
        peer: SocketAddr,
        delivery: Delivery,
        is_spare: bool,
    ) -> Response<Parts> {
        let rules = self.porter.rules();
        let mut response = match self.unanswered(&rules, request, peer, is_spare).await {
            Some(why) => {
                self.meters.add(REQUESTS_REFUSED, &[why.as_str()], 1);
                why.response()
            }
            None => self.page(request, peer, delivery).await,
        };
        let headers = response.headers_mut();
        if is_spare {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in rules.headers() {
            headers.insert(name, value.clone());
        }
        response
    }

    /// Why a request is not looked into, if it is not.
    async fn unanswered(
        &self,
        rules: &Rules,
        request: &Request<Incoming>,
        peer: SocketAddr,
        is_spare: bool,
    ) -> Option<Unanswered> {
        let path = request.uri().path();
        if !rules.allows_another(clock::now()) {
            return Some(Unanswered::RateLimit);
        }
        if !request.body().is_end_stream() {
            return Some(Unanswered::Body);
        }
        if is_spare && !matches!(path, pages::HEALTHY | pages::READY) {
            return Some(Unanswered::Full);
        }
        let peer = peer.ip().to_canonical();
        match rules.admit(peer, request.headers()).await {
            Admission::Admitted => None,
            Admission::Refused => Some(Unanswered::Unauthorized),
            Admission::Later => Some(Unanswered::Queue),
        }
    }

    async fn page(
        &self,
        request: &Request<Incoming>,
        peer: SocketAddr,
        delivery: Delivery,
    ) -> Response<Parts> {
        let path = request.uri().path();
        if path == reload::PATH {
            return reload::answer(request.method(), self.reload.as_ref()).await;
        }
        let known =
            path == self.telemetry_path || matches!(path, "/" | pages::HEALTHY | pages::READY);
        if !known {
            return pages::text(StatusCode::NOT_FOUND, "not found\n");
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            return pages::not_allowed("only GET and HEAD\n", "GET, HEAD");
        }
        match path {
            path if path == self.telemetry_path => self.metrics(request, peer, delivery).await,
            pages::HEALTHY => pages::healthy(),
            pages::READY => pages::ready(),
            _ => pages::html(self.landing()),
        }
    }

    fn landing(&self) -> String {
        let accounts = self.roster.all();
        let accounts = accounts.iter().map(Refresher::standing).collect();
        landing::page(&self.telemetry_path, accounts, clock::unix_now())
    }
}
