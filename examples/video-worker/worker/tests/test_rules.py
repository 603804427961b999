"""The rules over measurements made up for them."""

import unittest

from ..measuring import TILES, Measurements
from ..rules import Rules, region, stretches, touching, verdict


def measured(count=100, **columns):
    plain = {
        "times": [frame / 25 for frame in range(count)],
        "scene_scores": [0.0] * count,
        "darkness": [0.0] * count,
        "changes": [9.0] * count,
        "softness": [[1.5] * TILES for _ in range(count)],
        "blockiness": [[1.0] * TILES for _ in range(count)],
    }
    return Measurements(**{**plain, **columns})


class Findings(unittest.TestCase):
    def test_nothing_is_found_in_an_ordinary_video(self):
        for name, rule in Rules(measured(), 25).all().items():
            self.assertEqual(rule(), [], name)

    def test_darkness_is_neither_a_freeze_nor_a_cut(self):
        dark = [1.0 if 40 <= frame < 60 else 0.0 for frame in range(100)]
        still = [0.0 if 41 <= frame < 60 else 9.0 for frame in range(100)]
        scores = [40.0 if frame in (40, 60) else 0.0 for frame in range(100)]
        rules = Rules(measured(darkness=dark, changes=still, scene_scores=scores), 25)
        self.assertEqual([(found.first, found.last) for found in rules.black_frames()], [(40, 59)])
        self.assertEqual(rules.freezes(), [])
        self.assertEqual(rules.scene_cuts(), [])

    def test_a_freeze_begins_with_the_frame_that_is_repeated(self):
        still = [0.0 if 31 <= frame < 60 else 9.0 for frame in range(100)]
        (freeze,) = Rules(measured(changes=still), 25).freezes()
        self.assertEqual((freeze.first, freeze.last), (30, 59))

    def test_a_blurred_corner_is_found_in_its_corner(self):
        grids = [[1.5] * TILES for _ in range(100)]
        for frame in range(20, 50):
            for tile in (54, 55, 62, 63):
                grids[frame][tile] = 3.6
        (blur,) = Rules(measured(softness=grids), 25).blur()
        self.assertEqual((blur.first, blur.last, blur.box), (20, 49, (6, 6, 8, 8)))
        found = region(blur, [frame / 25 for frame in range(100)], 25)
        self.assertEqual((found["x"], found["y"], found["width"], found["height"]), (0.75, 0.75, 0.25, 0.25))
        self.assertEqual((found["start_time"], found["end_time"]), (0.8, 1.96))

    def test_stretches_bridge_short_gaps_and_drop_short_runs(self):
        flags = [letter == "x" for letter in "xx.xx....x"]
        self.assertEqual(stretches(flags, 2, 1), [(0, 4)])
        self.assertEqual(stretches(flags, 1), [(0, 1), (3, 4), (9, 9)])

    def test_tiles_at_both_ends_of_a_row_do_not_touch(self):
        self.assertEqual(len(touching([(7, 0, 9, 2.0), (8, 0, 9, 2.0)])), 2)

    def test_cuts_alone_are_no_verdict_however_many(self):
        scores = [40.0 if frame % 3 == 1 else 0.0 for frame in range(100)]
        cuts = Rules(measured(scene_scores=scores), 25).scene_cuts()
        self.assertGreater(len(cuts), 30)
        self.assertLess(verdict(cuts), 0.1)


if __name__ == "__main__":
    unittest.main()
