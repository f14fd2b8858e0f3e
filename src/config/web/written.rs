//! What stands in the file, section by section.

use super::rate;
use super::setting::{Setting, Spot};
use super::tls;
use crate::config::mistake::Mistake;
use crate::config::yaml::{self, Key, Node, Value};

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
    let tls = tls.map(|section| (section.spot, tls_of(section, &mut mistakes)));
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
        spot: section.spot,
        interval: section.text("interval", false, mistakes),
        burst: section.text("burst", false, mistakes),
    };
    section.end(mistakes);
    written
}

/// A table of the file, from which entries are taken until it should be empty.
struct Section {
    /// Such as `tls_server_config`; empty for the file as a whole.
    name: String,
    spot: Spot,
    left: Vec<(Key, Node)>,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl Section {
    /// A table, if there is one; what is neither that nor nothing is a mistake.
    fn of(name: String, node: Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let Node { spot, value } = node;
        match value {
            Value::Table(left) if !left.is_empty() => Some(Self {
                name,
                spot,
                left,
                known: Vec::new(),
            }),
            Value::Table(_) | Value::Null => None,
            Value::Scalar(_) | Value::List(_) => {
                let what = match name.is_empty() {
                    true => "the file".to_owned(),
                    false => name,
                };
                mistakes.push(Mistake::sentence(format!(
                    "{spot}: {what}: expected keys and values; write them as `key: value`"
                )));
                None
            }
        }
    }

    fn name_of(&self, key: &str) -> String {
        match self.name.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.name),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let place = self.left.iter().position(|(found, _)| found.text == key)?;
        Some(self.left.remove(place).1)
    }

    fn section(&mut self, key: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let name = self.name_of(key);
        let node = self.take(key)?;
        Self::of(name, node, mistakes)
    }

    /// A value that is one text; nothing, where there is none.
    fn text(
        &mut self,
        key: &'static str,
        is_secret: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Setting> {
        let name = self.name_of(key);
        let node = self.take(key)?;
        setting(name, node, is_secret, mistakes)
    }

    /// The texts of a list, and where it stands.
    fn list(
        &mut self,
        key: &'static str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<(Spot, Vec<Setting>)> {
        let name = self.name_of(key);
        let Node { spot, value } = self.take(key)?;
        match value {
            Value::List(items) => {
                let texts = items
                    .into_iter()
                    .filter_map(|item| setting(name.clone(), item, false, mistakes));
                Some((spot, texts.collect()))
            }
            Value::Null => None,
            Value::Scalar(_) | Value::Table(_) => {
                mistakes.push(Mistake::sentence(format!(
                    "{spot}: {name}: expected a list; write each on a line of its own, after a dash"
                )));
                None
            }
        }
    }

    fn texts(&mut self, key: &'static str, mistakes: &mut Vec<Mistake>) -> Vec<Setting> {
        let list = self.list(key, mistakes);
        list.map(|(_, texts)| texts).unwrap_or_default()
    }

    /// All entries, where the keys are for the user to choose.
    fn every_entry(self, is_secret: bool, mistakes: &mut Vec<Mistake>) -> Vec<Setting> {
        let Self { name, left, .. } = self;
        let one = |(key, node): (Key, Node)| {
            let name = format!("{name}.{}", key.text);
            let nothing = Node {
                value: Value::Scalar(String::new()),
                ..node.clone()
            };
            let node = match node.value {
                Value::Null => nothing,
                _ => node,
            };
            setting(name, node, is_secret, mistakes)
        };
        left.into_iter().filter_map(one).collect()
    }

    /// What was not taken is unknown.
    fn end(self, mistakes: &mut Vec<Mistake>) {
        for (key, _) in &self.left {
            let name = self.name_of(&key.text);
            let known = self.known.join(", ");
            mistakes.push(Mistake::sentence(format!(
                "{}: {name}: there is no such key; those that there are: {known}",
                key.spot
            )));
        }
    }
}

fn setting(
    name: String,
    node: Node,
    is_secret: bool,
    mistakes: &mut Vec<Mistake>,
) -> Option<Setting> {
    let Node { spot, value } = node;
    match value {
        Value::Scalar(text) => Some(Setting {
            name,
            text,
            spot,
            is_secret,
        }),
        Value::Null => None,
        Value::List(_) | Value::Table(_) => {
            mistakes.push(Mistake::sentence(format!(
                "{spot}: {name}: expected one value; write it behind the colon"
            )));
            None
        }
    }
}
