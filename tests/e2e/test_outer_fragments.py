"""Outer packets in fragments: ESP that is larger than the path between the gateways and may be cut arrives whole,
whichever way packets come and go."""
import os

import pytest

from lab import conf
from lab.wait import until

pytestmark = pytest.mark.culvert_only
MTU = {4: 1000, 6: 1280}  # of the link between the gateways; less is no IPv6


def start(lab, side, io, lan_io, outer, encap):
    """`fragment = after`: nothing is cut before it is encrypted; DF is clear whatever the packet inside says."""
    d = lab.daemon("culvert", side)
    d.QUICK += f"culvertd {{\n esp_io = {io}\n esp_interface = wan\n lan_io = {lan_io}\n lan_interfaces = lan\n}}\n"
    return d.start(conf.simple(side, lab, outer=outer, encap=encap, child_more=dict(fragment="after", copy_df="no")))


def fragments(lab, side, outer):
    """Received and put together by the gateway's kernel."""
    if outer == 6:
        return int(side.gw.must("grep Ip6ReasmOKs /proc/net/snmp6").split()[1])
    names, values = side.gw.must("grep ^Ip: /proc/net/snmp").splitlines()
    return int(dict(zip(names.split(), values.split()))["ReasmOKs"])


SOME = [("packet", "packet", None, 4), ("xdp", "tun", None, 6), ("raw", "tun", "yes", 6)]
ALL = [(*way, outer) for outer in (4, 6) for way in (
    ("raw", "tun", None), ("packet", "tun", None), ("xdp", "tun", None), ("raw", "tun", "yes"), ("packet", "packet", None),
    ("xdp", "xdp", None))]


@pytest.mark.parametrize("io, lan_io, encap, outer", ALL if os.environ.get("CULVERT_LONG") else SOME)
def test_arrive(lab, outer, io, lan_io, encap):
    for side in (lab.a, lab.b):
        side.gw.must(f"ip link set wan mtu {MTU[outer]}")
    a, b = (start(lab, side, io, lan_io, outer, encap) for side in (lab.a, lab.b))
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "up on both sides")
    assert lab.ping(count=3).lost == 0
    before = [fragments(lab, s, outer) for s in (lab.a, lab.b)]
    for frm in (lab.a, lab.b):
        for size in (1200, 1472, 4000):
            assert lab.ping(frm, size=size, count=3, df=False).lost == 0, (size, a.tail(5))
    after = [fragments(lab, s, outer) for s in (lab.a, lab.b)]
    assert all(y - x >= 3 * 2 * 4 for x, y in zip(before, after)), (before, after)
    for d in (a, b):
        drops = d.ask("stats")["dataplane"].get("drops", {})
        assert set(drops) <= {"dp-no-policy"}, drops
