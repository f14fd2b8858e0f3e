#!/usr/bin/env python3
"""Reads dashboards into Grafana's own types, and says what these do not have.

    PYTHONPATH=... tests/grafana_types.py dashboards/*.json

The package grafana-foundation-sdk reads what it knows and drops the rest, and it does not look at
the types of plain values. So what it read is written again and held against the file, and each value
against the type that is declared for it.
"""

import enum
import json
import re
import sys
import types
import typing

from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

# What Grafana reads and writes though its schema does not have it.
OPEN = {
    # What the list of variables shows of a query.
    "templating.list[].definition",
    # Of a query of Prometheus for annotations; the schema has those of all sources in common.
    "annotations.list[].step",
    "annotations.list[].titleFormat",
    "annotations.list[].textFormat",
    "annotations.list[].tagKeys",
    "annotations.list[].useValueForTime",
}


def written(value):
    return json.loads(json.dumps(value, cls=JSONEncoder))


def differing(path, given, kept):
    """What of a value in the file was dropped or changed by reading it."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            place = f"{path}.{key}" if path else key
            if key not in kept:
                if value is not None:
                    yield place, "there is no such key"
            else:
                yield from differing(place, value, kept[key])
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (value, other) in enumerate(zip(given, kept)):
            yield from differing(f"{path}[{number}]", value, other)
    elif given != kept or isinstance(given, bool) != isinstance(kept, bool):
        yield path, f"{given!r} is read as {kept!r}"


def fits(value, hint):
    """Whether a plain value is of a declared type."""
    if hint in (float, int):
        is_number = isinstance(value, int) or (hint is float and isinstance(value, float))
        return is_number and not isinstance(value, bool)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return any(value == member.value for member in hint)
    return isinstance(value, hint)


def untyped(path, value, hint):
    """Where a value is not of the type that is declared for it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (typing.Any, object) and not hasattr(value, "to_json"):
        return
    if origin in (typing.Union, types.UnionType):
        tried = [list(untyped(path, value, one)) for one in arguments]
        yield from min(tried, key=len)
    elif origin is typing.Literal:
        if value not in arguments:
            yield path, f"{value!r} is none of {arguments}"
    elif origin is list:
        if not isinstance(value, list):
            yield path, f"{value!r} is no list"
            return
        for number, one in enumerate(value):
            yield from untyped(f"{path}[{number}]", one, arguments[0])
    elif origin is dict:
        if not isinstance(value, dict):
            yield path, f"{value!r} is no object"
            return
        for key, one in value.items():
            yield from untyped(f"{path}.{key}", one, arguments[1])
    elif hasattr(value, "to_json"):
        for name, declared in typing.get_type_hints(type(value)).items():
            yield from untyped(f"{path}.{name}" if path else name, getattr(value, name), declared)
    elif hasattr(hint, "from_json") and isinstance(value, dict):
        # The package leaves some parts as they are.
        read = hint.from_json(value)
        yield from differing(path, value, written(read))
        yield from untyped(path, read, hint)
    elif hint is type(None):
        if value is not None:
            yield path, f"{value!r} is something"
    elif isinstance(hint, type) and not fits(value, hint):
        yield path, f"{value!r} is no {hint.__name__}"


def unknown(path, panel):
    """What nobody reads: panels, data sources and properties of a field without a type of their own."""
    kind = panel.get("type")
    if kind == "row":
        return
    if runtime.panelcfg_config(kind) is None:
        yield path, f"there is no panel {kind}"
        return
    known = written(dashboard.FieldConfig())
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for one in override.get("properties", []):
            name, value = one.get("id", ""), one.get("value")
            config = dashboard.FieldConfig.from_json({name: value}) if not name.startswith("custom.") else None
            if config is not None and written(config) == known:
                yield f"{path}.fieldConfig.overrides", f"there is no property {name}"
    for number, target in enumerate(panel.get("targets", [])):
        read = runtime.dataquery_from_json(target, "prometheus")
        yield from differing(f"{path}.targets[{number}]", target, written(read))
        yield from untyped(f"{path}.targets[{number}]", read, type(read))


def mistakes(text):
    given = json.loads(text)
    read = dashboard.Dashboard.from_json(given)
    yield from differing("", given, written(read))
    yield from untyped("", read, dashboard.Dashboard)
    for number, panel in enumerate(given.get("panels", [])):
        yield from unknown(f"panels[{number}]", panel)
        for inner, one in enumerate(panel.get("panels", [])):
            yield from unknown(f"panels[{number}].panels[{inner}]", one)


def is_open(path):
    return re.sub(r"\[\d+\]", "[]", path) in OPEN


def main(files):
    plugins.register_default_plugins()
    found = 0
    for file in files:
        with open(file, encoding="utf-8") as opened:
            for path, what in mistakes(opened.read()):
                if not is_open(path):
                    found += 1
                    print(f"{file}: {path}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
