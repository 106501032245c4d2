"""Datagrams larger than any MTU between LAN hosts, through tunnels whose selectors name a port or ICMP types: fragments
meet the policy of their datagram (RFC 4301 7), whatever the peer thinks of them."""
import os

import pytest

from lab import PYTHON, conf
from lab.topo import INSIDE
from lab.udp import Echo, ask, selectors
from lab.wait import until

pytestmark = pytest.mark.culvert_only
LONG = bool(os.environ.get("CULVERT_LONG"))


def start(lab, kind, side, family, workers=1, child=None, **kw):
    text = conf.simple(side, lab, inner=family, child_more={**selectors(lab, side, family), **(child or {})}, **kw)
    return lab.daemon(kind, side).start(text + (f"culvertd {{\n  workers = {workers}\n}}\n" if kind == "culvert" else ""))


def up(lab, kinds=("culvert", "culvert"), family=4, **kw):
    a, b = start(lab, kinds[0], lab.a, family, **kw), start(lab, kinds[1], lab.b, family, **kw)
    r = a.initiate()
    assert r.ok, f"{r}\n{a.tail()}"
    until(lambda: a.up() and b.up(), "up on both sides")
    return a, b


def drops(d):
    return d.ask("stats")["dataplane"].get("drops", {})


def frag_drops(d):
    return sum(int(n) for k, n in drops(d).items() if k.startswith("dp-frag"))


def check(lab, family, sizes=(100, 4000, 8000)):
    with Echo(lab, family):
        for size in sizes:
            assert ask(lab, size, family, timeout=0.3) == 3, size
    for frm in (lab.a, lab.b):
        lab.ping(frm, size=4000, count=1, df=False, family=family)  # IPv6: what fits is learned
        assert lab.ping(frm, size=4000, count=3, df=False, family=family).lost == 0


@pytest.mark.parametrize("family, encap", [(4, None), (6, "yes")] + [(4, "yes"), (6, None)] * LONG)
def test_agreed(lab, family, encap):
    """Both ours: fragments travel as they are."""
    a, b = up(lab, family=family, encap=encap)
    cap = lab.capture("wanB")
    check(lab, family)
    for d in (a, b):  # IPv6: while the sender learns what fits, a first fragment is too big and the last one is not
        assert {k for k in drops(d) if k.startswith("dp-frag")} <= ({"dp-frag-orphan"} if family == 6 else set())
    cap.assert_protected()
    before = frag_drops(a)
    with Echo(lab, family, 6000):  # another port is not ours: its first fragment went by without us, the others do not
        assert ask(lab, 4000, family, 6000, 1, 0.05) == 0
    until(lambda: frag_drops(a) > before, "the others to be dropped")


@pytest.mark.parametrize("workers", [2] + [4] * LONG)
def test_workers(lab, workers):
    up(lab, workers=workers)
    check(lab, 4)


def test_per_cpu(lab):
    """Flows spread over the workers: all of a datagram meets one that knows its ports."""
    up(lab, workers=3, child=dict(per_cpu_sas="yes"))
    check(lab, 4)
    check(lab, 4)


def test_first_comes_last(lab):
    """On the LAN or on the way, fragments overtake each other."""
    a, b = up(lab)
    with Echo(lab, 4) as echo:
        lab.a.lan.must(f"{PYTHON} {INSIDE} udp-backwards {lab.a.host4} {lab.b.host4} 5000 3000")
        until(lambda: echo.saw(3000), "the whole came")
    assert not frag_drops(a), drops(a)


def test_held(lab):
    """The datagram that brings the tunnel up arrives whole."""
    a, b = (start(lab, "culvert", s, 4, child=dict(start_action="trap")) for s in (lab.a, lab.b))
    until(lambda: a.ask("stats") and b.ask("stats"), "both answer")
    with Echo(lab, 4):
        assert ask(lab, 4000, 4, count=1, timeout=10) == 1
    assert a.up() and b.up()


def test_not_agreed(lab):
    """IKEv1 has no word for it: datagrams are put together first. As with strongSwan, see tests/interop. (In IPv6 the
    gateway behind could not cut them again, for routers do not.)"""
    kw = dict(version=1)
    a, b = (lab.daemon("culvert", s).start(conf.simple(s, lab, child_more=selectors(lab, s, 4, icmp=False), **kw))
            for s in (lab.a, lab.b))
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "up on both sides")
    with Echo(lab, 4):
        for size in (100, 4000, 8000):
            assert ask(lab, size) == 3, size
