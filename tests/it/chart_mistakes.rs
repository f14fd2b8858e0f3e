//! Values that cannot be are refused before anything is installed, in words that say how to mend it.

use serde_json::Value;

use crate::chart::{ACCOUNT, CHART, Case, errors};
use crate::documents::yaml;

/// Contradictions, and words of what is said of each.
const REFUSED: [(&str, &[&str]); 67] = [
    (
        "{serviceMonitor: {enabled: true, scrapeTimeout: 20s}, ACCOUNT}",
        &["scrapeTimeout is 20s, but the next scrape comes after 15s"],
    ),
    (
        "{fullnameOverride: s, metrics: {hostname: hash, hostnameKey: {value: hunter2hunter2hunter2}}, ACCOUNT}",
        &["the existing Secret \"s\" has the name of the Secret that the chart makes"],
    ),
    (
        "{proxy: {noProxy: .example.com}, ACCOUNT}",
        &["proxy.noProxy is set, but there is no proxy"],
    ),
    ("{}", &["there is no account", "set demo to true"]),
    (
        "{replicas: 2, ACCOUNT}",
        &[
            "replicas is 2",
            "embedded store has one writer",
            "name a PostgreSQL that they share by state.url, or set replicas to 1",
        ],
    ),
    (
        "{replicas: 2, persistence: {enabled: false}, ACCOUNT}",
        &["without persistence each replica would use the requests"],
    ),
    (
        "{replicas: 2, demo: true}",
        &["each replica of the demo would read a simulator of its own"],
    ),
    (
        "{demo: true, state: {url: \"postgres://me@db\"}}",
        &["demo and state.url are both given"],
    ),
    (
        "{state: {url: \"postgres://me@db\"}, persistence: {existingClaim: c}, ACCOUNT}",
        &["state.url and persistence.existingClaim are both given"],
    ),
    (
        "{state: {url: \"postgres://me@db\"}, serviceMonitor: {instance: i}, ACCOUNT}",
        &["serviceMonitor.instance is set", "overwrite each other"],
    ),
    (
        "{state: {password: {existingSecret: s}}, ACCOUNT}",
        &["no database that they are for: set state.url"],
    ),
    (
        "{state: {ca: {value: x}}, ACCOUNT}",
        &["no database that they are for"],
    ),
    (
        "{state: {clientCertificateSecret: s}, ACCOUNT}",
        &["no database that they are for"],
    ),
    (
        "{state: {url: \"mysql://hunter2@db\"}, ACCOUNT}",
        &["state.url (not shown): begin it with postgres://"],
    ),
    (
        "{state: {url: \"postgres://me:hunter2@db/x\"}, ACCOUNT}",
        &["state.url (not shown) holds a password", "state.password"],
    ),
    (
        "{state: {url: \"postgres://me:hun@ter/hunter2@db/x\"}, ACCOUNT}",
        &["state.url (not shown) holds a password"],
    ),
    (
        "{state: {url: \"postgres://me@db/x?a=1&password=hunter2\"}, ACCOUNT}",
        &["state.url (not shown) holds a password"],
    ),
    (
        "{state: {url: \"postgres://db/x?application_name=a@b\"}, ACCOUNT}",
        &["name the user before the host"],
    ),
    (
        "{state: {url: \"postgres://me@/x\"}, ACCOUNT}",
        &["name the host"],
    ),
    (
        "{state: {url: \"postgres://me@db?sslrootcert=/x\", ca: {existingSecret: s}}, ACCOUNT}",
        &["names sslrootcert", "state.ca is given too"],
    ),
    (
        "{state: {url: \"postgres://me@db?sslkey=/x\", clientCertificateSecret: s}, ACCOUNT}",
        &["sslkey, and state.clientCertificateSecret is given too"],
    ),
    (
        "{state: {url: \"postgres://me@db?sslmode=disable\", ca: {value: x}}, ACCOUNT}",
        &["sslmode=disable, so that state.ca would not be used"],
    ),
    (
        "{state: {url: \"postgres://me@db\", password: {value: hunter2, existingSecret: s}}, ACCOUNT}",
        &["state.password: value and existingSecret are both given"],
    ),
    (
        "{state: {url: \"postgres://me@db\"}, extraEnv: [{name: METAACCESS_STATE_PASSWORD, value: hunter2}], ACCOUNT}",
        &[
            "the password is mounted as a file",
            "give it by state.password",
        ],
    ),
    (
        "{fullnameOverride: s, state: {url: \"postgres://me@db\", password: {value: hunter2}, clientCertificateSecret: s}, ACCOUNT}",
        &["the existing Secret \"s\" has the name of the Secret that the chart makes"],
    ),
    (
        "{autoscaling: {enabled: true}, ACCOUNT}",
        &[
            "autoscaling: the requests that the API allows",
            "leave it out",
        ],
    ),
    (
        "{replicaCount: 1, ACCOUNT}",
        &["replicaCount: it is called replicas here"],
    ),
    (
        "{strategy: {type: RollingUpdate}, ACCOUNT}",
        &["strategy: without state.url the Deployment recreates its pod"],
    ),
    (
        "{updateStrategy: {}, ACCOUNT}",
        &["updateStrategy: without state.url the Deployment recreates"],
    ),
    (
        "{extraArgs: [--log.level=debug], ACCOUNT}",
        &["extraArgs: each flag has a value here"],
    ),
    (
        "{demo: true, ACCOUNT}",
        &["demo and accounts are both given"],
    ),
    (
        "accounts: [{name: a}]",
        &["the account \"a\": there is no credential"],
    ),
    (
        "accounts: [{name: a, client_id: i}]",
        &["the client's secret is not given; add client_secret"],
    ),
    (
        "accounts: [{name: a, client_secret: {value: v}}]",
        &["the client's id is not given; add client_id"],
    ),
    (
        "accounts: [{name: a, client_id: i, client_secret: {value: v}, access_token: {value: hunter2}}]",
        &["an access token and an OAuth client are both given"],
    ),
    (
        "accounts: [{name: a, access_token: {}}]",
        &["access_token: it is empty; give existingSecret and key, or value"],
    ),
    (
        "accounts: [{name: a, access_token: {value: \"\"}}]",
        &["access_token: it is empty"],
    ),
    (
        "accounts: [{name: a, access_token: {existingSecret: s}}]",
        &["the key is missing", "\"s\" holds it"],
    ),
    (
        "accounts: [{name: a, access_token: {existingSecret: s, key: k, value: hunter2}}]",
        &["value and existingSecret are given; give one of them"],
    ),
    (
        "accounts: [{name: a, access_token: {file: /x, value: hunter2}}]",
        &["value and file are given; give one of them"],
    ),
    (
        "accounts: [{name: a, access_token: {key: k, value: hunter2}}]",
        &["key is for an existing Secret"],
    ),
    (
        "accounts: [{name: a, access_token: {value: \"hunter2 hunter2\"}}]",
        &["(not shown) holds spaces"],
    ),
    (
        "accounts: [{name: a, access_token_file: /x}]",
        &["access_token_file: the chart writes that itself; give access_token"],
    ),
    (
        "accounts: [{name: a, client_id: i, client_secret_file: /x}]",
        &["client_secret_file: the chart writes that itself; give client_secret"],
    ),
    (
        "accounts: [{name: a, access_token: {existingSecret: s, key: k}}, {name: a, access_token: {existingSecret: s, key: l}}]",
        &["the account \"a\" is there twice"],
    ),
    (
        "accounts: [{name: a, access_token: {value: hunter2}}, {name: b, access_token: {value: hunter2}}]",
        &["\"a\" and \"b\": access_token is the same value; put it into a Secret"],
    ),
    (
        "{persistence: {existingClaim: c, size: 1Gi}, ACCOUNT}",
        &["persistence.size is for a claim that the chart makes"],
    ),
    (
        "{persistence: {existingClaim: c, storageClass: s}, ACCOUNT}",
        &["persistence.storageClass is for a claim"],
    ),
    (
        "{persistence: {existingClaim: c, enabled: false}, ACCOUNT}",
        &["persistence.enabled is false, so that the counts would be in memory"],
    ),
    (
        "{persistence: {existingClaim: c}, demo: true}",
        &["demo keeps nothing"],
    ),
    (
        "{image: {digest: \"sha256:abc\"}, ACCOUNT}",
        &["a digest is sha256: and 64 hexadecimal digits"],
    ),
    (
        "{image: {tag: latest}, ACCOUNT}",
        &["image.tag \"latest\"", "name a version, or a digest"],
    ),
    (
        "{image: {repository: \"r.example.com:5000/a:1\"}, ACCOUNT}",
        &["it holds a tag or a digest"],
    ),
    (
        "{web: {config: {value: {rate_limit: {}}, existingSecret: s}}, ACCOUNT}",
        &["web.config: value and existingSecret are both given"],
    ),
    (
        "{api: {ca: {value: x, existingConfigMap: c}}, ACCOUNT}",
        &["api.ca: value and existingConfigMap are both given"],
    ),
    (
        "{web: {certificateSecret: s}, ACCOUNT}",
        &["web.certificateSecret is set, but no web.config"],
    ),
    (
        "{web: {clientCa: {existingSecret: s}}, ACCOUNT}",
        &["web.clientCa is set, but no web.config"],
    ),
    (
        "{metrics: {hostname: hash}, ACCOUNT}",
        &["metrics.hostname is hash, which needs a key"],
    ),
    (
        "{metrics: {hostnameKey: {existingSecret: s}}, ACCOUNT}",
        &["hostnames are not hashed"],
    ),
    (
        "{metrics: {hostname: hash, hostnameKey: {value: hunter2}}, ACCOUNT}",
        &["shorter than 16 characters", "openssl rand -hex 32"],
    ),
    (
        "{extraEnv: [{name: METAACCESS_ACCESS_TOKEN, value: hunter2}], ACCOUNT}",
        &["credentials are mounted as files"],
    ),
    (
        "{extraEnv: [{name: METAACCESS_LOG_LEVEL, value: debug}], ACCOUNT}",
        &["METAACCESS_LOG_LEVEL is set by the chart"],
    ),
    (
        "{proxy: {url: \"http://me:hunter2@proxy.example.com\"}, ACCOUNT}",
        &["proxy.url (not shown) holds a password"],
    ),
    (
        "{commonLabels: {app.kubernetes.io/name: x}, ACCOUNT}",
        &["commonLabels: app.kubernetes.io/name is what the Service finds its pod by"],
    ),
    (
        "{extraVolumes: [{name: config}], extraVolumeMounts: [{name: config, mountPath: /etc/metaaccess-exporter/x}], ACCOUNT}",
        &[
            "extraVolumes: config is a volume of the chart",
            "extraVolumeMounts: /etc/metaaccess-exporter/x",
        ],
    ),
    (
        "{serviceMonitor: {enabled: true, scheme: http}, web: {config: {value: {tls_server_config: {cert_file: tls.crt}}}}, ACCOUNT}",
        &["serviceMonitor.scheme is http, but web.config asks for TLS"],
    ),
    (
        "{serviceMonitor: {enabled: true}, web: {config: {value: {basic_auth_users: {a: $2b$1}}}}, ACCOUNT}",
        &["serviceMonitor.basicAuth has none"],
    ),
];

