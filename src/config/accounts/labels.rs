//! `labels`: names and values that every series of an account's events has.

use crate::catalogue::EVENTS;
use crate::config::mistake::{Mistake, Wrong};
use crate::config::section::{Section, setting, shown};
use crate::config::yaml::{Key, Node, Value};

/// More would make every series long, of which there may be many.
const MOST: usize = 16;

const LONGEST_VALUE: usize = 128;

/// Names that Prometheus gives a meaning of its own, beside those of the series itself.
const TAKEN: [&str; 4] = ["job", "instance", "le", "type"];

/// The labels in the order of their names.
pub fn read(section: Section, mistakes: &mut Vec<Mistake>) -> Vec<(String, String)> {
    let (spot, name) = (section.spot(), section.name().to_owned());
    let written = section.rest();
    if written.len() > MOST {
        let number = written.len();
        mistakes.push(Mistake::sentence(format!(
            "{spot}: {name}: these are {number} labels; give at most {MOST}"
        )));
        return Vec::new();
    }
    let one = |(key, node): (Key, Node)| {
        let name = format!("{name}.{}", shown(&key.text));
        if let Err(wrong) = label_name(&key.text) {
            mistakes.push(Mistake::sentence(format!("{}: {name}: {wrong}", key.spot)));
            return None;
        }
        // Nothing behind the colon is an empty text.
        let value = match node.value {
            Value::Null => Value::Scalar(String::new()),
            value => value,
        };
        let value = setting(name, Node { value, ..node }, false, mistakes)?;
        let value = value.read(label_value, mistakes)?;
        Some((key.text, value))
    };
    let mut labels: Vec<_> = written.into_iter().filter_map(one).collect();
    labels.sort_unstable();
    labels
}

fn label_name(name: &str) -> Result<(), Wrong> {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !is_name {
        return Err(Wrong::new(
            "a label's name",
            "take letters of ASCII, digits and underscores, no digit first",
        ));
    }
    if name.starts_with("__") {
        return Err(Wrong::new(
            "a label's name",
            "two underscores at the start are Prometheus's own; choose another",
        ));
    }
    if EVENTS.labels.contains(&name) || TAKEN.contains(&name) {
        return Err(Wrong::new(
            "a label of your own",
            "this one has a meaning already; choose another",
        ));
    }
    Ok(())
}

fn label_value(value: &str) -> Result<String, Wrong> {
    let plain = !value.chars().any(char::is_control);
    match plain && (1..=LONGEST_VALUE).contains(&value.chars().count()) {
        true => Ok(value.to_owned()),
        false => Err(Wrong::new(
            "1 to 128 characters without control characters",
            "write a short text, or leave the label out: to Prometheus an empty one is none",
        )),
    }
}
