//! What the chart renders really runs: its files laid out as the kubelet lays them out, and the program
//! started with its arguments and its environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metaaccess_exporter::simulator::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::accounts::{BOTH, settle};
use crate::api::{self, Api, TOKEN};
use crate::certificates::Authority;
use crate::chart::{self, Case, Rendering, render};
use crate::exporter::{Exporter, PATIENCE};
use crate::grafana::{list, text};
use crate::postgres::{Postgres, Setup};
use crate::program::Program;
use crate::wait::until;

const SECRET: &str = "5ec7e7a1-90b5-4c0d-8e1f-0b5c7e5ec7e1";

/// The container of the chart's pod, with its volumes below a folder.
struct Pod {
    folder: TempDir,
    args: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Pod {
    /// Lays out the files of a rendering. `cluster` are the objects that are there besides.
    fn new(rendering: &Rendering, cluster: &[Value]) -> Self {
        assert_eq!(rendering.error, None);
        let folder = tempfile::tempdir().expect("a folder");
        let pod = &rendering.object("Deployment", "")["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        for mount in list(&container["volumeMounts"]) {
            let path = below(folder.path(), text(mount, "mountPath"));
            std::fs::create_dir_all(&path).expect("made");
            let volume = list(&pod["volumes"]).find(|it| it["name"] == mount["name"]);
            fill(
                &path,
                volume.expect("a volume"),
                &[&rendering.objects, cluster].concat(),
            );
        }
        let mut pod = Self {
            args: list(&container["args"])
                .map(|arg| arg.as_str().expect("a text").to_owned())
                .collect(),
            environment: Vec::new(),
            folder,
        };
        let told = list(&container["env"])
            .map(|it| (text(it, "name").to_owned(), text(it, "value").to_owned()));
        // The kubelet makes one dollar of two.
        pod.environment = told
            .map(|(name, value)| (name, pod.moved(&value.replace("$$", "$"))))
            .collect();
        let accounts = pod.path("/etc/metaaccess-exporter/config/accounts.yml");
        if let Ok(text) = std::fs::read_to_string(&accounts) {
            std::fs::write(&accounts, pod.moved(&text)).expect("written");
        }
        pod
    }

    /// Where a file of the container is on this machine.
    fn path(&self, name: &str) -> PathBuf {
        below(self.folder.path(), name)
    }

    /// A text, with the folders of the container as they are on this machine.
    fn moved(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for folder in ["/etc/metaaccess-exporter", "/var/lib/metaaccess-exporter"] {
            text = text.replace(folder, &self.path(folder).display().to_string());
        }
        text
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(its, _)| its != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs the program with these arguments in the environment of the container.
    fn run(&self, args: &[String]) -> Program {
        let environment: Vec<(&str, &str)> = self
            .environment
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        Program::exporter(args, &environment)
    }

    /// Starts the container, on a port that is free.
    fn start(&mut self) -> Exporter {
        self.set("METAACCESS_WEB_LISTEN_ADDRESS", "127.0.0.1:0");
        Exporter::listening(self.run(&self.args), 1)
    }
}

fn below(folder: &Path, name: &str) -> PathBuf {
    folder.join(name.trim_start_matches('/'))
}

/// Fills the folder of a volume.
fn fill(folder: &Path, volume: &Value, objects: &[Value]) {
    if let Some(secret) = volume["secret"]["secretName"].as_str() {
        lay_out(folder, &json!({"secret": {"name": secret}}), objects);
    }
    for source in list(&volume["projected"]["sources"]) {
        lay_out(folder, source, objects);
    }
}

/// Writes what a source of a volume names.
fn lay_out(folder: &Path, source: &Value, objects: &[Value]) {
    let (kind, named) = match source["secret"].is_object() {
        true => ("Secret", &source["secret"]),
        false => ("ConfigMap", &source["configMap"]),
    };
    let is_it =
        |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == named["name"];
    let found = objects
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {kind} {named}"));
    let bytes = |key: &str| match kind {
        "Secret" => STANDARD.decode(text(&found["data"], key)).expect("base64"),
        _ => text(&found["data"], key).as_bytes().to_owned(),
    };
    let write = |key: &str, name: &str| {
        assert!(found["data"][key].is_string(), "{kind} {named}: {key}");
        std::fs::write(folder.join(name), bytes(key)).expect("written");
    };
    match named["items"].as_array() {
        Some(items) => items
            .iter()
            .for_each(|item| write(text(item, "key"), text(item, "path"))),
        None => found["data"]
            .as_object()
            .expect("data")
            .keys()
            .for_each(|key| write(key, key)),
    }
}

fn object(kind: &str, name: &str, data: Value) -> Value {
    json!({"kind": kind, "metadata": {"name": name}, "data": data})
}

fn granting() -> Settings {
    Settings {
        client_id: "TEST-CLIENT".to_owned(),
        client_secret: SECRET.to_owned(),
        ..api::at_rest()
    }
}

/// Two accounts of this API, one with a Secret of the chart's and one with another.
fn values(api: &Api) -> Value {
    let limit = api.settings().rate_limit;
    json!({
        "accounts": [
            {"name": "Zürich \"1\"", "client_id": "TEST-CLIENT", "client_secret": {"value": SECRET}},
            {"name": "yes", "access_token": {"existingSecret": "metaaccess", "key": "the.token"}},
        ],
        "api": {
            "baseUrl": format!("http://{}", api.address()),
            "rateLimit": format!("{}/{}ms", limit.requests, limit.window.as_millis()),
        },
        "scrape": {"minInterval": "100ms"},
        "metrics": {"zeroFor": "0s", "hostname": "keep"},
    })
}

fn cluster() -> Vec<Value> {
    vec![object(
        "Secret",
        "metaaccess",
        json!({"the.token": STANDARD.encode(format!("{TOKEN}\n"))}),
    )]
}

#[test]
fn what_the_chart_renders_starts_reads_its_accounts_and_keeps_their_counts() {
    let api = Api::start(granting());
    let Some(all) = render(&[Case::new(&values(&api).to_string())]) else {
        return;
    };
    let mut pod = Pod::new(&all[0], &cluster());
    let exporter = pod.start();
    let accounts: [(&str, &Api, &[&str]); 2] =
        [("Zürich \"1\"", &api, &BOTH), ("yes", &api, &BOTH)];
    settle(&exporter, &accounts);
    assert_eq!(exporter.get("/-/healthy").status, 200);
    assert_eq!(exporter.get("/-/ready").status, 200);
    let warnings = exporter.log_at("warn");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(exporter.stop().code, Some(0));
    assert!(pod.path("/var/lib/metaaccess-exporter/state.db").exists());
    // As `kubectl exec` and `helm test` run it.
    let check = pod.run(&["check".to_owned()]).end(PATIENCE);
    assert_eq!(check.code, Some(0), "{}{}", check.out, check.err);
    settle(&pod.start(), &accounts);
}

#[test]
fn an_account_that_the_chart_adds_is_read_without_a_restart() {
    let api = Api::start(granting());
    let mut more = values(&api);
    more["accounts"].as_array_mut().expect("accounts").push(json!({
        "name": "third", "logs": ["device"],
        "client_id": "TEST-CLIENT", "client_secret": {"existingSecret": "metaaccess", "key": "client"},
    }));
    let cases = [values(&api), more].map(|values| Case::new(&values.to_string()));
    let Some(all) = render(&cases) else { return };
    let template = |nth: usize| all[nth].object("Deployment", "")["spec"]["template"].clone();
    assert_eq!(
        template(0),
        template(1),
        "the Deployment would restart its pod"
    );
    let mut pod = Pod::new(&all[0], &cluster());
    let exporter = pod.start();
    settle(&exporter, &[("yes", &api, &BOTH)]);
    let secrets = pod.path("/etc/metaaccess-exporter/secrets/metaaccess");
    std::fs::write(secrets.join("client"), SECRET).expect("written");
    let accounts = pod.moved(all[1].config("accounts.yml"));
    let file = pod.path("/etc/metaaccess-exporter/config/accounts.yml");
    std::fs::write(file, accounts).expect("written");
    exporter.signal("HUP");
    until(PATIENCE, "the third account is read", || {
        let samples = exporter.scrape();
        (samples.sum("metaaccess_up", &[("account", "third")]) == 1.0).then_some(())
    });
    settle(&exporter, &[("third", &api, &["device"])]);
}

/// The password is `secret`.
const USERS: &str = "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u";

/// Values that ask for all that a web configuration can ask for, and what is in the cluster for them.
fn behind_all_doors(api: &Api) -> (Value, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    authority.write(folder.path());
    authority.issue(folder.path(), "server");
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    let encoded = |name: &str| STANDARD.encode(file(name));
    let mut values = values(api);
    values["web"] = json!({
        "config": {"value": {
            "tls_server_config": {
                "cert_file": "tls.crt", "key_file": "tls.key",
                "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "client-ca.crt",
            },
            "basic_auth_users": {"prometheus": USERS},
        }},
        "certificateSecret": "tls",
        "clientCa": {"existingConfigMap": "clients"},
    });
    let tls = json!({"tls.crt": encoded("server.crt"), "tls.key": encoded("server.key")});
    let mut cluster = cluster();
    cluster.push(object("Secret", "tls", tls));
    let clients = json!({"ca.crt": file("ca.crt")});
    cluster.push(object("ConfigMap", "clients", clients));
    (values, cluster)
}

#[test]
fn the_probe_of_the_chart_finds_an_exporter_well_behind_tls_certificates_and_passwords() {
    let api = Api::start(granting());
    let (values, cluster) = behind_all_doors(&api);
    let Some(all) = render(&[Case::new(&values.to_string())]) else {
        return;
    };
    let mut pod = Pod::new(&all[0], &cluster);
    let exporter = pod.start();
    let address = exporter.address().to_string();
    pod.set("METAACCESS_WEB_LISTEN_ADDRESS", &address);
    let mut args = Vec::new();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let command = list(&all[0].container()[probe]["exec"]["command"]);
        args = command
            .map(|arg| arg.as_str().expect("a text").to_owned())
            .collect();
        assert_eq!(args.remove(0), "/metaaccess-exporter", "{probe}");
        let well = pod.run(&args).end(PATIENCE);
        assert_eq!((well.code, &*well.err), (Some(0), ""), "{probe}");
    }
    assert_eq!(exporter.stop().code, Some(0));
    assert_eq!(pod.run(&args).end(PATIENCE).code, Some(1));
}

/// Values of two replicas over this database, which takes TLS, a client certificate and a password, and
/// what is in the cluster for them.
fn over_a_database(api: &Api, database: &Postgres, folder: &Path) -> (Value, Vec<Value>) {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).expect("written");
    let encoded = |name: &str| STANDARD.encode(file(name));
    let mut values = values(api);
    values["replicas"] = json!(2);
    let url = database.url();
    values["state"] = json!({
        "url": format!("{url}?connect_timeout=2"),
        "password": {"value": SECRET},
        "ca": {"existingConfigMap": "authority"},
        "clientCertificateSecret": "client",
    });
    let client = json!({"tls.crt": encoded("client.crt"), "tls.key": encoded("client.key")});
    let mut cluster = cluster();
    cluster.push(object("Secret", "client", client));
    let authority = json!({"ca.crt": file("ca.crt")});
    cluster.push(object("ConfigMap", "authority", authority));
    (values, cluster)
}

