"""IKEv1 between two gateways of ours, and what both versions have in common with NATs: rekeying under traffic, transport
mode, several clients behind one NAT, a NAT that changes its mind, version = 0."""
import pytest

from lab import conf, long_run
from lab.wait import until
from test_rekey import ike_spis, spis
from test_traffic import pair

V1 = dict(version=1, proposals="aes128-sha256-modp2048", esp="aes128-sha256-modp2048")
IDS = dict(a_more=dict(local=dict(id="a.lab"), remote=dict(id="b.lab")),
           b_more=dict(local=dict(id="b.lab"), remote=dict(id="%any"), any_peer=True))


REKEYS = [("child", "initiator"), ("ike", "responder")] + ([("child", "responder"), ("ike", "initiator")] if long_run() else [])


@pytest.mark.parametrize("what,who", REKEYS)
@pytest.mark.culvert_only
def test_rekey(lab, culvert, what, who):
    a, b = pair(lab, culvert, **V1)
    d = a if who == "initiator" else b
    p, q = lab.ping_start(count=800), lab.ping_start(lab.b, count=800)
    for _ in range(2):
        old = spis(d) if what == "child" else ike_spis(d)
        assert d.rekey(**({"child": "lan"} if what == "child" else {"ike": "gw"}))["success"] == "yes"
        until(lambda: a.up() and b.up() and not old & (spis(d) if what == "child" else ike_spis(d)), f"rekeyed\n{d.tail(20)}", 15)
    p, q = lab.ping_end(p), lab.ping_end(q)
    assert (p.lost, q.lost) == (0, 0)
    assert "DUP" not in p.out + q.out


@pytest.mark.seconds(90)
@pytest.mark.culvert_only
def test_lifetimes(lab, culvert):
    a, b = pair(lab, culvert, rekey_time="5s", over_time="3s", rand_time="0s",
                child_more=dict(rekey_time="2s", life_time="6s", rand_time="0s"), **V1)
    p = lab.ping_start(count=1600, interval=0.005)
    seen, ikes = set(), set()

    def enough():
        seen.update(spis(a))
        ikes.update(ike_spis(a))
        return len(seen) >= 3 and len(ikes) >= 2
    until(enough, "new SAs by lifetime", 25, every=0.1)
    assert lab.ping_end(p).lost == 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("nat", ["none", "both"] + (["masquerade"] if long_run() else []))
@pytest.mark.culvert_only
def test_transport(new_lab, culvert, nat, version):
    """Between the gateways themselves; behind a NAT the checksums inside have to be made right."""
    lab = new_lab(nat=nat)
    a, b = pair(lab, culvert, version=version, children=dict(lan=dict(mode="transport", esp_proposals="aes128gcm16")),
                proposals="aes128-sha256-modp2048", **IDS)
    cap = lab.capture("wanB")
    assert a.children()[0]["mode"] == b.children()[0]["mode"] == "TRANSPORT"
    assert " 0% packet loss" in lab.a.gw.sh(f"ping -c 5 -i 0.05 -W 2 {lab.a.peer4}").out, a.tail(10)
    tcp(lab)
    cap.assert_protected(at_least=10)


def tcp(lab):
    from lab import PYTHON
    from lab.topo import INSIDE
    log = lab.dir / "received"
    srv = lab.b.gw.spawn([PYTHON, INSIDE, "tcp-receive", 4, 5006, 20], log=log)
    until(lambda: b"listening" in log.read_bytes(), "the receiver listens")
    sent = lab.a.gw.exec([PYTHON, INSIDE, "tcp-send", lab.a.peer4, 5006, 300_000, 20], timeout=30)
    srv.wait(20)
    lab.b.gw.stop(srv, timeout=1)
    assert sent.ok and sent.out.strip() and sent.out.strip() in log.read_text(), sent


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.culvert_only
def test_two_clients(new_lab, culvert, version):
    """Two gateways behind one masquerading router, from the same port: each has its SA, and each its traffic."""
    lab = new_lab(nat="masquerade")
    side = lab.client("C", "172.16.2", "10.9.0")
    kw = dict(version=version, proposals="aes128-sha256-modp2048", esp="aes128-sha256")
    a, b = pair(lab, culvert, **kw, **IDS, initiate=False)
    b.load(conf.config({"gw": conf.conn(lab.b, lab, any_peer=True, local=dict(id="b.lab"), remote=dict(id="%any"),
                                        children=dict(lan=conf.child(lab.b, lab, esp_proposals="aes128-sha256",
                                                                     remote_ts="10.1.0.0/24"),
                                                      other=conf.child(lab.b, lab, esp_proposals="aes128-sha256",
                                                                       remote_ts="10.9.0.0/24")),
                                        version=version, proposals="aes128-sha256-modp2048")}))
    c = lab.daemon(culvert, side).start(conf.simple(side, lab, local=dict(id="c.lab"), remote=dict(id="b.lab"), **kw))
    for d in (a, c):
        r = d.initiate()
        assert r.ok, f"{r}\n{d.tail(20)}\n{b.tail(20)}"
    until(lambda: len(b.ikes()) == 2 and len(b.children()) == 2, "two peers at one address")
    assert len({(s["remote-host"]) for s in b.ikes()}) == 1 and len({s["remote-port"] for s in b.ikes()}) == 2
    for s in (lab.a, side):
        assert " 0% packet loss" in s.lan.sh(f"ping -c 5 -i 0.05 -W 2 {lab.b.host4}").out, b.tail(20)
    for host in (lab.a.host4, side.host4):
        assert " 0% packet loss" in lab.b.lan.sh(f"ping -c 5 -i 0.05 -W 2 {host}").out


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.culvert_only
def test_rebinding(new_lab, culvert, version):
    """The NAT forgets its mapping and takes another port: the responder follows (RFC 7296 2.23, RFC 3948 4)."""
    lab = new_lab(nat="masquerade")
    a, b = pair(lab, culvert, version=version, proposals="aes128-sha256-modp2048", esp="aes128-sha256", **IDS)
    before = b.ikes()[0]["remote-port"]
    assert lab.ping(count=3).lost == 0
    # the router's masquerading forgets what went through an interface that goes down
    lab.net.must("nft 'flush chain ip lab post; add rule ip lab post oifname wanB meta l4proto udp masquerade to :40000-40100'\n"
                 "ip link set wanB down; ip link set wanB up")
    until(lambda: lab.ping(count=1, wait=1).lost == 0, "traffic goes on", 20)
    until(lambda: b.ikes()[0]["remote-port"] != before, f"followed\n{b.tail(20)}", 10)
    assert 40000 <= int(b.ikes()[0]["remote-port"]) <= 40100
    assert lab.ping(lab.b, count=3).lost == 0


@pytest.mark.parametrize("peer,spoken", [(1, "1"), (2, "2"), (0, "2")])
@pytest.mark.culvert_only
def test_version_0(lab, culvert, peer, spoken):
    """Both are accepted, IKEv2 is initiated."""
    kw = dict(proposals="aes128-sha256-modp2048", esp="aes128-sha256")
    a, b = pair(lab, culvert, a_more=dict(version=peer), b_more=dict(version=0), **kw)
    assert a.ikes()[0]["version"] == b.ikes()[0]["version"] == spoken
    assert lab.ping(count=3).lost == 0
