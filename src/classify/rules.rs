//! Rules of the user's own: what a description counts as, before ours are asked.

use std::fmt;
use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};

use super::name::beginning;

/// The most bytes that the expressions of an account may take when they are compiled.
const LARGEST: usize = 8 * 1024 * 1024;

/// A description that the pattern matches from end to end counts as this event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// A regular expression. A dot stands for a line break too.
    pub pattern: String,
    pub event: String,
}

/// Rules of which the first that matches decides. Equal is what was written alike.
#[derive(Clone, Default)]
pub struct EventRules(Option<Arc<Compiled>>);

struct Compiled {
    rules: Vec<Rule>,
    set: RegexSet,
}

/// Why a text is no expression that can be a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("it is empty; write what the whole description looks like, such as Policy .*")]
    Empty,
    #[error("it cannot be read: {0}")]
    Malformed(String),
    #[error("it is too large once it is compiled; write it shorter, or count to less in braces")]
    TooLarge,
}

impl EventRules {
    /// Compiles rules of which each was checked.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.is_empty() {
            return Ok(Self::default());
        }
        let whole = rules.iter().map(|rule| anchored(&rule.pattern));
        let set = RegexSetBuilder::new(whole)
            .dot_matches_new_line(true)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| error_of(&error))?;
        Ok(Self(Some(Arc::new(Compiled { rules, set }))))
    }

    /// Whether a text is an expression, which may still be too large.
    pub fn check(pattern: &str) -> Result<(), RuleError> {
        if pattern.is_empty() {
            return Err(RuleError::Empty);
        }
        // By itself too: what closes a group that it did not open would take the anchors with it.
        for pattern in [pattern, &anchored(pattern)] {
            regex_syntax::parse(pattern).map_err(|error| malformed(&error))?;
        }
        Ok(())
    }

    /// What a description counts as by the first rule that matches it, if one does. Of a very long
    /// one the beginning is looked at.
    pub fn event(&self, description: &str) -> Option<&str> {
        let Compiled { rules, set } = &**self.0.as_ref()?;
        let first = set.matches(beginning(description.trim())).iter().next()?;
        rules.get(first).map(|rule| rule.event.as_str())
    }

    fn rules(&self) -> &[Rule] {
        self.0.as_ref().map_or(&[], |compiled| &compiled.rules)
    }
}

fn anchored(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

fn error_of(error: &regex::Error) -> RuleError {
    match error {
        regex::Error::CompiledTooBig(_) => RuleError::TooLarge,
        other => malformed(other),
    }
}

/// The last of an error's lines, which says what is wrong without the expression.
fn malformed(error: &dyn fmt::Display) -> RuleError {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    RuleError::Malformed(last.trim_start_matches("error: ").to_owned())
}

impl PartialEq for EventRules {
    fn eq(&self, other: &Self) -> bool {
        self.rules() == other.rules()
    }
}

impl Eq for EventRules {}

impl fmt::Debug for EventRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(written: &[(&str, &str)]) -> EventRules {
        let rule = |(pattern, event): &(&str, &str)| Rule {
            pattern: (*pattern).to_owned(),
            event: (*event).to_owned(),
        };
        EventRules::new(written.iter().map(rule).collect()).unwrap()
    }

    #[test]
    fn without_rules_nothing_is_matched() {
        assert_eq!(EventRules::default().event("Installed"), None);
        assert_eq!(rules(&[]), EventRules::default());
    }

    #[test]
    fn a_rule_matches_the_whole_description_and_the_first_one_decides() {
        let rules = rules(&[("a|b", "first"), ("b.*", "second"), ("(?m)^c$", "third")]);
        for (description, event) in [
            ("a", Some("first")),
            ("b", Some("first")),
            ("bc", Some("second")),
            ("b\nc", Some("second")),
            ("ab", None),
            ("xa", None),
            ("c", Some("third")),
            ("c\nd", None),
            (" a\t", Some("first")),
        ] {
            assert_eq!(rules.event(description), event, "{description:?}");
        }
    }

    #[test]
    fn no_part_of_a_description_gets_into_its_event() {
        let rules = rules(&[("(?<who>.*) logged (on)", "$who ${who} $1 \\1 logged")]);
        assert_eq!(
            rules.event("Jane logged on"),
            Some("$who ${who} $1 \\1 logged")
        );
    }

    #[test]
    fn rules_are_equal_if_they_were_written_alike() {
        let one = || rules(&[("a", "x"), ("b", "y")]);
        assert_eq!(one(), one());
        for other in [
            rules(&[("b", "y"), ("a", "x")]),
            rules(&[("a", "x")]),
            rules(&[("a", "x"), ("b", "z")]),
            rules(&[("a", "x"), ("(b)", "y")]),
        ] {
            assert_ne!(one(), other);
        }
    }

    #[test]
    fn what_is_no_expression_says_why_in_one_line() {
        for (pattern, says) in [
            ("", "it is empty; write"),
            ("(", "it cannot be read: unclosed group"),
            ("a)|(b", "it cannot be read: unopened group"),
            ("(?x) a # comment", "it cannot be read: unclosed group"),
            ("[z-a]", "it cannot be read: invalid character class range"),
            ("(?<=a)b", "it cannot be read: look-around"),
            (&"(".repeat(1_000), "it cannot be read: "),
        ] {
            let told = EventRules::check(pattern).unwrap_err().to_string();
            assert!(told.starts_with(says) && !told.contains('\n'), "{told}");
        }
        let huge = Rule {
            pattern: r"(\w{900}){900}".to_owned(),
            event: "x".to_owned(),
        };
        assert_eq!(EventRules::check(&huge.pattern), Ok(()));
        assert_eq!(EventRules::new(vec![huge]), Err(RuleError::TooLarge));
    }

    #[test]
    fn of_a_very_long_description_the_beginning_is_looked_at() {
        let rules = rules(&[("(word ?)*", "words")]);
        assert_eq!(rules.event(&"word ".repeat(100_000)), Some("words"));
    }

    proptest! {
        #[test]
        fn what_passes_the_check_compiles_or_is_too_large(pattern in "[a-c(){}\\[\\]|*+?.^$\\\\wd0-9x:#, ]{1,12}") {
            if EventRules::check(&pattern).is_ok() {
                let rule = Rule { pattern, event: "x".to_owned() };
                let read = EventRules::new(vec![rule]);
                prop_assert!(read.is_ok() || read == Err(RuleError::TooLarge), "{:?}", read);
            }
        }
    }
}
