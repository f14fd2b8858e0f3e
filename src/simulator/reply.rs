//! What a request gets: an answer, or less than one.

use std::time::Duration;

use serde_json::{Value, json};

use super::fault::Kind;

/// The media type of the vendor's answers.
pub const JSON: &str = "application/json;charset=UTF-8";

/// An answer as the vendor would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", media_type.to_owned())],
            body: body.into(),
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }

    /// A refusal with a body that says why.
    pub fn error(status: u16, error: &str, description: &str) -> Self {
        Self::json(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered(Answer),
    CutOff(Answer),
    Endless(Answer),
    Unanswered,
    Reset,
}

/// What becomes of a request, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub delay: Duration,
    pub fate: Fate,
}

/// What becomes of a request that a fault keeps from the API.
pub fn without_the_api(kind: Kind) -> Fate {
    let html = "<!doctype html><title>Sign in</title><p>Sign in to go on.</p>";
    Fate::Answered(match kind {
        Kind::Status {
            status,
            retry_after,
        } => {
            let mut answer = Answer::error(status, "injected", "this fault was asked for");
            let header = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
            answer.headers.extend(header);
            answer
        }
        Kind::Redirect { location } => {
            let mut answer = Answer::new(302, "text/html", html);
            answer.headers.push(("location", location));
            answer
        }
        Kind::Html => Answer::new(200, "text/html;charset=UTF-8", html),
        Kind::Endless => return Fate::Endless(Answer::new(200, JSON, "")),
        Kind::Reset => return Fate::Reset,
        Kind::Hang => return Fate::Unanswered,
        // The kinds that need the API's answer, and delays, do not come here.
        _ => Answer::new(200, JSON, &b"{\"logs\": [\xff\xfe not json"[..]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_and_html_look_well_until_they_are_read() {
        for kind in [Kind::Garbage, Kind::Html] {
            let Fate::Answered(answer) = without_the_api(kind) else {
                panic!("no answer")
            };
            assert_eq!(answer.status, 200);
            assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
        }
    }

    #[test]
    fn a_redirect_names_its_place() {
        let location = "https://example.com/".to_owned();
        let Fate::Answered(answer) = without_the_api(Kind::Redirect {
            location: location.clone(),
        }) else {
            panic!("no answer")
        };
        assert_eq!(answer.status, 302);
        assert!(answer.headers.contains(&("location", location)));
    }
}
