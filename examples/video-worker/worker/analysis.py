"""One analysis from the file to the verdict, told as it goes."""

import hashlib
import json
import time
from pathlib import Path

from . import ffmpeg, limits, measuring, rules
from .errors import AnalysisError

LIMITS = limits.from_environment()
# A result must stay far below the 1 MiB that an event may have.
MOST_REGIONS = 500
READ_AT_ONCE = 1 << 20


def analyse(source, folder, steps):
    """Analyses the video at `source`; `folder` is an empty one of its own, for what is made on the way."""
    began = time.monotonic()
    steps.status("initializing", 0.0, "Looking for ffmpeg")
    programs = ffmpeg.versions()
    steps.status("initializing", 1.0, f"Ready with {programs['ffmpeg']}")

    path, digest = take_in(Path(source), folder, steps)
    video = ffmpeg.probe(path)
    LIMITS.check_video(video)

    frames = folder / "frames.gray"
    told = _teller(steps, "frame_extraction", "Extracting frames", video.packets)
    count = measuring.extract_frames(path, frames, told, LIMITS)
    if count == 0:
        raise AnalysisError("no_frames", "Not a single frame of the video could be decoded")

    measured = measure(path, frames, count, folder, steps)
    findings = judge(measured, video, steps)

    steps.status("post_processing", 0.0, f"Putting {len(findings)} findings in order")
    result = verdict_of(findings, measured, video, count)
    steps.status("post_processing", 1.0, "Report written")
    fingerprint = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
    # The stage is shown because real workers have it; there is no chain here, and none is pretended.
    steps.status("blockchain_submission", 0.0, "Fingerprint of the report taken (this example submits it nowhere)")
    steps.result(
        **result,
        video_sha256=digest,
        report_sha256=fingerprint,
        processing_time_ms=round((time.monotonic() - began) * 1000),
    )


def take_in(source, folder, steps):
    """A copy that nobody changes or removes while it is looked at, and its SHA-256."""
    if not source.is_file():
        raise AnalysisError("file_missing", "The uploaded file is not where the worker was told to look")
    size = source.stat().st_size
    LIMITS.check_file(size)
    digest = hashlib.sha256()
    copy = folder / f"video{source.suffix}"
    with open(source, "rb") as incoming, open(copy, "wb") as kept:
        while piece := incoming.read(READ_AT_ONCE):
            digest.update(piece)
            kept.write(piece)
            done = kept.tell()
            steps.status("uploading", done / size, f"Taking in the file: {_megabytes(done)} of {_megabytes(size)}")
    if size == 0:
        raise AnalysisError("not_a_video", "The file is empty")
    return copy, digest.hexdigest()


def measure(path, frames, count, folder, steps):
    """Two passes, told as one stage: the filters take nearly all of its time."""
    filters_share = 0.95

    def told_filters(done):
        share = filters_share * min(done / count, 1.0)
        message = f"Measuring frame {min(done, count)} of {count}"
        steps.status("feature_extraction", share, message, min(done, count), count, "frames")

    def told_frames(done):
        share = filters_share + (1 - filters_share) * done / count
        steps.status("feature_extraction", share, f"Comparing frame {done} of {count}", done, count, "frames")

    told_filters(0)
    times, scene_scores, softness, blockiness = measuring.measure_features(path, folder, told_filters, LIMITS)
    darkness, changes = measuring.measure_frames(frames, count, told_frames)
    return measuring.Measurements(times, scene_scores, darkness, changes, softness, blockiness)


def judge(measured, video, steps):
    findings = []
    questions = rules.Rules(measured, video.frame_rate).all()
    for asked, (name, rule) in enumerate(questions.items()):
        message = f"Applying the rule for {name} (no model: plain rules)"
        steps.status("model_inference", asked / len(questions), message)
        findings += rule()
    return sorted(findings, key=lambda finding: (finding.first, finding.kind))


def verdict_of(findings, measured, video, count):
    """The fields of a result_update, and some of our own, which Telltale passes on."""
    conspicuous = rules.verdict(findings)
    is_conspicuous = conspicuous >= 0.5
    kept = sorted(findings, key=lambda finding: -finding.confidence)[:MOST_REGIONS]
    return {
        # The contract asks this of every verdict; here it says that the rules found the video conspicuous, no more.
        "is_fake": is_conspicuous,
        "confidence_score": round(conspicuous if is_conspicuous else 1 - conspicuous, 3),
        "frames_processed": min(count, len(measured.times)),
        "total_frames": count,
        "suspicious_regions": [
            rules.region(finding, measured.times, video.frame_rate)
            for finding in sorted(kept, key=lambda finding: finding.first)
        ],
        "regions_left_out": len(findings) - len(kept),
        "frame_rate": round(video.frame_rate, 3),
        "duration_seconds": video.duration,
        "basis": "Example rules over measurements by ffmpeg. This is no deep-fake detector.",
    }


def _teller(steps, stage, what, expected):
    def told(done):
        # Packets are a good guess at the number of frames, and no more.
        total = max(done, expected)
        steps.status(stage, done / total, f"{what}: {done} of {total}", done, total, "frames")

    told(0)
    return told


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"
