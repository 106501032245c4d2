"""BGP between the gateways, FRR on one, BIRD on the other: over interfaces of children, and over a policy that holds
the two speakers. The sessions survive rekeying, and routes move when a tunnel goes."""
import pytest

from lab import conf
from lab.bgp import Bird, Frr
from lab.wait import until

from test_route_based import start

pytestmark = pytest.mark.culvert_only


def speakers(lab, neighbors_a, neighbors_b, multihop=False):
    """networks: each side's LAN."""
    a = Frr(lab.a.gw, lab.dir / "frr", 65001, "192.0.2.1")
    b = Bird(lab.b.gw, lab.dir / "bird", 65002, "192.0.2.2")
    a.start(neighbors_a, [lab.a.net4], multihop)
    b.start(neighbors_b, [lab.b.net4], multihop)
    return a, b


def learned(side, lab):
    """How the other side's LAN is reached: a route of a routing daemon."""
    net = lab.other(side).net4
    return side.gw.sh(f"ip route show {net} proto bgp; ip route show {net} proto bird").out


def link(n, i):
    return f"10.255.{i}.{n}"


def sessions(lab, interfaces):
    return ([(link(1, i), link(2, i), 65002, "") for i in range(interfaces)],
            [(link(2, i), link(1, i), 65001, "") for i in range(interfaces)])


def test_over_interfaces(lab, culvert):
    a, b = start(lab, culvert, {"one": dict(outer=4, interface="vti0"), "two": dict(outer=6, interface="vti1")})
    frr, bird = speakers(lab, *sessions(lab, 2))
    try:
        until(lambda: frr.established() == 2 and bird.established() == 2, "both sessions", 30)
        until(lambda: "vti0" in learned(lab.a, lab) and "vti0" in learned(lab.b, lab), "routes over the first", 20)
        p = lab.ping_start(count=600, interval=0.005)
        for d in (a, b):
            d.rekey(child="lan")
            d.rekey(ike="one", reauth="no")
        assert lab.ping_end(p).lost == 0
        assert frr.established() == 2
        # the first tunnel goes away: its session falls, and traffic takes the other one
        lab.net.must(f"nft add table ip cut; nft add chain ip cut f '{{ type filter hook forward priority 0; policy drop; }}'")
        until(lambda: "vti1" in learned(lab.a, lab) and "vti1" in learned(lab.b, lab), "routes over the second", 25)
        assert lab.ping(count=5).lost == 0
        assert frr.established() == 1
    finally:
        bird.stop()
        frr.stop()


def test_over_a_policy(lab, culvert):
    """One child for the speakers' addresses, one for the networks; the routes that BGP brings change nothing about
    what is protected."""
    speaker = {"A": "10.255.9.1", "B": "10.255.9.2"}

    def config(side):
        o = lab.other(side)
        return conf.config({"gw": conf.conn(side, lab, children=dict(
            bgp=dict(local_ts=f"{speaker[side.name]}/32[tcp]", remote_ts=f"{speaker[o.name]}/32[tcp]", start_action="trap"),
            lan=dict(local_ts=side.net4, remote_ts=o.net4, start_action="trap")))})

    for side in (lab.a, lab.b):
        side.gw.must(f"ip addr add {speaker[side.name]}/32 dev lo")
    a = lab.daemon(culvert, lab.a).start(config(lab.a))
    b = lab.daemon(culvert, lab.b).start(config(lab.b))
    cap = lab.capture("wanB")
    frr, bird = speakers(lab, [(speaker["A"], speaker["B"], 65002, "")],
                         [(speaker["B"], speaker["A"], 65001, "gateway recursive;")], multihop=True)
    try:
        until(lambda: frr.established() == 1 and bird.established() == 1, "the session", 30)
        for d in (a, b):
            d.rekey(child="bgp")
            until(lambda: len(a.children(name="bgp")) == 1, "one SA again")
        assert lab.ping(count=5).lost == 0
        assert frr.established() == 1 and bird.established() == 1
        assert not cap.of("clear"), "BGP is seen in clear"
    finally:
        bird.stop()
        frr.stop()
