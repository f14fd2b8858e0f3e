//! What holds of everything that the chart renders, whatever the values are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::chart::{self, Rendering, look_at};
use crate::grafana::{list, text};

/// Looks at each of the renderings.
pub fn each(look: impl Fn(&str, &Rendering)) {
    let Some(all) = chart::all() else { return };
    for (name, rendering) in all {
        assert_eq!(rendering.error, None, "{name}");
        look(name, rendering);
    }
}

/// The pods: that of the Deployment, and that of `helm test`, as their specification and labels.
pub fn pods(rendering: &Rendering) -> Vec<(&Value, &Value)> {
    let pods = rendering
        .objects
        .iter()
        .filter_map(|object| match text(object, "kind") {
            "Deployment" => Some(&object["spec"]["template"]),
            "Pod" => Some(object),
            _ => None,
        });
    let pods: Vec<_> = pods
        .map(|pod| (&pod["spec"], &pod["metadata"]["labels"]))
        .collect();
    assert!(!pods.is_empty());
    pods
}

pub fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["containers"]).chain(list(&pod["initContainers"]))
}

pub fn name_of(object: &Value) -> &str {
    text(&object["metadata"], "name")
}

/// Whether a selector's labels are all among those of an object.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector
        .as_object()
        .filter(|it| !it.is_empty())
        .expect("a selector");
    selector.iter().all(|(key, value)| labels[key] == *value)
}

#[test]
fn kubernetes_takes_every_object_and_lint_finds_nothing() {
    each(|name, rendering| {
        assert_eq!(rendering.wrong, [""; 0], "{name}");
        assert_eq!(rendering.lint, [""; 0], "{name}");
    });
}

#[test]
fn what_kubernetes_or_the_operator_would_not_take_is_found() {
    let bad = [
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: 1}",
            "port",
        ),
        (
            "apiVersion: v1\nkind: Servise\nmetadata: {name: a}",
            "Servise",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: 1}",
            "data",
        ),
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: a}\nspec: {selector: {}, endpoints: [{port: a, intervall: 1s}]}",
            "intervall",
        ),
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec: {groups: [{name: a, rules: [{expr: 1}]}]}",
            "expr",
        ),
    ];
    for (manifest, what) in bad {
        let Some(rendering) = look_at(manifest) else {
            return;
        };
        let wrong = rendering.wrong.concat();
        assert!(wrong.contains(what), "{manifest}: {wrong:?}");
    }
    let Some(twice) = look_at("a: 1\na: 2") else {
        return;
    };
    assert!(twice.error.is_some_and(|error| error.contains("twice")));
}

#[test]
fn every_container_has_its_limits_and_may_do_next_to_nothing() {
    each(|name, rendering| {
        for (pod, _) in pods(rendering) {
            for container in containers(pod) {
                for limit in ["cpu", "memory", "ephemeral-storage"] {
                    let resources = &container["resources"];
                    assert!(resources["limits"][limit].is_string(), "{name}: {limit}");
                    assert!(resources["requests"][limit].is_string(), "{name}: {limit}");
                }
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}), "{name}");
                assert!(security["privileged"].is_null(), "{name}");
            }
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            let seccomp = &pod["securityContext"]["seccompProfile"]["type"];
            assert_eq!(*seccomp, "RuntimeDefault", "{name}");
            for shared in ["hostNetwork", "hostPID", "hostIPC", "hostUsers"] {
                assert!(pod[shared].is_null(), "{name}: {shared}");
            }
            // The platform's own users, where that case leaves them to it.
            if name != "platform" {
                for id in ["runAsUser", "runAsGroup", "fsGroup"] {
                    assert_eq!(pod["securityContext"][id], 65532, "{name}: {id}");
                }
            }
        }
    });
}

#[test]
fn no_pod_has_a_token_of_the_cluster() {
    each(|name, rendering| {
        for (pod, _) in pods(rendering) {
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        }
        let accounts = rendering
            .objects
            .iter()
            .filter(|it| it["kind"] == "ServiceAccount");
        for account in accounts {
            assert_eq!(account["automountServiceAccountToken"], false, "{name}");
        }
    });
}

