//! `events`: rules of the user's own that say what a description counts as.

use std::collections::{HashMap, HashSet};

use crate::classify::{EventRules, Rule, RuleError};
use crate::config::mistake::{Mistake, Wrong};
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::yaml::{Node, Spot};
use crate::series::OTHER;

const MOST: usize = 1_000;

const LONGEST_EVENT: usize = 128;

/// The rules that were read, so that those which many accounts have are compiled once.
#[derive(Default)]
pub struct Rulebook {
    lists: HashMap<Vec<Rule>, EventRules>,
    good_patterns: HashSet<String>,
}

impl Rulebook {
    /// The rules of a list of this name.
    pub fn read(
        &mut self,
        name: &str,
        (spot, items): (Spot, Vec<Node>),
        mistakes: &mut Vec<Mistake>,
    ) -> Option<EventRules> {
        let number = items.len();
        if number > MOST {
            mistakes.push(Mistake::sentence(format!(
                "{spot}: {name}: these are {number} rules; write at most {MOST}"
            )));
            return None;
        }
        let mut written = Vec::new();
        for (place, node) in items.into_iter().enumerate() {
            written.extend(self.rule(format!("{name}[{place}]"), node, mistakes));
        }
        if written.len() < number {
            return None;
        }
        let (patterns, rules): (Vec<Setting>, Vec<Rule>) = written.into_iter().unzip();
        if let Some(known) = self.lists.get(&rules) {
            return Some(known.clone());
        }
        let Ok(read) = EventRules::new(rules.clone()) else {
            mistakes.extend(too_large(&format!("{spot}: {name}"), patterns, rules));
            return None;
        };
        self.lists.insert(rules, read.clone());
        Some(read)
    }

    fn rule(
        &mut self,
        name: String,
        node: Node,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<(Setting, Rule)> {
        let mut section = Section::of(name, node, mistakes)?;
        let written = section.needed("match", "a regular expression", mistakes);
        let event = section.needed("event", "the event that it counts as", mistakes);
        section.end(mistakes);
        let pattern = written.as_ref();
        let pattern = pattern.and_then(|it| it.read(|text| self.pattern(text), mistakes));
        let event = event.and_then(|event| event.read(event_text, mistakes));
        let rule = Rule {
            pattern: pattern?,
            event: event?,
        };
        Some((written?, rule))
    }

    fn pattern(&mut self, text: &str) -> Result<String, Wrong> {
        if !self.good_patterns.contains(text) {
            EventRules::check(text).map_err(|error| no_expression(&error))?;
            self.good_patterns.insert(text.to_owned());
        }
        Ok(text.to_owned())
    }
}

fn no_expression(error: &RuleError) -> Wrong {
    Wrong::new("a regular expression", error.to_string())
}

/// The rules that are too large by themselves; else all of them are, together.
fn too_large(list: &str, patterns: Vec<Setting>, rules: Vec<Rule>) -> Vec<Mistake> {
    let each = patterns.iter().zip(rules);
    let alone = each.filter_map(|(pattern, rule)| {
        let error = EventRules::new(vec![rule]).err()?;
        Some(pattern.wrong(&no_expression(&error)))
    });
    let mut mistakes: Vec<Mistake> = alone.collect();
    if mistakes.is_empty() {
        mistakes.push(Mistake::about(
            list,
            "the rules are too large together once they are compiled; write fewer or shorter ones",
        ));
    }
    mistakes
}

fn event_text(text: &str) -> Result<String, Wrong> {
    let plain = !text.chars().any(char::is_control);
    if text == OTHER {
        return Err(Wrong::new(
            "the text of an event",
            "this one stands for events beyond --metrics.max-events; choose another",
        ));
    }
    match plain && (1..=LONGEST_EVENT).contains(&text.chars().count()) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new(
            "1 to 128 characters without control characters",
            "write a short text such as Policy changed",
        )),
    }
}
