//! What stands in the file, section by section.

use super::rate;
use super::tls;
use crate::config::mistake::Mistake;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::yaml::{self, Spot};

/// The file as it was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Where the section has anything in it.
    pub tls: Option<(Spot, tls::Written)>,
    pub http2: Option<Setting>,
    pub headers: Vec<Setting>,
    pub users: Vec<Setting>,
    pub rate_limit: Option<rate::Written>,
}

/// What could be read, and all that could not.
pub fn read(text: &str) -> (Option<Written>, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let tree = match yaml::read(text) {
        Ok(tree) => tree,
        Err(error) => return (None, vec![Mistake::sentence(error.to_string())]),
    };
    let Some(mut file) = Section::of(String::new(), tree, &mut mistakes) else {
        return (Some(Written::default()), mistakes);
    };
    let tls = file.section("tls_server_config", &mut mistakes);
    let tls = tls.map(|section| (section.spot(), tls_of(section, &mut mistakes)));
    let http = file.section("http_server_config", &mut mistakes);
    let http = http.map(|section| http_of(section, &mut mistakes));
    let users = file.section("basic_auth_users", &mut mistakes);
    let users = users.map(|section| section.every_entry(true, &mut mistakes));
    let rate = file.section("rate_limit", &mut mistakes);
    let rate_limit = rate.map(|section| rate_of(section, &mut mistakes));
    let (http2, headers) = http.unwrap_or_default();
    let written = Written {
        tls,
        http2,
        headers,
        users: users.unwrap_or_default(),
        rate_limit,
    };
    file.end(&mut mistakes);
    (Some(written), mistakes)
}

fn tls_of(mut section: Section, mistakes: &mut Vec<Mistake>) -> tls::Written {
    let written = tls::Written {
        cert: section.text("cert", true, mistakes),
        cert_file: section.text("cert_file", false, mistakes),
        key: section.text("key", true, mistakes),
        key_file: section.text("key_file", false, mistakes),
        client_ca: section.text("client_ca", true, mistakes),
        client_ca_file: section.text("client_ca_file", false, mistakes),
        client_auth_type: section.text("client_auth_type", false, mistakes),
        client_allowed_sans: section.list("client_allowed_sans", mistakes),
        min_version: section.text("min_version", false, mistakes),
        max_version: section.text("max_version", false, mistakes),
        cipher_suites: section.texts("cipher_suites", mistakes),
        prefer_server_cipher_suites: section.text("prefer_server_cipher_suites", false, mistakes),
        curve_preferences: section.texts("curve_preferences", mistakes),
    };
    section.end(mistakes);
    written
}

/// `http2` and `headers`.
fn http_of(mut section: Section, mistakes: &mut Vec<Mistake>) -> (Option<Setting>, Vec<Setting>) {
    let http2 = section.text("http2", false, mistakes);
    let headers = section.section("headers", mistakes);
    let headers = headers.map(|headers| headers.every_entry(false, mistakes));
    section.end(mistakes);
    (http2, headers.unwrap_or_default())
}

fn rate_of(mut section: Section, mistakes: &mut Vec<Mistake>) -> rate::Written {
    let written = rate::Written {
        spot: section.spot(),
        interval: section.text("interval", false, mistakes),
        burst: section.text("burst", false, mistakes),
    };
    section.end(mistakes);
    written
}
