//! The values of the chart against all that they have to agree with: their schema, their README, the
//! flags of the program, its file of accounts, its image and its version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use metaaccess_exporter::config::table;
use serde_json::{Value, json};

use crate::chart::{self, CHART, Case, KUBERNETES, render};
use crate::documents::{assert_marked, fenced_in, read};
use crate::grafana::{list, text};

/// A value with the comment above it.
struct Documented {
    /// With those that it stands in: `web.port`.
    name: String,
    comment: String,
    default: Value,
}

fn values() -> Value {
    serde_saphyr::from_str(&read(&format!("{CHART}/values.yaml"))).expect("YAML")
}

fn schema() -> Value {
    serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).expect("JSON")
}

fn at<'a>(values: &'a Value, name: &str) -> &'a Value {
    name.split('.').fold(values, |value, key| &value[key])
}

/// The values that have a comment, in the order of the file. What is set within one of them without a
/// comment of its own belongs to it.
fn documented() -> Vec<Documented> {
    let values = values();
    let mut found = Vec::new();
    let mut within: Vec<&str> = Vec::new();
    let mut comment = String::new();
    let file = read(&format!("{CHART}/values.yaml"));
    for line in file.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(words) = content.strip_prefix('#') {
            // What is further in is an example.
            if !words.starts_with("  ") {
                comment += words;
            }
            continue;
        }
        let key = content.split_once(':').map(|(key, _)| key);
        if let Some(key) = key.filter(|_| !comment.is_empty() && !content.starts_with('-')) {
            within.truncate(depth);
            within.push(key);
            let name = within.join(".");
            let default = at(&values, &name).clone();
            let comment = std::mem::take(&mut comment).trim().to_owned();
            found.push(Documented {
                name,
                comment,
                default,
            });
        }
        comment.clear();
    }
    found
}

#[test]
fn every_value_has_a_comment() {
    let documented = documented();
    let names: BTreeSet<&str> = documented.iter().map(|value| &*value.name).collect();
    assert!(
        documented
            .iter()
            .all(|value| value.comment.ends_with(['.', ':']) && value.comment.len() > 5)
    );
    let is_section = |name: &str| {
        names
            .iter()
            .any(|other| other.starts_with(&format!("{name}.")))
    };
    let mut undocumented = Vec::new();
    let values = values();
    let mut open: Vec<(String, &Value)> = vec![(String::new(), &values)];
    while let Some((name, value)) = open.pop() {
        let Some(entries) = value.as_object() else {
            continue;
        };
        for (key, value) in entries {
            let name = format!("{name}.{key}").trim_start_matches('.').to_owned();
            if !names.contains(&*name) {
                undocumented.push(name);
            } else if is_section(&name) {
                open.push((name, value));
            }
        }
    }
    assert_eq!(undocumented, [""; 0]);
}

#[test]
fn the_readme_of_the_chart_lists_every_value() {
    let documented = documented();
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    for Documented {
        name,
        comment,
        default,
    } in &documented
    {
        let is_section = documented
            .iter()
            .any(|other| other.name.starts_with(&format!("{name}.")));
        let default = match is_section {
            true => String::new(),
            false => format!("`{default}`"),
        };
        let comment = comment.trim_end_matches(':').replace('|', "\\|");
        let _ = writeln!(table, "| `{name}` | {default} | {comment} |");
    }
    assert_marked(&format!("{CHART}/README.md"), "values", &table);
}

/// Values of the README, which may leave out what others of it have.
#[test]
fn the_examples_in_the_readme_of_the_chart_render() {
    let document = format!("{CHART}/README.md");
    let examples = fenced_in(&document, "yaml");
    assert!(examples.len() >= 4, "{}", examples.len());
    let with_account = |example: &String| match example.contains("accounts:") {
        true => Case::new(example),
        false => Case::new(&format!("{example}\n{ACCOUNT}")),
    };
    let cases: Vec<Case> = examples.iter().map(with_account).collect();
    let Some(all) = render(&cases) else { return };
    for (example, rendering) in examples.iter().zip(all) {
        assert_eq!(rendering.error, None, "{example}");
    }
    let image = format!("metaaccess-exporter:{} ", env!("CARGO_PKG_VERSION"));
    assert!(fenced_in(&document, "sh")[0].contains(&image), "{image}");
}

