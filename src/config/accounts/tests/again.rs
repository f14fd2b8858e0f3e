//! Files that are read again, and the schema of all of them.

use std::collections::BTreeSet;

use super::{Folder, authority, mistakes, one};
use crate::config::Accounts;
use crate::config::ConfigFile;
use crate::config::ConfigFileError;

fn read(file: &ConfigFile) -> Accounts {
    file.read().unwrap()
}

#[test]
fn the_file_can_be_read_again_and_tells_what_changed() {
    let folder = Folder::new();
    folder.write("ca.pem", authority());
    let text = one("    ca_file: ca.pem\n") + "  - name: usa\n    access_token_file: secrets/two\n";
    let file = folder.file(&text);
    assert_eq!(file.path(), folder.path().join("accounts.yml"));
    let first = read(&file);
    assert_eq!(first.contents.now(), first.contents);
    assert_eq!(read(&file).list, first.list);
    folder.write("secrets/two", "hunter5");
    assert_eq!(
        first.contents.now(),
        first.contents,
        "secrets are for those who use them"
    );
    folder.write("ca.pem", authority());
    assert_ne!(first.contents.now(), first.contents);
    let second = read(&file);
    assert_ne!(second.list[0], first.list[0], "another authority");
    assert_eq!(second.list[1], first.list[1]);
    folder.write("accounts.yml", format!("{text}    timeout: 7s\n"));
    assert_ne!(second.contents.now(), second.contents);
    let third = read(&file);
    assert_eq!(third.list[0], second.list[0]);
    assert_ne!(third.list[1], second.list[1]);
    folder.write("accounts.yml", format!("{text}    timeout: 7s # enough\n"));
    assert_eq!(read(&file).list, third.list);
}

#[test]
fn a_secret_that_is_missing_is_refused_until_it_is_there() {
    let folder = Folder::new();
    let text = one("  - name: usa\n    access_token_file: secrets/later\n");
    let file = folder.file(&one(""));
    folder.write("accounts.yml", &text);
    let ConfigFileError { mistakes, contents } = file.read().unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let told = mistakes[0].to_string();
    assert!(
        told.contains("accounts[1].access_token_file \"secrets/later\": "),
        "{told}"
    );
    assert_eq!(contents.now(), contents);
    folder.write("secrets/later", "hunter6");
    assert_ne!(contents.now(), contents, "worth another look");
    assert_eq!(read(&file).list.len(), 2);
}

#[test]
fn the_schema_knows_every_key_and_the_defaults_of_the_flags() {
    let schema = include_str!("../../../../deploy/accounts.schema.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let definition = |name: &str| {
        schema["definitions"][name]["properties"]
            .as_object()
            .unwrap()
    };
    let keys_of = |name: &str| definition(name).keys().cloned().collect::<BTreeSet<_>>();
    // What the reader itself calls the keys that there are.
    let known = |text: &str| {
        let all = mistakes(text).concat();
        let (_, after) = all.split_once("those that there are: ").unwrap();
        let (list, _) = after.split_once("; did you mean").unwrap();
        list.split(", ").map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(known(&one("    namee: x\n")), keys_of("account"));
    let rule = "    events: [{match: a, event: x, events: y}]\n";
    assert_eq!(known(&one(rule)), keys_of("rule"));
    let top = schema["properties"].as_object().unwrap().keys().cloned();
    assert_eq!(known("account: 1\naccounts: []\n"), top.collect());
    let flags = crate::config::table::rows();
    for (key, property) in definition("account") {
        let flag = key.replace('_', "-");
        let names = [format!("--api.{flag}"), format!("--scrape.{flag}")];
        let row = flags.iter().find(|row| names.contains(&row.flag));
        let expected = row
            .map(|row| row.default.as_str())
            .filter(|it| !it.is_empty());
        match key.as_str() {
            "labels" | "events" => assert!(row.is_none() && !property["default"].is_null()),
            // It has to be given: the flag's default is of an exporter without this file.
            "name" => assert!(row.is_none() && property["default"].is_null()),
            _ => assert!(row.is_some(), "{key} is no flag"),
        }
        if row.is_some() {
            assert_eq!(property["default"].as_str(), expected, "{key}");
        }
        assert!(
            property["description"]
                .as_str()
                .is_some_and(|it| it.ends_with('.')),
            "{key}"
        );
    }
}
