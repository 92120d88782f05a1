"""Waiting for a condition, never for time to pass."""
import time


class TimedOut(AssertionError):
    """The condition did not come true in time."""


POLL_FIRST, POLL_MAX = 0.02, 0.1
# A look that takes long itself, such as a program that is started, is not to keep a processor busy.
REST, REST_MAX = 2, 0.5


def until(condition, seconds, what, poll=None):
    """Returns the first true value of condition(), or raises TimedOut that says what did not happen.

    `what` may be a function: it is called at the end, to tell how far things got. Without `poll`, who has waited for long
    looks less often, and so does whose look takes long: others want the processor.
    """
    began = time.monotonic()
    end = began + seconds
    while True:
        asked = time.monotonic()
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > end:
            raise TimedOut(f"not within {seconds:g} s: {what() if callable(what) else what}")
        pause = min(max(POLL_FIRST, (now - began) / 20), POLL_MAX)
        time.sleep(poll or max(pause, min((now - asked) * REST, REST_MAX)))
