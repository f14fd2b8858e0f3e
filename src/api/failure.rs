//! Every way in which a refresh can fail, each with words for a label and for a person.

use std::error::Error;
use std::fmt;

/// Why a refresh failed. It carries no data, so no token, URL or body can be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    Unauthorized,
    Forbidden,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    PageMissing,
    EmptyLog,
    UnsupportedMediaType,
    RateLimited,
    ServerError,
    Redirected,
    UnexpectedStatus,
    Connection,
    Tls,
    Timeout,
    BodyTooLarge,
    BodyCutOff,
    NotJson,
    UnexpectedAnswer,
    TooManyLines,
    Drift,
    OrderContradicted,
    MixedOrder,
    NoToken,
    ClientRefused,
    TokenMissing,
    NotSaved,
}

impl Failure {
    pub const ALL: [Self; 28] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::BadRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::PageMissing,
        Self::EmptyLog,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::ServerError,
        Self::Redirected,
        Self::UnexpectedStatus,
        Self::Connection,
        Self::Tls,
        Self::Timeout,
        Self::BodyTooLarge,
        Self::BodyCutOff,
        Self::NotJson,
        Self::UnexpectedAnswer,
        Self::TooManyLines,
        Self::Drift,
        Self::OrderContradicted,
        Self::MixedOrder,
        Self::NoToken,
        Self::ClientRefused,
        Self::TokenMissing,
        Self::NotSaved,
    ];

    /// The failure that an HTTP status means where it was not hoped for.
    pub fn of_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            406 => Self::NotAcceptable,
            413 => Self::PageMissing,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            300..=399 => Self::Redirected,
            500..=599 => Self::ServerError,
            _ => Self::UnexpectedStatus,
        }
    }

    /// The value of the `reason` label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::PageMissing => "page_past_end",
            Self::EmptyLog => "empty_log",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Redirected => "redirected",
            Self::UnexpectedStatus => "unexpected_status",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyCutOff => "body_cut_off",
            Self::NotJson => "not_json",
            Self::UnexpectedAnswer => "unexpected_answer",
            Self::TooManyLines => "too_many_lines",
            Self::Drift => "drift",
            Self::OrderContradicted => "order_contradicted",
            Self::MixedOrder => "mixed_order",
            Self::NoToken => "no_token",
            Self::ClientRefused => "client_refused",
            Self::TokenMissing => "token_missing",
            Self::NotSaved => "not_saved",
        }
    }

    /// What happened and what to do about it, for a person who did not write this program.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unauthorized => {
                "the API refused the access token (401): it is wrong or has expired. Renew the token, or check what the OAuth client may do; a changed file is tried at once, the same token ever more rarely"
            }
            Self::Forbidden => {
                "the API knows the token but does not let it read the log (403). Check what the OAuth application may do in the console, and whether a proxy stands in between"
            }
            Self::BadRequest => {
                "the API did not understand the request (400). Check --api.base-url; if it is right, please report it"
            }
            Self::NotFound => {
                "there is no such path at this address (404). Check --api.base-url: it is the host alone, such as https://gears.opswat.com"
            }
            Self::MethodNotAllowed => {
                "the address does not take this kind of request (405). Check --api.base-url and any proxy in between"
            }
            Self::NotAcceptable => {
                "the API found the page too large (406), although it asked for no more than is allowed. Nothing to mend here unless it stays: then please report it"
            }
            Self::PageMissing => {
                "the API says that the page is past the end of the log (413): the log is empty, shrank while it was read, or the answer is wrong. The next refresh looks again"
            }
            Self::EmptyLog => {
                "the API said that the log is empty, although it held lines before. Nothing was taken back; look in the console whether the log was purged or another account answers"
            }
            Self::UnsupportedMediaType => {
                "the address does not take this kind of content (415). Check --api.base-url and any proxy in between"
            }
            Self::RateLimited => {
                "the requests of the account are used up for now (429). Nothing is lost, it is read later; if it stays, something else uses the same account: lower --api.rate-limit here or there"
            }
            Self::ServerError => {
                "the API failed on its own side (5xx). Nothing to mend here; it is tried again. If it stays, look at the status page of the vendor"
            }
            Self::Redirected => {
                "the API sent the request elsewhere (3xx), and a token is not carried to another address. Set --api.base-url to the final address"
            }
            Self::UnexpectedStatus => {
                "the answer had a status that the API does not document. Check --api.base-url and any proxy in between"
            }
            Self::Connection => {
                "no connection to the API: its name was not found, it was refused, or it broke. Check the network, DNS, the proxy and --api.base-url"
            }
            Self::Tls => {
                "no trusted connection to the API. Check its certificate, the clock of this machine, and --api.ca-file if a proxy opens TLS"
            }
            Self::Timeout => {
                "the API did not answer in time. It is tried again; if it stays, raise --api.timeout or look at the network"
            }
            Self::BodyTooLarge => {
                "the answer was far larger than a page of the log can be. Check --api.base-url and any proxy in between"
            }
            Self::BodyCutOff => {
                "the answer ended before it was complete. It is tried again; if it stays, look at the network and any proxy in between"
            }
            Self::NotJson => {
                "the answer was not JSON: most often a login or error page. Check --api.base-url and any proxy in between"
            }
            Self::UnexpectedAnswer => {
                "the answer was JSON but not a page of the log. Check --api.base-url; if it is right the vendor may have changed the API: please report it"
            }
            Self::TooManyLines => {
                "the answer held more lines than were asked for, so their place in the log is not known and none was counted. If it stays, please report it"
            }
            Self::OrderContradicted => {
                "the lines come in the order opposite to --api.order. Set it to auto, or to what the log shows"
            }
            Self::MixedOrder => {
                "the log shows its days one way and the times of a day the other, so that its newest line cannot be found. Nothing new is counted until that ends: please report it"
            }
            Self::Drift => {
                "the log moved too much between two pages for them to be joined. Nothing was counted from them; the next refresh reads them anew"
            }
            Self::NoToken => {
                "there is no access token: its file, or that of the OAuth client's secret, is missing, empty or cannot be read. Check --api.access-token-file or --api.client-secret-file, and the permissions"
            }
            Self::ClientRefused => {
                "the API granted no access token to the OAuth client: its id or secret is wrong, or it was revoked. Check --api.client-id and the secret; a changed file is tried at once, the same secret ever more rarely"
            }
            Self::TokenMissing => {
                "the API's answer to the OAuth client held no access token that can be used. Check --api.base-url; if it is right the vendor may have changed the API: please report it"
            }
            Self::NotSaved => {
                "the state could not be saved, so that nothing new may be shown and no request may be sent. Make room, or let the exporter write to --state.path; it tries again by itself"
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_is_its_own_and_fits_a_label() {
        let reasons: HashSet<_> = Failure::ALL.iter().map(|f| f.reason()).collect();
        assert_eq!(reasons.len(), Failure::ALL.len());
        for reason in reasons {
            assert!(
                reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{reason}"
            );
        }
    }

    #[test]
    fn every_failure_says_what_happened_in_words_of_its_own() {
        let advice: HashSet<_> = Failure::ALL.iter().map(|f| f.to_string()).collect();
        assert_eq!(advice.len(), Failure::ALL.len());
        assert!(
            advice
                .iter()
                .all(|words| words.len() > 60 && !words.ends_with('.'))
        );
    }

    #[test]
    fn every_documented_status_has_its_own_failure() {
        let documented = [400, 401, 403, 404, 405, 406, 413, 415, 429, 500, 302, 418];
        let failures: HashSet<_> = documented.map(Failure::of_status).into();
        assert_eq!(failures.len(), documented.len());
        assert_eq!(Failure::of_status(503), Failure::ServerError);
        assert_eq!(Failure::of_status(204), Failure::UnexpectedStatus);
    }
}
