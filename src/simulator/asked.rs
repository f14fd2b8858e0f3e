//! A request for the vendor's API, taken apart.

use hyper::Method;
use url::form_urlencoded;

use super::limit::{PathKind, Received};
use crate::event::EventType;
use crate::moment::Moment;

const LOGS: &str = "/o/api/v2/logs";
const ACCOUNT: &str = "/o/api/v2/account";
const TOKEN: &str = "/o/oauth/token";

/// A request, taken apart.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: PathKind,
    pub method: Method,
    /// The parameters in the URL, or for a token the fields of the form.
    pub fields: Vec<(String, String)>,
}

impl Asked {
    /// Takes a request apart; `form` is its body.
    pub fn new(method: Method, path: &str, query: &str, form: &[u8]) -> Self {
        let path = match path {
            LOGS => PathKind::Logs,
            ACCOUNT => PathKind::Account,
            TOKEN => PathKind::Token,
            _ => PathKind::Other,
        };
        let encoded = if path == PathKind::Token {
            form
        } else {
            query.as_bytes()
        };
        Self {
            path,
            method,
            fields: form_urlencoded::parse(encoded).into_owned().collect(),
        }
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter of a request for a log: 1 where it is missing, nothing where it is no number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name).map_or(Some(1), |text| text.parse().ok())
    }

    /// The log asked for, nothing where there is no such.
    pub fn event_type(&self) -> Option<EventType> {
        let parameter = self.number("event_type")?;
        EventType::ALL
            .into_iter()
            .find(|log| u64::from(log.parameter()) == parameter)
    }

    /// What the record keeps of the request.
    pub fn received(&self, at: Moment) -> Received {
        let of_log = self.path == PathKind::Logs;
        Received {
            at,
            path: self.path,
            event_type: self.event_type().filter(|_| of_log),
            limit: self.number("limit").filter(|_| of_log),
            page: self.number("page").filter(|_| of_log),
            status: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::new(Method::GET, LOGS, query, b"")
    }

    #[test]
    fn parameters_default_to_one_and_bad_values_are_nothing() {
        assert_eq!(asked("limit=50").number("page"), Some(1));
        assert_eq!(asked("limit=-5").number("limit"), None);
        assert_eq!(asked("").event_type(), Some(EventType::Device));
        assert_eq!(asked("event_type=3").event_type(), None);
    }

    #[test]
    fn the_record_keeps_no_token() {
        let asked = asked("access_token=secret&limit=50&page=2&event_type=2");
        let received = asked.received(Moment(Duration::ZERO));
        assert_eq!(received.page, Some(2));
        assert!(!format!("{received:?}").contains("secret"));
    }

    #[test]
    fn a_token_request_is_read_from_its_form() {
        let asked = Asked::new(Method::POST, TOKEN, "client_id=url", b"client_id=a%20form");
        assert_eq!(asked.field("client_id"), Some("a form"));
        assert_eq!(asked.received(Moment(Duration::ZERO)).page, None);
    }
}
