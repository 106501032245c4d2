"""The lab: network namespaces in which gateways are tried out, for the tests, the demo and the bench.

    lan A -- gateway A -- network between (a router, perhaps with NAT) -- gateway B -- lan B

Python's standard library only. Everything a lab makes carries the pid of its owner in its name,
lives in namespaces of its own and goes with the lab; what a killed owner left is swept up by the
next one. Nothing here waits by sleeping: see wait.py.
"""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
STATE = Path("/run/culvert-lab")  # one folder for each lab: configurations, sockets, logs, captures


def build_dir():
    """Where culvertd and culvert were built; the sanitizer pass of ./check names another folder."""
    return Path(os.environ.get("CULVERT_BUILD", ROOT / "build"))


def long_only(*values):
    """A cell of a parametrized test that only a long run takes."""
    import pytest
    return pytest.param(*values, marks=pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1"))


def long_run():
    return bool(os.environ.get("CULVERT_LONG"))
