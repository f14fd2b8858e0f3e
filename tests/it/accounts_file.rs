//! The file of accounts: served by the real program, and held against its schema.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metaaccess_exporter::config::{self, Environment};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{self, Api, TOKEN};
use crate::exporter::{Exporter, PATIENCE};
use crate::formats;
use crate::http;
use crate::program::{Ended, Program};
use crate::samples::Samples;
use crate::tools::python_module;
use crate::wait::until;

/// The tests' own folder of a file of accounts, with the secrets that it may name.
struct Folder(TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("secrets")).expect("made");
        for name in ["europe", "america"] {
            let path = folder.path().join("secrets").join(name);
            std::fs::write(path, TOKEN).expect("written");
        }
        std::fs::write(folder.path().join("accounts.yml"), text).expect("written");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("accounts.yml")
    }

    fn flag(&self) -> String {
        format!("--config.file={}", self.file().display())
    }
}

/// What the configuration says of a file with this text; nothing, if it is good.
fn wrong_with(text: &str) -> Option<String> {
    let folder = Folder::with(text);
    let args = ["metaaccess-exporter".into(), folder.flag().into()];
    let none = Environment::default();
    let read = config::parse(args.into_iter(), &none);
    read.err().map(|problem| problem.to_string())
}

fn started(flags: &[String]) -> Exporter {
    Exporter::listening(Program::exporter(flags, &[]), 1)
}

#[track_caller]
fn refused(flags: &[&str]) -> Ended {
    let ended = Program::exporter(flags, &[]).end(PATIENCE);
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    ended
}

