//! A server that does nothing but send one file: what hyper itself costs.
//!
//! `bare ADDRESS FILE [CONTENT-ENCODING]` sends the file in answer to every request.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the benchmarks, and no setting"
    )]
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other(
            "usage: bare ADDRESS FILE [CONTENT-ENCODING]",
        ));
    };
    let encoding = arguments.next();
    let encoding = encoding.and_then(|name| HeaderValue::try_from(name).ok());
    let bytes = Bytes::from(std::fs::read(file)?);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (bytes, encoding) = (bytes.clone(), encoding.clone());
        let answer = service_fn(move |_: Request<Incoming>| {
            let mut response = Response::new(Full::new(bytes.clone()));
            let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type);
            if let Some(encoding) = &encoding {
                headers.insert(header::CONTENT_ENCODING, encoding.clone());
            }
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        // A client that hangs up ends its connection only.
        tokio::spawn(async move { drop(connection.await) });
    }
}
