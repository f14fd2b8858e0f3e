//! Debian's Prometheus: started with a configuration, and asked by its HTTP API.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::exporter::Exporter;
use crate::http;
use crate::program::Program;
use crate::wait::until;

/// Prometheus is ready within this, even on a busy machine.
const START: Duration = Duration::from_secs(40);

pub type Labels = BTreeMap<String, String>;

/// A series as it is answered: its labels, and its points by Unix time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub points: Vec<(f64, f64)>,
}

/// What a Prometheus is started with beside its targets.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// The text of a file of rules.
    pub rules: Option<String>,
    /// The value of the external label `replica`.
    pub replica: Option<&'static str>,
    /// Another Prometheus that gets every sample.
    pub write_to: Option<SocketAddr>,
    /// Whether others may write to it.
    pub receives: bool,
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    _program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts it with the documented configuration and this exporter for a target.
    pub fn start(prometheus: &Command, exporter: &Exporter) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(prometheus, folder, &documented(exporter.address()))
    }

    /// As `start`, in a folder of its own, where the configuration's other files are.
    pub fn start_in(prometheus: &Command, folder: TempDir, config: &str) -> Self {
        Self::launched(prometheus, folder, config, &[])
    }

    /// Starts it with these targets, whether they are up or not.
    pub fn watching(prometheus: &Command, targets: &[SocketAddr], extra: &Extra) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some(rules) = &extra.rules {
            std::fs::write(folder.path().join("rules.yml"), rules).expect("written");
        }
        let flags: &[&str] = match extra.receives {
            true => &["--web.enable-remote-write-receiver"],
            false => &[],
        };
        Self::launched(prometheus, folder, &config(targets, extra), flags)
    }

    /// Starts it on a free port; anew, where another program was quicker to take that.
    fn launched(prometheus: &Command, folder: TempDir, config: &str, flags: &[&str]) -> Self {
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("written");
        let ready = || -> Option<(Program, SocketAddr)> {
            // Only these tests look for one there.
            let address = free_address("127.0.0.3");
            let program = launch(prometheus, folder.path(), address, flags);
            becomes_ready(program, address)
        };
        let mut tries = (0..5).filter_map(|_| ready());
        let (program, address) = tries.next().expect("a Prometheus that starts");
        Self {
            _program: program,
            address,
            _folder: folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the API answers; an error where it is one, and where it came with a warning.
    pub fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(parameters);
        let body = encoded.finish();
        let answer = http::post_form(self.address, &format!("/api/v1/{path}"), &body);
        let told: Value = serde_json::from_str(&answer.body)
            .map_err(|error| format!("{error}: {}", answer.body))?;
        let warned = ["warnings", "infos"].iter().any(|key| {
            let words = told[*key].as_array();
            words.is_some_and(|words| !words.is_empty())
        });
        if told["status"] != "success" || warned {
            return Err(answer.body);
        }
        Ok(told["data"].clone())
    }

    /// The series of an instant query at this Unix time.
    pub fn instant(&self, query: &str, at: f64) -> Result<Vec<Series>, String> {
        let data = self.ask("query", &[("query", query), ("time", &at.to_string())])?;
        series(&data)
    }

    /// The series of a range query, with a point at each step.
    pub fn range(&self, query: &str, range: (f64, f64), step: f64) -> Result<Vec<Series>, String> {
        let (from, to) = (range.0.to_string(), range.1.to_string());
        let parameters = [
            ("query", query),
            ("start", &*from),
            ("end", &*to),
            ("step", &*step.to_string()),
        ];
        series(&self.ask("query_range", &parameters)?)
    }

    /// The values of a label in a range; of the series that match, where a selector is given.
    pub fn label_values(
        &self,
        label: &str,
        selector: &str,
        range: (f64, f64),
    ) -> Result<Vec<String>, String> {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("start", &range.0.to_string());
        parameters.append_pair("end", &range.1.to_string());
        if !selector.is_empty() {
            parameters.append_pair("match[]", selector);
        }
        let path = format!("/api/v1/label/{label}/values?{}", parameters.finish());
        let answer = http::get(self.address, &path);
        let told: Value = serde_json::from_str(&answer.body)
            .map_err(|error| format!("{error}: {}", answer.body))?;
        let values = told["data"].as_array();
        let values = values.filter(|_| told["status"] == "success");
        let values = values.ok_or(answer.body)?.iter();
        Ok(values
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect())
    }

    /// The values of an instant query now, by the label's value.
    #[track_caller]
    pub fn query(&self, query: &str, label: &str) -> BTreeMap<String, f64> {
        let data = self.ask("query", &[("query", query)]);
        let found = data.and_then(|data| series(&data));
        let found = found.unwrap_or_else(|error| panic!("{query}: {error}"));
        let value = |series: Series| {
            let name = series.labels.get(label).cloned().unwrap_or_default();
            Some((name, series.points.first()?.1))
        };
        found.into_iter().filter_map(value).collect()
    }
}

