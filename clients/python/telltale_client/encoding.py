"""Encodes events as JSON, whatever a worker puts into them."""

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Tuple

# The gateway takes 64 levels; what lies deeper is written as text.
DEEPEST = 60
# Python refuses to write longer integers in decimal.
MOST_BITS = 14_000
CUT = " … (cut)"


def to_json(value: Any) -> str:
    """JSON text of the value; never raises for what it does not know.

    NaN and Infinity become null. numpy scalars and arrays, Decimal, datetime, timedelta (seconds), UUID, Path, Enum, bytes,
    sets and dataclasses are understood. Anything else is written as its `str()`.
    """
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def plain(value: Any, around: Tuple[int, ...] = ()) -> Any:
    """The value in types that JSON has. `around` has the ids of the containers that hold it."""
    try:
        return _plain(value, around)
    except Exception:
        return text_of(value)  # one that cannot be read must not take the event with it


def _plain(value: Any, around: Tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, str)) and not isinstance(value, Enum):
        return _whole(value) if isinstance(value, str) else value
    if isinstance(value, Enum):
        return plain(value.value, around)
    if isinstance(value, int):
        return int(value) if value.bit_length() < MOST_BITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (uuid.UUID, PurePath)):
        return _whole(str(value))
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return _container(value, around)


def _container(value: Any, around: Tuple[int, ...]) -> Any:
    if id(value) in around:
        return None
    if len(around) >= DEEPEST:
        return text_of(value)
    within = (*around, id(value))
    if isinstance(value, Mapping):
        return {_key(key): plain(item, within) for key, item in list(value.items())}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, within) for item in list(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), within) for field in fields(value)}
    for method in ("tolist", "item"):  # numpy and torch, without importing them
        convert = getattr(value, method, None)
        if callable(convert) and not isinstance(value, type):
            try:
                return plain(convert(), within)
            except Exception:
                break
    if isinstance(value, Iterable) and isinstance(value, (range, type({}.keys()), type({}.values()))):
        return [plain(item, within) for item in value]
    return text_of(value)


def _key(key: Any) -> str:
    known = plain(key)
    return known if isinstance(known, str) else json.dumps(known, ensure_ascii=False)


def _number(value: Decimal) -> Any:
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and abs(value) < 10**30:
        return int(value)
    near = float(value)
    return near if math.isfinite(near) else str(value)


def shortened(text: str, most: int) -> str:
    """At most so many characters: as it is, or its beginning and a mark that says that it was cut."""
    return text if len(text) <= most else text[: most - len(CUT)] + CUT


def text_of(value: Any) -> str:
    """Its `str()`, or the name of its type if that raises."""
    try:
        return _whole(str(value))
    except Exception:
        return f"<{type(value).__name__}>"


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which UTF-8 cannot hold."""
    try:
        text.encode("utf-8")
        return str(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
