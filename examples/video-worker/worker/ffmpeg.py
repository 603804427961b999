"""Running ffmpeg on a file that a stranger sent."""

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction

from .errors import AnalysisError

# A "video" may be a playlist that names other files or addresses: only real containers are opened, only from disk.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv"
SAFE_INPUT = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
MOST_PIXELS = 4096 * 2304
QUIET = ["-hide_banner", "-nostdin", "-loglevel", "error"]


@dataclass(frozen=True)
class Video:
    width: int
    height: int
    frame_rate: float
    # As the container tells it, in seconds; None when it does not.
    duration: float | None
    # Packets of the video stream: one for each frame in almost every codec. The frames themselves are counted later.
    packets: int
    codec: str


def versions():
    """The versions of the two programs; raises AnalysisError when one is missing."""
    return {program: _first_line(program) for program in ("ffmpeg", "ffprobe")}


def probe(path):
    """Raises AnalysisError for what is no video."""
    command = ["ffprobe", "-v", "error", *SAFE_INPUT, "-count_packets", "-select_streams", "v:0"]
    entries = "stream=codec_name,width,height,avg_frame_rate,nb_read_packets:format=duration"
    answer = subprocess.run(
        [*command, "-show_entries", entries, "-of", "json", f"file:{path}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if answer.returncode != 0:
        raise AnalysisError(
            "not_a_video", "The file is no video that ffmpeg can read", {"ffprobe": readable(answer.stderr, path)}
        )
    return parse_probe(answer.stdout)


def parse_probe(text):
    answer = json.loads(text)
    if not answer.get("streams"):
        raise AnalysisError("no_video_stream", "The file has no pictures in it")
    stream = answer["streams"][0]
    video = Video(
        width=int(stream.get("width", 0)),
        height=int(stream.get("height", 0)),
        frame_rate=_rate(stream.get("avg_frame_rate", "0/0")),
        duration=_seconds(answer.get("format", {}).get("duration")),
        packets=int(stream.get("nb_read_packets", 0)),
        codec=stream.get("codec_name", "unknown"),
    )
    if video.packets == 0 or video.width == 0 or video.height == 0:
        raise AnalysisError("no_video_stream", "The file has no pictures in it")
    return video


def run(arguments, path, on_frame, folder=None):
    """Runs ffmpeg on the video, in `folder`; `on_frame` is told how many frames are done, a few times a second."""
    command = ["ffmpeg", *QUIET, "-progress", "pipe:1", "-stats_period", "0.2", "-max_pixels", str(MOST_PIXELS)]
    # stderr goes to a file: a pipe that nobody empties would block ffmpeg.
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*command, *SAFE_INPUT, "-i", f"file:{path}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder,
            text=True,
        )
        try:
            for line in process.stdout:
                frames = parse_progress(line)
                if frames is not None:
                    on_frame(frames)
            code = process.wait()
        finally:
            # A time limit or a fault in on_frame ends ffmpeg as well.
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        if code != 0:
            complaints.seek(0)
            said = readable(complaints.read().decode(errors="replace"), path)
            raise AnalysisError(
                "unreadable_video", "The video is damaged: ffmpeg gave up on it", {"exit_code": code, "ffmpeg": said}
            )


def parse_progress(line):
    """The number of frames in a line of `-progress`; None for every other line."""
    name, _, value = line.strip().partition("=")
    return int(value) if name == "frame" and value.strip().isdigit() else None


def readable(complaint, path):
    """The last lines that ffmpeg wrote, without paths and addresses: where things lie here is nobody's business."""
    named = complaint.replace(f"file:{path}", os.path.basename(path))
    lines = re.sub(r" @ 0x[0-9a-f]+", "", named).strip().splitlines()
    return [line[:200] for line in lines[-3:]]


def _first_line(program):
    try:
        answer = subprocess.run([program, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError as fault:
        raise AnalysisError(
            f"{program}_missing", f"{program} is not installed where the worker runs"
        ) from fault
    return answer.stdout.partition("\n")[0].partition(" Copyright")[0]


def _rate(text):
    top, _, bottom = text.partition("/")
    return float(Fraction(int(top), int(bottom))) if bottom not in ("", "0") else 0.0


def _seconds(text):
    return float(text) if text not in (None, "N/A") else None
