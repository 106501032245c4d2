"""What was decrypted is held against the selectors of its SA, RFC 4301 5.2 step 4; connections whose selectors overlap are
told apart by the peer. SAs by hand, so that one side can be wider than the other."""
import pytest

from lab.wait import until
from test_manual import settings, words

pytestmark = pytest.mark.culvert_only


def add(d, name, **s):
    r = d.cli("sa", "add", name, *words(s))
    assert r.ok, r


def drops(d, reason):
    return int(d.ask("stats")["dataplane"]["drops"].get(reason, 0))


def shape(s, what):
    """ESP, AH, or ESP in UDP, of the same settings."""
    if what == "ah":
        return {**{k: v for k, v in s.items() if k not in ("esp_proposals", "key_in", "key_out")}, "ah_proposals": "sha256"}
    return dict(s, encap="yes") if what == "udp" else s


@pytest.mark.parametrize("what", ["esp", "udp", "ah"])
def test_another_source_or_destination(lab, culvert, what):
    """A may send what B has not agreed to: it is authentic, and still not taken, whoever it is for."""
    a, b = (lab.daemon(culvert, s).start() for s in (lab.a, lab.b))
    wide = dict(local_ts="10.1.0.0/16", remote_ts="10.2.0.0/16")
    add(a, "hand", **shape(dict(settings(lab, lab.a), **wide), what))
    add(b, "hand", **shape(settings(lab, lab.b), what))
    assert lab.ping(count=3).lost == 0
    assert drops(b, "dp-selector") == 0
    lab.a.lan.must(f"ip route add {lab.b.host4b} via {lab.a.gw4} src {lab.a.host4}")
    for argv in (f"-I {lab.a.host4b} {lab.b.host4}", lab.b.host4b):
        before = drops(b, "dp-selector")
        lab.a.lan.sh(f"ping -c 3 -i 0.02 -W 0.2 {argv}")
        until(lambda: drops(b, "dp-selector") == before + 3, "three that do not match")
    assert lab.ping(count=3).lost == 0 and lab.ping(lab.b, count=3).lost == 0


def test_overlapping_peers(lab, culvert):
    """B has A's network from A, and all of 10/8 from C: the narrower selectors win, and none speaks for the other."""
    c = lab.client("C", "172.16.3", "10.3.0")
    ds = {s.name: lab.daemon(culvert, s).start() for s in (lab.a, lab.b, c)}
    wide = dict(local_ts="10.0.0.0/8", remote_ts=lab.b.net4)
    add(ds["A"], "b", **dict(settings(lab, lab.a), **wide))
    add(ds["B"], "a", **settings(lab, lab.b))
    other = dict(spi_in=0x3003, spi_out=0x4004)
    add(ds["B"], "c", **dict(settings(lab, lab.b), remote=c.wan4, remote_ts="10.0.0.0/8", **other))
    add(ds["C"], "b", **dict(settings(lab, lab.a), local=c.wan4, local_ts="10.0.0.0/8", spi_in=0x4004, spi_out=0x3003))
    cap = {s.name: lab.capture("wan" + s.name) for s in (lab.a, c)}
    for side in (lab.a, c):
        assert " 0% packet loss" in lab.b.lan.sh(f"ping -c 4 -i 0.05 -W 2 {side.host4}").out, ds["B"].tail(5)
        assert " 0% packet loss" in side.lan.sh(f"ping -c 4 -i 0.05 -W 2 {lab.b.host4}").out
    for side in (lab.a, c):
        assert len(cap[side.name].of("esp")) == 16, side.name
    before = drops(ds["B"], "dp-selector")
    lab.a.lan.must("ip addr add 10.3.0.77/32 dev lo")
    lab.a.lan.sh(f"ping -c 3 -i 0.02 -W 0.2 -I 10.3.0.77 {lab.b.host4}")
    until(lambda: drops(ds["B"], "dp-selector") == before + 3, "A speaks for C's network")
