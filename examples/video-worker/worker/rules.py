"""Scoring rules over the measurements. They show the shape of a verdict; they do not recognise deep fakes."""

from dataclasses import dataclass
from math import prod

from .measuring import GRID, TILES

DARK_SHARE = 0.98
SHORTEST_DARK_SECONDS = 0.1
# A frozen picture that was encoded again still flickers by a fraction of a level.
STILL_BELOW = 0.25
SHORTEST_STILL_SECONDS = 0.4
CUT_SCORE = 10.0
# A tile is judged against how it looks in the same shot at its better times: one frame in so many is better.
BETTER_ONE_IN = 4
SOFTER_THAN_USUAL = 1.8
BLOCKIER_THAN_USUAL = 2.0
SHORTEST_TILE_SECONDS = 0.4
# One tile alone is noise more often than not.
FEWEST_TILES = 2
# Runs belong together when they share this much of the frames that either of them covers.
SHARED_FRAMES = 0.6
# So many frames in which a tile does not stand out do not end its stretch.
GAP_FRAMES = 2

# The weight of each kind of finding for the video as a whole, at full confidence.
WEIGHTS = {"black_frames": 0.35, "freeze": 0.35, "scene_cut": 0.05, "blur": 0.45, "blockiness": 0.45}


@dataclass(frozen=True)
class Finding:
    """A stretch of frames, first and last included; the box is left, top, right and bottom in tiles, end excluded."""

    kind: str
    first: int
    last: int
    confidence: float
    box: tuple = (0, 0, GRID, GRID)


class Rules:
    """Judges the measurements of one video; each rule answers with its findings, in order."""

    def __init__(self, measurements, frame_rate):
        self._measured = measurements
        self._count = len(measurements.darkness)
        self._frame_rate = frame_rate or 25.0
        self._dark = [share >= DARK_SHARE for share in measurements.darkness]

    def all(self):
        """The rules by name, in the order in which they are to be asked."""
        return {
            "black frames": self.black_frames,
            "frozen picture": self.freezes,
            "scene cuts": self.scene_cuts,
            "blur": self.blur,
            "blockiness": self.blockiness,
        }

    def black_frames(self):
        return [
            Finding("black_frames", first, last, _mean(self._measured.darkness[first : last + 1]))
            for first, last in stretches(self._dark, self._frames(SHORTEST_DARK_SECONDS))
        ]

    def freezes(self):
        changes = self._measured.changes
        still = [change < STILL_BELOW and not dark for change, dark in zip(changes, self._dark)]
        return [
            # The frame before the first repetition is the one that is repeated.
            Finding("freeze", max(first - 1, 0), last, 1 - _mean(changes[first : last + 1]) / STILL_BELOW / 2)
            for first, last in stretches(still, self._frames(SHORTEST_STILL_SECONDS))
        ]

    def scene_cuts(self):
        scores = self._measured.scene_scores
        return [Finding("scene_cut", at, at, min(1.0, scores[at] / (2 * CUT_SCORE))) for at in self._cuts()]

    def blur(self):
        return self._tile_findings("blur", self._measured.softness, SOFTER_THAN_USUAL)

    def blockiness(self):
        return self._tile_findings("blockiness", self._measured.blockiness, BLOCKIER_THAN_USUAL)

    def _cuts(self):
        scores = self._measured.scene_scores
        # Into and out of the dark is no cut between two scenes.
        return [
            at
            for at in range(1, min(self._count, len(scores)))
            if scores[at] >= CUT_SCORE and not self._dark[at] and not self._dark[at - 1]
        ]

    def _shots(self):
        """Stretches without a cut in them and without darkness."""
        shots = []
        cuts = set(self._cuts())
        for first, last in stretches([not dark for dark in self._dark], 1):
            for at in range(first + 1, last + 1):
                if at in cuts:
                    shots.append((first, at - 1))
                    first = at
            shots.append((first, last))
        return shots

    def _tile_findings(self, kind, grids, factor):
        shortest = self._frames(SHORTEST_TILE_SECONDS)
        findings = []
        for first, last in self._shots():
            runs = []
            for tile in range(TILES):
                values = [grid[tile] for grid in grids[first : last + 1]]
                usual = _better(values)
                if usual == 0:
                    continue
                for begin, end in stretches([value >= factor * usual for value in values], shortest, GAP_FRAMES):
                    strength = _mean(values[begin : end + 1]) / usual
                    runs.append((tile, first + begin, first + end, strength))
            groups = [group for group in touching(runs) if len(group) >= FEWEST_TILES]
            findings += [_tile_finding(kind, group, factor) for group in groups]
        return sorted(findings, key=lambda finding: finding.first)

    def _frames(self, seconds):
        return max(1, round(seconds * self._frame_rate))


def verdict(findings):
    """How conspicuous the video is, 0 to 1: each kind of finding counts once, by its clearest example."""
    clearest = {}
    for finding in findings:
        clearest[finding.kind] = max(clearest.get(finding.kind, 0.0), finding.confidence)
    return 1 - prod(1 - WEIGHTS[kind] * confidence for kind, confidence in clearest.items())


def region(finding, times, frame_rate):
    """A region as the wire contract has it; frames and times of its stretch are fields of our own."""
    left, top, right, bottom = finding.box

    def time_of(frame):
        return round(times[frame] if frame < len(times) else frame / (frame_rate or 25.0), 3)

    return {
        "frame_number": finding.first,
        "x": left / GRID,
        "y": top / GRID,
        "width": (right - left) / GRID,
        "height": (bottom - top) / GRID,
        "confidence": round(min(max(finding.confidence, 0.0), 1.0), 3),
        "region_type": finding.kind,
        "end_frame": finding.last,
        "start_time": time_of(finding.first),
        "end_time": time_of(finding.last),
    }


def stretches(flags, shortest, gap=0):
    """First and last of every run of true flags that is long enough; runs closer than `gap` are one."""
    runs = []
    for at, flag in enumerate(flags):
        if not flag:
            continue
        if runs and at - runs[-1][1] <= gap + 1:
            runs[-1][1] = at
        else:
            runs.append([at, at])
    return [(first, last) for first, last in runs if last - first + 1 >= shortest]


def touching(runs):
    """Groups of runs (tile, first, last, strength) whose tiles touch over much the same frames."""
    groups = []
    for run in runs:
        joined = [group for group in groups if any(_touch(run, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([run, *(other for group in joined for other in group)])
    return groups


def _touch(one, other):
    near = abs(one[0] % GRID - other[0] % GRID) <= 1 and abs(one[0] // GRID - other[0] // GRID) <= 1
    shared = min(one[2], other[2]) - max(one[1], other[1]) + 1
    covered = max(one[2], other[2]) - min(one[1], other[1]) + 1
    return near and shared >= SHARED_FRAMES * covered


def _tile_finding(kind, group, factor):
    columns = [tile % GRID for tile, *_ in group]
    rows = [tile // GRID for tile, *_ in group]
    box = (min(columns), min(rows), max(columns) + 1, max(rows) + 1)
    strongest = max(strength for *_, strength in group)
    first, last = min(run[1] for run in group), max(run[2] for run in group)
    # At the threshold itself one may as well toss a coin.
    return Finding(kind, first, last, min(1.0, 0.5 * strongest / factor), box)


def _better(values):
    """How a tile looks at its better times; 0 when it is too plain to say."""
    told = sorted(value for value in values if value > 0)
    return told[len(told) // BETTER_ONE_IN] if len(told) * 2 > len(values) else 0.0


def _mean(values):
    return sum(values) / len(values)
