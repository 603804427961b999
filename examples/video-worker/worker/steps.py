"""The stages of this worker as shares of the whole, told through the package telltale-client."""

# Where each stage begins, as a share of the whole work.
STAGES = {
    "initializing": 0.0,
    "uploading": 0.02,
    "frame_extraction": 0.07,
    "feature_extraction": 0.35,
    "model_inference": 0.88,
    "post_processing": 0.94,
    "blockchain_submission": 0.98,
    "completed": 1.0,
}


class Steps:
    """Tells how far one analysis is. `analysis` is a telltale_client.Analysis, which sends no more than is worth reading."""

    def __init__(self, analysis):
        self._analysis = analysis
        self._progress = 0.0

    def status(self, stage, done, message, current=None, total=None, unit=None):
        """`done` is how much of the stage is done, 0 to 1. Progress never falls. Raises Cancelled if somebody asked for that."""
        self._analysis.raise_if_cancelled()
        self._progress = max(self._progress, overall_progress(stage, done))
        self._analysis.report(round(self._progress, 4), stage, message, current, total, unit)

    def result(self, **fields):
        self._analysis.result(**fields)


def overall_progress(stage, done):
    """The share of the whole that is done, when `done` (0 to 1) of the stage is."""
    begins = STAGES[stage]
    ends = min((other for other in STAGES.values() if other > begins), default=1.0)
    return begins + (ends - begins) * min(max(done, 0.0), 1.0)
