# SPDX-License-Identifier: Apache-2.0
"""Settings by keyword, as a configuration file and --set have them."""
import json
import os

from . import _core

_TABLES = ("data.attributes", "data.event_weights", "data.relations", "data.items.vectors")


def literal(value):
    """A value as TOML."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # NumPy's scalars
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(element) for element in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {literal(element)}" for key, element in value.items()) + "}"
    if isinstance(value, (str, os.PathLike)):
        return json.dumps(os.fspath(value), ensure_ascii=False)
    raise TypeError(f"a setting is of type {type(value).__name__}, expected a string, number, bool or list of these")


def written(value):
    """A value as it stands behind --set key=: text without quotes where it means the same."""
    if not isinstance(value, (str, os.PathLike)):
        return literal(value)
    text = os.fspath(value)
    import tomllib

    try:
        tomllib.loads("value = " + text)
    except tomllib.TOMLDecodeError:
        return text
    return literal(text)


def _flat(settings, prefix=""):
    for name, value in settings.items():
        key = prefix + name
        if isinstance(value, dict) and key not in _TABLES:
            yield from _flat(value, key + ".")
        elif value is not None:
            yield key, value


def _tables(key, value):
    if key == "data.event_weights":
        lines = [f"{json.dumps(str(event))} = {literal(weight)}" for event, weight in dict(value).items()]
        return "[data.event_weights]\n" + "\n".join(lines) + "\n"
    entries = ""
    for entry in value:
        fields = {"column": entry} if isinstance(entry, str) else dict(entry)
        entries += f"[[{key}]]\n" + "".join(f"{field} = {literal(v)}\n" for field, v in fields.items())
    return entries


def sources(settings, config=None, device=None, threads=None):
    """The parts of a configuration (pipeline/config/config_sources.h)."""
    result = _core.ConfigSources()
    result.config_file = os.fspath(config) if config is not None else ""
    result.device = device or ""
    result.threads = threads
    assignments, tables = [], ""
    for key, value in _flat(settings):
        if key in _TABLES:
            tables += _tables(key, value)
        else:
            assignments.append(f"{key}={written(value)}")
    result.settings = assignments
    result.tables = tables
    return result
