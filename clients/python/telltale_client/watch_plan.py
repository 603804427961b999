"""When a watch comes back after its connection has ended."""

import random
import re
from typing import Optional

LINK_BROKEN = 1006
# Codes that a client does not come back from.
FINAL = (1009, 4003, 4004, 4400)
# A client comes back from it without its position.
POSITION_GONE = 4010
# Codes that a client comes back from at once, if it is the first time.
AT_ONCE = (4001, 4008, 4009, POSITION_GONE)
LONGEST_BACKOFF = 15.0
# A gateway that was away for long is seen again within five seconds.
LONGEST_AFTER_BREAK = 4.0
# A hint beyond this is taken for a mistake: a watch that waits longer looks dead.
LONGEST_HINT = 300.0
# Pauses after a fresh token that was refused; the third refusal is the last. Clocks and keys come right within a minute.
TOKEN_PAUSES = (8.0, 50.0)


def retry_after(code: int, reason: str, failures: int, token_refusals: int) -> Optional[float]:
    """Seconds until the next connection, after one that ended with this close code; None if there is to be none.

    `failures` are the connections that ended before without having lasted. `token_refusals` are the fresh tokens that were
    refused in a row, this one included; 0 if this connection was established.
    """
    if code == 4003 and "not_declared" in reason:
        return backoff(failures)
    if code in FINAL:
        return None
    if code == 4001 and token_refusals > 0:
        if token_refusals > len(TOKEN_PAUSES):
            return None
        pause = TOKEN_PAUSES[token_refusals - 1]
        return pause + pause * 0.2 * random.random()
    hint = re.search(r"\bretry_after_ms=(\d{1,15})", reason)
    if hint:
        return min(int(hint[1]) / 1000, LONGEST_HINT)
    if code in AT_ONCE and failures == 0:
        return 0.0
    return backoff(failures, LONGEST_AFTER_BREAK if code == LINK_BROKEN else LONGEST_BACKOFF)


def backoff(failures: int, longest: float = LONGEST_BACKOFF) -> float:
    """Full jitter: clients that lost one gateway at once do not come back at once."""
    return random.random() * min(longest, 0.5 * 2.0 ** min(failures, 10))