/// What is of a wrong type or not known, and words of what is said.
const BEYOND_THE_SCHEMA: [(&str, &str); 34] = [
    ("{extraEnv: [{name: A, value: 1}]}", "/extraEnv/0/value"),
    (
        "{prometheusRule: {disabledAlerts: MetaAccessLinesMissed}}",
        "/disabledAlerts",
    ),
    ("{acounts: []}", "acounts"),
    ("{state: {urls: x}}", "urls"),
    ("{state: {password: hunter2}}", "/state/password"),
    ("{web: {prot: 1}}", "prot"),
    ("{web: {port: 0}}", "/web/port"),
    ("{web: {port: \"19720\"}}", "/web/port"),
    ("{web: {telemetryPath: metrics}}", "/web/telemetryPath"),
    ("{web: {config: {value: {tls: {}}}}}", "tls"),
    (
        "{web: {config: {value: {basic_auth_users: {a: plain}}}}}",
        "/basic_auth_users/a",
    ),
    ("{accounts: [{}]}", "name"),
    ("{accounts: [{name: 1}]}", "/accounts/0/name"),
    ("{accounts: [{name: null}]}", "/accounts/0/name"),
    ("{accounts: [{name: a, timezon: UTC}]}", "timezon"),
    (
        "{accounts: [{name: a, client_id: 123456789012345678}]}",
        "/accounts/0/client_id",
    ),
    (
        "{accounts: [{name: a, access_token: {value: 1}}]}",
        "/accounts/0/access_token/value",
    ),
    (
        "{accounts: [{name: a, access_token: hunter2}]}",
        "/accounts/0/access_token",
    ),
    (
        "{accounts: [{name: a, labels: {job: x}}]}",
        "invalid propertyName 'job'",
    ),
    (
        "{accounts: [{name: a, labels: {version: 1.10}}]}",
        "/accounts/0/labels",
    ),
    ("{accounts: [{name: a, events: [{match: a}]}]}", "event"),
    (
        "{accounts: [{name: a, lookback: 5 days}]}",
        "/accounts/0/lookback",
    ),
    (
        "{accounts: [{name: a, base_url: \"http://gears.example.com\"}]}",
        "/accounts/0/base_url",
    ),
    ("{api: {logs: device}}", "/api/logs"),
    ("{log: {level: verbose}}", "/log/level"),
    (
        "{persistence: {accessMode: ReadWrite}}",
        "/persistence/accessMode",
    ),
    (
        "{podDisruptionBudget: {maxUnavailable: 0}}",
        "/podDisruptionBudget/maxUnavailable",
    ),
    ("{podDisruptionBudget: {minAvailable: 1}}", "minAvailable"),
    (
        "{terminationGracePeriodSeconds: 5}",
        "/terminationGracePeriodSeconds",
    ),
    ("{prometheusRule: {thresholds: {lines: 5}}}", "lines"),
    (
        "{prometheusRule: {thresholds: {limit_share: 90}}}",
        "/thresholds/limit_share",
    ),
    ("{podLabels: {a: 1}}", "/podLabels/a"),
    ("{fullnameOverride: Name}", "/fullnameOverride"),
    ("{image: {pullPolicy: always}}", "/image/pullPolicy"),
];

