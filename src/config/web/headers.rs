//! `http_server_config`: HTTP/2, which is not spoken here, and headers of every answer.

use crate::config::mistake::{Mistake, Wrong};
use crate::config::setting::Setting;
use crate::config::value;

/// The headers that may be set, and their values where only some make sense.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Either is fine: clients speak HTTP/1.1 where a server offers nothing else.
pub fn http2(given: Option<&Setting>, mistakes: &mut Vec<Mistake>) {
    if let Some(given) = given {
        given.read(value::switch, mistakes);
    }
}

/// The headers; one without a value is not set.
pub fn read(written: &[Setting], mistakes: &mut Vec<Mistake>) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    for setting in written {
        let name = setting.name.rsplit('.').next().unwrap_or_default();
        let Some((name, values)) = ALLOWED.iter().find(|(allowed, _)| *allowed == name) else {
            let names = ALLOWED.map(|(name, _)| name).join(", ");
            mistakes.push(Mistake::sentence(format!(
                "{}: {}: this header cannot be set; those that can are {names}",
                setting.spot, setting.name
            )));
            continue;
        };
        if setting.text.is_empty() {
            continue;
        }
        let value = |text: &str| match text {
            _ if !is_value(text) => Err(Wrong::new(
                "visible characters of ASCII, and spaces",
                "a header has no others; take them out",
            )),
            _ if !values.is_empty() && !values.contains(&text) => {
                Err(Wrong::new(values.join(" or "), "write it so"))
            }
            _ => Ok(text.to_owned()),
        };
        headers.extend(setting.read(value, mistakes).map(|value| (*name, value)));
    }
    headers
}

fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
