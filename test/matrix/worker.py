"""A worker with nothing but Python's own library: posts numbered events, the last of them the result."""

import json
import os
import urllib.request

URL = os.environ["TELLTALE_URL"] + "/v1/analyses/" + os.environ["ANALYSIS_ID"] + "/events"
HEADERS = {"Authorization": "Bearer " + os.environ["TELLTALE_TOKEN"], "Content-Type": "application/json"}
STATUS = {"event_type": "status_update", "task_id": "task-1", "current_stage": "frame_extraction", "progress": 0.5}
RESULT = {
    "event_type": "result_update",
    "confidence_score": 0.9,
    "frames_processed": 9,
    "total_frames": 9,
    "is_fake": True,
}

for number in range(1, 6):
    event = dict(RESULT if number == 5 else STATUS, number=number, message="number %d" % number)
    request = urllib.request.Request(URL, json.dumps(event).encode(), HEADERS)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202, answer.status
