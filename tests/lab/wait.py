"""Waiting for a condition, with a deadline. The lab never sleeps for a length of time it guessed."""
import time


class Late(AssertionError):
    """A condition did not come about in time."""


def until(cond, what, timeout=10.0, every=0.03):
    """Calls cond until it gives something true, and gives that back."""
    end = time.monotonic() + timeout
    while True:
        got = cond()
        if got:
            return got
        if time.monotonic() > end:
            raise Late(f"not within {timeout:g} s: {what}")
        time.sleep(every)


def never(cond, what, during):
    """The opposite: cond must stay false for so many seconds (as short as the test allows)."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert not cond(), what
        time.sleep(0.05)