/// The series of a vector, a matrix or a single number.
fn series(data: &Value) -> Result<Vec<Series>, String> {
    let point = |pair: &Value| -> Option<(f64, f64)> {
        let value = pair[1].as_str()?;
        Some((pair[0].as_f64()?, value.parse().ok()?))
    };
    let result = &data["result"];
    if data["resultType"] == "scalar" {
        return Ok(vec![Series {
            labels: Labels::new(),
            points: point(result).into_iter().collect(),
        }]);
    }
    let all = result
        .as_array()
        .ok_or_else(|| format!("no series: {data}"))?;
    let one = |series: &Value| {
        let pairs = series["values"].as_array();
        let points = match pairs {
            Some(pairs) => pairs.iter().filter_map(point).collect(),
            None => point(&series["value"]).into_iter().collect(),
        };
        let labels = series["metric"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into())));
        Series {
            labels: labels.collect(),
            points,
        }
    };
    Ok(all.iter().map(one).collect())
}

/// An address of this host that nothing listens on at this moment.
pub fn free_address(host: &str) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

fn launch(prometheus: &Command, folder: &Path, address: SocketAddr, flags: &[&str]) -> Program {
    let mut command = Command::new(prometheus.get_program());
    command.current_dir(folder);
    command.arg(format!(
        "--config.file={}",
        folder.join("prometheus.yml").display()
    ));
    command.arg(format!(
        "--storage.tsdb.path={}",
        folder.join("data").display()
    ));
    command.arg(format!("--web.listen-address={address}"));
    command.args(flags);
    Program::start(command)
}

/// The program once it is ready; none if it ended, as where its port was taken.
fn becomes_ready(mut program: Program, address: SocketAddr) -> Option<(Program, SocketAddr)> {
    let is_ready = until(START, "Prometheus is ready", || {
        if program.has_ended() {
            return Some(false);
        }
        let answer = http::ask(address, "GET", "/-/ready", &[]);
        answer
            .is_ok_and(|answer| answer.status == 200)
            .then_some(true)
    });
    is_ready.then_some((program, address))
}

/// The documented configuration, with this target and every second.
pub fn documented(exporter: SocketAddr) -> String {
    let mut config = include_str!("../../deploy/prometheus/prometheus.yml").to_owned();
    for (documented, here) in [
        ("scrape_interval: 15s", "scrape_interval: 1s".to_owned()),
        ("scrape_timeout: 10s", "scrape_timeout: 1s".to_owned()),
        (
            "metaaccess-exporter.example.com:19720",
            exporter.to_string(),
        ),
    ] {
        assert!(config.contains(documented), "{documented} is documented");
        config = config.replace(documented, &here);
    }
    config
}

/// Everything every second.
fn config(targets: &[SocketAddr], extra: &Extra) -> String {
    let mut config =
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n"
            .to_owned();
    if let Some(replica) = extra.replica {
        let _ = writeln!(config, "  external_labels: {{replica: {replica}}}");
    }
    if extra.rules.is_some() {
        config += "rule_files: [rules.yml]\n";
    }
    if let Some(address) = extra.write_to {
        let _ = write!(
            config,
            "remote_write:\n- url: http://{address}/api/v1/write\n  queue_config: {{batch_send_deadline: 500ms}}\n"
        );
    }
    let targets: Vec<String> = targets.iter().map(SocketAddr::to_string).collect();
    let targets = serde_json::json!(targets);
    let job = "scrape_configs:\n- job_name: metaaccess\n  static_configs:\n  - targets:";
    config + job + " " + &targets.to_string() + "\n"
}