#[test]
fn an_account_of_a_file_is_served_under_its_name_and_with_its_labels() {
    let api = Api::start(api::at_rest());
    api.install_on(&["TEST-R1W3Y"]);
    let folder = Folder::with(&format!(
        "accounts:
  - name: europe
    base_url: http://{}
    access_token_file: secrets/europe
    labels: {{region: \"eu\\\"rope\", team: Zürich}}
    events: [{{match: 'Inst.*ed', event: Put in place}}]
",
        api.address()
    ));
    // The URL of the flag is the default of the accounts, and this one has its own.
    let mut flags = api.flags();
    flags[0] = "--api.base-url=https://gears.example.com".to_owned();
    flags.extend([folder.flag(), "--web.listen-address=127.0.0.1:0".to_owned()]);
    let exporter = started(&flags);
    let of_the_host = [
        ("account", "europe"),
        ("hostname", "TEST-R1W3Y"),
        ("event", "Put in place"),
        ("version", "9.9.9.9"),
        ("region", "eu\"rope"),
        ("team", "Zürich"),
    ];
    let samples = until(PATIENCE, "the log is read", || {
        Some(exporter.scrape()).filter(Samples::is_up)
    });
    assert_eq!(samples.value("metaaccess_events_total", &of_the_host), 1.0);
    let whole = samples.sum("metaaccess_events_total", &[]);
    let labelled = samples.sum("metaaccess_events_total", &[("team", "Zürich")]);
    assert_eq!(whole, labelled, "every series has them");
    assert!(whole > 1.0);
    let text = exporter.get("/metrics").body;
    let others = text
        .lines()
        .filter(|line| !line.starts_with("metaaccess_events_total{"));
    assert!(!others.into_iter().any(|line| line.contains("Zürich")));
    assert!(!exporter.log().concat().contains(TOKEN));
}

#[test]
fn constant_labels_are_what_the_parser_of_openmetrics_takes() {
    let Some(python) = python_module("prometheus_client") else {
        return;
    };
    let api = Api::start(api::at_rest());
    api.install_on(&["TEST-R1W3Y"]);
    let folder = Folder::with(
        "accounts: [{name: a, access_token_file: secrets/europe, labels: {z: 'q\"\\', _a: \"ä\"}}]",
    );
    let mut flags = api.flags();
    flags.extend([folder.flag(), "--metrics.created".to_owned()]);
    flags.push("--web.listen-address=127.0.0.1:0".to_owned());
    let exporter = started(&flags);
    until(PATIENCE, "the log is read", || {
        Some(exporter.scrape()).filter(Samples::is_up)
    });
    let accept = [("Accept", formats::PROMETHEUS)];
    let answer = http::ask(exporter.address(), "GET", "/metrics", &accept).expect("an answer");
    let constant = r#",_a="ä",z="q\"\\"}"#;
    for name in ["metaaccess_events_total{", "metaaccess_events_created{"] {
        let mut lines = answer.body.lines().filter(|line| line.starts_with(name));
        let labelled = lines.clone().all(|line| line.contains(constant));
        assert!(lines.next().is_some() && labelled, "{name}");
    }
    let told = formats::parsed(&python, &answer.body);
    assert!(told.lines().any(|line| line == "TEST-R1W3Y=1"), "{told}");
}

#[test]
fn a_bad_file_is_refused_with_all_its_mistakes_and_their_places() {
    let folder = Folder::with(&format!(
        "accounts:\n  - name: europe\n    timeout: 5\n    access_token: {TOKEN}\n  - nam: usa\n"
    ));
    let ended = refused(&[&folder.flag()]);
    let file = folder.file().display().to_string();
    for says in [
        "5 mistakes in the configuration",
        "line 3, column 14: accounts[0].timeout \"5\": expected a duration from 100ms to 1m; add the \
         unit: 5s",
        "line 4, column 5: accounts[0].access_token (value not shown): a secret does not stand",
        "line 5, column 5: accounts[1].name: it is missing",
        "line 5, column 5: accounts[1].nam: there is no such key; those that there are: name, ",
    ] {
        let is_told = ended.err.lines().any(|line| {
            line.contains(says) && (says.starts_with("5 mistakes") || line.contains(&file))
        });
        assert!(is_told, "{says:?} is not in {}", ended.err);
    }
    assert!(!(ended.out + &ended.err).contains(TOKEN));
}

#[test]
fn a_credential_beside_the_file_is_refused() {
    let folder = Folder::with("accounts: [{name: a, access_token_file: secrets/europe}]");
    let environment = [("METAACCESS_ACCESS_TOKEN", TOKEN)];
    let ended = Program::exporter(&[folder.flag()], &environment).end(PATIENCE);
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    let says =
        "METAACCESS_ACCESS_TOKEN: --config.file names the accounts; write the secret to a file";
    assert!(ended.err.contains(says), "{}", ended.err);
    assert!(!(ended.out + &ended.err).contains(TOKEN));
}

fn deployed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name);
    std::fs::read_to_string(path).expect("a file")
}

#[test]
fn the_examples_are_files_that_the_exporter_takes() {
    let example = deployed("accounts.yml");
    assert_eq!(wrong_with(&example), None);
    let readme = crate::documents::fenced("yaml");
    let shown: Vec<&String> = readme
        .iter()
        .filter(|it| it.contains("accounts:\n"))
        .collect();
    assert_eq!(shown.len(), 1, "{readme:?}");
    assert_eq!(wrong_with(shown[0]), None);
}

/// One account, with more of it.
fn with(more: &str) -> String {
    format!("accounts:\n  - name: a\n    access_token_file: secrets/europe\n{more}")
}

/// An account with this rule.
fn rule(rule: &str) -> String {
    with(&format!("    events: [{rule}]\n"))
}

const GOOD: [&str; 31] = [
    "name: a",
    "name: 1",
    "name: true",
    "name: Zürich office",
    "base_url: https://gears.example.com",
    "base_url: HTTP://127.0.0.1:1",
    "logs: device",
    "logs: admin , device",
    "logs: [admin]",
    "logs: [admin, device]",
    "order: oldest-first",
    "timezone: europe/berlin",
    "lookback: 0",
    "lookback: 1h30m",
    "lookback: 1.5d",
    "lateness: 0s",
    "rate_limit: 20/1m",
    "rate_limit: 20/1m30s",
    "timeout: 500ms",
    "min_interval: 0",
    "labels: {}",
    "labels: {a: b, _c: 1, d: 1.10, e: true, f: 'ä b'}",
    "events: []",
    "events: [{match: a.*, event: A}]",
    "events: [{match: 1, event: 2}]",
    "events: [{match: '(?i)a|b', event: \"it's\"}]",
    "client_id: TEST-1",
    "client_id: 1",
    "client_secret_file: secrets/europe",
    "access_token_file: ./secrets/america",
    "logs: 'device'",
];