/// What is said of these values, where the account is put in.
fn said_of<'a>(values: impl Iterator<Item = &'a str>) -> Option<Vec<Option<String>>> {
    let cases: Vec<Case> = values
        .map(|values| Case::new(&values.replace("ACCOUNT", ACCOUNT)))
        .collect();
    errors(&cases)
}

#[test]
fn every_contradiction_is_refused_and_said_how_to_mend() {
    let Some(all) = said_of(REFUSED.iter().map(|(values, _)| *values)) else {
        return;
    };
    for ((values, words), said) in REFUSED.iter().zip(all) {
        let said = said.unwrap_or_else(|| panic!("{values} is taken"));
        assert!(
            said.contains("the values of metaaccess-exporter cannot be used:\n- "),
            "{said}"
        );
        for word in *words {
            assert!(said.contains(word), "{values}: {said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn all_contradictions_are_said_at_once() {
    let values = "{replicas: 3, image: {tag: latest}, accounts: [{name: a}, {name: b}]}";
    let Some(all) = said_of([values].into_iter()) else {
        return;
    };
    let said = all[0].clone().expect("refused");
    assert_eq!(said.matches("\n- ").count(), 4, "{said}");
}

#[test]
fn a_release_whose_name_no_service_can_have_is_refused() {
    let case = |release: &str| Case::new("demo: true").released_as(release);
    let Some(all) = errors(&[case("1st"), case("a.b")]) else {
        return;
    };
    for said in all {
        let said = said.expect("refused");
        assert!(said.contains("set fullnameOverride"), "{said}");
    }
}

#[test]
fn every_typo_and_every_wrong_type_is_refused_by_its_place() {
    let Some(all) = said_of(BEYOND_THE_SCHEMA.iter().map(|(values, _)| *values)) else {
        return;
    };
    for ((values, place), said) in BEYOND_THE_SCHEMA.iter().zip(all) {
        let said = said.unwrap_or_else(|| panic!("{values} is taken"));
        assert!(
            said.contains("the schema") && said.contains(place),
            "{values}: {said}"
        );
    }
}

/// Every key of the values, with those within it, as `web.port`.
fn keys(values: &Value, above: &str, found: &mut Vec<String>) {
    for (key, value) in values.as_object().into_iter().flatten() {
        let name = format!("{above}{key}");
        keys(value, &format!("{name}."), found);
        found.push(name);
    }
}

/// Helm takes a value away for which somebody writes null.
#[test]
fn a_value_that_is_null_is_as_if_it_were_empty_or_said_to_be_missing() {
    let values: Value = yaml(&format!("{CHART}/values.yaml"));
    let mut all = Vec::new();
    keys(&values, "", &mut all);
    assert!(all.len() > 150, "{}", all.len());
    let everything = "{ACCOUNT, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, \
        dashboards: {enabled: true}, networkPolicy: {enabled: true}}";
    let base: Value =
        serde_saphyr::from_str(&everything.replace("ACCOUNT", ACCOUNT)).expect("YAML");
    let without = |name: &String| {
        let mut values = base.clone();
        let mut place = &mut values;
        for key in name.split('.').filter(|_| !name.contains('/')) {
            place = &mut place[key];
        }
        *place = Value::Null;
        values.to_string()
    };
    let cases: Vec<Case> = all.iter().map(|name| Case::new(&without(name))).collect();
    let Some(errors) = errors(&cases) else { return };
    for (name, said) in all.iter().zip(errors) {
        let said = said.unwrap_or_default();
        let is_told =
            said.contains(&format!("- {name} is null")) || said.contains("there is no account");
        assert!(said.is_empty() || is_told, "{name}: {said}");
    }
}
