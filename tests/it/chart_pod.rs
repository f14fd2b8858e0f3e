//! What the pod runs, what restarts it, and whom it may talk to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chart::{self, ACCOUNT, Case, Rendering, render};
use crate::grafana::{list, text};

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
fn another_password_of_the_database_and_another_number_of_replicas_restart_nothing() {
    let with = |more: &str, password: &str| {
        format!(
            "{{state: {{url: 'postgres://me@db', password: {{value: {password}}}}}, {more}, {ACCOUNT}}}"
        )
    };
    let one = with("replicas: 2", "one");
    let other = with("replicas: 3", "other");
    let Some(all) = templates(&[&one, &other]) else {
        return;
    };
    assert_eq!(all[0], all[1]);
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

#[test]
fn a_policy_lets_the_exporter_to_the_ports_of_its_database() {
    let ports = |rendering: &Rendering| -> Vec<u64> {
        let policy = &rendering.object("NetworkPolicy", "")["spec"];
        let rule = list(&policy["egress"]).last().expect("a rule");
        assert!(list(&rule["to"]).next().is_some(), "{rule}");
        let ports = list(&rule["ports"]).map(|it| it["port"].as_u64().expect("a port"));
        ports.collect()
    };
    let urls: [(&str, &[u64]); 5] = [
        ("postgres://me@db", &[5432]),
        (
            "postgresql://me@[::1]:7,db:6/name?connect_timeout=2",
            &[6, 7],
        ),
        ("postgres://m%40e@a.example.com,b.example.com/", &[5432]),
        ("postgres://me@/name?host=db&port=1234", &[1234]),
        ("postgres://me@/name?port=1,2&host=a,b", &[1, 2]),
    ];
    let case = |url: &str| {
        let more = "networkPolicy: {enabled: true}";
        Case::new(&format!("{{state: {{url: '{url}'}}, {more}, {ACCOUNT}}}"))
    };
    let cases: Vec<Case> = urls.iter().map(|(url, _)| case(url)).collect();
    let Some(all) = render(&cases) else { return };
    for ((url, expected), rendering) in urls.iter().zip(all) {
        assert_eq!(rendering.error, None, "{url}");
        assert_eq!(ports(&rendering), *expected, "{url}");
    }
}

#[test]
fn replicas_are_spread_unless_somebody_says_how() {
    let spread = |values: &str| {
        let case = Case::new(&format!("{{{values}, {ACCOUNT}}}"));
        let all = render(&[case])?;
        assert_eq!(all[0].error, None, "{values}");
        let pod = &all[0].object("Deployment", "")["spec"]["template"]["spec"];
        let keys = list(&pod["topologySpreadConstraints"]).map(|it| {
            assert_eq!(it["whenUnsatisfiable"], "ScheduleAnyway", "{values}");
            text(it, "topologyKey").to_owned()
        });
        Some(keys.collect::<Vec<_>>())
    };
    let database = "state: {url: 'postgres://me@db'}";
    let own = "topologySpreadConstraints: \
        [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway}]";
    let Some(by_itself) = spread(database) else {
        return;
    };
    let nodes_and_zones = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];
    assert_eq!(by_itself, nodes_and_zones);
    let said = spread(&format!("{database}, {own}")).expect("rendered");
    assert_eq!(said, ["rack"]);
    assert_eq!(spread("replicas: 1").expect("rendered"), [""; 0]);
}

/// Nothing is answered before the database is.
#[test]
fn a_database_that_comes_later_is_waited_for() {
    let seconds = |values: &str| {
        let all = render(&[Case::new(&format!("{{{values}, {ACCOUNT}}}"))])?;
        assert_eq!(all[0].error, None, "{values}");
        let probe = &all[0].container()["startupProbe"];
        Some(probe["periodSeconds"].as_u64()? * probe["failureThreshold"].as_u64()?)
    };
    let database = "state: {url: 'postgres://me@db'}";
    let Some(alone) = seconds("replicas: 1") else {
        return;
    };
    assert_eq!(alone, 120);
    assert_eq!(seconds(database), Some(1800));
    let longer = "probes: {startup: {periodSeconds: 7, failureThreshold: 1000}}";
    let longer = format!("{database}, {longer}");
    assert_eq!(seconds(&longer), Some(7000));
    let rarely = "probes: {startup: {periodSeconds: 7}}";
    let rarely = format!("{database}, {rarely}");
    assert_eq!(seconds(&rarely), Some(1806));
}

