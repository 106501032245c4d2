"""AH, transport mode and BEET between two gateways of ours, keys by hand. In transport mode what the hosts themselves send
goes through the TUN device too, and arrives with the header that it was sent with."""
import re

import pytest

from lab import PYTHON, conf
from lab.topo import INSIDE, MARK
from lab.wait import until

pytestmark = pytest.mark.culvert_only
ESP = dict(esp_proposals="aes128-sha256", key=("00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"))
AH = dict(ah_proposals="sha256")
AUTH = ("a1" * 32, "b2" * 32)


def settings(lab, side, family, what, **more):
    """One side's; the other's are the mirror image."""
    i = 0 if side is lab.a else 1
    s = dict(local=side.wan(family), remote=lab.other(side).wan(family), spi_in=(0x1001, 0x2002)[i], spi_out=(0x2002, 0x1001)[i],
             auth_in="0x" + AUTH[1 - i], auth_out="0x" + AUTH[i], **{k: v for k, v in what.items() if k != "key"}, **more)
    if "key" in what:
        s.update(key_in="0x" + what["key"][1 - i], key_out="0x" + what["key"][i])
    return s


def both(lab, culvert, family, what, ts=None, **more):
    for side in (lab.a, lab.b):
        d = lab.daemon(culvert, side).start()
        s = settings(lab, side, family, what, **more)
        if ts:
            s.update(local_ts=ts(side), remote_ts=ts(lab.other(side)))
        r = d.cli("sa", "add", "hand", *[f"{k}={v}" for k, v in s.items()])
        assert r.ok, r
        yield d


def host_transfer(lab, family, mbytes=1):
    """TCP from gateway A to gateway B, whose content a capture would show."""
    out = lab.dir / f"host-transfer-{family}"
    srv = lab.b.gw.spawn([PYTHON, INSIDE, "tcp-receive", family, 5006, 30], log=out)
    until(lambda: b"listening" in out.read_bytes(), "the receiver listens")
    got = lab.a.gw.exec([PYTHON, INSIDE, "tcp-send", lab.b.wan(family), 5006, mbytes << 20, 30], timeout=40)
    srv.wait(30)
    lab.b.gw.stop(srv, timeout=1)
    assert got.out.strip() == out.read_text().split("listening", 1)[1].strip(), got


def again(lab, datagram):
    """An IP datagram of gateway A, once more from the network between."""
    lab.net.must(f"{PYTHON} -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW); "
                 f"s.sendto(bytes.fromhex(\"{datagram.hex()}\"), (\"{lab.b.wan4}\", 0))'")


def host_ping(lab, frm, family, *more):
    r = frm.gw.sh(f"ping -{family} -c 5 -i 0.05 -W 2 {' '.join(more)} {lab.other(frm).wan(family)}")
    assert " 0% packet loss" in r.out, r.out
    return r.out


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("what", ["esp", pytest.param("ah", marks=pytest.mark.smoke), "encap"])
def test_transport(lab, culvert, family, what):
    a, b = both(lab, culvert, family, AH if what == "ah" else ESP, mode="transport", **({"encap": "yes"} if what == "encap" else {}))
    cap = lab.capture("wanB")
    host_ping(lab, lab.a, family)
    out = host_ping(lab, lab.b, family, "-t 37")
    if what != "encap":
        assert "ttl=63" in out, out  # one router between them
    host_ping(lab, lab.a, family, "-s 4000 -M dont")  # cut by the host's kernel, joined, and cut again outside
    host_transfer(lab, family)
    kind = dict(esp="esp", ah="ah", encap="esp-udp")[what]
    cap.assert_protected(None if what == "ah" else MARK, want=(kind,), at_least=500)
    hops = {p.raw[22] if family == 4 else p.raw[21] for p in cap.of(kind) if p.src == lab.b.wan(family)}
    assert hops == {37, 64}, hops
    drops = b.ask("stats")["dataplane"]["drops"]
    assert set(drops) <= {"dp-no-policy"}, drops  # router solicitations of the TUN device


def test_ip_options(lab, culvert):
    """IPv4 options: ours is the header, so that they arrive; a router alert counts in AH's ICV, a recorded route not."""
    for what in (ESP, AH):
        a, b = both(lab, culvert, 4, what, mode="transport")
        host_ping(lab, lab.a, 4, "-R")
        assert "RR:" in host_ping(lab, lab.a, 4, "-R")
        a.stop()
        b.stop()


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_ah_tunnel(lab, culvert, outer, inner):
    a, b = both(lab, culvert, outer, AH, ts=lambda s: s.net(inner))
    cap = lab.capture("wanB")
    assert lab.ping(count=5, family=inner).lost == 0
    sent, received = lab.transfer(1, family=inner)
    assert sent == received
    cap.assert_protected(want=("ah",), at_least=500)


@pytest.mark.parametrize("what", ["esp", "ah"])
def test_beet(lab, culvert, what):
    """Inner addresses of the LAN hosts, outer ones of the gateways, and no inner header on the wire."""
    a, b = both(lab, culvert, 4, ESP if what == "esp" else AH, ts=lambda s: s.host4, mode="beet")
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK if what == "esp" else None, want=(what,), at_least=500)


