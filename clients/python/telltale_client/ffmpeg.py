"""Runs ffmpeg, and tells how far it is."""

import json
import os
import subprocess
import tempfile
from typing import Any, List, Optional, Sequence, Tuple, Union

from .analysis import Analysis

Argument = Union[str, "os.PathLike[str]"]

STOP_SECONDS = 10.0
LINES_KEPT = 5


class FfmpegFailed(Exception):
    """ffmpeg ended with an exit code other than 0. The message is its last line; `error_details` has the last five."""

    error_code = "ffmpeg_failed"

    def __init__(self, exit_code: int, said: List[str]) -> None:
        super().__init__(said[-1] if said else f"ffmpeg ended with exit code {exit_code}")
        self.exit_code = exit_code
        self.error_details = {"exit_code": exit_code, "ffmpeg": said}


def run(
    analysis: Analysis,
    command: Sequence[Argument],
    stage: Optional[str] = None,
    *,
    seconds: Optional[float] = None,
    message: Optional[str] = None,
    span: Tuple[float, float] = (0.0, 1.0),
    **options: Any,
) -> None:
    """Runs the command, whose first word is ffmpeg, until it ends. Raises FfmpegFailed, or Cancelled after it has stopped.

    The counts are the seconds of video that are written, of `seconds` in all: the length of the first input by ffprobe if that is
    left out, and unknown if ffprobe does not know it. `options` are those of `subprocess.Popen`.
    """
    words = [os.fspath(word) for word in command]
    total = duration_of(words) if seconds is None else seconds
    told = [words[0], "-nostdin", "-progress", "pipe:1", "-nostats", *words[1:]]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            told, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True, **options
        )
        try:
            _follow(analysis, process, total, stage, message, span)
            code = process.wait()
        finally:
            _stop(process)
        if code != 0:
            complaints.seek(0)
            raise FfmpegFailed(code, _last_lines(complaints.read()))


def _follow(
    analysis: Analysis,
    process: "subprocess.Popen[str]",
    total: Optional[float],
    stage: Optional[str],
    message: Optional[str],
    span: Tuple[float, float],
) -> None:
    begins, ends = span
    for line in process.stdout or ():
        analysis.raise_if_cancelled()
        written = seconds_of(line)
        if written is None:
            continue
        current = min(written, total) if total else written
        progress = begins + (ends - begins) * current / total if total else None
        analysis.report(progress, stage, message, round(current, 2), round(total, 2) if total else None, "s")


def seconds_of(line: str) -> Optional[float]:
    """The seconds of video that a line of `-progress` tells; None for one that tells something else."""
    name, _, value = line.strip().partition("=")
    try:
        return max(0.0, int(value) / 1e6) if name == "out_time_us" else None
    except ValueError:
        return None  # N/A before the first frame


def duration_of(words: Sequence[str]) -> Optional[float]:
    """The length of the first input in seconds; None if ffprobe does not know it. `-t` before the output is the caller's to say."""
    if "-i" not in words:
        return None
    place = words.index("-i")
    source = words[place + 1 : place + 2]
    probe = os.path.join(os.path.dirname(words[0]), "ffprobe")
    form = words[words.index("-f") + 1 : words.index("-f") + 2] if "-f" in words[:place] else []
    asked = [probe, "-v", "error", "-print_format", "json", "-show_format", *(["-f", *form] if form else []), *source]
    try:
        answer = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return float(json.loads(answer.stdout)["format"]["duration"]) or None
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        return None


def _stop(process: "subprocess.Popen[str]") -> None:
    """SIGTERM lets ffmpeg close its files."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _last_lines(said: bytes) -> List[str]:
    return [line[:300] for line in said.decode(errors="replace").strip().splitlines()[-LINES_KEPT:]]
