//! Labels and rules.

use super::{accounts, one, only_mistake};

#[test]
fn labels_are_names_and_short_texts() {
    for (label, says) in [
        ("1a: x", "labels.1a: expected a label's name; take letters"),
        ("'': x", "expected a label's name"),
        ("a-b: x", "labels.a-b: expected a label's name"),
        ("ä: x", "expected a label's name"),
        ("a.b: x", "labels.a.b: expected a label's name"),
        ("__a: x", "two underscores at the start"),
        (
            "account: x",
            "labels.account: expected a label of your own; this one has a meaning",
        ),
        ("event_type: x", "has a meaning already"),
        ("category: x", "has a meaning already"),
        ("version: x", "has a meaning already"),
        ("hostname: x", "has a meaning already"),
        ("event: x", "has a meaning already"),
        ("job: x", "has a meaning already"),
        ("instance: x", "has a meaning already"),
        ("le: x", "has a meaning already"),
        ("type: x", "has a meaning already"),
        ("a: ", "labels.a \"\": expected 1 to 128 characters"),
        ("a: ''", "labels.a \"\": expected 1 to 128 characters"),
        (
            "a: \"x\\ty\"",
            "labels.a \"x\\ty\": expected 1 to 128 characters",
        ),
        ("a: [x]", "labels.a: expected one value"),
    ] {
        let told = only_mistake(&one(&format!("    labels:\n      {label}\n")));
        assert!(
            told.starts_with("accounts.yml: line 5, column "),
            "{label}: {told}"
        );
        assert!(told.contains(says), "{says:?} is not in {told}");
    }
    let of = |number: usize, length: usize| {
        let value = "ä".repeat(length);
        let labels: Vec<String> = (0..number).map(|n| format!("l{n}: {value}")).collect();
        one(&format!("    labels: {{{}}}\n", labels.join(", ")))
    };
    assert_eq!(accounts(&of(16, 128))[0].labels.len(), 16);
    assert!(only_mistake(&of(17, 1)).contains("labels: these are 17 labels; give at most 16"));
    assert!(only_mistake(&of(1, 129)).contains("expected 1 to 128 characters"));
    assert!(accounts(&one("    labels: {}\n"))[0].labels.is_empty());
}

#[test]
fn rules_are_expressions_and_short_texts() {
    for (rule, says) in [
        (
            "{match: '(', event: x}",
            "events[0].match \"(\": expected a regular expression; it cannot be read: unclosed group",
        ),
        (
            "{match: 'a)|(b', event: x}",
            "events[0].match \"a)|(b\": expected a regular expression; it cannot be read: unopened group",
        ),
        (
            "{match: '', event: x}",
            "events[0].match \"\": expected a regular expression; it is empty",
        ),
        ("{match: '(?=a)', event: x}", "look-around"),
        (
            "{match: '(\\w{900}){900}', event: x}",
            "too large once it is compiled",
        ),
        ("{match: a}", "events[0].event: it is missing"),
        ("{event: a}", "events[0].match: it is missing"),
        (
            "{match: , event: a}",
            "events[0].match: nothing stands behind the colon",
        ),
        (
            "{match: a, event: ''}",
            "events[0].event \"\": expected 1 to 128 characters",
        ),
        (
            "{match: a, event: \"x\\ny\"}",
            "events[0].event (value not shown): expected 1 to 128",
        ),
        (
            "{match: a, event: __other__}",
            "this one stands for events beyond --metrics.max-events",
        ),
        (
            "{match: a, event: x, evnt: y}",
            "events[0].evnt: there is no such key; those that there are: match, event; did you mean event?",
        ),
        ("a", "events[0]: expected keys and values"),
    ] {
        let told = only_mistake(&one(&format!("    events:\n      - {rule}\n")));
        assert!(
            told.starts_with("accounts.yml: line 5, column "),
            "{rule}: {told}"
        );
        assert!(told.contains(says), "{says:?} is not in {told}");
    }
    let long = |length| {
        one(&format!(
            "    events: [{{match: a, event: {}}}]\n",
            "ä".repeat(length)
        ))
    };
    assert_eq!(accounts(&long(128)).len(), 1);
    assert!(only_mistake(&long(129)).contains("expected 1 to 128 characters"));
    let many = |number| {
        let rules = vec!["{match: 'Policy .*', event: x}"; number].join(",");
        one(&format!("    events: [{rules}]\n"))
    };
    assert_eq!(accounts(&many(1_000)).len(), 1);
    assert!(
        only_mistake(&many(1_001)).contains("events: these are 1001 rules; write at most 1000")
    );
    assert_eq!(accounts(&one("    events: []\n")).len(), 1);
    let heavy = vec!["{match: '\\w{40}', event: x}"; 20].join(",");
    let told = only_mistake(&one(&format!("    events: [{heavy}]\n")));
    assert!(
        told.contains("accounts[0].events: the rules are too large together"),
        "{told}"
    );
}

#[test]
fn the_first_rule_that_matches_the_whole_description_decides() {
    let rules = "    events:
      - {match: 'Policy .* was changed', event: Policy changed}
      - {match: '(?i)policy.*', event: Other of policies}
      - {match: 'a|b', event: A or b}
      - {match: '\\w+ (\\d+)', event: $1}
";
    let account = &accounts(&one(rules))[0];
    for (description, event) in [
        ("Policy Jane's was changed", Some("Policy changed")),
        ("Policy a\nb was changed", Some("Policy changed")),
        ("  Policy x was changed ", Some("Policy changed")),
        ("Policy x was changed twice", Some("Other of policies")),
        ("The Policy x was changed", None),
        ("POLICY", Some("Other of policies")),
        ("a", Some("A or b")),
        ("ab", None),
        ("xa", None),
        ("Größe 12", Some("$1")),
        ("", None),
    ] {
        assert_eq!(account.rules.event(description), event, "{description:?}");
    }
}