#[test]
fn the_notes_say_what_the_database_has_to_be_given() {
    let Some(rendering) = chart::of_file("replicas") else {
        return;
    };
    let notes = &rendering.notes;
    for words in [
        "the database \"counts\" at db-1.example.com:5433,db-2.example.com",
        "CREATE ROLE \"metaaccess\" LOGIN PASSWORD '...'",
        "CREATE DATABASE \"counts\" OWNER \"metaaccess\"",
        "pool_mode = session",
        "hostssl \"counts\"",
        "synchronous_standby_names",
        "metaaccess_state_regressions_total",
        "scrapes each pod by itself",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    assert!(!notes.contains("Mind:"), "{notes}");
    let plain = "{state: {url: 'postgres://me@db?sslmode=disable'}, ACCOUNT}";
    let Some(all) = render(&[Case::new(&plain.replace("ACCOUNT", ACCOUNT))]) else {
        return;
    };
    let notes = &all[0].notes;
    for words in [
        "the database \"me\" at db.",
        "sslmode=disable: whoever is on the way",
        "replicas is 1: while its pod is replaced",
        "let your Prometheus scrape each pod by itself",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    assert!(!notes.contains("in memory"), "{notes}");
}

#[test]
fn the_notes_warn_of_what_is_asked_for_and_costs_something() {
    let Some(all) = chart::all() else { return };
    let notes = |name: &str| {
        let found = all.iter().find(|(its, _)| its == name);
        let (_, rendering) = found.unwrap_or_else(|| panic!("no case {name}"));
        rendering.notes.as_str()
    };
    let warned = [
        ("inline", "The counts are in memory"),
        ("inline", "There is no network policy"),
        ("minimal", "There is no ServiceMonitor"),
        ("minimal", "from no registry"),
        ("demo", "nothing is kept"),
        ("platform", "may need 1233Mi"),
        ("stopped", "the exporter is stopped"),
    ];
    for (name, words) in warned {
        assert!(notes(name).contains(words), "{name}: {}", notes(name));
    }
    let silent = notes("monitoring");
    assert!(!silent.contains("Mind:"), "{silent}");
    let exec = "exec deployment/metaaccess -- /metaaccess-exporter check";
    assert!(notes("platform").contains(exec), "{}", notes("platform"));
}

/// Helm holds numbers as floats, which a careless template prints as 1e+06.
#[test]
fn large_numbers_come_through_in_digits() {
    let values = "{accounts: [{name: a, access_token: {value: v}}], \
        podSecurityContext: {runAsUser: 1000650000}, \
        tolerations: [{key: a, tolerationSeconds: 1000000}], \
        probes: {startup: {failureThreshold: 1000000}}, \
        terminationGracePeriodSeconds: 1000000, revisionHistoryLimit: 1000000, \
        podDisruptionBudget: {maxUnavailable: 1000000}, \
        web: {config: {value: {rate_limit: {interval: 1s, burst: 1000000}}}}}";
    let Some(all) = render(&[Case::new(values)]) else {
        return;
    };
    assert_eq!(all[0].error, None);
    let deployment = &all[0].object("Deployment", "")["spec"];
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsUser"], 1_000_650_000);
    let budget = &all[0].object("PodDisruptionBudget", "")["spec"];
    for number in [
        &pod["tolerations"][0]["tolerationSeconds"],
        &pod["containers"][0]["startupProbe"]["failureThreshold"],
        &pod["terminationGracePeriodSeconds"],
        &deployment["revisionHistoryLimit"],
        &budget["maxUnavailable"],
    ] {
        assert_eq!(*number, 1_000_000);
    }
    let web = text(&all[0].object("Secret", "")["data"], "web.yml");
    let web = STANDARD.decode(web).expect("base64");
    let web = String::from_utf8(web).expect("a text");
    assert!(web.contains("burst: 1000000\n"), "{web}");
}
