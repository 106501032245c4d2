"""Policies that select by ICMP type or port (RFC 4301 4.4.1.1): one is protected, another goes in clear, a third nowhere,
between the same hosts."""
import pytest

from lab import PYTHON, conf
from lab.topo import INSIDE
from lab.udp import Echo, ask
from lab.wait import until

pytestmark = pytest.mark.culvert_only
ECHO, TIMESTAMP = (8, 0), (13, 14)  # request and reply


def ts(net, *types, proto=1):
    """Each of all its codes."""
    return ", ".join(f"{net}[{proto}/{t << 8}-{t << 8 | 255}]" for t in types)


def children(lab, side, clear, dropped):
    near, far = side.net4, lab.other(side).net4
    def kid(types, **more):
        return dict(local_ts=ts(near, *types), remote_ts=ts(far, *types), **more)
    lan = kid(ECHO)
    lan = {k: v + f", {near if k == 'local_ts' else far}[17]" for k, v in lan.items()}
    return dict(lan=lan, clear=kid(clear, mode="pass", start_action="trap"),
                dropped=kid(dropped, mode="drop", start_action="trap"))


def up(lab, clear, dropped):
    for mine, other in ((lab.b, lab.a), (lab.a, lab.b)):  # the way for what goes in clear
        lab.net.must(f"ip route add {mine.net4} via {mine.wan4}")
    a, b = (lab.daemon("culvert", s).start(conf.simple(s, lab, children=children(lab, s, clear, dropped)))
            for s in (lab.a, lab.b))
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "up on both sides")
    return a, b


def icmp(lab, kind, size=16):
    return lab.a.lan.must(f"{PYTHON} {INSIDE} icmp-ask {lab.b.host4} {kind} {size} 0.5").strip()


def figures(d):
    return d.ask("stats")["dataplane"]


def test_types(lab):
    """Timestamps in clear, with their answers, destination unreachable nowhere."""
    a, b = up(lab, TIMESTAMP, (3,))
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0 and lab.ping(lab.b, count=3).lost == 0
    assert lab.ping(count=3, size=4000, df=False).lost == 0
    cap.assert_protected()
    assert not cap.of("clear")
    cap = lab.capture("wanB")
    assert icmp(lab, 13, 16) == "14"
    cap.stop()
    assert len(cap.of("clear")) == 2
    assert all(int(figures(d)["packets-bypassed"]) == 0 for d in (a, b)), "the kernel was to lead them past us"
    cap = lab.capture("wanB")
    with Echo(lab, 4, 6000):
        assert ask(lab, 100, port=6000, count=1) == 1
    assert ask(lab, 100, port=6001, count=1, timeout=0.05) == 0  # closed: answered with what is dropped
    cap.assert_protected()
    assert int(figures(b)["drops"]["dp-policy-drop"]) >= 1
    assert icmp(lab, 3) == "none"
    cap = lab.capture("wanB")
    assert icmp(lab, 17) == "none"  # nobody answers; but what no policy names is not ours to hold
    until(lambda: cap.of("clear"), "an information request in clear")


def test_guard_after_a_crash(lab):
    """With both daemons gone what is protected and what is dropped stays off the wire; what may go in clear does."""
    a, b = up(lab, TIMESTAMP, (3,))
    for d in (a, b):
        d.kill()
    cap = lab.capture("wanB")
    assert lab.ping(count=2, wait=0.3).got == 0 and lab.ping(count=2, size=4000, df=False, wait=0.3).got == 0
    assert icmp(lab, 13, 16) == "14"
    cap.stop()
    assert len(cap.of("clear")) == 2


def test_port_in_clear(lab):
    """One UDP port bypasses, also in fragments, and no others with it: RFC 4301 7.4."""
    for mine, other in ((lab.b, lab.a), (lab.a, lab.b)):
        lab.net.must(f"ip route add {mine.net4} via {mine.wan4}")

    def kids(side):
        near, far = ("[17]", "[17/6000]")[::1 if side is lab.a else -1]
        return dict(lan=conf.child(side, lab), clear=dict(
            local_ts=side.net4 + near, remote_ts=lab.other(side).net4 + far, mode="pass", start_action="trap"))
    a, b = (lab.daemon("culvert", s).start(conf.simple(s, lab, children=kids(s))) for s in (lab.a, lab.b))
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "up on both sides")
    for port, clear in ((6000, True), (6001, False)):
        cap = lab.capture("wanB")
        with Echo(lab, 4, port):
            for size in (100, 4000):
                assert ask(lab, size, port=port) == 3, (port, size)
        cap.stop()
        assert bool(cap.of("clear")) == clear and bool(cap.of("esp")) != clear, cap.kinds()
    for d in (a, b):
        d.kill()
    with Echo(lab, 4, 6000):
        assert ask(lab, 4000, port=6000) == 3
    cap = lab.capture("wanB")
    with Echo(lab, 4, 6001):
        assert ask(lab, 4000, port=6001, count=1, timeout=0.05) == 0
    assert not cap.of("clear"), "fragments left in clear"


def test_neighbours(lab):
    """A policy that drops all of ICMPv6 between gateway and router leaves neighbour discovery alone."""
    def kids(side):
        return dict(lan=conf.child(side, lab, 6), none=dict(
            local_ts=f"{side.wan6}/128[58]", remote_ts=f"{side.router6}/128[58]", mode="drop", start_action="trap"))
    a, b = (lab.daemon("culvert", s).start(conf.simple(s, lab, outer=6, inner=6, children=kids(s)))
            for s in (lab.a, lab.b))
    for s in (lab.a, lab.b):
        s.gw.must("ip -6 neigh flush dev wan; ip -6 neigh flush dev lan")
        lab.net.must(f"ip -6 neigh flush dev wan{s.name}")
    assert a.initiate().ok, a.tail()
    assert lab.ping(family=6, count=3).lost == 0
    assert "100% packet loss" in lab.net.sh(f"ping -c 2 -i 0.05 -W 0.3 {lab.a.wan6}").out
    for s in (lab.a, lab.b):
        s.gw.must("ip -6 neigh flush dev wan; ip -6 neigh flush dev lan")
    assert lab.ping(family=6, count=3).lost == 0
