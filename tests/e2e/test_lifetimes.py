"""Lifetimes of CHILD SAs by seconds, bytes, packets and idle time, soft and hard: IKEv1, IKEv2, SAs by hand. RFC 4301
4.4.2.1, RFC 2407 4.5. Rekeying by time and, with IKEv2, by volume is in test_rekey.py and test_v1.py; that numbers never
wrap is control_test.c's, modes_test.c's and lives_seq.c's."""
import pytest

from lab.wait import until
from test_manual import both
from test_rekey import settled, spis
from test_traffic import pair

pytestmark = pytest.mark.culvert_only
V1 = dict(version=1, proposals="aes128-sha256-modp2048", esp="aes128-sha256")
VERSIONS = {1: V1, 2: {}}
NEVER = dict(rekey_time="0s", rekey_bytes=0, rekey_packets=0)  # by default that follows from the life time
HARD = {"seconds": dict(life_time="2s"), "bytes": dict(life_bytes=3000), "packets": dict(life_packets=20)}


@pytest.mark.parametrize("limit", [dict(rekey_bytes=100000, life_bytes=2000000, rand_bytes=0),
                                   dict(rekey_packets=150, life_packets=3000, rand_packets=0)], ids=["bytes", "packets"])
def test_soft_v1(lab, culvert, limit):
    """Another quick mode in time: nothing is lost."""
    a, b = pair(lab, culvert, a_more=dict(child_more=limit), **V1)
    first, seen = spis(a), set()
    p = lab.ping_start(count=600, size=1000, interval=0.004)

    def enough():
        seen.update(spis(a))
        return len(seen - first) >= 2
    until(enough, "two CHILD SAs by volume", 15, every=0.1)
    assert lab.ping_end(p).lost == 0
    settled(a, b)


@pytest.mark.parametrize("what", HARD)
@pytest.mark.parametrize("version", VERSIONS)
def test_hard(lab, culvert, version, what):
    """Without rekeying an SA ends at its limit, at both sides; from then on nothing leaves, until somebody asks for it."""
    a, b = pair(lab, culvert, child_more=dict(HARD[what], **NEVER), **VERSIONS[version])
    cap = lab.capture("wanB")
    p = lab.ping(count=60, interval=0.01, wait=0.1)
    if what == "packets":
        assert 15 < p.got <= 20, p
    elif what == "bytes":
        assert 30 < p.got <= 3000 // 84 + 1, p
    else:
        assert p.lost == 0
    until(lambda: not a.children() and not b.children(), f"the end of the SA\n{a.tail(10)}", 10)
    assert lab.ping(count=3, wait=0.2).got == 0
    assert not cap.of("clear"), cap.of("clear")
    assert a.initiate().ok
    until(lambda: a.children() and b.children(), "another SA")
    assert lab.ping(count=3).lost == 0


def test_the_next_packet_brings_another(lab, culvert):
    """A trap: the packet after the hard limit starts IKE and is held, not lost."""
    a, b = pair(lab, culvert, child_more=dict(life_packets=10, start_action="trap", **NEVER))
    first = spis(a)
    assert lab.ping(count=30, interval=0.02).lost <= 1  # the one that found the SA dead
    assert not first & spis(a)


@pytest.mark.parametrize("version", VERSIONS)
def test_idle(lab, culvert, version):
    """An SA stays while it is used, in whatever direction, and goes when it is not."""
    a, b = pair(lab, culvert, a_more=dict(child_more=dict(inactivity="1s")), **VERSIONS[version])
    first = spis(a)
    assert lab.ping(lab.b, count=15, interval=0.15).lost == 0
    assert spis(a) == first
    until(lambda: not a.children() and not b.children(), f"the idle SA to go\n{a.tail(10)}", 5)


@pytest.mark.parametrize("what", ["seconds", "bytes"])
def test_by_hand(lab, culvert, what):
    a, b = both(lab, culvert, **HARD[what])
    cap = lab.capture("wanB")
    p = lab.ping(count=60, interval=0.01, wait=0.1)
    assert p.lost == 0 if what == "seconds" else 30 < p.got <= 3000 // 84 + 1, p
    until(lambda: "EXPIRED" in a.cli("sa", "list").out and "EXPIRED" in b.cli("sa", "list").out, "both to expire", 6)
    assert lab.ping(count=3, wait=0.2).got == 0
    assert not cap.of("clear")


def test_hard_while_the_peer_is_silent(lab, culvert):
    """The Delete has no answer yet: the screen says that the SA is going, and what it had carried."""
    a, b = pair(lab, culvert, a_more=dict(child_more=dict(HARD["bytes"], **NEVER)))
    lab.b.gw.must("nft add table inet cut; nft 'add chain inet cut in { type filter hook input priority -400; }';"
                  "nft add rule inet cut in udp dport '{ 500, 4500 }' drop")
    assert 30 < lab.ping(count=60, interval=0.01, wait=0.1).got <= 3000 // 84 + 1
    until(lambda: "DELETING" in a.cli("show", "sas").out, f"the SA to go\n{a.tail(10)}", 5)
    (child,) = [c for sa in a.sas() for c in sa["child-sas"].values()]
    assert child["state"] == "DELETING" and int(child["bytes-out"]) >= 3000 - 84, child
    assert "life-time" not in child and "rekey-time" not in child
    assert "expires in" not in a.cli("show", "sas").out
