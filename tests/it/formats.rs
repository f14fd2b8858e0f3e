//! The forms of an answer: text or OpenMetrics, compressed or not, read by programs of others.

use std::io::Write;
use std::process::{Command, Stdio};

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::Raw;
use serde_json::Value;

use crate::api::{self, Api};
use crate::exporter::{CONTENT_TYPE, Exporter};
use crate::http::{self, Answer};
use crate::samples::Samples;
use crate::tools::python_module;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus 3 sends.
pub const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// A hostname with everything that could break out of a label.
const HOSTILE: &str = "TEST-\"}\\ 1\u{2028}Ä😀#";

#[track_caller]
fn get(exporter: &Exporter, headers: &[(&str, &str)]) -> Answer {
    let answer = http::ask(exporter.address(), "GET", "/metrics", headers);
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
    let length = answer.header("content-length").map(str::parse);
    assert_eq!(length, Some(Ok(answer.sent)));
    answer
}

fn settled(api: &Api) -> Exporter {
    api.install_on(&[HOSTILE, "TEST-B3WMO"]);
    let exporter = Exporter::of(api, &["--scrape.min-interval=1h"]);
    exporter.scrape();
    exporter
}

/// The lines of the events.
fn events(answer: &Answer) -> Vec<&str> {
    let lines = answer.body.lines();
    lines
        .filter(|line| line.starts_with("metaaccess_events_total{"))
        .collect()
}

#[test]
fn what_is_asked_for_decides_the_form_and_not_what_is_counted() {
    let api = Api::start(api::at_rest());
    let exporter = settled(&api);
    let plain = get(&exporter, &[]);
    assert_eq!(Samples::parse(&plain.body).counts(), api.counts());
    for (accept, encoding, content_type) in [
        ("text/plain", "identity", CONTENT_TYPE),
        ("*/*", "gzip", CONTENT_TYPE),
        (PROMETHEUS, "", OPENMETRICS),
        (PROMETHEUS, "gzip", OPENMETRICS),
        (
            "application/openmetrics-text",
            "br, gzip;q=0.5",
            OPENMETRICS,
        ),
    ] {
        let headers = [("Accept", accept), ("Accept-Encoding", encoding)];
        let answer = get(&exporter, &headers);
        assert_eq!(answer.header("content-type"), Some(content_type));
        let zipped = encoding.contains("gzip").then_some("gzip");
        assert_eq!(answer.header("content-encoding"), zipped);
        assert_eq!(events(&answer), events(&plain), "{headers:?}");
        assert_eq!(
            answer.body.ends_with("\n# EOF\n"),
            content_type == OPENMETRICS
        );
        if zipped.is_some() {
            assert!(answer.sent * 3 < answer.body.len(), "{}", answer.sent);
        }
    }
}

#[test]
fn openmetrics_is_what_its_own_parser_takes() {
    let Some(python) = python_module("prometheus_client") else {
        return;
    };
    let api = Api::start(api::at_rest());
    let raw = Raw {
        value: Value::Null,
        date: None,
    };
    api.append_malformed(EventType::Admin, api.present(), raw);
    let exporter = settled(&api);
    for flags in [&[][..], &["--metrics.created"]] {
        let exporter = Exporter::of(&api, flags);
        exporter.scrape();
        let answer = get(&exporter, &[("Accept", PROMETHEUS)]);
        let told = parsed(&python, &answer.body);
        let installed = format!("{HOSTILE}=1");
        assert!(told.lines().any(|line| line == installed), "{told}");
        let created = answer.body.contains("\nmetaaccess_events_created{");
        assert_eq!(created, !flags.is_empty());
    }
    // Nothing was read yet.
    let exporter_of_nothing = Exporter::with(&[
        "--web.listen-address=127.0.0.1:0",
        "--api.base-url=http://127.0.0.1:9",
    ]);
    parsed(
        &python,
        &get(&exporter_of_nothing, &[("Accept", PROMETHEUS)]).body,
    );
    drop(exporter);
}

/// The installs by hostname, as the strict parser of prometheus_client reads them.
#[track_caller]
pub fn parsed(python: &Command, text: &str) -> String {
    const PROGRAM: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
sys.stdin.reconfigure(encoding='utf-8', newline='')
sys.stdout.reconfigure(encoding='utf-8')
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        if sample.name == 'metaaccess_events_total' and sample.labels['event'] == 'Installed':
            print(sample.labels['hostname'] + '=' + str(sample.value))
";
    let mut command = Command::new(python.get_program());
    command.args(["-c", PROGRAM]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parser = command.stderr(Stdio::piped()).spawn().expect("python");
    let mut input = parser.stdin.take().expect("its input");
    input.write_all(text.as_bytes()).expect("taken");
    drop(input);
    let said = parser.wait_with_output().expect("python ends");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    String::from_utf8(said.stdout).expect("UTF-8")
}