/// The keys of a place of the schema, through its references.
fn properties<'a>(
    schema: &'a Value,
    place: &'a Value,
) -> Option<&'a serde_json::Map<String, Value>> {
    let place = match place["$ref"].as_str() {
        Some(reference) => schema
            .pointer(reference.trim_start_matches('#'))
            .expect("a definition"),
        None => place,
    };
    place["properties"].as_object()
}

#[test]
fn the_schema_has_the_keys_of_the_values_and_no_others() {
    let (schema, values) = (schema(), values());
    // Refused by the chart itself, in words; and Helm's own.
    let others = [
        "replicaCount",
        "autoscaling",
        "strategy",
        "updateStrategy",
        "extraArgs",
        "global",
    ];
    // Left out, so that whoever gives the configuration itself is not told of keys that it has not.
    let open = ["web.config.value"];
    let mut left = vec![(String::new(), &schema, &values)];
    while let Some((name, place, value)) = left.pop() {
        let Some(keys) = properties(&schema, place).filter(|_| !open.contains(&&*name)) else {
            continue;
        };
        let optional = name.starts_with("probes.");
        let known: BTreeSet<&String> = keys
            .keys()
            .filter(|key| !others.contains(&key.as_str()))
            .collect();
        let held: BTreeSet<&String> = value
            .as_object()
            .map(|it| it.keys().collect())
            .unwrap_or_default();
        assert!(
            known == held || (optional && held.is_subset(&known)),
            "{name}: {known:?} {held:?}"
        );
        for (key, place) in keys {
            let name = format!("{name}.{key}").trim_start_matches('.').to_owned();
            left.push((name, place, &value[key]));
        }
    }
}

#[test]
fn the_schema_takes_no_key_that_is_not_ours_to_know() {
    let schema = schema();
    let mut left = vec![(String::new(), &schema)];
    let mut strict = 0;
    while let Some((name, place)) = left.pop() {
        if let Some(keys) = place["properties"].as_object() {
            // Those of Kubernetes have more keys than those that the chart looks at.
            let is_foreign = ["/extraEnv/", "/extraVolumes/", "/extraVolumeMounts/"]
                .iter()
                .any(|it| name.contains(it));
            assert!(
                is_foreign || place["additionalProperties"] == false,
                "{name}"
            );
            strict += 1;
            assert!(!keys.is_empty(), "{name}");
        }
        for (key, place) in place.as_object().into_iter().flatten() {
            left.push((format!("{name}/{key}"), place));
        }
        for (nth, place) in list(place).enumerate() {
            left.push((format!("{name}/{nth}"), place));
        }
    }
    assert!(strict > 25, "{strict}");
}

#[test]
fn an_account_has_the_keys_of_the_exporters_file() {
    let file: Value = serde_json::from_str(&read("deploy/accounts.schema.json")).expect("JSON");
    let keys = |schema: &Value, name: &str| -> BTreeSet<String> {
        let keys = schema["definitions"][name]["properties"]
            .as_object()
            .expect("keys");
        keys.keys().cloned().collect()
    };
    let mut expected = keys(&file, "account");
    expected.extend(["client_secret".to_owned(), "access_token".to_owned()]);
    assert_eq!(keys(&schema(), "account"), expected);
    for key in ["order", "logs"] {
        let theirs = file["definitions"]["account"]["properties"][key].to_string();
        let words = schema()["definitions"]["account"]["properties"][key].to_string();
        let words = words
            .split('"')
            .filter(|word| word.contains(|c: char| c.is_ascii_lowercase()));
        let unknown: Vec<&str> = words.filter(|word| !theirs.contains(word)).collect();
        assert_eq!(unknown, [""; 0], "{key}");
    }
}

