//! Requests that are not looked into, and what is said to them.

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Parts;
use super::pages;

/// Why a request was not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// More requests than `rate_limit` of the web configuration allows.
    RateLimit,
    /// It has a body, and nothing here takes one.
    Body,
    /// Every place is taken, and it asks for more than whether the exporter is well.
    Full,
    /// No name and password, or wrong ones.
    Unauthorized,
    /// Too many wait already for a verdict on their passwords.
    Queue,
}

impl Unanswered {
    pub(super) const ALL: [Self; 5] = [
        Self::RateLimit,
        Self::Body,
        Self::Full,
        Self::Unauthorized,
        Self::Queue,
    ];

    /// The label of the metric.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Body => "body",
            Self::Full => "full",
            Self::Unauthorized => "unauthorized",
            Self::Queue => "queue",
        }
    }

    pub(super) fn response(self) -> Response<Parts> {
        let (status, words, header) = match self {
            Self::RateLimit => (
                StatusCode::TOO_MANY_REQUESTS,
                "more requests than rate_limit of the web configuration allows\n",
                (header::RETRY_AFTER, "1"),
            ),
            Self::Body => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "nothing here takes a body\n",
                (header::CONNECTION, "close"),
            ),
            Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many connections: come again\n",
                (header::CONNECTION, "close"),
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "a name and a password are needed\n",
                (
                    header::WWW_AUTHENTICATE,
                    "Basic realm=\"metaaccess-exporter\"",
                ),
            ),
            Self::Queue => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many passwords are being tried: come again\n",
                (header::RETRY_AFTER, "1"),
            ),
        };
        let mut response = pages::text(status, words);
        let (name, value) = header;
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        response
    }
}
