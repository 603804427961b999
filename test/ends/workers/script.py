"""A script that uses the package."""

import json
import os

from telltale_client import Analysis
from work import status, work

plan = json.loads(os.environ["PLAN"])
with Analysis(plan["analysis_id"], attempt_id=plan.get("attempt_id")) as a:
    work(plan, lambda number: a.report(**status(number)), a.raise_if_cancelled)
    a.result(data={"numbers": plan["total"]})
