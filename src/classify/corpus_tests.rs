//! Descriptions as they may come, and the laws that hold for all others.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::vocabulary::PHRASES;
use super::{LONGEST_NAME, NOTHING_LEFT, event_name};

const HOST: &str = "TEST-B3WMO";

fn name(description: &str) -> String {
    event_name(description, HOST).into_owned()
}

#[test]
fn the_vendors_phrases_come_out_unchanged() {
    for phrase in PHRASES {
        assert_eq!(name(phrase), phrase);
        assert_eq!(name(&format!(" {} ", phrase.to_uppercase())), phrase);
        assert_eq!(
            event_name(phrase, phrase),
            phrase,
            "even if a host is called so"
        );
    }
}

#[test]
fn a_phrase_keeps_its_name_whatever_it_is_said_of() {
    for (description, expected) in [
        ("Installed version 1.2.3", "Installed"),
        ("Exempted for 7 days", "Exempted"),
        ("Installed (Version 10.6.1.77).", "Installed"),
        (
            "Added with a duplicate MAC Address 00:1A:2B:3C:4D:5E",
            "Added with a duplicate MAC Address",
        ),
        (
            "Removed by an administrator: Jane Roe",
            "Removed by an administrator",
        ),
        (
            "Removed by an administrator (jane.roe@example.com)",
            "Removed by an administrator",
        ),
        (
            "Uninstalled by a user EXAMPLE\\jroe",
            "Uninstalled by a user",
        ),
        (
            "Changed status to non-compliant on 2013-12-06 at 05:28 PM",
            "Changed status to non-compliant",
        ),
        (
            "Changed Agent Version from 7.6.1 to 7.6.2",
            "Changed Agent Version",
        ),
        ("Admin Logged On 10.0.0.1", "Admin Logged On"),
        ("admin logged on - jroe", "Admin Logged On"),
        ("Admin Jane Roe logged on", "Admin Logged On"),
        (
            "Admin Failed Authentication jroe",
            "Admin Failed Authentication",
        ),
    ] {
        assert_eq!(name(description), expected, "{description}");
    }
}

#[test]
fn a_longer_description_is_not_the_phrase_that_it_begins_with() {
    for (description, expected) in [
        ("Installed by policy Finance", "Installed by policy"),
        ("Compliance check failed", "Compliance check failed"),
        (
            "Compliance check passed in 12 seconds",
            "Compliance check passed",
        ),
        ("Added to group Sales", "Added to group"),
    ] {
        assert_eq!(name(description), expected, "{description}");
    }
}

#[test]
fn groups_and_the_like_are_not_named_even_if_their_names_are_known_words() {
    for (description, expected) in [
        (
            "Moved from group Default to group Windows Devices",
            "Moved from group to group",
        ),
        (
            "CHANGED STATUS TO Non-Compliant by policy Default Policy",
            "Changed status to non-compliant by policy",
        ),
    ] {
        assert_eq!(name(description), expected, "{description}");
    }
}

#[test]
fn a_policy_is_not_named() {
    for policy in [
        "X",
        "Default",
        "the sales team's",
        "\"A B\"",
        "Windows 10 devices",
        "p-7",
        "a | b",
        "",
    ] {
        let description = format!("Admin made configuration change policy {policy}");
        assert_eq!(name(&description), "Admin made configuration change policy");
    }
    assert_eq!(name("Policy 'Finance' changed by jroe"), "Policy changed");
    assert_eq!(name("Policy Finance changed by Jane Roe"), "Policy changed");
}

#[test]
fn people_are_not_named() {
    for (description, expected) in [
        ("Jane Roe logged on", "Logged on"),
        ("Jane removed the device", "Removed the device"),
        ("jroe logged off", "Logged off"),
        ("jroe logged on 2013-12-06", "Logged on"),
        ("jane.roe@example.com logged on from 10.0.0.1", "Logged on"),
        (
            "User Jane van der Roe uninstalled the agent",
            "User uninstalled the agent",
        ),
        (
            "User jroe uninstalled the agent",
            "User uninstalled the agent",
        ),
        ("Removed by Jane Roe", "Removed"),
        ("Removed by jroe and EXAMPLE\\jdoe", "Removed"),
        ("Password reset for jroe", "Password reset"),
        ("Jane Roe inspected the device", "Inspected the device"),
        ("USER JANE ROE LOGGED ON", "USER LOGGED ON"),
        ("Owner changed: Roe, Jane (jroe)", "Owner changed"),
        ("Jane Roe's device removed", "Device removed"),
    ] {
        assert_eq!(name(description), expected, "{description}");
    }
}

#[test]
fn what_varies_is_taken_out_without_leaving_a_trace() {
    for (description, expected) in [
        ("Updated from 7.6.1 to 7.6.2", "Updated"),
        ("Updated from version 7.6.1 to version 7.6.2", "Updated"),
        ("Windows updated to v10.0.22631", "Windows updated"),
        (
            "Threat EICAR-Test found in C:\\Program Files\\x\\y.exe",
            "Threat found",
        ),
        (
            "Threat found: /home/jroe/x (sha256 9f86d081884c7d659a2feaa0c55ad015)",
            "Threat found",
        ),
        (
            "Device test-b3wmo.example.com was seen with IP address 10.0.0.1",
            "Device was seen",
        ),
        ("test-b3wmo removed", "Removed"),
        (
            "Device {123e4567-e89b-12d3-a456-426614174000} deleted",
            "Device deleted",
        ),
        (
            "Report sent to https://example.com/hook?id=1",
            "Report sent",
        ),
        ("Fetched 12 log files in 3 seconds", "Fetched log files"),
        ("Frobnicated widgets quietly", "Frobnicated widgets quietly"),
    ] {
        assert_eq!(name(description), expected, "{description}");
    }
}

