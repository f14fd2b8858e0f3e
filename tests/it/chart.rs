//! The Helm chart, rendered: what each case of values becomes.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::documents::{path, read};
use crate::grafana::text;
use crate::tools::python_package;

pub const CHART: &str = "deploy/helm/metaaccess-exporter";

/// The oldest version of Kubernetes that the chart is for, and the newest that the validator knows.
pub const KUBERNETES: [&str; 2] = ["1.29", "1.37"];

/// The files of values that stand beside the chart, without their ending.
pub const CASES: [&str; 6] = [
    "demo",
    "inline",
    "minimal",
    "monitoring",
    "platform",
    "replicas",
];

/// The least account.
pub const ACCOUNT: &str = "accounts: [{name: a, access_token: {existingSecret: s, key: k}}]";

/// What is to be rendered: values as YAML, and the name of the release.
#[derive(Clone, Debug)]
pub struct Case {
    pub values: String,
    pub release: String,
}

/// What was made of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Rendering {
    pub error: Option<String>,
    pub lint: Vec<String>,
    pub notes: String,
    pub objects: Vec<Value>,
    /// What Kubernetes would not take.
    pub wrong: Vec<String>,
}

impl Case {
    pub fn new(values: &str) -> Self {
        Self {
            values: values.to_owned(),
            release: "metaaccess".to_owned(),
        }
    }

    /// Values of the chart's own.
    pub fn of_file(name: &str) -> Self {
        Self::new(&read(&format!("{CHART}/ci/{name}-values.yaml")))
    }

    pub fn released_as(mut self, release: &str) -> Self {
        release.clone_into(&mut self.release);
        self
    }
}

impl Rendering {
    /// The one object of this kind and, where there are several, with this end of its name.
    #[track_caller]
    pub fn object(&self, kind: &str, end: &str) -> &Value {
        let mut found = self.objects.iter().filter(|object| {
            object["kind"] == kind && text(&object["metadata"], "name").ends_with(end)
        });
        let first = found.next().unwrap_or_else(|| panic!("no {kind} …{end}"));
        assert!(found.next().is_none(), "several {kind} …{end}");
        first
    }

    pub fn has(&self, kind: &str) -> bool {
        self.objects.iter().any(|object| object["kind"] == kind)
    }

    /// The exporter's container.
    pub fn container(&self) -> &Value {
        &self.object("Deployment", "")["spec"]["template"]["spec"]["containers"][0]
    }

    /// A variable of the exporter's container.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let all = self.container()["env"].as_array()?;
        all.iter().find(|it| it["name"] == name)?["value"].as_str()
    }

    /// A key of the chart's own ConfigMap.
    pub fn config(&self, key: &str) -> &str {
        let is_own =
            |object: &&Value| object["kind"] == "ConfigMap" && object["data"][key].is_string();
        let found = self.objects.iter().find(is_own);
        found.map_or("", |object| text(&object["data"], key))
    }
}

/// Renders these cases of a chart in this folder, without a look at what Kubernetes says of them; none
/// without the tools.
pub fn render_in(folder: &str, cases: &[Case]) -> Option<Vec<Rendering>> {
    ask(json!({"chart": folder, "cases": asked(cases), "look": "objects"}))
}

/// The same of the chart itself.
pub fn render(cases: &[Case]) -> Option<Vec<Rendering>> {
    render_in(&path(CHART).display().to_string(), cases)
}

/// The same of the chart as a package.
pub fn render_packaged(cases: &[Case]) -> Option<Vec<Rendering>> {
    ask(json!({"chart": path(CHART), "cases": asked(cases), "look": "objects", "packaged": true}))
}

/// Why each of these cases cannot be rendered, if it cannot: many cases take little time.
pub fn errors(cases: &[Case]) -> Option<Vec<Option<String>>> {
    let job = json!({"chart": path(CHART), "cases": asked(cases), "look": "error"});
    let all = ask(job)?;
    Some(all.into_iter().map(|rendering| rendering.error).collect())
}

/// What is to be said of these manifests, which somebody else rendered.
pub fn look_at(manifests: &str) -> Option<Rendering> {
    let cases = [json!({"manifests": manifests})];
    ask(json!({"chart": path(CHART), "cases": cases, "look": "all"}))
        .map(|mut all| all.swap_remove(0))
}

fn asked(cases: &[Case]) -> Vec<Value> {
    let case = |case: &Case| json!({"values": case.values, "release": case.release, "namespace": "monitoring"});
    cases.iter().map(case).collect()
}