const BAD: [&str; 58] = [
    "name:",
    "name: ''",
    "name: [a]",
    "name: \"a\\tb\"",
    "name: \"a\\n\"",
    "base_url: gears.example.com",
    "base_url: ftp://gears.example.com",
    "base_url:",
    "logs: []",
    "logs: [device, device]",
    "logs: device,device",
    "logs: ['device,admin']",
    "logs: webhook",
    "logs: {device: true}",
    "logs:",
    "order: newest",
    "order: [auto]",
    "timezone: ''",
    "timezone: [UTC]",
    "lookback: 5",
    "lookback: 1m1h",
    "lookback: s",
    "lookback: -1s",
    "lookback: 1w",
    "lateness: 5 s",
    "lateness: ''",
    "rate_limit: 10",
    "rate_limit: 10/",
    "rate_limit: 10/1",
    "rate_limit: /1m",
    "timeout: 5",
    "timeout: 0",
    "timeout: true",
    "min_interval: auto",
    "ca_file: ''",
    "ca_file: [a]",
    "labels:",
    "labels: [a]",
    "labels: {a: ''}",
    "labels: {a: }",
    "labels: {a: [b]}",
    "labels: {a-b: c}",
    "labels: {1a: c}",
    "labels: {__a: c}",
    "labels: {job: c}",
    "labels: {account: c}",
    "labels: {a: \"b\\n\"}",
    "events:",
    "events: {match: a, event: b}",
    "events: [{match: a}]",
    "events: [{event: a}]",
    "events: [{match: '', event: a}]",
    "events: [{match: a, event: ''}]",
    "events: [{match: a, event: b, more: c}]",
    "events: [{match: a, event: __other__}]",
    "access_token: x",
    "client_secret: x",
    "bogus: 1",
];

/// What no schema can tell: it would have to know files, zones, expressions or the other accounts.
const BEYOND_A_SCHEMA: [&str; 12] = [
    "base_url: http://gears.example.com",
    "timezone: Berlin",
    "lookback: 400d",
    "lateness: 2d",
    "rate_limit: 0/1m",
    "rate_limit: 1/1m",
    "timeout: 2m",
    "min_interval: 2h",
    "ca_file: absent.pem",
    "access_token_file: secrets/absent",
    "events: [{match: '(', event: a}]",
    "events: [{match: '(\\w{900}){900}', event: a}]",
];

/// A whole file for a line of an account: what the line sets is left out of what surrounds it.
fn whole(line: &str) -> String {
    let key = line.split(':').next().unwrap_or_default();
    let name = if key == "name" { "" } else { "name: a" };
    let credential = match key {
        "client_id" => "client_secret_file: secrets/europe",
        "client_secret_file" => "client_id: TEST-1",
        "access_token_file" => "",
        _ => "access_token_file: secrets/europe",
    };
    let lines = [name, credential, line]
        .into_iter()
        .filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(|line| format!("    {line}\n")).collect();
    "accounts:\n  -\n".to_owned() + &lines.concat()
}

