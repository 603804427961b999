"""Judges events by the JSON Schemas that a gateway serves at `/schemas/{event_type}.json`; the package ships them."""

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from .transport import Issue

Schema = Dict[str, Any]
Place = Tuple[object, ...]

MOST_BYTES = 1024 * 1024

TYPES: Dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, (int, float)) and value % 1 == 0,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}

WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class EventRefused(ValueError):
    """Raised in development alone, with `check`: a gateway would refuse the event. `issues` has the fields at fault."""

    def __init__(self, event_type: str, issues: Tuple[Issue, ...]) -> None:
        super().__init__(f"a {event_type} would be refused: {'; '.join(map(str, issues[:10]))}")
        self.event_type = event_type
        self.issues = issues


def check(text: str) -> None:
    """Raises EventRefused if a gateway would refuse the event, which is JSON."""
    event = json.loads(text)
    event_type = str(event.get("event_type"))
    issues = tuple(_issues(event, event_type, len(text.encode())))
    if issues:
        raise EventRefused(event_type, issues)


def _issues(event: Any, event_type: str, size: int) -> Iterator[Issue]:
    schema = _schemas(os.environ.get("STAGES", "")).get(event_type)
    if schema is None:
        yield Issue(("event_type",), "must be status_update, result_update, result or error")
        return
    if size > MOST_BYTES:
        yield Issue((), "must be at most 1 MiB")
    yield from faults(event, schema)


@lru_cache(maxsize=None)
def _schemas(stages: str) -> Dict[str, Schema]:
    """`stages` is the gateway's setting: names with commas between, or `*`; without it the stages are those of the contract."""
    schemas: Dict[str, Schema] = json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))
    names = [name.strip() for name in stages.split(",") if name.strip()]
    if names:
        stage = schemas["status_update"]["properties"]["current_stage"]
        known = stage.pop("enum")
        always = [name for name in known if name in ("queued", "completed", "failed", "cancelled")]
        if names == ["*"]:
            stage["pattern"] = "^[a-z0-9_.-]{1,64}$"
        else:
            stage["enum"] = [*always, *names]
    return schemas


def faults(value: Any, schema: Schema, place: Place = ()) -> Iterator[Issue]:
    """Where the value breaks the schema. Knows the keywords that the schemas of events have, and no others."""
    kinds = schema.get("type")
    if kinds is not None and not any(TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        words = [WORDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
        yield Issue(place, f"must be {_any_of(words)}")
        return
    if "not" in schema and not list(faults(value, schema["not"])):
        yield Issue(place, f"must not be {WORDS.get(schema['not'].get('type'), 'this')}")
    if "const" in schema and value != schema["const"]:
        yield Issue(place, f"must be {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        yield Issue(place, f"must be {_any_of(schema['enum'])}")
    if isinstance(value, str):
        yield from _faults_of_text(value, schema, place)
    elif TYPES["number"](value):
        yield from _faults_of_number(value, schema, place)
    elif isinstance(value, dict):
        yield from _faults_of_object(value, schema, place)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from faults(item, schema["items"], (*place, index))
    choices = [list(faults(value, choice, place)) for choice in schema.get("anyOf", ())]
    if choices and all(choices):
        yield choices[0][0]  # the first is the one that most events mean


def _faults_of_text(value: str, schema: Schema, place: Place) -> Iterator[Issue]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
    if not least <= len(value) <= most:
        yield Issue(place, f"must have {least} to {most} characters")
    pattern = schema.get("pattern")
    if pattern is not None and re.search(_in_python(pattern), value) is None:
        yield Issue(place, "must not be blank" if pattern == r"\S" else f"must match {pattern}")


def _faults_of_number(value: float, schema: Schema, place: Place) -> Iterator[Issue]:
    if value < schema.get("minimum", value):
        yield Issue(place, f"must be at least {max(0, schema['minimum'])}")
    if value > schema.get("maximum", value):
        yield Issue(place, f"must be at most {int(schema['maximum'])}")
    if value <= schema.get("exclusiveMinimum", float("-inf")):
        yield Issue(place, f"must be more than {schema['exclusiveMinimum']}")


def _faults_of_object(value: Dict[str, Any], schema: Schema, place: Place) -> Iterator[Issue]:
    for name in schema.get("required", ()):
        if name not in value:
            yield Issue((*place, name), "is missing")
    for name, member in schema.get("properties", {}).items():
        if name in value:
            yield from faults(value[name], member, (*place, name))


def _in_python(pattern: str) -> str:
    """JavaScript's `\\d` knows ten digits, and its `$` no line break before the end."""
    return pattern.replace(r"\d", "[0-9]").replace("$", r"\Z")


def _any_of(words: List[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
