"""Measures every frame of a video, with ffmpeg's filters and plain Python."""

import math
from dataclasses import dataclass
from operator import sub
from statistics import median

from . import ffmpeg
from .limits import Limits

# Frames are extracted as small grey pictures: enough to tell dark from light and moving from still.
SMALL_WIDTH, SMALL_HEIGHT = 96, 54
SMALL_BYTES = SMALL_WIDTH * SMALL_HEIGHT
# Where something is lies on a grid of GRID x GRID tiles over the picture.
GRID = 8
TILES = GRID * GRID
# Black lies at 16 in most videos, at 0 in some.
DARK_BELOW = 32
# The coding blocks of almost every codec are so many pixels wide, or a multiple of it.
BLOCK = 8
# A tile with fewer coarse edges is too plain to say whether it is blurred.
PLAIN_BELOW = 12
# Fine edges, coarse edges, and the steps between neighbouring pixels at each place within a block.
GRIDS_PER_FRAME = 2 + BLOCK

_DARK = bytes(level < DARK_BELOW for level in range(256))
_TILE_WIDTH = SMALL_WIDTH // GRID
_ROWS_OF_BAND = [
    [row * SMALL_WIDTH for row in range(SMALL_HEIGHT) if row * GRID // SMALL_HEIGHT == band] for band in range(GRID)
]


@dataclass
class Measurements:
    """One entry for each frame; grids are rows of GRID tiles, from the top left."""

    times: list  # seconds
    scene_scores: list  # 0 to 100: how much of a cut lies between this frame and the one before
    darkness: list  # 0 to 1: the share of dark pixels
    changes: list  # 0 to 255: how much the tile that changed most differs from the frame before
    softness: list  # grids: coarse edges to fine edges; rises where a tile is blurred; 0 if there is nothing to see
    blockiness: list  # grids: steps at the edges of blocks to steps elsewhere; rises where blocks show


def extract_frames(video_path, frames_path, on_frame, limits=Limits()):
    """Decodes every frame once and keeps it as a small grey picture; answers how many there are."""
    size = f"{SMALL_WIDTH}:{SMALL_HEIGHT}"
    picture = ["-map", "0:v:0", "-vf", f"scale={size}:flags=area,format=gray", "-fps_mode", "passthrough"]
    ffmpeg.run(video_path, [[*picture, "-f", "rawvideo", "-y", frames_path]], on_frame, limits)
    return frames_path.stat().st_size // SMALL_BYTES


def measure_features(video_path, folder, on_frame, limits=Limits()):
    """ffmpeg's scene score of every frame, and its edges and block edges by tile, at full size."""
    scores, grids = folder / "scores.txt", folder / "grids.gray"
    one_by_one = ["-fps_mode", "passthrough"]
    # The file's name stands in the filter graph, where a path would have to be escaped.
    graph = ["-filter_complex", filter_graph(scores.name)]
    scored = ["-map", "[scored]", *one_by_one, "-f", "null", "-"]
    gridded = ["-map", "[grids]", *one_by_one, "-f", "rawvideo", "-y", grids]
    ffmpeg.run(video_path, [scored, gridded], on_frame, limits, graph, folder)
    times, scene_scores = parse_scores(scores.read_text())
    softness, blockiness = read_grids(grids.read_bytes())
    return times, scene_scores, softness, blockiness


def filter_graph(scores_name):
    """Tiles come from scaling: the mean over a tile is what is left of it when the picture is GRID pixels wide."""
    tiles = f"scale={GRID}:{GRID}:flags=area"
    names = "".join(f"[step{place}]" for place in range(BLOCK))
    # Steps are small numbers: spread, they survive the rounding to whole levels.
    graph = [
        f"[0:v:0]split[whole][picture];[whole]scdet=threshold=100,metadata=print:file={scores_name}[scored]",
        "[picture]format=gray,split=4[a][b][left][right]",
        f"[a]sobel,{tiles}[fine]",
        f"[b]scale=iw/4:ih/4:flags=area,sobel,{tiles}[coarse]",
        "[left]crop=iw-1:ih:0:0[l];[right]crop=iw-1:ih:1:0[r]",
        f"[l][r]blend=all_mode=difference,lutyuv=y=val*6,split={BLOCK}{names}",
    ]
    for place in range(BLOCK):
        # Every eighth column, beginning at another one each time.
        width = f"floor(iw/{BLOCK}-1)*{BLOCK}"
        graph.append(
            f"[step{place}]crop={width}:ih:{place}:0:exact=1,scale=iw/{BLOCK}:ih:flags=neighbor,{tiles}[s{place}]"
        )
    stacked = "[fine][coarse]" + "".join(f"[s{place}]" for place in range(BLOCK))
    graph.append(f"{stacked}vstack=inputs={GRIDS_PER_FRAME}[grids]")
    return ";".join(graph)


def parse_scores(text):
    """Times and scene scores from what the filter `metadata=print` wrote; what is not a number counts as 0."""
    times, scores = [], []
    for line in text.splitlines():
        if line.startswith("frame:"):
            times.append(_number(line.rpartition("pts_time:")[2]))
            scores.append(0.0)
        elif line.startswith("lavfi.scd.score=") and scores:
            scores[-1] = _number(line.partition("=")[2])
    return times, scores


def read_grids(data):
    """Softness and blockiness of every tile of every frame."""
    softness, blockiness = [], []
    size = GRIDS_PER_FRAME * TILES
    for start in range(0, len(data) - size + 1, size):
        grids = [data[start + index * TILES : start + (index + 1) * TILES] for index in range(GRIDS_PER_FRAME)]
        fine, coarse, *steps = grids
        softness.append([(c + 2) / (f + 2) if c >= PLAIN_BELOW else 0.0 for f, c in zip(fine, coarse)])
        blockiness.append([(max(at) + 6) / (median(at) + 6) for at in zip(*steps)])
    return softness, blockiness


def measure_frames(frames_path, count, on_frame):
    """How dark each extracted frame is, and how much it differs from the one before."""
    darkness, changes = [], []
    before = None
    with open(frames_path, "rb") as frames:
        for number in range(count):
            frame = frames.read(SMALL_BYTES)
            darkness.append(sum(frame.translate(_DARK)) / SMALL_BYTES)
            changes.append(255.0 if before is None else greatest_change(before, frame))
            before = frame
            on_frame(number + 1)
    return darkness, changes


def greatest_change(before, frame):
    """The mean difference in the tile that differs most."""
    if before == frame:
        return 0.0
    difference = list(map(abs, map(sub, before, frame)))
    greatest = 0.0
    for rows in _ROWS_OF_BAND:
        for left in range(0, SMALL_WIDTH, _TILE_WIDTH):
            total = sum(sum(difference[row + left : row + left + _TILE_WIDTH]) for row in rows)
            greatest = max(greatest, total / (len(rows) * _TILE_WIDTH))
    return greatest


def _number(text):
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