#[test]
fn the_replicas_of_the_chart_share_their_counts_in_a_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    authority.write(folder.path());
    authority.issue(folder.path(), "server");
    authority.issue(folder.path(), "client");
    let server = Setup::default().tls(folder.path(), "server");
    let Some(database) = server.password(SECRET).start() else {
        return;
    };
    let api = Api::start(granting());
    let (values, cluster) = over_a_database(&api, &database, folder.path());
    let Some(all) = render(&[Case::new(&values.to_string())]) else {
        return;
    };
    let mut pods = [Pod::new(&all[0], &cluster), Pod::new(&all[0], &cluster)];
    let [one, other] = pods.each_mut().map(Pod::start);
    let accounts: [(&str, &Api, &[&str]); 2] =
        [("Zürich \"1\"", &api, &BOTH), ("yes", &api, &BOTH)];
    settle(&one, &accounts);
    settle(&other, &accounts);
    for exporter in [&one, &other] {
        until(PATIENCE, "both replicas are known", || {
            let living = exporter.scrape().sum("metaaccess_replicas", &[]);
            (living == 2.0).then_some(())
        });
        assert_eq!(exporter.log_at("warn"), [""; 0]);
    }
    // One is drained: the other goes on with all accounts.
    assert_eq!(one.stop().code, Some(0));
    until(PATIENCE, "the other replica leads all accounts", || {
        let led = other.scrape().sum("metaaccess_replica_leads", &[]);
        (led == 2.0).then_some(())
    });
    settle(&other, &accounts);
}