/// The values that set a flag, and what its variable then is.
const SET: [(&str, &str, &str); 26] = [
    ("--web.listen-address", "web: {port: 9000}", ":9000"),
    ("--web.telemetry-path", "web: {telemetryPath: /m}", "/m"),
    (
        "--web.config.file",
        "web: {config: {existingSecret: s}}",
        "/etc/metaaccess-exporter/config/web.yml",
    ),
    (
        "--web.enable-lifecycle",
        "web: {enableLifecycle: true}",
        "true",
    ),
    (
        "--web.max-connections",
        "web: {maxConnections: 65536}",
        "65536",
    ),
    (
        "--config.file",
        "{}",
        "/etc/metaaccess-exporter/config/accounts.yml",
    ),
    (
        "--api.base-url",
        "api: {baseUrl: 'https://gears.example.com'}",
        "https://gears.example.com",
    ),
    ("--api.rate-limit", "api: {rateLimit: 5/1m30s}", "5/1m30s"),
    ("--api.logs", "api: {logs: [admin, device]}", "admin,device"),
    ("--api.order", "api: {order: oldest-first}", "oldest-first"),
    (
        "--api.timezone",
        "api: {timezone: Europe/Berlin}",
        "Europe/Berlin",
    ),
    ("--api.lookback", "api: {lookback: 1.5d}", "1.5d"),
    ("--api.lateness", "api: {lateness: '0'}", "0"),
    ("--api.timeout", "api: {timeout: 500ms}", "500ms"),
    (
        "--api.ca-file",
        "api: {ca: {value: PEM}}",
        "/etc/metaaccess-exporter/config/ca.crt",
    ),
    (
        "--state.path",
        "{}",
        "/var/lib/metaaccess-exporter/state.db",
    ),
    (
        "--scrape.timeout-offset",
        "scrape: {timeoutOffset: 1s}",
        "1s",
    ),
    ("--scrape.min-interval", "scrape: {minInterval: 1m}", "1m"),
    ("--metrics.hostname", "metrics: {hostname: drop}", "drop"),
    (
        "--metrics.hostname-key-file",
        "metrics: {hostname: hash, hostnameKey: {existingSecret: s}}",
        "/etc/metaaccess-exporter/config/hostname-key",
    ),
    (
        "--metrics.max-series",
        "metrics: {maxSeries: 10000000}",
        "10000000",
    ),
    (
        "--metrics.max-events",
        "metrics: {maxEvents: 10000}",
        "10000",
    ),
    ("--metrics.zero-for", "metrics: {zeroFor: 0s}", "0s"),
    ("--metrics.created", "metrics: {created: true}", "true"),
    ("--log.level", "log: {level: trace}", "trace"),
    ("--log.format", "log: {format: json}", "json"),
];

/// The flags that no value sets, and why; those of a command are named by their beginning.
const NOT_SET: [(&str, &str); 8] = [
    ("--account.name", "accounts have their names"),
    ("--api.access-token-file", "accounts have their credentials"),
    ("--api.client-id", "accounts have their credentials"),
    (
        "--api.client-secret-file",
        "accounts have their credentials",
    ),
    ("--state.url", "it is not there yet"),
    ("--check.", "of a command that is run by hand"),
    ("--format", "of a command that is run by hand"),
    ("--simulate.", "of a command that the chart does not run"),
];

const ACCOUNT: &str = "accounts: [{name: a, access_token: {existingSecret: s, key: k}}]";

#[test]
fn every_flag_has_a_value_or_a_reason_and_every_variable_is_one() {
    let rows = table::rows();
    let variables: BTreeMap<&str, &table::Row> =
        rows.iter().map(|row| (&*row.variable, row)).collect();
    for row in rows.iter().filter(|row| !row.flag.is_empty()) {
        let is_set = SET.iter().any(|(flag, _, _)| *flag == row.flag);
        let has_reason = NOT_SET.iter().any(|(flag, _)| match flag.ends_with('.') {
            true => row.flag.starts_with(flag),
            false => row.flag == *flag,
        });
        assert!(
            is_set != has_reason,
            "{}: give it a value, or a reason",
            row.flag
        );
    }
    let Some(all) = chart::all() else { return };
    for (name, rendering) in all {
        for variable in list(&rendering.container()["env"]) {
            let its = text(variable, "name");
            let is_known = variables.contains_key(its) || !its.starts_with("METAACCESS_");
            assert!(is_known, "{name}: there is no {its}");
        }
    }
}