#[test]
fn no_two_exporters_ever_run_at_the_same_time_but_over_one_database() {
    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    each(|name, rendering| {
        let deployment = &rendering.object("Deployment", "")["spec"];
        let (strategy, replicas) = (&deployment["strategy"], &deployment["replicas"]);
        if rendering.variable("METAACCESS_STATE_URL").is_some() {
            assert_eq!(*strategy, rolling, "{name}");
            assert_eq!(rendering.variable("METAACCESS_STATE_PATH"), None, "{name}");
            assert!(!rendering.has("PersistentVolumeClaim"), "{name}");
        } else {
            assert_eq!(*strategy, json!({"type": "Recreate"}), "{name}");
            assert!(replicas.as_u64().is_some_and(|it| it <= 1), "{name}");
        }
    });
}

#[test]
fn no_two_replicas_are_scraped_under_one_name() {
    each(|name, rendering| {
        let shares = rendering.variable("METAACCESS_STATE_URL").is_some();
        for monitor in of_kind(rendering, "ServiceMonitor") {
            let relabelings = &monitor["spec"]["endpoints"][0]["relabelings"];
            let sets_instance: Vec<&Value> = list(relabelings)
                .filter(|it| it["targetLabel"] == "instance")
                .collect();
            assert_eq!(sets_instance.len(), 1, "{name}");
            let of_pod = json!(["__meta_kubernetes_pod_name"]);
            assert_eq!(sets_instance[0]["sourceLabels"] == of_pod, shares, "{name}");
            assert_eq!(sets_instance[0]["replacement"].is_null(), shares, "{name}");
        }
    });
}

#[test]
fn no_budget_holds_up_a_drain() {
    each(|name, rendering| {
        let budgets = rendering
            .objects
            .iter()
            .filter(|it| it["kind"] == "PodDisruptionBudget");
        for budget in budgets.map(|budget| &budget["spec"]) {
            assert!(budget["minAvailable"].is_null(), "{name}");
            assert!(
                budget["maxUnavailable"].as_u64().is_some_and(|it| it >= 1),
                "{name}"
            );
            assert_eq!(
                budget["unhealthyPodEvictionPolicy"], "AlwaysAllow",
                "{name}"
            );
        }
    });
}

#[test]
fn every_image_is_a_fixed_one() {
    each(|name, rendering| {
        for (pod, _) in pods(rendering) {
            for container in containers(pod) {
                let image = text(container, "image");
                let (_, version) = image.rsplit_once([':', '@']).expect("a version");
                assert!(
                    !version.is_empty() && version != "latest",
                    "{name}: {image}"
                );
            }
        }
    });
}

#[test]
fn every_selector_fits_the_exporter_and_no_pod_of_a_test() {
    each(|name, rendering| {
        let deployment = rendering.object("Deployment", "");
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let test = rendering.objects.iter().find(|it| it["kind"] == "Pod");
        let test = test.map(|pod| &pod["metadata"]["labels"]);
        for selector in selectors(rendering) {
            assert!(selects(selector, labels), "{name}: {selector}");
            let is_of_test = test.is_some_and(|test| selects(selector, test));
            assert!(!is_of_test, "{name}: {selector}");
        }
        for policy in of_kind(rendering, "NetworkPolicy") {
            let selector = &policy["spec"]["podSelector"]["matchLabels"];
            assert!(selects(selector, labels), "{name}: {selector}");
            // It asks the same API.
            let holds_for_test = test.is_none_or(|test| selects(selector, test));
            assert!(holds_for_test, "{name}: {selector}");
        }
    });
}

fn of_kind<'a>(rendering: &'a Rendering, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = rendering.objects.iter();
    all.filter(move |object| object["kind"] == kind)
}

/// The selectors that are for the exporter's pod alone.
fn selectors(rendering: &Rendering) -> Vec<&Value> {
    let deployment = &rendering.object("Deployment", "")["spec"];
    let service = rendering.object("Service", "");
    let budgets = of_kind(rendering, "PodDisruptionBudget");
    let spreads = list(&deployment["template"]["spec"]["topologySpreadConstraints"]);
    let mut all = vec![
        &deployment["selector"]["matchLabels"],
        &service["spec"]["selector"],
    ];
    all.extend(budgets.map(|it| &it["spec"]["selector"]["matchLabels"]));
    all.extend(spreads.map(|it| &it["labelSelector"]["matchLabels"]));
    all
}

