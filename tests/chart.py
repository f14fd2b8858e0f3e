#!/usr/bin/env python3
"""Lints and renders the Helm chart, and says what Kubernetes would not take of it.

    PYTHONPATH=... tests/chart.py < job.json

The job is {"chart": FOLDER, "kubernetes": [VERSION...], "look": WHAT, "cases": [{"values": YAML, "release": NAME,
"namespace": NAME}...]}; a case may have "manifests" instead, which another Helm has rendered. For each case
there is an answer: {"error": TEXT or null, "lint": [TEXT...], "notes": TEXT, "objects": [OBJECT...],
"wrong": [TEXT...]}. How much is looked for is said by "look": nothing but the "error", the "objects" too, or
"all", which takes longest. With "packaged": true the chart is packaged first.

The package helm-python-sdk renders as Helm does, and kubernetes-validate knows the objects of each version of
Kubernetes, of which it takes no key more. The objects of the Prometheus Operator, which are in no schema of
Kubernetes, are held against what its documentation lists.
"""

import functools
import json
import logging
import sys
import tempfile

import helm_python
import jsonschema
import kubernetes_validate
import yaml
from kubernetes_validate import utils

# It reads a file of several megabytes for each object.
utils.schema_contents = functools.lru_cache(None)(utils.schema_contents)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads what Helm prints, and takes no key twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"keys stand twice: {', '.join(sorted(twice))}{node.start_mark}")
        return super().construct_mapping(node, deep)


# Kubernetes reads dates as text.
Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_str)


def some(properties, required=()):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w|y))+$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
KEY_OF = some({"name": TEXT, "key": TEXT, "optional": FLAG}, ["key"])
SELECTOR = some({"matchLabels": TEXTS, "matchExpressions": {"type": "array"}})
EITHER = some({"secret": KEY_OF, "configMap": KEY_OF})
TLS = some(
    {
        "ca": EITHER,
        "cert": EITHER,
        "keySecret": KEY_OF,
        "serverName": TEXT,
        "insecureSkipVerify": FLAG,
        "caFile": TEXT,
        "certFile": TEXT,
        "keyFile": TEXT,
        "minVersion": TEXT,
        "maxVersion": TEXT,
    }
)
ACTIONS = "replace keep drop hashmod labelmap labeldrop labelkeep lowercase uppercase keepequal dropequal"
RELABELING = some(
    {
        "sourceLabels": {"type": "array", "items": TEXT},
        "separator": {"type": "string"},
        "targetLabel": TEXT,
        "regex": {"type": "string"},
        "modulus": {"type": "integer"},
        "replacement": {"type": "string"},
        "action": {"enum": ACTIONS.split()},
    }
)
ENDPOINT = some(
    {
        "port": TEXT,
        "path": TEXT,
        "scheme": {"enum": ["http", "https"]},
        "params": {"type": "object"},
        "interval": DURATION,
        "scrapeTimeout": DURATION,
        "tlsConfig": TLS,
        "basicAuth": some({"username": KEY_OF, "password": KEY_OF}),
        "honorLabels": FLAG,
        "relabelings": {"type": "array", "items": RELABELING},
        "metricRelabelings": {"type": "array", "items": RELABELING},
    },
    ["port"],
)
RULE = some(
    {
        "record": TEXT,
        "alert": TEXT,
        "expr": TEXT,
        "for": DURATION,
        "keep_firing_for": DURATION,
        "labels": TEXTS,
        "annotations": TEXTS,
    },
    ["expr"],
)
GROUP = some(
    {"name": TEXT, "interval": DURATION, "limit": {"type": "integer"}, "rules": {"type": "array", "items": RULE}},
    ["name"],
)
MONITOR = {
    "namespaceSelector": some({"any": FLAG, "matchNames": {"type": "array", "items": TEXT}}),
    "selector": SELECTOR,
    "endpoints": {"type": "array", "items": ENDPOINT, "minItems": 1},
}
METADATA = some({"name": TEXT, "namespace": TEXT, "labels": TEXTS, "annotations": TEXTS}, ["name"])


def custom(spec):
    return some({"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA, "spec": spec}, ["metadata", "spec"])


# https://prometheus-operator.dev/docs/api-reference/api/
CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): custom(some(MONITOR, ["selector", "endpoints"])),
    ("monitoring.coreos.com/v1", "PrometheusRule"): custom(some({"groups": {"type": "array", "items": GROUP}})),
}


@functools.cache
def refusal(text, version):
    """Why this version of Kubernetes does not take an object, given as JSON."""
    thing = json.loads(text)
    own = CUSTOM.get((thing.get("apiVersion"), thing.get("kind")))
    try:
        if own is not None:
            jsonschema.Draft202012Validator(own).validate(thing)
        else:
            kubernetes_validate.validate(thing, version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
    except utils.SchemaNotFoundError as error:
        return error.message
    return None


def wrong(objects, versions):
    for thing in objects:
        name = f"{thing.get('kind')} {thing.get('metadata', {}).get('name')}"
        for version in versions:
            if said := refusal(json.dumps(thing), version):
                yield f"{version}: {name}: {said}"


def objects_of(text):
    return [thing for thing in yaml.load_all(text, Loader) if thing is not None]


def rendered(job, chart, case):
    """What the chart makes of the values of a case: objects, notes and what lint says."""
    if "manifests" in case:
        return objects_of(case["manifests"]), "", []
    values = helm_python.values_from_yaml(case["values"])
    files = chart.render(values, name=case["release"], namespace=case["namespace"], is_install=True)
    objects, notes = [], ""
    if job["look"] == "error":
        return objects, notes, []
    for path, text in sorted(files.items()):
        if path.endswith("NOTES.txt"):
            notes = text
        else:
            objects += objects_of(text)
    if job["look"] == "objects":
        return objects, notes, []
    said = helm_python.lint(job["chart"], values, strict=True, namespace=case["namespace"])
    # An icon is a matter of taste; everything above is not.
    lint = [message["error"] for message in said["messages"] if message["severity"] > 1]
    return objects, notes, lint


def answer(job, chart, case):
    try:
        objects, notes, lint = rendered(job, chart, case)
    except (helm_python.HelmError, yaml.YAMLError) as error:
        return {"error": str(error), "lint": [], "notes": "", "objects": [], "wrong": []}
    return {
        "error": None,
        "lint": lint,
        "notes": notes,
        "objects": objects,
        "wrong": list(wrong(objects, job["kubernetes"])) if job["look"] == "all" else [],
    }


def main():
    job = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        if job.get("packaged"):
            job["chart"] = helm_python.package(job["chart"], destination=folder)
        with helm_python.Chart.load(job["chart"]) as chart:
            json.dump([answer(job, chart, case) for case in job["cases"]], sys.stdout)


if __name__ == "__main__":
    main()
