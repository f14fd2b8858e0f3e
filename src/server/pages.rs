//! The pages beside the metrics.

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Parts;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub(super) const HEALTHY: &str = "/-/healthy";
pub(super) const READY: &str = "/-/ready";

pub(super) fn healthy() -> Response<Parts> {
    text(StatusCode::OK, "metaaccess-exporter is healthy.\n")
}

pub(super) fn ready() -> Response<Parts> {
    text(StatusCode::OK, "metaaccess-exporter is ready.\n")
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Parts> {
    answer(
        status,
        TEXT,
        Parts::new(vec![Bytes::from_static(text.as_bytes())]),
    )
}

/// As [`text`], in words that are made now.
pub(super) fn words(status: StatusCode, words: String) -> Response<Parts> {
    answer(status, TEXT, Parts::new(vec![Bytes::from(words)]))
}

/// For a method that the path does not take, with those that it does.
pub(super) fn not_allowed(words: &'static str, allow: &'static str) -> Response<Parts> {
    let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, words);
    let allow = HeaderValue::from_static(allow);
    refusal.headers_mut().insert(header::ALLOW, allow);
    refusal
}

/// A page for people.
pub(super) fn html(page: String) -> Response<Parts> {
    answer(StatusCode::OK, HTML, Parts::new(vec![Bytes::from(page)]))
}

pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: Parts,
) -> Response<Parts> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
