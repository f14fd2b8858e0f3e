//! OAuth's client credentials grant: bytes to a token, statuses to meaning. Source: RFC 6749, and the
//! vendor's documentation.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use super::failure::Failure;

/// The path of the token endpoint below the API's base URL.
pub const TOKEN_PATH: &str = "/o/oauth/token";

/// The error codes of RFC 6749, section 5.2. What else an answer says may hold anything.
const ERROR_CODES: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// An access token as it was granted.
#[derive(Clone, PartialEq, Eq)]
pub struct Granted {
    pub token: Zeroizing<String>,
    /// How long it lives; none where the answer does not say.
    pub lifetime: Option<Duration>,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// The fields of the form that asks for a token.
pub fn form<'a>(id: &'a str, secret: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("client_id", id),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
    ]
}

/// Why there is no token, by the status; none where the answer should hold one.
pub fn refusal(status: u16) -> Option<Failure> {
    match status {
        200 => None,
        400 | 401 | 403 => Some(Failure::ClientRefused),
        // These mean something of a page alone.
        406 | 413 => Some(Failure::UnexpectedStatus),
        other => Some(Failure::of_status(other)),
    }
}

/// The token of an answer. Its lifetime in seconds may be a number or a text.
pub fn parse(body: &[u8]) -> Result<Granted, Failure> {
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| Failure::NotJson)?;
    let Some(Value::String(token)) = answer.get_mut("access_token").map(Value::take) else {
        return Err(Failure::TokenMissing);
    };
    let lifetime = answer.get("expires_in").and_then(seconds);
    Ok(Granted {
        token: Zeroizing::new(token),
        lifetime,
    })
}

/// What an answer says went wrong, where it says so in one of the known words.
pub fn error_code(body: &[u8]) -> Option<&'static str> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let code = answer.get("error")?.as_str()?;
    ERROR_CODES.into_iter().find(|known| *known == code)
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(expires_in: &str) -> Option<Duration> {
        let body = format!(r#"{{"access_token":"hunter2","expires_in":{expires_in}}}"#);
        parse(body.as_bytes()).unwrap().lifetime
    }

    #[test]
    fn the_known_answer_is_read() {
        let body = br#"{"access_token":"01234567-89ab-cdef-0123-456789abcdef","token_type":"bearer","expires_in":43199,"scope":"read"}"#;
        let granted = parse(body).unwrap();
        assert_eq!(
            granted.token.as_str(),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
        assert_eq!(granted.lifetime, Some(Duration::from_secs(43_199)));
        assert!(!format!("{granted:?}").contains("0123"));
    }

    #[test]
    fn a_lifetime_is_a_number_or_a_text_and_nonsense_is_none() {
        assert_eq!(lifetime("\" 60 \""), Some(Duration::from_secs(60)));
        assert_eq!(lifetime("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(lifetime("0"), Some(Duration::ZERO));
        for nonsense in [
            "-1", "1e300", "\"soon\"", "null", "[]", "\"NaN\"", "\"inf\"",
        ] {
            assert_eq!(lifetime(nonsense), None, "{nonsense}");
        }
        assert_eq!(parse(br#"{"access_token":"x"}"#).unwrap().lifetime, None);
    }

    #[test]
    fn an_answer_without_a_token_is_told_from_one_that_is_no_json() {
        assert_eq!(parse(b"<html>").unwrap_err(), Failure::NotJson);
        assert_eq!(parse(b"").unwrap_err(), Failure::NotJson);
        for body in [
            "{}",
            "[]",
            "17",
            r#"{"access_token":17}"#,
            r#"{"access_token":null}"#,
        ] {
            assert_eq!(
                parse(body.as_bytes()).unwrap_err(),
                Failure::TokenMissing,
                "{body}"
            );
        }
    }

    #[test]
    fn only_the_known_words_of_an_error_are_told() {
        let told = |error: &str| error_code(format!(r#"{{"error":"{error}"}}"#).as_bytes());
        assert_eq!(told("invalid_client"), Some("invalid_client"));
        assert_eq!(told("invalid_client hunter2"), None);
        assert_eq!(error_code(b"<html>"), None);
    }

    #[test]
    fn a_client_that_is_refused_is_told_from_an_api_that_fails() {
        assert_eq!(refusal(200), None);
        for status in [400, 401, 403] {
            assert_eq!(refusal(status), Some(Failure::ClientRefused));
        }
        assert_eq!(refusal(404), Some(Failure::NotFound));
        assert_eq!(refusal(413), Some(Failure::UnexpectedStatus));
        assert_eq!(refusal(429), Some(Failure::RateLimited));
        assert_eq!(refusal(302), Some(Failure::Redirected));
        assert_eq!(refusal(503), Some(Failure::ServerError));
    }
}
