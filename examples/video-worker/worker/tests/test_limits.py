"""The worker refuses a stranger's video by what it says of itself, and by what it turns out to be."""

import shutil
import subprocess
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from .. import ffmpeg, measuring
from ..errors import AnalysisError
from ..limits import Limits, from_environment

VIDEO = ffmpeg.Video(width=640, height=360, frame_rate=25, duration=10.0, packets=250, codec="h264")


class Said(unittest.TestCase):
    def refusal(self, limits=Limits(), **fields):
        with self.assertRaises(AnalysisError) as refused:
            limits.check_video(replace(VIDEO, **fields))
        self.assertTrue(refused.exception.message)
        return refused.exception.code

    def test_an_ordinary_video_is_taken(self):
        Limits().check_video(VIDEO)
        Limits().check_video(replace(VIDEO, duration=None))

    def test_each_limit_is_named(self):
        self.assertEqual(self.refusal(duration=901.0), "video_too_long")
        self.assertEqual(self.refusal(packets=100_000, frame_rate=5000.0, duration=20.0), "too_many_frames")
        self.assertEqual(self.refusal(width=16_384, height=16_384), "video_too_large")
        self.assertEqual(self.refusal(height=32), "video_too_small")

    def test_a_file_is_weighed_before_it_is_copied(self):
        with self.assertRaises(AnalysisError) as refused:
            Limits(file_bytes=10).check_file(11)
        self.assertEqual(refused.exception.code, "file_too_large")

    def test_the_environment_moves_the_limits(self):
        limits = from_environment({"VIDEO_MAX_SECONDS": "5", "VIDEO_MAX_FRAMES": "7", "VIDEO_MAX_MB": "1.5"})
        self.assertEqual((limits.seconds, limits.frames, limits.file_bytes), (5, 7, 1_500_000))
        self.assertEqual(from_environment({}), Limits())


@unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg is not installed")
class TurnedOut(unittest.TestCase):
    """The limits hold while ffmpeg runs, whatever the container said."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.video = cls.folder / "fast.mp4"
        # Four seconds at 5,000 frames a second: 20,000 frames, 104 MB as small grey pictures.
        source = ["-f", "lavfi", "-i", "color=gray:size=64x64:rate=5000:duration=4"]
        encode = ["-c:v", "libx264", "-preset", "ultrafast", "-y", cls.video]
        subprocess.run(["ffmpeg", "-v", "error", *source, *encode], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def refusal(self, limits):
        frames = self.folder / "frames.gray"
        with self.assertRaises(AnalysisError) as refused:
            measuring.extract_frames(self.video, frames, lambda done: None, limits)
        written = frames.stat().st_size
        frames.unlink()
        return refused.exception.code, written

    def test_a_small_file_of_very_many_frames_writes_little(self):
        self.assertLess(self.video.stat().st_size, 5_000_000)
        code, written = self.refusal(Limits(frames=1_000))
        self.assertEqual(code, "too_many_frames")
        self.assertLessEqual(written, 1_001 * measuring.SMALL_BYTES)

    def test_one_that_is_longer_than_it_said_is_ended(self):
        code, written = self.refusal(Limits(seconds=0.5))
        self.assertEqual(code, "video_too_long")
        self.assertLessEqual(written, 7_600 * measuring.SMALL_BYTES)

    def test_no_file_grows_beyond_its_bytes(self):
        code, written = self.refusal(Limits(written_bytes=1_000_000))
        self.assertEqual(code, "too_much_written")
        self.assertLessEqual(written, 1_000_000)

    def test_the_measuring_pass_has_the_same_limits(self):
        with self.assertRaises(AnalysisError) as refused:
            measuring.measure_features(self.video, self.folder, lambda done: None, Limits(frames=100))
        self.assertEqual(refused.exception.code, "too_many_frames")
        self.assertLessEqual((self.folder / "scores.txt").read_text().count("frame:"), 200)


if __name__ == "__main__":
    unittest.main()