#[test]
fn a_hostname_of_several_words_is_found_through_punctuation() {
    assert_eq!(event_name("lab mac seen", "Lab Mac"), "Seen");
    assert_eq!(event_name("lab, mac seen", "Lab Mac"), "Seen");
    assert_eq!(event_name("lab 7 mac seen", "Lab Mac"), "Seen");
}

#[test]
fn a_description_of_nothing_but_what_varies_has_a_name_too() {
    for description in [
        "",
        " ",
        "-",
        "1.2.3",
        "\"x\"",
        HOST,
        "10.0.0.1, 10.0.0.2",
        "Jane Roe",
    ] {
        assert_eq!(name(description), NOTHING_LEFT, "{description:?}");
    }
}

#[test]
fn a_thousand_descriptions_are_a_handful_of_events() {
    let people = [
        "Jane Roe",
        "jroe",
        "EXAMPLE\\jroe",
        "jane.roe@example.com",
        "\"Roe, Jane\"",
        "O'Brien",
    ];
    let forms: [fn(&str, usize) -> String; 9] = [
        |person, _| format!("Admin {person} logged on"),
        |person, n| format!("Removed by {person} on 2013-12-{n:02}"),
        |person, n| format!("User {person} changed password from 10.0.0.{n}"),
        |_, n| format!("Installed version 7.6.{n}"),
        |_, n| format!("Installed version 7.6.{n}-rc{n} (build {n}00)"),
        |person, n| format!("Admin made configuration change policy {person} {n}"),
        |_, n| format!("Threat {n:032x} found in /tmp/{n}"),
        |person, n| format!("Group 'G {n}' assigned to {person}"),
        |_, n| format!("Device TEST-{n:05} was seen as 00:00:00:00:00:{n:02x}"),
    ];
    let mut events = BTreeSet::new();
    for (person, n) in people
        .iter()
        .flat_map(|person| (0..20).map(move |n| (person, n)))
    {
        events.extend(forms.iter().map(|form| name(&form(person, n))));
    }
    let expected = [
        "Admin Logged On",
        "Admin made configuration change policy",
        "Device was seen",
        "Group assigned",
        "Installed",
        "Removed",
        "Threat found",
        "User changed password",
    ];
    assert_eq!(events, expected.map(str::to_owned).into());
}

#[test]
fn a_long_description_ends_after_a_whole_word() {
    let long = name(&"frobnicated ".repeat(50));
    assert_eq!(long, ["frobnicated"; 6].join(" "));
    assert_eq!(name(&"x".repeat(100)), NOTHING_LEFT);
}

/// Text made of what descriptions are made of, so that the rules meet one another.
fn description() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(&PHRASES[..]).prop_map(str::to_owned),
        "by|user|policy|the|version|from|to|on|and|logged|removed|device|failed|configuration change",
        "[a-z]{1,8}|[A-Z][a-z]{1,8}|[A-Z]{2,6}|[a-z]{3,7}ed",
        "[\"'`<>“”‘’«»(),.:;|-]{1,2}",
        "[0-9]{1,5}|v?[0-9]\\.[0-9]{1,3}\\.[0-9]|TEST-[A-Z0-9]{5}|C:\\\\[A-Za-z ]{1,8}",
        "\\PC{1,5}",
    ];
    let pieces = prop::collection::vec((piece, "| |  "), 0..10);
    pieces.prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, space)| piece + &space)
            .collect()
    })
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}(\\.[a-z]{1,6})?@[a-z]{1,6}\\.example\\.com",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "([0-9A-F]{2}:){5}[0-9A-F]{2}",
        "[a-f0-9]{1,4}::[a-f0-9]{1,4}",
        "EXAMPLE\\\\[a-z]{2,8}",
        "https?://[a-z]{1,8}/[a-z]{1,8}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), hostname in any::<String>()) {
        prop_assert!(event_name(&text, &hostname).len() <= LONGEST_NAME);
    }

    #[test]
    fn naming_a_name_gives_the_same_name(text in description(), hostname in "[a-z]{1,8}( [a-z]{1,8})?") {
        let name = event_name(&text, &hostname);
        prop_assert_eq!(event_name(&name, &hostname), &*name);
        prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
    }

    #[test]
    fn what_identifies_is_in_no_name(before in description(), secret in secret(), after in description()) {
        let name = name(&format!("{before} {secret} {after}"));
        prop_assert!(!name.contains(&secret), "{} in {}", secret, name);
        prop_assert!(!name.contains(|c: char| c.is_numeric() || "@\\/:_.\"<>".contains(c)), "{}", name);
    }

    #[test]
    fn the_lines_own_host_is_in_no_name(
        before in description(), hostname in "[a-z]{4,8}[a-z -]{0,4}[a-z]{3}", after in description(),
    ) {
        let own_words = PHRASES.map(str::to_lowercase).join(" ") + NOTHING_LEFT;
        prop_assume!(!own_words.contains(&hostname));
        let name = event_name(&format!("{before} {hostname} {after}"), &hostname).to_lowercase();
        let whole = |text: &str| format!(" {text} ");
        prop_assert!(!whole(&name).contains(&whole(&hostname)), "{} in {}", hostname, name);
    }

    #[test]
    fn case_and_host_do_not_change_what_an_install_is(hostname in "\\PC{0,20}") {
        prop_assert_eq!(event_name("installed", &hostname), "Installed");
    }
}
