"""A program that knows nothing of the package: `telltale run` reads its lines."""

import json
import os

from work import status, work

plan = json.loads(os.environ["PLAN"])


def say(number):
    fields = status(number)
    print(json.dumps({"event_type": "status_update", "current_stage": fields.pop("stage"), **fields}), flush=True)


work(plan, say)
print(json.dumps({"event_type": "result", "data": {"numbers": plan["total"]}}), flush=True)
