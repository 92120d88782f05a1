"""Waiting for a condition, never for time to pass."""
import time


class TimedOut(AssertionError):
    """The condition did not come true in time."""


POLL_FIRST, POLL_MAX = 0.02, 0.1


def until(condition, seconds, what, poll=None):
    """Returns the first true value of condition(), or raises TimedOut that says what did not happen.

    `what` may be a function: it is called at the end, to tell how far things got. Without `poll`, who has waited for long
    looks less often: many look into whole logs, or at all metrics, and others want the processor.
    """
    began = time.monotonic()
    end = began + seconds
    while True:
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > end:
            raise TimedOut(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(poll or min(max(POLL_FIRST, (now - began) / 20), POLL_MAX))
