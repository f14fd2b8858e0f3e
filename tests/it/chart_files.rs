//! The files that the chart gives to the exporter: credentials are among them and nowhere else, each is
//! where the exporter looks for it, and names and texts of all kinds come through.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chart::{self, Rendering};
use crate::chart_laws::{containers, each, name_of, pods};
use crate::grafana::{list, text};

#[test]
fn no_secret_stands_anywhere_but_in_a_secret() {
    each(|name, rendering| {
        let (secrets, others): (Vec<&Value>, Vec<&Value>) = rendering
            .objects
            .iter()
            .partition(|it| it["kind"] == "Secret");
        let others = format!("{} {}", json!(others), rendering.notes);
        let data = secrets
            .iter()
            .filter_map(|secret| secret["data"].as_object())
            .flatten();
        for (key, value) in data {
            let value = value.as_str().expect("a text");
            let plain = STANDARD.decode(value).expect("base64");
            let plain = String::from_utf8(plain).expect("a text");
            for form in [value, plain.trim()] {
                assert!(!others.contains(form), "{name}: {key}");
            }
        }
        for word in ["TEST-SECRET", "TEST-TOKEN", "TEST-KEY", "$2b$"] {
            assert!(!others.contains(word), "{name}: {word}");
        }
    });
}

#[test]
fn every_credential_is_a_file_and_none_a_variable() {
    each(|name, rendering| {
        for (pod, _) in pods(rendering) {
            for container in containers(pod) {
                let mut names = BTreeSet::new();
                for variable in list(&container["env"]) {
                    let its = text(variable, "name");
                    assert!(names.insert(its), "{name}: {its} stands twice");
                    assert!(
                        ![
                            "METAACCESS_ACCESS_TOKEN",
                            "METAACCESS_CLIENT_SECRET",
                            "METAACCESS_STATE_PASSWORD"
                        ]
                        .contains(&its)
                    );
                    assert!(
                        variable["valueFrom"]["secretKeyRef"].is_null(),
                        "{name}: {its}"
                    );
                }
                let args = json!([container["args"], container["command"]]).to_string();
                assert!(
                    ["[null,null]", "[[\"demo\"],null]", "[[\"check\"],null]"].contains(&&*args),
                    "{args}"
                );
            }
        }
    });
}

#[test]
fn every_mount_has_its_volume_and_every_volume_its_mount() {
    each(|name, rendering| {
        for (pod, _) in pods(rendering) {
            let names = |all: &Value| {
                list(all)
                    .map(|it| text(it, "name").to_owned())
                    .collect::<Vec<_>>()
            };
            let volumes = names(&pod["volumes"]);
            let set: BTreeSet<String> = volumes.iter().cloned().collect();
            assert_eq!(volumes.len(), set.len(), "{name}: {volumes:?}");
            let mounts = containers(pod).flat_map(|it| names(&it["volumeMounts"]));
            assert_eq!(mounts.collect::<BTreeSet<_>>(), set, "{name}");
            let mounts = || containers(pod).flat_map(|it| list(&it["volumeMounts"]));
            let paths: Vec<&str> = mounts().map(|it| text(it, "mountPath")).collect();
            for (nth, path) in paths.iter().enumerate() {
                let is_within =
                    |other: &&&str| path.starts_with(&format!("{other}/")) || *path == **other;
                let others = paths.iter().enumerate().filter(|(other, _)| *other != nth);
                let above = others.map(|(_, path)| path).find(is_within);
                assert_eq!(above, None, "{name}: {path}");
            }
            // What is mounted so is never changed again.
            assert!(mounts().all(|it| it["subPath"].is_null()), "{name}");
        }
    });
}

/// The files of the folder of the configuration.
fn written(rendering: &Rendering) -> BTreeSet<String> {
    let pod = &rendering.object("Deployment", "")["spec"]["template"]["spec"];
    let config = list(&pod["volumes"]).find(|it| it["name"] == "config");
    let sources = config.map(|it| list(&it["projected"]["sources"]));
    let mut files = BTreeSet::new();
    for source in sources.into_iter().flatten() {
        let kinds = [("secret", "Secret"), ("configMap", "ConfigMap")];
        let (key, kind) = kinds
            .into_iter()
            .find(|(key, _)| source[key].is_object())
            .expect("a source");
        match source[key]["items"].as_array() {
            Some(items) => files.extend(items.iter().map(|item| text(item, "path").to_owned())),
            None => {
                let is_it = |object: &&Value| {
                    object["kind"] == kind && name_of(object) == text(&source[key], "name")
                };
                let own = rendering
                    .objects
                    .iter()
                    .find(is_it)
                    .expect("an object of the chart");
                files.extend(own["data"].as_object().expect("data").keys().cloned());
            }
        }
    }
    files
}

#[test]
fn every_file_that_the_exporter_is_told_of_is_in_one_of_its_mounts() {
    each(|name, rendering| {
        let container = rendering.container();
        let told: Vec<&str> = list(&container["env"])
            .map(|it| text(it, "value"))
            .collect();
        let accounts = rendering.config("accounts.yml");
        let words = told.join("\n") + "\n" + accounts;
        // A URL may name files too.
        let ours = words
            .split(|c: char| c.is_whitespace() || "?&=".contains(c))
            .map(|word| word.trim_matches(['"', '\'']));
        let ours: Vec<&str> = ours
            .filter(|word| {
                word.starts_with("/etc/metaaccess") || word.starts_with("/var/lib/metaaccess")
            })
            .collect();
        let mounts: Vec<&str> = list(&container["volumeMounts"])
            .map(|it| text(it, "mountPath"))
            .collect();
        let written = written(rendering);
        for file in ours {
            let (folder, last) = file.rsplit_once('/').expect("a folder");
            assert!(mounts.contains(&folder), "{name}: {file} in {mounts:?}");
            let is_there = !folder.ends_with("/config") || written.contains(last);
            assert!(is_there, "{name}: {file} in {written:?}");
        }
        assert_eq!(accounts.is_empty(), name.contains("demo"), "{name}");
    });
}

#[test]
fn texts_of_all_kinds_come_through_as_they_are() {
    let Some((_, rendering)) = chart::all().map(|all| &all[chart::CASES.len()]) else {
        return;
    };
    let accounts: Value = serde_saphyr::from_str(rendering.config("accounts.yml")).expect("YAML");
    let names: Vec<&str> = list(&accounts["accounts"])
        .map(|it| text(it, "name"))
        .collect();
    assert_eq!(names, chart::HOSTILE);
    let secret = rendering.object("Secret", "");
    let data = secret["data"].as_object().expect("data");
    assert_eq!(
        data.len(),
        chart::HOSTILE.len(),
        "each has a file of its own"
    );
    for (nth, account) in list(&accounts["accounts"]).enumerate() {
        assert_eq!(account["labels"]["region"], chart::HOSTILE[nth]);
        assert_eq!(account["events"][0]["event"], chart::HOSTILE[nth]);
        let (_, key) = text(account, "access_token_file")
            .rsplit_once('/')
            .expect("a path");
        let token = STANDARD.decode(text(&secret["data"], key)).expect("base64");
        assert_eq!(token, format!("TEST-TOKEN-{nth}").as_bytes());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(key.chars().all(is_plain) && key.len() <= 80, "{key}");
    }
}
