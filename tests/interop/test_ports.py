"""Selectors with ports, and datagrams larger than the MTU, to strongSwan: it does not agree to later fragments, so whole
datagrams are protected (RFC 4301 7.3), and the outer packets are cut."""
import pytest

from lab import conf
from lab.topo import Lab
from lab.udp import Echo, ask, selectors
from lab.wait import until


def both(lab, kinds):
    a, b = (lab.daemon(kind, s).start(conf.simple(s, lab, child_more=selectors(lab, s, 4)))
            for kind, s in zip(kinds, (lab.a, lab.b)))
    return a, b


def check(lab, a, b):
    until(lambda: a.up() and b.up(), "up on both sides")
    with Echo(lab, 4) as echo:
        assert ask(lab, 1000) == 3, a.tail(20)
        for size in (4000, 8000):
            ask(lab, size, count=1, timeout=0.1)  # what comes back is cut by B's host: the peer may not know its fragments
            assert echo.saw(size), a.tail(20)
    for frm in (lab.a, lab.b):
        assert lab.ping(frm, count=3).lost == 0


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_strongswan(lab, culvert, role):
    a, b = both(lab, (culvert, "strongswan"))
    first = a if role == "initiator" else b
    assert first.initiate().ok, f"{a.tail()}\n{b.tail()}"
    check(lab, a, b)
    if culvert == "culvert":
        assert ("NON_FIRST_FRAG" in a.log()) == (role == "initiator")  # asked for in vain; not told where nobody asks
        assert not [k for k in a.ask("stats")["dataplane"].get("drops", {}) if k.startswith("dp-frag")]


@pytest.mark.seconds(120)
@pytest.mark.culvert_only
@pytest.mark.skipif("not __import__('os').environ.get('CULVERT_LONG')", reason="a guest's boot")
def test_kernel():
    """The Linux kernel's own ESP."""
    with Lab(guests="B") as lab:
        a, b = both(lab, ("culvert", "kernel-swan"))
        assert a.initiate().ok, f"{a.tail()}\n{b.tail()}"
        check(lab, a, b)