/// Files of which the form as a whole is good or bad.
fn forms() -> [Vec<String>; 3] {
    let labels = |number: usize| {
        let labels: Vec<String> = (0..number).map(|n| format!("l{n}: x")).collect();
        with(&format!("    labels: {{{}}}\n", labels.join(", ")))
    };
    let long = |length: usize| rule(&format!("{{match: a, event: {}}}", "ä".repeat(length)));
    let rules = |number: usize| rule(&vec!["{match: a, event: b}"; number].join(","));
    let token = "access_token_file: secrets/europe";
    let client = "client_id: TEST-1, client_secret_file: secrets/europe";
    let good = vec![
        deployed("accounts.yml"),
        format!("accounts: [{{name: a, {token}}}, {{name: b, {client}}}]"),
        labels(16),
        long(128),
        rules(1_000),
    ];
    let bad = [
        "",
        "accounts:",
        "accounts: []",
        "accounts: a",
        "accounts: {}",
        "accounts: [a]",
        "[]",
        "account: []",
        "accounts: [{}]",
        "accounts: [{name: a}]",
        "accounts: [{access_token_file: secrets/europe}]",
        "accounts: [{name: a, client_id: x}]",
        "accounts: [{name: a, client_secret_file: secrets/europe}]",
    ];
    let mut bad: Vec<String> = bad.map(str::to_owned).to_vec();
    bad.extend([
        format!("accounts: [{{name: a, {token}, {client}}}]"),
        format!("accounts: [{{name: a, {token}, client_id: x}}]"),
        format!("accounts: [{{name: a, {token}}}]\nmore: 1"),
        labels(17),
        long(129),
        rules(1_001),
    ]);
    let twice = format!("accounts: [{{name: a, {token}}}, {{name: a, {client}}}]");
    [good, bad, vec![twice]]
}

/// What is said of each of these files, as `schema` has it: whether it is good.
fn by_schema(python: &Command, files: &[String]) -> Vec<bool> {
    const PROGRAM: &str = "\
import json, sys, jsonschema
told = json.load(sys.stdin)
kind = jsonschema.validators.validator_for(told['schema'])
kind.check_schema(told['schema'])
schema = kind(told['schema'])
json.dump([schema.is_valid(file) for file in told['files']], sys.stdout)
";
    let schema: Value = serde_json::from_str(&deployed("accounts.schema.json")).expect("JSON");
    let value = |text: &String| {
        let read = serde_saphyr::from_str::<Value>(text);
        read.unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let files: Vec<Value> = files.iter().map(value).collect();
    let mut command = Command::new(python.get_program());
    command.args(["-c", PROGRAM]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut validator = command.stderr(Stdio::piped()).spawn().expect("python");
    let mut input = validator.stdin.take().expect("its input");
    let told = json!({"schema": schema, "files": files}).to_string();
    input.write_all(told.as_bytes()).expect("taken");
    drop(input);
    let said = validator.wait_with_output().expect("python ends");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    serde_json::from_slice(&said.stdout).expect("a list of verdicts")
}

#[test]
fn the_exporter_takes_what_is_good_and_refuses_what_is_bad() {
    let [good, bad, beyond] = files();
    for text in good {
        assert_eq!(wrong_with(&text), None, "{text}");
    }
    for text in bad.into_iter().chain(beyond) {
        assert!(wrong_with(&text).is_some(), "{text}");
    }
}

#[test]
fn the_schema_says_the_same_as_the_exporter() {
    let Some(python) = python_module("jsonschema") else {
        return;
    };
    let [good, bad, beyond] = files();
    let all = [good.clone(), bad.clone(), beyond.clone()].concat();
    let verdicts = by_schema(&python, &all);
    assert_eq!(verdicts.len(), all.len());
    for (nth, (text, is_good)) in all.iter().zip(verdicts).enumerate() {
        let is_bad = (good.len()..good.len() + bad.len()).contains(&nth);
        assert_eq!(is_good, !is_bad, "{text}");
    }
}

/// Good files, bad ones, and those that are bad in ways which a schema cannot see.
fn files() -> [Vec<String>; 3] {
    let [mut good, mut bad, mut beyond] = forms();
    good.extend(GOOD.map(whole));
    bad.extend(BAD.map(whole));
    beyond.extend(BEYOND_A_SCHEMA.map(whole));
    [good, bad, beyond]
}