#[test]
fn every_value_reaches_its_flag() {
    let rows = table::rows();
    let cases: Vec<Case> = SET
        .iter()
        .map(|(_, values, _)| {
            let values = values.trim_start_matches("{}");
            Case::new(&format!("{values}\n{ACCOUNT}"))
        })
        .collect();
    let Some(all) = render(&cases) else { return };
    for ((flag, values, expected), rendering) in SET.iter().zip(all) {
        assert_eq!(rendering.error, None, "{values}");
        let row = rows.iter().find(|row| row.flag == *flag);
        let row = row.unwrap_or_else(|| panic!("there is no {flag}"));
        assert_eq!(rendering.variable(&row.variable), Some(*expected), "{flag}");
    }
}

#[test]
fn without_a_value_every_flag_has_its_own_default() {
    let Some(rendering) = chart::of_file("minimal") else {
        return;
    };
    // The file of accounts and the state are what the chart is for.
    let chosen = ["METAACCESS_CONFIG_FILE", "METAACCESS_STATE_PATH"];
    for row in table::rows() {
        let set = rendering.variable(&row.variable);
        let is_default = set.is_none_or(|value| value == row.default);
        assert!(
            is_default || chosen.contains(&&*row.variable),
            "{}: {set:?}",
            row.flag
        );
    }
}

#[test]
fn the_chart_is_of_this_version_and_this_image() {
    let chart: Value = serde_saphyr::from_str(&read(&format!("{CHART}/Chart.yaml"))).expect("YAML");
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["kubeVersion"], format!(">={}.0-0", KUBERNETES[0]));
    let image = read("Dockerfile");
    let user = values()["podSecurityContext"]["runAsUser"].to_string();
    for line in [
        "ENTRYPOINT [\"/metaaccess-exporter\"]".to_owned(),
        format!("USER {user}:{user}"),
        format!("EXPOSE {}", values()["web"]["port"]),
    ] {
        assert!(image.lines().any(|its| its == line), "{line}");
    }
}

#[test]
fn an_image_is_named_by_version_tag_or_digest() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let named = [
        (
            "{}".to_owned(),
            format!("metaaccess-exporter:{}", env!("CARGO_PKG_VERSION")),
        ),
        (
            "{repository: r.example.com:5000/m, tag: v1_2.3-x}".to_owned(),
            "r.example.com:5000/m:v1_2.3-x".to_owned(),
        ),
        (
            format!("{{repository: r.example.com/m, digest: '{digest}'}}"),
            format!("r.example.com/m@{digest}"),
        ),
        (
            format!("{{repository: r.example.com/m, tag: '1', digest: '{digest}'}}"),
            format!("r.example.com/m:1@{digest}"),
        ),
    ];
    let case = |image: &str| Case::new(&format!("{{demo: true, image: {image}}}"));
    let cases: Vec<Case> = named.iter().map(|(image, _)| case(image)).collect();
    let Some(all) = render(&cases) else { return };
    for ((_, expected), rendering) in named.iter().zip(all) {
        assert_eq!(rendering.container()["image"], *expected);
    }
}

/// The template of the pod: where it is the same, an upgrade does not restart it.
fn templates(cases: &[&str]) -> Option<Vec<Value>> {
    let cases: Vec<Case> = cases.iter().map(|values| Case::new(values)).collect();
    let all = render(&cases)?;
    let template = |nth: usize| {
        assert_eq!(all[nth].error, None);
        all[nth].object("Deployment", "")["spec"]["template"].clone()
    };
    Some((0..all.len()).map(template).collect())
}