@pytest.mark.parametrize("how", ["native", "udp"])
def test_beet_negotiated(lab, culvert, how):
    """IKEv2 agrees on BEET, rekeys it, and packets are as small as those of transport mode."""
    more = dict(encap="yes") if how == "udp" else {}
    a, b = [lab.daemon(culvert, s).start(conf.simple(s, lab, children=dict(lan=dict(
        local_ts=s.host4, remote_ts=lab.other(s).host4, mode="beet", esp_proposals="aes128-sha256")), **more))
        for s in (lab.a, lab.b)]
    assert a.cli("up", "lan").ok
    until(lambda: a.up() and b.up(), "up")
    assert [d.children()[0]["mode"] for d in (a, b)] == ["BEET", "BEET"]
    cap = lab.capture("wanB")
    assert lab.ping(count=5, size=92).lost == 0
    assert lab.ping(lab.b, count=5).lost == 0
    esp = cap.of("esp", "esp-udp")
    # 100 bytes of ICMP, padded to 112 with what ends ESP; SPI, number, IV, ICV of 16
    assert len(esp[0].raw) == 14 + 20 + (8 if how == "udp" else 0) + 8 + 16 + 112 + 16, len(esp[0].raw)
    old, cap = a.children()[0]["spi-in"], lab.capture("wanB")
    p = lab.ping_start(count=300, interval=0.005)
    assert b.rekey(child="lan")["success"] == "yes"
    until(lambda: a.up() and b.up() and a.children()[0]["spi-in"] != old, "rekeyed")
    assert lab.ping_end(p).lost == 0
    assert [d.children()[0]["mode"] for d in (a, b)] == ["BEET", "BEET"]
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK, at_least=500)
    assert "another mode" not in a.log() + b.log()


def test_beet_of_a_traveller(lab, culvert):
    """The gateway's own packets, from the address that the peer gave it; large ones whole (packets of BEET say nothing of
    fragments)."""
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, vips="0.0.0.0", children=dict(
        lan=dict(mode="beet", remote_ts=lab.b.host4))))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, pools="p", children=dict(
        lan=dict(mode="beet", local_ts=lab.b.host4))) + conf.block("pools", dict(p=dict(addrs="10.9.0.0/24"))))
    assert a.cli("up", "lan").ok
    until(lambda: a.up() and b.up(), "up")
    assert [d.children()[0]["mode"] for d in (a, b)] == ["BEET", "BEET"]
    cap = lab.capture("wanB")
    for ns, to in ((lab.a.gw, lab.b.host4), (lab.b.lan, "10.9.0.1")):
        for size in (56, 2000):
            assert " 0% packet loss" in ns.sh(f"ping -c 3 -i 0.05 -W 2 -s {size} {to}").out
    cap.assert_protected(at_least=24)


def test_beet_is_tunnel_for_others(lab, culvert):
    """A peer that does not want it: the same is protected in tunnel mode, and the log tells of both."""
    a, b = [lab.daemon(culvert, s).start(conf.simple(s, lab, children=dict(lan=dict(
        local_ts=s.host4, remote_ts=lab.other(s).host4, mode=m)))) for s, m in ((lab.a, "beet"), (lab.b, "tunnel"))]
    for d in (a, b):
        assert d.cli("up", "lan").ok
        until(lambda: a.up() and b.up(), "up")
        assert [d.children()[0]["mode"] for d in (a, b)] == ["TUNNEL", "TUNNEL"]
        assert lab.ping(count=3).lost == 0
        assert re.search("another mode.*ours: beet.*theirs: tunnel", a.log()), a.tail()
        a.terminate(ike="gw")
        until(lambda: not b.sas(), "down")


def test_ttl_and_dscp_may_change(lab, culvert):
    """A router between the hosts counts the hop limit down and rewrites DSCP: AH holds. It changes the identification or
    an address: the packet is dropped, as damaged."""
    a, b = both(lab, culvert, 4, AH, mode="transport")
    lab.net.must("nft 'add table ip way; add chain ip way c { type filter hook forward priority 0; }; "
                 "add rule ip way c ip protocol 51 ip dscp set cs1 ip ttl set 9'")
    host_ping(lab, lab.a, 4)
    lab.net.must("nft 'add rule ip way c ip protocol 51 ip id set 4711'")
    r = lab.a.gw.sh(f"ping -c 3 -i 0.05 -W 1 {lab.b.wan4}")
    assert "100% packet loss" in r.out
    assert int(b.ask("stats")["dataplane"]["drops"]["dp-icv"]) >= 3


def test_lateness_is_shown(lab, culvert):
    """Packets again, once while they are in the window and once when it has moved on."""
    a, b = both(lab, culvert, 4, ESP, ts=lambda s: s.net4, replay_window=64)
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0
    first = [p.raw[14:] for p in cap.of("esp") if p.src == lab.a.wan4]
    again(lab, first[0])
    assert lab.ping(count=100, interval=0.002).lost == 0
    again(lab, first[0])
    again(lab, first[1])
    until(lambda: int(b.ask("stats")["dataplane"]["drops"].get("dp-late", 0)) == 2, "two that were late")
    assert int(b.ask("stats")["dataplane"]["drops"]["dp-replay"]) == 1
    screen = b.cli("sa", "list").out
    assert "late: 2 dropped, 1 seen before; window 64, 128 would do; behind: 64:2" in screen, screen
