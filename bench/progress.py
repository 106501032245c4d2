"""What a long measurement says on the way, on stderr: how late it is and how far. Called by all parts of the bench."""
import sys
import time

_begin = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - _begin:5.0f} s] {text}", file=sys.stderr, flush=True)


class Steps:
    """So many measurements of one section."""

    def __init__(self, section, total):
        self.section, self.total, self.done = section, total, 0

    def step(self, text):
        self.done += 1
        say(f"{self.section} {self.done}/{self.total}: {text}")
