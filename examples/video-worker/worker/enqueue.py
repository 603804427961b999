"""Puts one analysis on the queue, for programs that are not written in Python.

    python -m worker.enqueue ANALYSIS_ID PATH

Prints the id of the task; exit code 0 means that it is on the queue.
"""

import argparse
import os
import uuid

from .tasks import analyse_video


def main():
    parser = argparse.ArgumentParser(description="Puts the analysis of a video on the queue.")
    parser.add_argument("analysis_id", metavar="ANALYSIS_ID", type=uuid.UUID)
    parser.add_argument("path", metavar="PATH")
    arguments = parser.parse_args()
    keywords = {"analysis_id": str(arguments.analysis_id), "path": os.path.abspath(arguments.path)}
    # A visitor is waiting for the answer: better a clear refusal than minutes of trying.
    policy = {"max_retries": 3, "interval_start": 0.2, "interval_max": 0.5}
    print(analyse_video.apply_async(kwargs=keywords, retry_policy=policy).id)


if __name__ == "__main__":
    main()
