//! A table of a YAML file that is read key by key, until nothing should be left.

use super::given::{looks_like_token, shortened};
use super::mistake::Mistake;
use super::near::nearest;
use super::setting::Setting;
use super::yaml::{Key, Node, Spot, Value};

/// A table of the file, from which entries are taken until it should be empty.
pub struct Section {
    /// Such as `tls_server_config`; empty for the file as a whole.
    name: String,
    spot: Spot,
    left: Vec<(Key, Node)>,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl Section {
    /// A table, which is empty where there is nothing; anything else is a mistake.
    pub fn of(name: String, node: Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let Node { spot, value } = node;
        match value {
            Value::Table(left) => Some(Self::new(name, spot, left)),
            Value::Null => Some(Self::new(name, spot, Vec::new())),
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

    fn new(name: String, spot: Spot, left: Vec<(Key, Node)>) -> Self {
        Self {
            name,
            spot,
            left,
            known: Vec::new(),
        }
    }

    pub fn spot(&self) -> Spot {
        self.spot
    }

    /// Such as `tls_server_config`; empty for the file as a whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// What was not taken, where the keys are for the user to choose.
    pub fn rest(self) -> Vec<(Key, Node)> {
        self.left
    }

    pub fn name_of(&self, key: &str) -> String {
        match self.name.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.name),
        }
    }

    /// The value of a key that may be here.
    pub fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.remove(key).map(|(_, node)| node)
    }

    /// The value of a key that may be here, which stays.
    pub fn peek(&self, key: &str) -> Option<&Node> {
        let found = self.left.iter().find(|(found, _)| found.text == key);
        found.map(|(_, node)| node)
    }

    /// A key with its value, which no message calls a key that there is.
    pub fn remove(&mut self, key: &str) -> Option<(Key, Node)> {
        let place = self.left.iter().position(|(found, _)| found.text == key)?;
        Some(self.left.remove(place))
    }

    /// A table, if there is one that is not empty.
    pub fn section(&mut self, key: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let name = self.name_of(key);
        let node = self.take(key)?;
        Self::of(name, node, mistakes).filter(|section| !section.is_empty())
    }

    /// A value that is one text, if there is the key; then nothing behind it is a mistake.
    pub fn value(&mut self, key: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Setting> {
        let name = self.name_of(key);
        let node = self.take(key)?;
        if node.value == Value::Null {
            mistakes.push(nothing_behind(&name, node.spot));
            return None;
        }
        setting(name, node, false, mistakes)
    }

    /// A value that is one text; that there is none is a mistake.
    pub fn needed(
        &mut self,
        key: &'static str,
        what: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Setting> {
        if self.peek(key).is_none() {
            self.known.push(key);
            let (spot, name) = (self.spot, self.name_of(key));
            mistakes.push(Mistake::sentence(format!(
                "{spot}: {name}: it is missing; write {what} behind `{key}:`"
            )));
            return None;
        }
        self.value(key, mistakes)
    }

    /// The items of a list, if there is the key.
    pub fn items(
        &mut self,
        key: &'static str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<(Spot, Vec<Node>)> {
        let name = self.name_of(key);
        let Node { spot, value } = self.take(key)?;
        match value {
            Value::List(items) => return Some((spot, items)),
            Value::Null => mistakes.push(nothing_behind(&name, spot)),
            Value::Scalar(_) | Value::Table(_) => mistakes.push(no_list(&name, spot)),
        }
        None
    }

    /// A value that is one text; nothing, where there is none.
    pub fn text(
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
    pub fn list(
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
                mistakes.push(no_list(&name, spot));
                None
            }
        }
    }

    pub fn texts(&mut self, key: &'static str, mistakes: &mut Vec<Mistake>) -> Vec<Setting> {
        let list = self.list(key, mistakes);
        list.map(|(_, texts)| texts).unwrap_or_default()
    }

    /// All entries, where the keys are for the user to choose.
    pub fn every_entry(self, is_secret: bool, mistakes: &mut Vec<Mistake>) -> Vec<Setting> {
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
    pub fn end(self, mistakes: &mut Vec<Mistake>) {
        for (key, _) in &self.left {
            let name = self.name_of(&shown(&key.text));
            let known = self.known.join(", ");
            let meant = nearest(&key.text, &self.known);
            let hint = meant.map(|key| format!("; did you mean {key}?"));
            mistakes.push(Mistake::sentence(format!(
                "{}: {name}: there is no such key; those that there are: {known}{}",
                key.spot,
                hint.unwrap_or_default()
            )));
        }
    }
}

/// A key as a message may show it: a token may have gone astray.
pub fn shown(key: &str) -> String {
    match looks_like_token(key) {
        true => "(a key that is not shown)".to_owned(),
        false => shortened(key).escape_debug().to_string(),
    }
}

/// A key whose value was left out.
pub fn nothing_behind(name: &str, spot: Spot) -> Mistake {
    Mistake::sentence(format!(
        "{spot}: {name}: nothing stands behind the colon; write a value, or leave the key out"
    ))
}

fn no_list(name: &str, spot: Spot) -> Mistake {
    Mistake::sentence(format!(
        "{spot}: {name}: expected a list; write each on a line of its own, after a dash"
    ))
}

/// A value that has to be one text.
pub fn setting(
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
