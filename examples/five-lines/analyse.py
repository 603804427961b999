"""Tells how it goes, in five lines: analyse.py ANALYSIS_ID"""

import sys
import time

from telltale_client import Analysis

with Analysis(sys.argv[1]) as a:
    for frame in a.track(range(200), stage="frame_extraction", unit="frames"):
        time.sleep(0.02)  # your work on one frame
    a.result(confidence_score=0.97, is_fake=False)
