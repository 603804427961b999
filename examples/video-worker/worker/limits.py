"""How much of a stranger's video is looked at. A video that exceeds a limit is refused by name, before it has cost much."""

import os
from dataclasses import dataclass

from .errors import AnalysisError


@dataclass(frozen=True)
class Limits:
    """A small file can hold very much: a second of 5,000 frames takes no more room than one of 25."""

    seconds: float = 900
    frames: int = 36_000
    # In one picture.
    pixels: int = 4096 * 2304
    # In the file that was sent.
    file_bytes: int = 500_000_000
    # In any one file that ffmpeg writes.
    written_bytes: int = 250_000_000
    # The shorter side, in pixels.
    smallest_side: int = 64

    def check_file(self, size):
        if size > self.file_bytes:
            raise _exceeded("file_too_large", f"The file is larger than {self.file_bytes / 1e6:.0f} MB", size, self.file_bytes)

    def check_video(self, video):
        """Looks at what the container says of itself, before a single picture is decoded."""
        self.check_seconds(video.duration or 0)
        self.check_frames(video.packets)
        pixels = video.width * video.height
        if pixels > self.pixels:
            message = f"The picture is larger than {self.pixels / 1e6:.1f} megapixels"
            raise _exceeded("video_too_large", message, pixels, self.pixels)
        if min(video.width, video.height) < self.smallest_side:
            raise AnalysisError(
                "video_too_small",
                f"The picture is smaller than {self.smallest_side} pixels",
                {"width": video.width, "height": video.height},
            )

    def check_seconds(self, seconds):
        if seconds > self.seconds:
            message = f"The video is longer than {self.seconds:.0f} seconds"
            raise _exceeded("video_too_long", message, seconds, self.seconds)

    def check_frames(self, frames):
        if frames > self.frames:
            message = f"The video has more than {self.frames:,} frames"
            raise _exceeded("too_many_frames", message, frames, self.frames)

    def too_much_written(self):
        message = "Looking at the video would take too much room on the disk"
        return AnalysisError("too_much_written", message, {"limit": self.written_bytes})


def from_environment(environment=os.environ):
    plain = Limits()
    return Limits(
        seconds=float(environment.get("VIDEO_MAX_SECONDS", plain.seconds)),
        frames=int(environment.get("VIDEO_MAX_FRAMES", plain.frames)),
        file_bytes=int(float(environment.get("VIDEO_MAX_MB", plain.file_bytes / 1e6)) * 1e6),
    )


def _exceeded(code, message, found, limit):
    return AnalysisError(code, message, {"found": found, "limit": limit})