#[test]
fn the_monitor_finds_the_service_where_it_is() {
    each(|name, rendering| {
        let service = &rendering.object("Service", "")["metadata"];
        for monitor in of_kind(rendering, "ServiceMonitor") {
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            assert!(selects(selector, &service["labels"]), "{name}: {selector}");
            let namespaces = &monitor["spec"]["namespaceSelector"]["matchNames"];
            assert_eq!(*namespaces, json!([service["namespace"]]), "{name}");
        }
    });
}

#[test]
fn every_port_is_known_by_its_name() {
    each(|name, rendering| {
        let port = &rendering.container()["ports"][0];
        assert_eq!(port["name"], "metrics", "{name}");
        let address = rendering.variable("METAACCESS_WEB_LISTEN_ADDRESS");
        assert_eq!(
            address,
            Some(&*format!(":{}", port["containerPort"])),
            "{name}"
        );
        let service = &rendering.object("Service", "")["spec"]["ports"];
        assert_eq!(service.as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!(service[0]["targetPort"], "metrics", "{name}");
        let monitors = rendering
            .objects
            .iter()
            .filter(|it| it["kind"] == "ServiceMonitor");
        for monitor in monitors {
            assert_eq!(
                monitor["spec"]["endpoints"][0]["port"], service[0]["name"],
                "{name}"
            );
        }
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        for probe in probes.map(|probe| &rendering.container()[probe]) {
            let asks = &probe["httpGet"]["port"];
            assert!(
                asks == "metrics" || probe["exec"].is_object(),
                "{name}: {probe}"
            );
        }
    });
}

#[test]
fn names_are_short_enough_and_each_is_given_once() {
    each(|name, rendering| {
        let mut seen = BTreeSet::new();
        for object in &rendering.objects {
            let its = name_of(object);
            assert!((1..=63).contains(&its.len()), "{name}: {its}");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(
                its.chars().all(is_plain) && !its.ends_with('-'),
                "{name}: {its}"
            );
            let place = text(&object["metadata"], "namespace");
            assert!(!place.is_empty(), "{name}: {its}");
            assert!(
                seen.insert((text(object, "kind"), place, its)),
                "{name}: {its}"
            );
            let labels = object["metadata"]["labels"].as_object().expect("labels");
            assert!(
                labels.contains_key("app.kubernetes.io/instance"),
                "{name}: {its}"
            );
            for (label, value) in labels {
                let value = value.as_str().expect("a text");
                let end = value
                    .chars()
                    .next_back()
                    .is_none_or(|c| c.is_ascii_alphanumeric());
                assert!(value.len() <= 63 && end, "{name}: {label}: {value}");
            }
        }
    });
}

#[test]
fn two_releases_with_long_names_have_no_name_in_common() {
    let case = |end: char| {
        let release = "a".repeat(52) + &end.to_string();
        let values = "{demo: true, dashboards: {enabled: true}}";
        chart::Case::new(values).released_as(&release)
    };
    let Some(both) = chart::render(&[case('a'), case('b')]) else {
        return;
    };
    let names = |nth: usize| {
        both[nth]
            .objects
            .iter()
            .map(name_of)
            .collect::<BTreeSet<_>>()
    };
    assert!(names(0).is_disjoint(&names(1)), "{:?}", names(0));
}

#[test]
fn the_demo_needs_nothing_and_reaches_nothing() {
    let Some(all) = chart::all() else { return };
    for (name, rendering) in all.iter().filter(|(name, _)| name.contains("demo")) {
        for kind in ["Secret", "ConfigMap", "PersistentVolumeClaim", "Pod"] {
            assert!(!rendering.has(kind), "{name}: {kind}");
        }
        assert_eq!(rendering.container()["args"], json!(["demo"]), "{name}");
        if rendering.has("NetworkPolicy") {
            assert_eq!(
                rendering.object("NetworkPolicy", "")["spec"]["egress"],
                json!([])
            );
        }
    }
}
