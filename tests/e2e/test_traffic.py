"""Two gateways of ours carry traffic: address families inside and outside, native ESP and ESP in UDP,
NAT, the first packet, several children, both sides starting at once."""
import threading

import pytest

from lab import conf
from lab.topo import MARK
from lab.wait import until


def pair(lab, kind, a_more=None, b_more=None, wait=True, initiate=True, **kw):
    """Both daemons with one connection each; the SA is up afterwards."""
    a = lab.daemon(kind, lab.a).start(conf.simple(lab.a, lab, **{**kw, **(a_more or {})}))
    b = lab.daemon(kind, lab.b).start(conf.simple(lab.b, lab, **{**kw, **(b_more or {})}))
    if initiate:
        r = a.initiate()
        assert r.ok, f"{r}\n{a.tail()}"
        until(lambda: a.up() and b.up(), "one IKE SA and one CHILD SA on both sides")
    return a, b


@pytest.mark.smoke
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("encap", [False, True], ids=["native", "encap"])
def test_families(lab, culvert, outer, inner, encap):
    if culvert == "strongswan" and outer == 6:
        pytest.skip("kernel-libipsec's UDP sockets: IPv4 is enough for the stand-in")
    a, b = pair(lab, culvert, outer=outer, inner=inner, encap="yes" if encap else None)
    cap = lab.capture("wanB")
    assert lab.ping(count=5, family=inner).lost == 0
    assert lab.ping(lab.b, count=5, family=inner).lost == 0
    sent, received = lab.transfer(2, family=inner)
    assert sent == received
    cap.assert_protected(MARK, at_least=1000)
    kinds = cap.kinds()
    if encap or culvert == "strongswan":
        assert not kinds["esp"] and kinds["esp-udp"], kinds
    else:
        assert not kinds["esp-udp"] and kinds["esp"], kinds
    assert {p.dst for p in cap.of("esp", "esp-udp")} <= {lab.a.wan(outer), lab.b.wan(outer)}
    child = a.children()[0]
    assert int(child["packets-in"]) >= 10 and int(child["packets-out"]) >= 10
    assert child["encap" if encap else "mode"] == ("yes" if encap else "TUNNEL")


def test_the_mark_is_seen_in_clear(lab):
    """The control of every leak check here: without a tunnel the captures do show what crosses."""
    lab.net.must(f"ip route add {lab.b.net4} via {lab.b.wan4}; ip route add {lab.a.net4} via {lab.a.wan4}")
    cap = lab.capture("wanB")
    sent, received = lab.transfer(1)
    assert sent == received
    assert cap.holds(MARK) and cap.of("clear")
    with pytest.raises(AssertionError):
        cap.assert_no_clear()


@pytest.mark.smoke
@pytest.mark.parametrize("nat", ["masquerade", "forward", "both"])
def test_nat(new_lab, culvert, nat):
    lab = new_lab(nat=nat)
    names = dict(local=dict(id="a.lab"), remote=dict(id="b.lab"))
    eman = dict(local=dict(id="b.lab"), remote=dict(id="a.lab"), any_peer=True)
    a, b = pair(lab, culvert, a_more=names, b_more=eman)
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0
    assert lab.ping(lab.b, count=5).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK, want=("esp-udp",))
    assert not cap.of("esp")


@pytest.mark.culvert_only
@pytest.mark.parametrize("size", [1, 100, 1000, 1300, 1400, 1472, 4000, 20000])
def test_sizes(lab, culvert, size):
    """Packets up to and beyond the path MTU arrive, in pieces where need be."""
    pair(lab, culvert)
    assert lab.ping(size=size, count=4, df=False).lost == 0


@pytest.mark.culvert_only
@pytest.mark.parametrize("family", [4, 6])
def test_path_mtu(lab, culvert, family):
    """A packet that must not be fragmented and is too big is answered with the MTU that fits; what comes after it
    heeds that."""
    pair(lab, culvert, inner=family)
    first = lab.ping(size=1440, count=1, family=family)
    assert first.got == 0, "this was to be too big"
    lab.ping(size=1440, count=1, family=family)  # IPv6: the answer was too big, too
    assert lab.ping(size=1440, count=3, family=family).lost == 0


