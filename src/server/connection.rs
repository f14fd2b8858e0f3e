//! One connection: its handshake, its requests in turn, and what was sent in answer.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error};

use super::Exporter;
use super::body::Parts;
use super::caught::Caught;
use super::delivery::{Delivery, Signing};
use super::pages;
use super::patience::Patient;
use super::places::{Place, Places, Refusal};
use super::punctual::{Punctual, Waits};
use super::visit::Visit;
use crate::catalogue::PANICS;

/// A head is there at once, unless somebody wants to keep a connection busy. Between two requests
/// it is longer than most scrape intervals, so that scrapers keep their connections.
const WAITS: Waits = Waits {
    for_head: Duration::from_secs(10),
    between: Duration::from_secs(120),
};

/// Beyond the limit of connections a word is all there is time for.
const SPARE_WAITS: Waits = Waits {
    for_head: Duration::from_secs(1),
    between: Duration::ZERO,
};

/// From a connection to the end of its handshake.
const HANDSHAKE_AT_MOST: Duration = Duration::from_secs(5);

/// For a peer to take some more of its answer: far longer than any scraper waits for all of it.
const TAKES_NOTHING_AT_MOST: Duration = Duration::from_secs(60);

/// For a word to one who has no place.
const A_WORD_AT_MOST: Duration = Duration::from_secs(1);

/// Of a request's head, in bytes: a scraper's has a few hundred, a browser's a few thousand.
const LONGEST_HEAD: usize = 16 * 1024;

/// With what every TLS record of a handshake begins; a request in clear text begins with a letter.
const HANDSHAKE_RECORD: u8 = 0x16;

const SPEAKS_NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 47\r\n\r\nthis exporter speaks TLS: ask for it by https\n\n";

const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/// Serves a connection in a task of its own, if there is a place for it.
pub(super) fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    exporter: &Arc<Exporter>,
    places: &Arc<Places>,
    graceful: Watcher,
) {
    // An answer is one write: waiting for more would only delay it.
    let _ = stream.set_nodelay(true);
    let visit = Visit::new();
    let Some(place) = places.enter(&visit) else {
        // A buffer of the system's takes it, or nobody does.
        let _ = stream.try_write(NO_PLACE);
        return;
    };
    let exporter = Arc::clone(exporter);
    tokio::spawn(async move {
        let displaced = visit.clone();
        tokio::select! {
            () = converse(stream, peer, exporter, visit, &place, graceful) => {}
            () = displaced.displaced() => debug!("an idle connection gave its place to another"),
        }
    });
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    exporter: Arc<Exporter>,
    visit: Visit,
    place: &Place,
    graceful: Watcher,
) {
    let Some(tls) = exporter.porter.rules().tls() else {
        let stream = Patient::new(stream, TAKES_NOTHING_AT_MOST);
        return answer(stream, peer, exporter, visit, place.is_spare(), graceful).await;
    };
    let greeting = tokio::time::timeout(HANDSHAKE_AT_MOST, greet(stream, &tls)).await;
    match greeting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => answer(stream, peer, exporter, visit, place.is_spare(), graceful).await,
        Err(error) => {
            place.refused(Refusal::Handshake);
            debug!(%error, "a TLS handshake failed");
        }
    }
}

/// The handshake; or a word to one who speaks clear text.
async fn greet(
    mut stream: TcpStream,
    tls: &TlsAcceptor,
) -> io::Result<TlsStream<Patient<TcpStream>>> {
    let mut first = [HANDSHAKE_RECORD];
    if stream.peek(&mut first).await? > 0 && first.iter().all(u8::is_ascii_alphabetic) {
        let _ = tokio::time::timeout(A_WORD_AT_MOST, say(&mut stream, SPEAKS_NO_TLS)).await;
        return Err(io::Error::other("the peer speaks no TLS"));
    }
    tls.accept(Patient::new(stream, TAKES_NOTHING_AT_MOST))
        .await
}

/// Says a word to a peer whose request is not looked into. To close with that unread would cut off
/// the word too.
async fn say(stream: &mut TcpStream, word: &[u8]) -> io::Result<()> {
    stream.write_all(word).await?;
    stream.shutdown().await?;
    let mut request = stream.take(LONGEST_HEAD as u64);
    tokio::io::copy(&mut request, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Answers the requests of a connection until it ends.
async fn answer<S>(
    stream: S,
    peer: SocketAddr,
    exporter: Arc<Exporter>,
    visit: Visit,
    is_spare: bool,
    graceful: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let delivery = Delivery::default();
    let answering = visit.clone();
    let answer = {
        let delivery = delivery.clone();
        move |request: Request<Incoming>| {
            if !request.body().is_end_stream() {
                answering.leaves_unread();
            }
            let (exporter, delivery) = (Arc::clone(&exporter), delivery.clone());
            let answering = answering.asked();
            async move {
                let answer = exporter.answer(&request, peer, delivery, is_spare);
                let response = unbroken(answer, || exporter.meters.add(PANICS, &[], 1)).await;
                response.map(|body| body.holding(answering))
            }
        }
    };
    let waits = if is_spare { SPARE_WAITS } else { WAITS };
    let stream = Signing {
        stream: Punctual::new(stream, visit, waits),
        delivery,
    };
    let connection = http(stream, answer);
    if let Err(error) = graceful.watch(connection).await {
        debug!(%error, "a connection ended early");
    }
}

/// HTTP/1.1 on this stream, each request answered by `answer`.
fn http<S, F>(
    stream: S,
    answer: impl Fn(Request<Incoming>) -> F + Send,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Response<Parts>> + Send,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    http1::Builder::new()
        // `Punctual` has limits for that.
        .header_read_timeout(None)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}

/// The answer; or, where making it panicked, one that says so. `panicked` is called then.
async fn unbroken(
    answer: impl Future<Output = Response<Parts>>,
    panicked: impl FnOnce(),
) -> Response<Parts> {
    match Caught::new(answer).await {
        Ok(response) => response,
        Err(_) => {
            panicked();
            error!("an answer could not be made, since the exporter panicked: please report it");
            pages::text(
                hyper::StatusCode::INTERNAL_SERVER_ERROR,
                "the exporter made a mistake: its log has more\n",
            )
        }
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
