"""Sends tasks to the queue, and revokes them, as standard input says: one JSON object a line, answered by one line."""

import json
import sys

import tasks

for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "revoke":
        tasks.app.control.revoke(asked["task_id"], terminate=True)
    else:
        keywords = {"plan": asked["plan"], "analysis_id": asked["plan"]["analysis_id"]}
        tasks.app.tasks[f"tasks.{asked['task']}"].apply_async((), keywords, task_id=asked["task_id"], queue=asked["queue"])
    print("done", flush=True)
