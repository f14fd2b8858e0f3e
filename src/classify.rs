//! A line's category and description to the labels that are counted.
//!
//! The description is the one text of the log whose values nobody has listed: it may hold names of
//! people, e-mail addresses, versions and policy names. It becomes a label in the vendor's own words
//! with those taken out:
//!
//! 1. A description that is one of the vendor's phrases comes out as that phrase. A longer one that
//!    begins with a phrase is another event (`Compliance check failed`), so it is cleaned instead.
//! 2. The line's own hostname and whatever is quoted or in angle brackets go.
//! 3. Words with digits or signs in them go: versions, addresses, ids, paths, times, numbers.
//! 4. Unknown words go where a name would stand: after words such as `by`, `user` or `policy`, after
//!    a phrase, before a verb such as `removed`, and wherever they are capitalised within the text.
//!    After `policy` and the like so do known words that are capitalised (`policy Default Devices`).
//! 5. Prepositions and labels that are left with nothing to point at go (`Installed version 1.2.3`).
//!
//! What stays is plain lower-case prose, the words in `vocabulary`, and an unknown first word. That
//! errs towards a small set: rules of the user's own, which are asked first, are there for what it
//! takes away too much of.

mod dangling;
mod gaps;
mod name;
mod rules;
mod unknown;
mod version;
mod vocabulary;
mod words;

use crate::event::{Event, Labels};

pub use name::{LONGEST_NAME, NOTHING_LEFT, event_name};
pub use rules::{EventRules, Rule, RuleError};
pub use version::category_and_version;

/// What is counted of a line of this category and version, by the built-in rules.
pub fn event(split: (&str, &str), hostname: &str, description: &str) -> Event {
    named(split, hostname, &event_name(description, hostname))
}

/// What is counted of a line of this category and version, by the user's rules, or else by ours.
pub fn event_by(
    rules: &EventRules,
    split: (&str, &str),
    hostname: &str,
    description: &str,
) -> Event {
    match rules.event(description) {
        Some(event_of_rule) => named(split, hostname, event_of_rule),
        None => event(split, hostname, description),
    }
}

/// What is counted of a line of this category and version, whose event was named elsewhere, such as
/// by a rule of the user's own.
pub fn named((category, version): (&str, &str), hostname: &str, event: &str) -> Event {
    Event::new(Labels {
        category,
        version,
        hostname,
        event,
    })
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_counted_by_category_version_host_and_event() {
        let split = category_and_version("MetaAccess (Version 1.1.1.1)");
        let event = event(split, "TEST-B3WMO", "Installed");
        let expected = Labels {
            category: "MetaAccess",
            version: "1.1.1.1",
            hostname: "TEST-B3WMO",
            event: "Installed",
        };
        assert_eq!(event.labels(), expected);
    }

    #[test]
    fn a_rule_of_the_user_is_asked_before_anything_is_taken_out() {
        let rule = Rule {
            pattern: r"Policy .* was changed by \S+@example\.com".to_owned(),
            event: "Policy changed by us".to_owned(),
        };
        let rules = EventRules::new(vec![rule]).unwrap();
        let by = |rules: &EventRules, description: &str| {
            let event = event_by(rules, ("MetaAccess", ""), "TEST-A", description);
            event.labels().event.to_owned()
        };
        let description = "Policy Secret was changed by jane@example.com";
        assert_eq!(by(&rules, description), "Policy changed by us");
        assert_eq!(by(&rules, "Installed"), "Installed");
        assert_eq!(
            by(&EventRules::default(), description),
            event_name(description, "TEST-A")
        );
    }

    #[test]
    fn a_name_given_elsewhere_is_taken_as_it_is() {
        let event = named(("MetaAccess", ""), "TEST-B3WMO", "Jane's 2nd rule");
        assert_eq!(event.labels().event, "Jane's 2nd rule");
    }
}
