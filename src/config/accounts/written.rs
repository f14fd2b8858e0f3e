//! What stands in the file, account by account, over what the flags say.

use std::path::Path;
use std::sync::Arc;

use super::Defaults;
use crate::config::flags::ApiFlags;
use crate::config::given::{Given, Place};
use crate::config::mistake::Mistake;
use crate::config::section::{Section, nothing_behind, setting};
use crate::config::setting::Setting;
use crate::config::yaml::{Key, Node, Spot, Value};

/// More than the requests of any machine could serve.
const MOST_ACCOUNTS: usize = 10_000;

/// Keys that people try for secrets, and the one to take instead.
const INLINE: [(&str, &str); 2] = [
    ("access_token", "access_token_file"),
    ("client_secret", "client_secret_file"),
];

/// An account as it was written, with what the flags say where nothing was.
pub struct Written {
    /// With its place in the file: `accounts.yml: line 2, column 5: accounts[0]`.
    pub entry: String,
    pub name: Option<Given>,
    pub api: ApiFlags,
    pub min_interval: Option<Given>,
    /// Whether something is wrong already with how the credential was written.
    pub credential_is_wrong: bool,
    pub labels: Option<Section>,
    /// Their name, and the list.
    pub rules: Option<(String, (Spot, Vec<Node>))>,
}

/// The entries of the file.
pub fn entries(tree: Node, mistakes: &mut Vec<Mistake>) -> Vec<Section> {
    let Some(mut file) = Section::of(String::new(), tree, mistakes) else {
        return Vec::new();
    };
    let spot = file.spot();
    let is_null = |node: &Node| node.value == Value::Null;
    let list = match file.take("accounts").filter(|node| !is_null(node)) {
        None => Some((spot, Vec::new())),
        Some(Node { spot, value }) => match value {
            Value::List(items) => Some((spot, items)),
            _ => {
                mistakes.push(Mistake::sentence(format!(
                    "{spot}: accounts: expected a list; write each account after a dash, such as \
                     `- name: europe`"
                )));
                None
            }
        },
    };
    file.end(mistakes);
    let Some((spot, items)) = list else {
        return Vec::new();
    };
    if items.is_empty() {
        mistakes.push(Mistake::sentence(format!(
            "{spot}: there is no account; write at least one below `accounts:`, such as \
             `- name: europe`"
        )));
    }
    if items.len() > MOST_ACCOUNTS {
        mistakes.push(Mistake::sentence(format!(
            "{spot}: accounts: these are {}; write at most {MOST_ACCOUNTS} into one file, and run \
             several exporters",
            items.len()
        )));
        return Vec::new();
    }
    let section = |(place, node)| Section::of(format!("accounts[{place}]"), node, mistakes);
    items.into_iter().enumerate().filter_map(section).collect()
}

/// One entry, and what is wrong with its form.
pub fn account(
    section: Section,
    path: &Arc<Path>,
    defaults: &Defaults,
    mistakes: &mut Vec<Mistake>,
) -> Written {
    let spot = section.spot();
    let mut entry = Entry {
        section,
        path,
        mistakes,
    };
    let name = entry
        .section
        .needed("name", "the value of its label", entry.mistakes);
    let name = name.map(|name| entry.given(name));
    let mistakes_before = entry.mistakes.len();
    let credential = entry.credential();
    let credential_is_wrong = entry.mistakes.len() > mistakes_before;
    let api = entry.over(&defaults.api, credential);
    let min_interval = entry.take("min_interval");
    let labels = labels(&mut entry.section, entry.mistakes);
    let rules = entry.section.items("events", entry.mistakes);
    let rules = rules.map(|list| (entry.section.name_of("events"), list));
    let called = format!("{}: {}", entry.place(spot), entry.section.name());
    entry.section.end(entry.mistakes);
    Written {
        entry: called,
        name,
        api,
        min_interval: min_interval.or_else(|| defaults.min_interval.clone()),
        credential_is_wrong,
        labels,
        rules,
    }
}

/// An entry that is being read.
struct Entry<'a> {
    section: Section,
    path: &'a Arc<Path>,
    mistakes: &'a mut Vec<Mistake>,
}

/// The id of an OAuth client, the file of its secret, and that of an access token.
type Credential = [Option<Given>; 3];

impl Entry<'_> {
    fn place(&self, spot: Spot) -> Place {
        Place {
            path: Arc::clone(self.path),
            spot,
        }
    }

    fn given(&self, setting: Setting) -> Given {
        let Setting {
            name, text, spot, ..
        } = setting;
        Given::in_file(name, self.place(spot), text)
    }

    fn take(&mut self, key: &'static str) -> Option<Given> {
        let setting = self.section.value(key, self.mistakes)?;
        Some(self.given(setting))
    }

    fn credential(&mut self) -> Credential {
        refuse_inline_secrets(&mut self.section, self.mistakes);
        ["client_id", "client_secret_file", "access_token_file"].map(|key| self.take(key))
    }

    /// What is written over what the flags say.
    fn over(&mut self, flags: &ApiFlags, credential: Credential) -> ApiFlags {
        let [client_id, client_secret_file, access_token_file] = credential;
        let mut or = |key, flag: &Given| self.take(key).unwrap_or_else(|| flag.clone());
        let mut api = ApiFlags {
            client_id,
            client_secret_file,
            access_token_file,
            base_url: or("base_url", &flags.base_url),
            logs: flags.logs.clone(),
            order: or("order", &flags.order),
            timezone: or("timezone", &flags.timezone),
            lookback: or("lookback", &flags.lookback),
            lateness: or("lateness", &flags.lateness),
            rate_limit: or("rate_limit", &flags.rate_limit),
            request_timeout: or("timeout", &flags.request_timeout),
            ca_file: None,
        };
        api.ca_file = self.take("ca_file").or_else(|| flags.ca_file.clone());
        if let Some((spot, text)) = logs(&mut self.section, self.mistakes) {
            api.logs = Given::in_file(self.section.name_of("logs"), self.place(spot), text);
        }
        api
    }
}

fn refuse_inline_secrets(section: &mut Section, mistakes: &mut Vec<Mistake>) {
    for (key, instead) in INLINE {
        if let Some((Key { spot, .. }, _)) = section.remove(key) {
            mistakes.push(Mistake::sentence(format!(
                "{spot}: {} (value not shown): a secret does not stand in this file; write it to a \
                 file of its own, and name that by {instead}",
                section.name_of(key)
            )));
        }
    }
}

/// The logs as the flag takes them, from a list or a text.
fn logs(section: &mut Section, mistakes: &mut Vec<Mistake>) -> Option<(Spot, String)> {
    let name = section.name_of("logs");
    let is_list = |node: &Node| matches!(node.value, Value::List(_));
    if !section.peek("logs").is_some_and(is_list) {
        let text = section.value("logs", mistakes)?;
        return Some((text.spot, text.text));
    }
    let (spot, items) = section.items("logs", mistakes)?;
    let item = |item| setting(name.clone(), item, false, mistakes);
    let texts: Vec<_> = items.into_iter().filter_map(item).collect();
    // A comma in an item must not make two of it.
    let texts = texts.iter().map(|item| item.text.replace(',', ";"));
    Some((spot, texts.collect::<Vec<_>>().join(",")))
}

fn labels(section: &mut Section, mistakes: &mut Vec<Mistake>) -> Option<Section> {
    let name = section.name_of("labels");
    let node = section.take("labels")?;
    if node.value == Value::Null {
        mistakes.push(nothing_behind(&name, node.spot));
        return None;
    }
    Section::of(name, node, mistakes)
}