#[test]
fn what_the_exporter_takes_over_by_itself_restarts_nothing() {
    let accounts = "accounts: [{name: a, access_token: {value: v}}";
    let web = "web: {config: {value: {basic_auth_users: {a: $2b$1}, tls_server_config: {cert_file: tls.crt}}}}";
    let Some(all) = templates(&[
        &format!("{{{accounts}], {web}}}"),
        // Another account, another token, another password, another setting of an account.
        &format!("{{{accounts}, {{name: b, access_token: {{value: w}}}}], {web}}}"),
        &format!("{{{accounts}], {web}}}").replace("value: v", "value: x"),
        &format!("{{{accounts}], {web}}}").replace("$2b$1", "$2b$2"),
        &format!("{{{accounts}], {web}}}")
            .replace("name: a", "name: a, logs: [admin], timezone: Europe/Berlin"),
        // What is only around the pod.
        &format!(
            "{{{accounts}], {web}, networkPolicy: {{enabled: true}}, dashboards: {{enabled: true}}}}"
        ),
    ]) else {
        return;
    };
    for other in &all[1..] {
        assert_eq!(*other, all[0]);
    }
}

#[test]
fn what_only_a_restart_takes_over_restarts() {
    let accounts = "accounts: [{name: a, access_token: {value: v}}]";
    let with = |more: &str| format!("{{{accounts}, {more}}}");
    let key = |key: &str| {
        with(&format!(
            "metrics: {{hostname: hash, hostnameKey: {{value: {key}}}}}"
        ))
    };
    let web = |more: &str| with(&format!("web: {{config: {{value: {{{more}}}}}}}"));
    let tls = "tls_server_config: {cert_file: tls.crt, key_file: tls.key";
    let pairs = [
        (key("0123456789abcdef"), key("0123456789abcdeF")),
        (with("log: {level: info}"), with("log: {level: debug}")),
        (
            web(&format!("{tls}}}")),
            web("http_server_config: {http2: true}"),
        ),
        (
            web(&format!("{tls}, client_auth_type: RequireAnyClientCert}}")),
            web(&format!("{tls}}}")),
        ),
        (
            web(&format!("{tls}}}, basic_auth_users: {{a: $2b$1}}")),
            web(&format!("{tls}}}")),
        ),
    ];
    for (before, after) in &pairs {
        let Some(all) = templates(&[before, after]) else {
            return;
        };
        assert_ne!(all[0], all[1], "{after}");
    }
}

#[test]
fn accounts_with_one_credential_have_one_file_and_others_have_their_own() {
    let Some(rendering) = chart::of_file("monitoring") else {
        return;
    };
    let accounts: Value = serde_saphyr::from_str(rendering.config("accounts.yml")).expect("YAML");
    let files: Vec<&str> = list(&accounts["accounts"])
        .map(|it| text(it, "access_token_file"))
        .collect();
    assert_eq!(files[0], files[2]);
    assert_ne!(files[0], files[1]);
    assert_eq!(accounts["accounts"][2]["logs"], json!(["admin"]));
}

#[test]
fn a_policy_lets_prometheus_in_and_the_exporter_to_names_and_api_alone() {
    let Some(rendering) = chart::of_file("monitoring") else {
        return;
    };
    let policy = &rendering.object("NetworkPolicy", "")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(list(&policy["ingress"]).count(), 1);
    assert_eq!(list(&policy["ingress"][0]["from"]).count(), 1);
    let ports = |rule: &Value| {
        list(&rule["ports"])
            .map(|port| port["port"].as_u64())
            .collect::<Vec<_>>()
    };
    let ports: Vec<_> = list(&policy["egress"]).map(ports).collect();
    assert_eq!(
        ports,
        [vec![Some(53), Some(53)], vec![Some(443), Some(8443)]]
    );
    let Some(proxied) = chart::of_file("platform") else {
        return;
    };
    let policy = &proxied.object("NetworkPolicy", "")["spec"];
    assert_eq!(
        policy["egress"][1]["ports"],
        json!([{"port": 3128, "protocol": "TCP"}])
    );
    assert_eq!(list(&policy["egress"]).count(), 3, "and the extra one");
    // No rule is open to all for want of peers.
    for rule in list(&policy["egress"]).chain(list(&policy["ingress"])) {
        assert!(
            list(&rule["to"])
                .chain(list(&rule["from"]))
                .next()
                .is_some(),
            "{rule}"
        );
    }
}