#[test]
fn texts_of_all_kinds_are_what_the_exporter_counts_under() {
    let Some(_) = chart::all() else { return };
    let (_, rendering) = &chart::all().expect("rendered")[chart::CASES.len()];
    let pod = Pod::new(rendering, &[]);
    let environment = |name: &str| {
        pod.environment
            .iter()
            .find(|(its, _)| its == name)
            .map(|(_, value)| &**value)
    };
    let file = environment("METAACCESS_CONFIG_FILE").expect("a file");
    let check = Command::new(env!("CARGO_BIN_EXE_metaaccess-exporter"))
        .env_clear()
        // Nobody answers there.
        .env("METAACCESS_API_BASE_URL", "http://127.0.0.1:1")
        .env("METAACCESS_CONFIG_FILE", file)
        .args(["check", "--format=json"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&check.stdout);
    let told: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&check.stderr)));
    let names: Vec<&str> = list(&told["accounts"]).map(|it| text(it, "name")).collect();
    assert_eq!(names, chart::HOSTILE);
}

#[test]
fn the_demo_of_the_chart_starts() {
    let Some(rendering) = chart::of_file("demo") else {
        return;
    };
    let mut pod = Pod::new(rendering, &[]);
    let exporter = pod.start();
    until(PATIENCE, "the demo is read", || {
        exporter.scrape().is_up().then_some(())
    });
    assert_eq!(
        exporter
            .log_at("warn")
            .iter()
            .filter(|line| !line.contains("memory"))
            .count(),
        0
    );
}
