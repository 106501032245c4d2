"""What others take away in the kernel is put back while traffic flows: routes, rules, the guard, the device."""
import os
import signal

import pytest

from lab import conf
from lab.topo import MARK
from lab.wait import until

pytestmark = pytest.mark.culvert_only


@pytest.fixture
def pair(lab, culvert):
    a, _ = (lab.daemon(culvert, s).start(conf.simple(s, lab, child_more=dict(start_action="trap"))) for s in (lab.a, lab.b))
    assert lab.ping().lost == 0
    return a


def carries(lab):
    return until(lambda: lab.ping(count=1, wait=1).got, "packets get through again", 15)


TAKEN = {
    "routes": ("ip route flush table 220", "they are put back"),
    "a route": ("ip route del 10.2.0.0/24 table 220", "they are put back"),
    "the rule": ("ip rule del priority 220", "they are put back"),
    "the guard": ("nft delete table inet culvert", "the guard is made anew"),
    "all of nftables": ("nft flush ruleset", "the guard is made anew"),
    "the device, for a while": ("ip link set culvert0 down; ip link set culvert0 up", None),
}


@pytest.mark.parametrize("what", TAKEN)
def test_put_back(lab, pair, what):
    command, says = TAKEN[what]
    before = lab.a.gw.must("ip route show table 220; ip rule; nft list chains")
    lab.a.gw.must(command)
    until(lambda: lab.a.gw.must("ip route show table 220; ip rule; nft list chains") == before, "all is as it was", 10)
    assert carries(lab)
    if says:
        until(lambda: says in pair.log(), "the log says so", 5)


def test_device_down(lab, pair):
    """It is said, nothing leaves in clear, and it goes on when the device comes up."""
    wire = lab.capture("wanA")
    lab.a.gw.must("ip link set culvert0 down")
    until(lambda: "culvert0 is down" in pair.log(), "the log says so", 5)
    assert lab.ping(count=2, wait=1).got == 0
    lab.a.gw.must("ip link set culvert0 up")
    assert carries(lab)
    wire.assert_no_clear(MARK)


def test_quarrel(lab, pair):
    """Somebody who deletes our routes again and again is answered once a second, not in a storm."""
    lab.a.gw.must("for i in $(seq 20); do ip route flush table 220; sleep 0.1; done")
    assert carries(lab)
    assert 1 <= pair.log().count("they are put back") <= 5


def test_overrun(lab, pair):
    """More changes than the kernel has room to tell are changes too, and those after them are heard."""
    gw = lab.a.gw
    os.kill(pair.pid, signal.SIGSTOP)
    try:
        gw.must("for i in $(seq 3000); do for do in add del; do echo route $do 10.99.9.9 dev lo table 99; done; done | ip -batch -")
    finally:
        os.kill(pair.pid, signal.SIGCONT)
    until(lambda: "they are put back" in pair.log(), "what was not heard is looked after", 10)
    before = gw.must("ip route show table 220")
    for what in ("10.2.0.0/24", "10.2.0.0/24"):
        gw.must(f"ip route del {what} table 220")
        until(lambda: gw.must("ip route show table 220") == before, "the route is there again", 10)
    assert carries(lab)


def test_guard_while_device_down(lab, pair):
    """The guard is put back at once: without routes into the device nothing else keeps packets in."""
    wire = lab.capture("wanA")
    lab.a.gw.must("ip link set culvert0 down")
    until(lambda: "culvert0 is down" in pair.log(), "the log says so", 5)
    lab.a.gw.must("nft flush ruleset")
    until(lambda: "chain outbound" in lab.a.gw.must("nft list ruleset"), "the guard is there again", 5)
    assert lab.ping(count=2, wait=1).got == 0
    lab.a.gw.must("ip link set culvert0 up")
    assert carries(lab)
    wire.assert_no_clear(MARK)
