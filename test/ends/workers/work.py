"""The work of every worker of the table: it says numbers, waits for its turn, says the rest, and ends as its plan says."""

import os
import sys
import time

STAGES = ("frame_extraction", "model_inference")


def work(plan, say, check=lambda: None):
    """`say` publishes a number. Each is noted in the file `said` before, so that a test knows what was to be said."""
    with open(plan["said"], "a", buffering=1) as said:
        said.write(f"pid {os.getpid()}\n")
        for number in range(1, plan["total"] + 1):
            said.write(f"{number}\n")
            say(number)
            time.sleep(plan["pause"])
            while number == plan["hold"] and not os.path.exists(plan["go"]):
                check()
                time.sleep(0.05)
            check()
        said.write(f"end {time.time()}\n")
    if plan["ends"] == "raises":
        raise ValueError("a bad frame")
    if plan["ends"] == "exits":
        sys.exit(3)


def status(number):
    """The stages take turns, so that no number is replaced by the next one before it is sent."""
    return {"progress": min(1.0, number / 1000), "stage": STAGES[number % 2], "number": number}