@pytest.mark.smoke
@pytest.mark.parametrize("family", [4, 6])
def test_first_packet_is_not_lost(lab, culvert, family):
    """start_action = trap: one single ping brings the tunnel up and is answered."""
    if culvert == "strongswan":
        pytest.skip("kernel-libipsec drops the packet that triggers")
    a, b = pair(lab, culvert, inner=family, initiate=False, child_more=dict(start_action="trap"))
    until(lambda: a.ask("stats") and b.ask("stats"), "both answer")
    cap = lab.capture("wanB")
    p = lab.ping(count=1, family=family, wait=10)
    assert p.got == 1, f"{p.out}\n{a.tail()}"
    cap.assert_protected()
    assert a.up() and b.up()


@pytest.mark.culvert_only
def test_first_packets_from_both_sides(lab, culvert):
    a, b = pair(lab, culvert, initiate=False, child_more=dict(start_action="trap"))
    p, q = lab.ping_start(count=20, interval=0.1), lab.ping_start(lab.b, count=20, interval=0.1)
    assert lab.ping_end(p).lost == 0 and lab.ping_end(q).lost == 0


@pytest.mark.culvert_only
def test_start_action_start(lab, culvert):
    """The side that is up first keeps trying until the other one is there."""
    a, b = pair(lab, culvert, initiate=False, keyingtries=0, child_more=dict(start_action="start"))
    until(lambda: a.children() and b.children(), "start_action = start brings it up", 20)
    assert lab.ping(count=3).lost == 0


def test_simultaneous_initiation(lab, culvert):
    """Both sides initiate at the same moment: traffic flows, and what is left is in agreement."""
    a, b = pair(lab, culvert, initiate=False)
    results = {}
    threads = [threading.Thread(target=lambda d=d: results.update({d: d.initiate()})) for d in (a, b)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert all(r.ok for r in results.values()), results
    until(lambda: {c["spi-in"] for c in a.children()} == {c["spi-out"] for c in b.children()},
          "both sides know the same SAs")
    assert lab.ping(count=5).lost == 0 and lab.ping(lab.b, count=5).lost == 0


@pytest.mark.smoke
def test_several_children(lab, culvert):
    """Each pair of networks has its own SA, and each packet takes the right one."""
    def kids(side):
        return dict(one=conf.child(side, lab), two=conf.child(side, lab, second=True),
                    six=conf.child(side, lab, inner=6))
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, children=kids(lab.a)))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, children=kids(lab.b)))
    for name in ("one", "two", "six"):
        assert a.initiate(name).ok, a.tail()
    until(lambda: a.up(3) and b.up(3), "three CHILD SAs in one IKE SA")
    before = {c["name"]: int(c["packets-out"]) for c in a.children()}
    assert lab.ping(count=5).lost == 0
    assert lab.ping(count=6, second=True).lost == 0
    assert lab.ping(count=7, family=6).lost == 0
    got = {c["name"]: int(c["packets-out"]) - before[c["name"]] for c in a.children()}
    assert got == dict(one=5, two=6, six=7)
    assert a.terminate(child="two").ok
    until(lambda: a.up(2) and b.up(2), "one child went, on both sides")
    assert lab.ping(count=3).lost == 0


@pytest.mark.parametrize("who", ["initiator", "responder"])
@pytest.mark.parametrize("what", ["ike", "child"])
def test_terminate(lab, culvert, who, what):
    a, b = pair(lab, culvert)
    d = a if who == "initiator" else b
    assert d.terminate(**{what: "gw" if what == "ike" else "lan"}).ok
    if what == "ike":
        until(lambda: not a.sas() and not b.sas(), "no SA is left on either side")
    else:
        until(lambda: not a.children() and not b.children(), "no CHILD SA is left on either side")
        assert len(a.ikes()) == len(b.ikes()) == 1
    assert a.initiate().ok
    until(lambda: a.up() and b.up(), "up again")
    assert lab.ping(count=3).lost == 0


@pytest.mark.culvert_only
def test_clean_stop_tells_the_peer(lab, culvert):
    a, b = pair(lab, culvert)
    a.stop()
    until(lambda: not b.sas(), "the peer heard the delete", 3)
    assert not b.ikes("DELETING")
