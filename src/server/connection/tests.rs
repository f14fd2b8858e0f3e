use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::io::DuplexStream;

use super::*;
use crate::births::{Scraper, ScraperId};
use crate::server::delivery::Receipt;

/// The far end of a connection on which every request is answered so.
fn answered<F>(answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> DuplexStream
where
    F: Future<Output = Response<Parts>> + Send + 'static,
{
    let (near, far) = tokio::io::duplex(1000);
    let connection = http(near, answer);
    tokio::spawn(async move { drop(connection.await) });
    far
}

/// What comes back until the connection ends.
async fn talk(mut far: DuplexStream, say: &[u8]) -> String {
    let _ = far.write_all(say).await;
    let mut answer = Vec::new();
    let reading = far.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(read.is_ok_and(|read| read.is_ok()), "no end");
    String::from_utf8(answer).unwrap()
}

const CLOSE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_panic_is_answered_with_500_and_the_connection_goes_on() {
    let panics = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&panics);
    let far = answered(move |request| {
        let counted = Arc::clone(&counted);
        async move {
            let answer = async {
                assert!(request.uri().path() != "/panic", "of the test");
                pages::text(StatusCode::OK, "fine\n")
            };
            let panicked = || {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            };
            unbroken(answer, panicked).await
        }
    });
    let first = b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = talk(far, &[first, CLOSE].concat()).await;
    assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 OK") && answers.ends_with("fine\n"));
    assert_eq!(panics.load(std::sync::atomic::Ordering::SeqCst), 1);
}

async fn fine(_: Request<Incoming>) -> Response<Parts> {
    pages::text(StatusCode::OK, "fine\n")
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered_with_431() {
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
        "a".repeat(LONGEST_HEAD)
    );
    let answer = talk(answered(fine), long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "A: a\r\n".repeat(101)
    );
    let answer = talk(answered(fine), many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let bearable = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: {}\r\n\r\n",
        "a".repeat(LONGEST_HEAD - 100)
    );
    let answer = talk(answered(fine), bearable.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn the_words_to_those_who_have_no_place_are_whole_answers() {
    for said in [SPEAKS_NO_TLS, NO_PLACE] {
        let text = std::str::from_utf8(said).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = format!("Content-Length: {}", body.len());
        assert!(head.lines().any(|line| line == length), "{text}");
    }
}

const PART: usize = 40_000;
const PARTS: usize = 50;

/// Both ends of TLS over a pipe that holds little.
async fn tls() -> (
    TlsStream<DuplexStream>,
    tokio_rustls::client::TlsStream<DuplexStream>,
) {
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut known = rustls::RootCertStore::empty();
    known.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(known)
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(1000);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let greeted = tokio::join!(
        acceptor.accept(near),
        connector.connect("localhost".try_into().unwrap(), far)
    );
    (greeted.0.unwrap(), greeted.1.unwrap())
}

#[tokio::test]
async fn over_tls_too_a_receipt_is_signed_when_the_last_byte_has_left_and_not_before() {
    let (near, mut far) = tls().await;
    let delivery = Delivery::default();
    let stream = Signing {
        stream: Punctual::new(near, Visit::new(), WAITS),
        delivery: delivery.clone(),
    };
    let signs = delivery.clone();
    let connection = http(stream, move |_| {
        let scraper = Scraper {
            id: ScraperId(1),
            connection: ScraperId(2),
        };
        let of = Vec::new();
        let parts = vec![Bytes::from_static(&[b'x'; PART]); PARTS];
        let body = Parts::new(parts).with_receipt(signs.clone(), Receipt { scraper, of });
        std::future::ready(Response::new(body))
    });
    tokio::spawn(async move { drop(connection.await) });
    far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    far.flush().await.unwrap();
    // What a record and the pipe hold may be on its way.
    let on_its_way = 20_000;
    let mut left = 0;
    let mut some = vec![0; 1000];
    while left < PART * PARTS - on_its_way {
        left += far.read(&mut some).await.unwrap();
        assert_eq!(delivery.signed(), 0, "after {left} bytes");
    }
    while delivery.signed() == 0 {
        let read = far.read(&mut some).await.unwrap();
        assert!(read > 0, "the answer does not end the connection");
        tokio::task::yield_now().await;
    }
    assert_eq!(delivery.signed(), 1);
}
