"""Nothing that a protect policy covers ever leaves or enters in clear."""
import json

import pytest

from lab import conf
from lab.topo import MARK
from lab.wait import until
from test_traffic import pair

pytestmark = pytest.mark.culvert_only


def try_everything(lab):
    """Traffic of every kind that the policy covers, whether or not it gets through."""
    lab.ping(count=5, interval=0.02, wait=1, pattern=MARK[:16].hex())
    lab.ping(count=5, interval=0.02, wait=1, size=3000, pattern=MARK[:16].hex())
    lab.a.lan.exec(["timeout", "1", "bash", "-c", f"echo {MARK.decode()} > /dev/tcp/{lab.b.host4}/9"])
    lab.a.lan.sh(f"bash -c 'printf %s {MARK.decode()} > /dev/udp/{lab.b.host4}/9'")
    # the gateway's own address in its LAN is covered as well
    lab.a.gw.exec(["ping", "-n", "-q", "-c", 3, "-i", 0.02, "-W", 1, "-I", lab.a.gw4, lab.b.host4])


@pytest.mark.parametrize("action", ["trap", "start"])
def test_tunnel_down_peer_absent(lab, culvert, action):
    cap = lab.capture("wanA")
    lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=dict(start_action=action)))
    try_everything(lab)
    cap.assert_no_clear(MARK)
    assert cap.of("ike"), "it tried to negotiate"


def test_after_terminate(lab, culvert):
    a, b = pair(lab, culvert, child_more=dict(start_action="trap"))
    b.kill()
    cap = lab.capture("wanA")
    a.terminate(ike="gw", force=True, timeout=1)
    try_everything(lab)
    cap.assert_no_clear(MARK)


@pytest.mark.smoke
def test_daemon_killed(lab, culvert):
    """The guard outlives a daemon that was killed."""
    a, b = pair(lab, culvert, child_more=dict(start_action="trap"))
    assert lab.ping(count=2).lost == 0
    cap = lab.capture("wanA")
    a.kill()
    try_everything(lab)
    cap.assert_no_clear(MARK)
    # and a new one takes over what the old one left
    a.start(conf.simple(lab.a, lab, child_more=dict(start_action="trap")))
    p = lab.ping(count=3, interval=0.3, wait=10)
    assert p.lost == 0, f"{p.out}\n{a.tail()}"


def test_around_start_and_stop(lab, culvert):
    """While the daemon starts and ends under traffic no packet slips through with it running."""
    a, b = pair(lab, culvert, child_more=dict(start_action="trap"))
    cap = lab.capture("wanA")
    p = lab.ping_start(count=300, interval=0.005)
    a.terminate(ike="gw")
    until(lambda: a.children(), "traffic brings it back")
    lab.ping_end(p)
    cap.assert_no_clear()


def drop_counters(ns):
    """Packets counted by all counters of the guard."""
    out = json.loads(ns.must("nft -j list table inet culvert"))
    found = []

    def walk(o):
        if isinstance(o, dict):
            if isinstance(o.get("counter"), dict):
                found.append(o["counter"].get("packets", 0))
            for v in o.values():
                walk(v)
        elif isinstance(o, list):
            for v in o:
                walk(v)
    walk(out)
    return sum(found)


@pytest.mark.smoke
def test_clear_packets_are_not_let_in(lab, culvert):
    """RFC 4301 5.2: a clear packet that a protect policy covers is dropped, and counted."""
    a, b = pair(lab, culvert)
    assert lab.ping(count=2).lost == 0
    lab.net.must(f"ip addr add {lab.b.host4}/32 dev lo; ip route add {lab.a.net4} via {lab.a.wan4}")
    before = drop_counters(lab.a.gw)
    inside, wan = lab.capture("lan", ns=lab.a.lan), lab.capture("wanA")
    lab.net.exec(["ping", "-n", "-q", "-c", 5, "-i", 0.05, "-W", 1, "-I", lab.b.host4, lab.a.host4])
    assert len(wan.of("clear")) >= 5, "the forged packets did reach the gateway's wire"
    assert not [p for p in inside.packets() if p.src == lab.b.host4], "a forged packet came in"
    assert drop_counters(lab.a.gw) - before >= 5


def test_reload_under_traffic(lab, culvert):
    """A policy is replaced whole: not one packet in clear while that happens."""
    text = conf.simple(lab.a, lab, child_more=dict(start_action="trap"))
    a, b = pair(lab, culvert, child_more=dict(start_action="trap"))
    cap = lab.capture("wanA")
    p = lab.ping_start(count=400, interval=0.005)
    for i in range(5):
        a.load(text + f"\n# version {i}\n")
    lab.ping_end(p)
    cap.assert_no_clear()
