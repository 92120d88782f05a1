"""Waiting for a condition, never for time to pass."""
import time


class TimedOut(AssertionError):
    """The condition did not come true in time."""


def until(condition, seconds, what, poll=0.02):
    """Returns the first true value of condition(), or raises TimedOut that says what did not happen.

    `what` may be a function: it is called at the end, to tell how far things got.
    """
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimedOut(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(poll)
