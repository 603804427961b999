"""Makes frames of the bytes of an event stream."""

import json
from typing import Iterator, List

from .watch_http import CHUNK
from .watch_types import Frame


class Frames:
    """However the bytes are cut."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._type = "message"
        self._data: List[str] = []

    def of(self, chunk: bytes) -> Iterator[Frame]:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line += line
            text = self._line.decode("utf-8").rstrip("\r")
            self._line.clear()
            if text:
                self._field(text)
                continue
            if self._data:
                yield {"event_type": self._type, **json.loads("\n".join(self._data))}
            self._type, self._data = "message", []
        self._line += rest
        if len(self._line) > 1024 * CHUNK:
            raise ValueError("a line without an end")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