/// Python with all that renders and looks: searched once, since that takes a while.
fn python() -> Option<Command> {
    static FOUND: OnceLock<(OsString, OsString)> = OnceLock::new();
    if FOUND.get().is_none() {
        python_package("helm_python")?;
        let found = python_package("kubernetes_validate")?;
        let (_, folder) = found.get_envs().next()?;
        let _ = FOUND.set((found.get_program().to_owned(), folder?.to_owned()));
    }
    let (program, folder) = FOUND.get()?;
    let mut python = Command::new(program);
    python.env("PYTHONPATH", folder);
    Some(python)
}

fn ask(mut job: Value) -> Option<Vec<Rendering>> {
    let mut python = python()?;
    python.arg(path("tests/chart.py"));
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = python.stderr(Stdio::piped()).spawn().expect("python");
    job["kubernetes"] = json!(KUBERNETES);
    let mut input = running.stdin.take().expect("its input");
    input.write_all(job.to_string().as_bytes()).expect("taken");
    drop(input);
    let said = running.wait_with_output().expect("python ends");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    Some(serde_json::from_slice(&said.stdout).expect("renderings"))
}

/// The cases beside the chart, and more that are hard on names and texts, each with its name. They are
/// rendered once.
pub fn all() -> Option<&'static [(String, Rendering)]> {
    static ALL: OnceLock<Option<Vec<(String, Rendering)>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let own = CASES.map(|name| (name.to_owned(), Case::of_file(name)));
        let cases: Vec<(String, Case)> = own.into_iter().chain(hard()).collect();
        let (names, cases): (Vec<String>, Vec<Case>) = cases.into_iter().unzip();
        let job = json!({"chart": path(CHART), "cases": asked(&cases), "look": "all"});
        Some(names.into_iter().zip(ask(job)?).collect())
    });
    all.as_deref()
}

/// The rendering of one of the cases beside the chart.
pub fn of_file(name: &str) -> Option<&'static Rendering> {
    let (_, rendering) = all()?.iter().find(|(its, _)| its == name).expect(name);
    Some(rendering)
}

/// Texts that a careless template breaks, or takes for something else.
pub const HOSTILE: [&str; 22] = [
    "yes",
    "null",
    "~",
    "1e3",
    "0x1",
    "010",
    "1_000",
    "12:30:45",
    "2001-01-01",
    "123456789012345678",
    "{{ .Values }}",
    "$(HOME) ${HOME}",
    "it's \"quoted\" \\ and: # more",
    "- a list",
    "Zürich 東京 \u{1f300}",
    "%s %d",
    "&anchor *alias",
    "  spaces  ",
    "<b>&amp;</b>",
    "|",
    "../../etc/passwd",
    "\u{feff}\u{2028}\u{a0}",
];

/// Values of one account for each of the texts, which is its name, a label and an event.
pub fn hostile() -> Value {
    let account = |(nth, text): (usize, &&str)| {
        json!({
            "name": text,
            "access_token": {"value": format!("TEST-TOKEN-{nth}")},
            "labels": {"region": text},
            "events": [{"match": regex::escape(text), "event": text}],
        })
    };
    let accounts: Vec<Value> = HOSTILE.iter().enumerate().map(account).collect();
    json!({"accounts": accounts})
}

fn hard() -> Vec<(String, Case)> {
    let everything = "{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, \
        dashboards: {enabled: true}, networkPolicy: {enabled: true}, \
        accounts: [{name: a, access_token: {existingSecret: s.example.com, key: a.b_c-D}}]";
    let long = "a".repeat(53);
    let named = |name: &str| format!("{everything}, fullnameOverride: \"{name}\"}}");
    let case = |name: &str, case: Case| (name.to_owned(), case);
    vec![
        case("hostile texts", Case::new(&hostile().to_string())),
        case(
            "a long release",
            Case::new(&format!("{everything}}}")).released_as(&long),
        ),
        case("a long name", Case::new(&named(&"n".repeat(63)))),
        case("a name like a truth", Case::new(&named("yes"))),
        case("a name like nothing", Case::new(&named("null"))),
        case(
            "a release called as the chart",
            Case::new(&format!("{everything}}}")).released_as("metaaccess-exporter-2"),
        ),
        case(
            "a large version",
            Case::new(&format!(
                "{everything}, image: {{tag: {}}}}}",
                "v".repeat(128)
            )),
        ),
        case(
            "no persistence",
            Case::new(&format!("{everything}, persistence: {{enabled: false}}}}")),
        ),
        case(
            "stopped",
            Case::new(&format!("{everything}, replicas: 0}}")),
        ),
        case(
            "a database without more",
            Case::new(&format!(
                "{everything}, replicas: 100, state: {{url: 'postgres://me@db'}}}}"
            )),
        ),
        case(
            "a watched demo",
            Case::new(
                "{demo: true, serviceMonitor: {enabled: true}, networkPolicy: {enabled: true}}",
            ),
        ),
    ]
}
