"""Rekeying under a stream of pings: not one packet is lost or seen twice (RFC 7296 2.8)."""
import pytest

from lab.wait import until
from test_traffic import pair


def spis(d):
    return {c["spi-in"] for c in d.children()}


def ike_spis(d):
    return {(s["initiator-spi"], s["responder-spi"]) for s in d.ikes()}


def settled(a, b):
    until(lambda: a.up() and b.up() and spis(a) == {c["spi-out"] for c in b.children()},
          "one IKE SA and one CHILD SA, the same on both sides", 15)


@pytest.mark.smoke
@pytest.mark.parametrize("who", ["initiator", "responder"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_by_command(lab, culvert, what, who):
    a, b = pair(lab, culvert)
    d = a if who == "initiator" else b
    p, q = lab.ping_start(count=1500), lab.ping_start(lab.b, count=1500)
    for _ in range(3):
        old = spis(d) if what == "child" else ike_spis(d)
        r = d.rekey(**({"child": "lan"} if what == "child" else {"ike": "gw"}))
        assert r["success"] == "yes", r
        until(lambda: a.up() and b.up() and not old & (spis(d) if what == "child" else ike_spis(d)),
              f"{what} rekeyed\n{d.tail(20)}", 15)
        settled(a, b)
    p, q = lab.ping_end(p), lab.ping_end(q)
    assert (p.lost, q.lost) == (0, 0)
    assert "DUP" not in p.out + q.out
    if what == "ike":
        assert d.children(), "CHILD SAs move to the new IKE SA"


@pytest.mark.seconds(90)
@pytest.mark.parametrize("pfs", [False, True], ids=["nopfs", "pfs"])
def test_by_time(lab, culvert, pfs):
    esp = "aes128gcm16-x25519" if pfs else "aes128gcm16"
    a, b = pair(lab, culvert, esp=esp, rekey_time="5s", over_time="3s", rand_time="0s",
                child_more=dict(rekey_time="2s", life_time="6s", rand_time="0s"))
    p = lab.ping_start(count=2400, interval=0.005)
    first, ike_first, seen, ikes = spis(a), ike_spis(a), set(), set()

    def enough():
        seen.update(spis(a))
        ikes.update(ike_spis(a))
        return len(seen - first) >= 3 and len(ikes - ike_first) >= 1
    until(enough, "three CHILD SAs and an IKE SA by lifetime", 25, every=0.1)
    assert lab.ping_end(p).lost == 0
    if pfs:
        assert a.children()[0].get("dh-group") == "CURVE_25519"


@pytest.mark.culvert_only
@pytest.mark.parametrize("limit", [dict(rekey_bytes=200000, life_bytes=2000000, rand_bytes=0),
                                   dict(rekey_packets=300, life_packets=3000, rand_packets=0)],
                         ids=["bytes", "packets"])
def test_by_volume(lab, culvert, limit):
    a, b = pair(lab, culvert, a_more=dict(child_more=limit))
    first, seen = spis(a), set()
    p = lab.ping_start(count=1500, size=1000, interval=0.004)

    def enough():
        seen.update(spis(a))
        return len(seen - first) >= 2
    until(enough, "two CHILD SAs by volume", 15, every=0.1)
    assert lab.ping_end(p).lost == 0
    settled(a, b)


@pytest.mark.culvert_only
def test_both_at_once(lab, culvert):
    """RFC 7296 2.8.1: simultaneous rekeying leaves one SA, and loses nothing."""
    a, b = pair(lab, culvert)
    p, q = lab.ping_start(count=1500), lab.ping_start(lab.b, count=1500)
    for _ in range(5):
        old = spis(a)
        for d in (a, b):
            d.ask("rekey", dict(child="lan"), check=False)
        until(lambda: not spis(a) & old, "rekeyed")
        settled(a, b)
    assert lab.ping_end(p).lost == 0 and lab.ping_end(q).lost == 0
