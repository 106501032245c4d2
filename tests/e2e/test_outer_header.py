"""The outer header's fields that belong to the path: hop limit and, with IPv6, the flow label (RFC 4301 5.1.2.2, RFC 6437)."""
import pytest

from lab import conf, long_only
from lab.topo import MARK

WAYS = ("udp", long_only("raw"), long_only("packet"), "xdp")


def up(lab, way, outer, children):
    for side in (lab.a, lab.b):
        d = lab.daemon("culvert", side)
        d.QUICK += "culvertd {\n  workers = 1\n" + ("}\n" if way == "udp" else f"  esp_io = {way}\n  esp_interface = wan\n}}\n")
        d.start(conf.simple(side, lab, outer=outer, encap="yes" if way == "udp" else None,
                            children={n: conf.child(side, lab, **kw) for n, kw in children.items()}))
    for name in children:
        assert lab.daemons[0].cli("up", name).ok


def labels(packets):
    return {(p.raw[15] & 15) << 16 | p.raw[16] << 8 | p.raw[17] for p in packets}


@pytest.mark.parametrize("way", WAYS)
def test_flow_label(lab, way):
    """One for each SA and direction, whatever flows are inside: an SA's packets stay in order, and two SAs between two
    gateways may take two paths."""
    up(lab, way, 6, {"one": dict(inner=4), "two": dict(inner=6)})
    cap = lab.capture("wanA")
    for family in (4, 6):
        assert lab.ping(count=3, family=family).lost == 0
        sent, received = lab.transfer(1, family=family)
        assert sent == received
    cap.assert_protected(MARK, at_least=500)
    sas = {}
    for p in cap.of("esp", "esp-udp"):
        sas.setdefault((p.src, p.payload[:4]), []).append(p)
    assert len(sas) == 4
    for src in (lab.a.wan6, lab.b.wan6):
        seen = [labels(packets) for (at, _), packets in sas.items() if at == src]
        assert [len(x) for x in seen] == [1, 1], seen
        assert seen[0] != seen[1] and 0 not in seen[0] | seen[1]


@pytest.mark.parametrize("way,outer", [("raw", 6), *(long_only(w, o) for w in ("udp", "raw", "packet", "xdp") for o in (4, 6))])
def test_hop_limit_of_its_own(lab, way, outer):
    """Constructed, not copied: a packet inside that has few hops left gets through a long path."""
    up(lab, way, outer, {"lan": dict(inner=4)})
    cap = lab.capture("wanA")
    lab.a.lan.must(f"ping -n -t 3 -c 2 -i 0.1 -W 2 {lab.b.host4}")
    hops = {p.raw[22 if outer == 4 else 21] for p in cap.of("esp", "esp-udp") if p.src == lab.a.wan(outer)}
    assert hops == {64}


def test_traceroute(lab, culvert):
    """Through the tunnel each gateway is one hop, with an address of its own that the sender can reach (RFC 1812 4.3.2.4)."""
    for side in (lab.a, lab.b):
        lab.daemon(culvert, side).start(conf.simple(side, lab, children={
            "four": conf.child(side, lab), "six": conf.child(side, lab, inner=6)}))
    for name, family in (("four", 4), ("six", 6)):
        assert lab.daemons[0].cli("up", name).ok
        seen = []
        for hops in range(1, 5):
            p = lab.a.lan.exec(["ping", f"-{family}", "-n", "-c", 1, "-W", 3, "-t", hops, lab.b.host(family)])
            seen.append(next((w.rstrip(":") for line in p.out.splitlines() for w in line.split()[1:4]
                              if "rom" in line and ("." in w or ":" in w)), None))
        gw = (lambda s: s.gw4 if family == 4 else s.gw6)
        assert seen == [gw(lab.a), gw(lab.b), lab.b.host(family), lab.b.host(family)], seen
