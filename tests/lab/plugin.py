"""What every pytest folder of the lab shares: fixtures, a time limit for each test, logs of failures.
tests/conftest.py loads it. `--stand-in` puts strongSwan wherever a test asks for culvert:
the proof that a test itself is right."""
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from . import build_dir
from .ns import sweep
from .topo import Lab


class TooLong(BaseException):
    """Not an Exception: nothing in a test may swallow it."""


def pytest_addoption(parser):
    parser.addoption("--stand-in", action="store_true",
                     help="strongSwan in the place of culvert (proves the tests themselves)")
    parser.addoption("--logs", default=None, help="folder for logs of failed tests")
    parser.addoption("--shard", default="0/1", metavar="K/N", help="only the K-th of N shares of the tests, from 0")


def pytest_configure(config):
    def ended(signum, frame):
        raise KeyboardInterrupt(f"signal {signum}")  # pytest then ends fixtures in order
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)


def share(config, items):
    """Every N-th test: neighbours, which cost alike, come to different shards."""
    k, n = map(int, config.getoption("--shard").split("/"))
    kept = [i for at, i in enumerate(items) if at % n == k]
    config.hook.pytest_deselected(items=[i for at, i in enumerate(items) if at % n != k])
    items[:] = kept


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    share(config, items)
    if not any({"e2e", "interop"} & set(Path(i.path).parts) for i in items):
        return
    if os.geteuid() != 0:
        pytest.exit("the lab needs root: network namespaces", 2)
    sweep()
    if config.getoption("--stand-in"):
        for i in items:
            if i.get_closest_marker("culvert_only"):
                i.add_marker(pytest.mark.skip(reason="only culvertd can do this"))
    elif not (build_dir() / "culvertd").exists():
        pytest.exit(f"{build_dir() / 'culvertd'} is not built", 2)


def limit(item):
    m = item.get_closest_marker("seconds")
    return m.args[0] if m else 60


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """A limit for set-up, test and tear-down of each test together."""
    def late(signum, frame):
        raise TooLong(f"longer than {limit(item)} s")
    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit(item))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    rep = outcome.get_result()
    if rep.failed:
        lab = item.funcargs.get("lab") or getattr(item.funcargs.get("pair"), "lab", None)
        if lab is not None and lab.spaces:
            where = logs_of(item)
            lab.save_logs(where)
            rep.sections.append(("logs", str(where)))
            for d in lab.daemons:
                rep.sections.append((f"{d.kind} on gateway {d.side.name}", d.tail(60)))


def logs_of(item):
    top = Path(item.config.getoption("--logs") or build_dir() / "lab-logs")
    where = top / re.sub(r"[^\w.-]+", "_", item.nodeid)[-120:]
    shutil.rmtree(where, ignore_errors=True)
    return where


@pytest.fixture
def new_lab():
    """A maker of labs; all of them are gone after the test."""
    made = []

    def make(**kw):
        made.append(Lab(**kw))
        return made[-1]
    yield make
    for l in made:
        l.close()


@pytest.fixture
def lab(new_lab):
    return new_lab()


@pytest.fixture(scope="session")
def culvert(request):
    """The kind of daemon that stands where culvert is meant."""
    return "strongswan" if request.config.getoption("--stand-in") else "culvert"
