"""The worker reads the output of ffmpeg, byte for byte as ffmpeg writes it."""

import unittest

from .. import ffmpeg, measuring
from ..errors import AnalysisError


class Progress(unittest.TestCase):
    def test_one_line_tells_frames_and_one_tells_the_time(self):
        lines = ["frame=62\n", "frame= 62\n", "fps=165.80\n", "out_time_us=10480000\n", "out_time_us=N/A\n", "\n"]
        told = [(62, None), (62, None), (None, None), (None, 10.48), (None, None), (None, None)]
        self.assertEqual([ffmpeg.parse_progress(line) for line in lines], told)


class Probe(unittest.TestCase):
    STREAM = (
        '{"codec_name": "h264", "width": 640, "height": 360,'
        ' "avg_frame_rate": "30000/1001", "nb_read_packets": "320"}'
    )

    def test_a_video_is_described(self):
        video = ffmpeg.parse_probe(f'{{"streams": [{self.STREAM}], "format": {{"duration": "12.800000"}}}}')
        self.assertEqual((video.width, video.height, video.packets, video.duration), (640, 360, 320, 12.8))
        self.assertAlmostEqual(video.frame_rate, 29.97, places=3)

    def test_a_recording_may_not_know_how_long_it_is(self):
        video = ffmpeg.parse_probe(f'{{"streams": [{self.STREAM}], "format": {{}}}}')
        self.assertIsNone(video.duration)

    def test_a_song_has_no_pictures(self):
        with self.assertRaises(AnalysisError) as refused:
            ffmpeg.parse_probe('{"streams": [], "format": {"duration": "180.0"}}')
        self.assertEqual(refused.exception.code, "no_video_stream")


class Scores(unittest.TestCase):
    def test_every_frame_has_a_time_and_a_score(self):
        text = (
            "frame:0    pts:0       pts_time:0\n"
            "lavfi.scd.mafd=0.000\n"
            "lavfi.scd.score=0.000\n"
            "frame:1    pts:512     pts_time:0.04\n"
            "lavfi.scd.mafd=42.723\n"
            "lavfi.scd.score=41.801\n"
        )
        self.assertEqual(measuring.parse_scores(text), ([0.0, 0.04], [0.0, 41.801]))

    def test_what_is_no_number_reaches_nobody(self):
        text = "frame:0    pts:NOPTS   pts_time:NOPTS\nlavfi.scd.score=-nan\n"
        self.assertEqual(measuring.parse_scores(text), ([0.0], [0.0]))


class Frames(unittest.TestCase):
    def test_a_change_in_one_tile_counts_in_full(self):
        before = bytes(measuring.SMALL_BYTES)
        frame = bytearray(before)
        for row in range(6):
            start = row * measuring.SMALL_WIDTH
            frame[start : start + 12] = bytes([10]) * 12
        self.assertGreater(measuring.greatest_change(before, bytes(frame)), 8)
        self.assertEqual(measuring.greatest_change(before, before), 0.0)

    def test_blocks_are_seen_in_the_tile_where_they_are(self):
        grids = [bytearray([20]) * measuring.TILES for _ in range(measuring.GRIDS_PER_FRAME)]
        # At one place of eight the steps are higher: the edge of a block.
        grids[2 + 7][5] = 120
        softness, blockiness = measuring.read_grids(b"".join(grids))
        self.assertEqual(blockiness[0].index(max(blockiness[0])), 5)
        self.assertEqual(set(softness[0]), {1.0})


if __name__ == "__main__":
    unittest.main()
