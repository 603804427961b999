"""Running ffmpeg on a file that a stranger sent."""

import json
import os
import re
import resource
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction

from .errors import AnalysisError
from .limits import Limits

# A "video" may be a playlist that names other files or addresses: only real containers are opened, only from disk.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv"
SAFE_INPUT = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
# Reading what a container says of itself takes a moment; one that takes longer is made to.
PROBE_SECONDS = 60
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
    try:
        answer = subprocess.run(
            [*command, "-show_entries", entries, "-of", "json", f"file:{path}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired as fault:
        raise AnalysisError("unreadable_video", "The file could not be read in a reasonable time") from fault
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


def run(path, outputs, on_frame, limits=Limits(), graph=(), folder=None):
    """Runs ffmpeg on the video, in `folder`; `on_frame` is told how many frames are done, a few times a second.

    Each of `outputs` is an output with its options. Raises AnalysisError if the video is damaged, or turns out to be
    more than `limits` let through, whatever its container said.
    """
    command = ["ffmpeg", *QUIET, "-progress", "pipe:1", "-stats_period", "0.2", "-max_pixels", str(limits.pixels)]
    # One more than may be, so that it shows whether there was more.
    end = ["-frames:v", str(limits.frames + 1), "-t", str(limits.seconds + 1)]
    arguments = [*graph, *(argument for output in outputs for argument in [*end, *output])]
    # stderr goes to a file: a pipe that nobody empties would block ffmpeg.
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*command, *SAFE_INPUT, "-i", f"file:{path}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limits.written_bytes, limits.written_bytes)),
        )
        try:
            for line in process.stdout:
                frames, seconds = parse_progress(line)
                limits.check_seconds(seconds or 0)
                limits.check_frames(frames or 0)
                if frames is not None:
                    on_frame(frames)
            code = process.wait()
        finally:
            # A limit, or a fault in on_frame, ends ffmpeg as well.
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        if code == -signal.SIGXFSZ:
            raise limits.too_much_written()
        if code != 0:
            complaints.seek(0)
            said = readable(complaints.read().decode(errors="replace"), path)
            raise AnalysisError(
                "unreadable_video", "The video is damaged: ffmpeg gave up on it", {"exit_code": code, "ffmpeg": said}
            )


def parse_progress(line):
    """The number of frames, or the seconds of video, that a line of `-progress` tells; None for what it does not."""
    name, _, value = line.strip().partition("=")
    number = int(value) if re.fullmatch(r" *\d+", value) else None
    return (number if name == "frame" else None), (number / 1e6 if name == "out_time_us" and number else None)


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
