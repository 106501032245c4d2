"""AH around ESP, negotiated with IKEv1 (RFC 2408 4.2) between two gateways of ours: on the wire, rekeyed, deleted, refused;
scapy checks every ICV and opens what is inside."""
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.ipsec import AH, ESP, SecurityAssociation

from lab import conf, long_run
from lab.topo import MARK
from lab.wait import until
from test_rekey import spis
from test_traffic import pair

pytestmark = pytest.mark.culvert_only
V1 = dict(version=1, proposals="aes128-sha256-modp2048", esp="aes128-sha1")
BOTH = dict(ah_proposals="sha256")


def ah_spis(d):
    return {c["ah-spi-in"] for c in d.children()} | {c["ah-spi-out"] for c in d.children()}


@pytest.mark.smoke
@pytest.mark.parametrize("family", [4, 6] if long_run() else [4])
def test_tunnel(lab, culvert, family):
    a, b = pair(lab, culvert, outer=family, inner=family, child_more=BOTH, **V1)
    cap = lab.capture("wanB")
    assert lab.ping(count=5, family=family).lost == 0
    sent, received = lab.transfer(1, family=family)
    assert sent == received
    assert any(lab.ping(lab.b, family=family, size=5000, df=False).lost == 0 for _ in range(3))  # IPv6 learns the MTU first
    cap.assert_protected(MARK, want=("ah",), at_least=500)
    assert all(p.payload[:1] == b"2" for p in cap.of("ah")), "AH holds ESP, and nothing is cut outside"
    assert not cap.of("esp")
    c, d = a.children()[0], b.children()[0]
    assert (c["ah-spi-in"], c["ah-spi-out"]) == (d["ah-spi-out"], d["ah-spi-in"]) and c["ah-integ-alg"] == "HMAC_SHA2_256_128"
    assert "TUNNEL ESP in AH" in a.cli("show", "sas").out
    screen = a.cli("show", "crypto", "ipsec", "sa").out
    assert screen.count("ah-sha256-hmac") == 2 and f"spi: 0x{c['ah-spi-in']}" in screen, screen
    drops = b.ask("stats")["dataplane"]["drops"]
    assert set(drops) <= {"dp-no-policy", "dp-too-big"}, drops


@pytest.mark.parametrize("family", [4, 6] if long_run() else [6])
def test_transport(lab, culvert, family):
    a, b = pair(lab, culvert, outer=family, children=dict(lan=dict(mode="transport", esp_proposals="aes128-sha1", **BOTH)),
                **{k: v for k, v in V1.items() if k != "esp"})
    cap = lab.capture("wanB")
    for frm in (lab.a, lab.b):
        r = frm.gw.sh(f"ping -{family} -c 5 -i 0.05 -W 2 -s 1000 {lab.other(frm).wan(family)}")
        assert " 0% packet loss" in r.out, f"{r.out}\n{a.tail(10)}"
    cap.assert_protected(want=("ah",), at_least=10)
    assert all(p.payload[0] == 50 for p in cap.of("ah") if p.payload)


def opened(p, keys):
    """The packet inside of IP AH ESP, by scapy, which raises when an ICV is wrong."""
    ip = IP(p.raw[14:])
    ah = next(k for k in keys if int(k["spi"], 16) == ip[AH].spi)
    esp = next(k for k in keys if k["proto"] == "esp" and k["direction"] == ah["direction"])
    key = {k: bytes.fromhex(v["integ_key"]) for k, v in (("ah", ah), ("esp", esp))}
    outer = SecurityAssociation(AH, spi=ip[AH].spi, auth_algo="SHA2-256-128", auth_key=key["ah"])
    tunnel = IP(src=ip.src, dst=ip.dst)
    inner = SecurityAssociation(ESP, spi=int(esp["spi"], 16), crypt_algo="AES-CBC", crypt_key=bytes.fromhex(esp["encr_key"]),
                                auth_algo="HMAC-SHA1-96", auth_key=key["esp"], tunnel_header=tunnel)
    return inner.decrypt(IP(bytes(outer.decrypt(ip))))


def test_scapy_opens_it(lab, culvert):
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, child_more=BOTH, **V1))
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, child_more=BOTH, **V1))
    assert a.initiate().ok, a.tail()
    keys = list(a.ask("export-keys")["esp"].values())
    assert sorted(k["proto"] for k in keys) == ["ah", "ah", "esp", "esp"]
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0
    inner = [opened(p, keys) for p in cap.of("ah")]
    assert sum(ICMP in i and {i.src, i.dst} == {lab.a.host4, lab.b.host4} for i in inner) >= 6


@pytest.mark.parametrize("who", ["initiator", "responder"] if long_run() else ["responder"])
def test_rekey_and_delete(lab, culvert, who):
    a, b = pair(lab, culvert, child_more=dict(BOTH, ipcomp="yes"), **V1)
    d = a if who == "initiator" else b
    p = lab.ping_start(count=400)
    for _ in range(2):
        old, old_ah = spis(d), ah_spis(d)
        assert d.rekey(child="lan")["success"] == "yes"
        until(lambda: a.up() and b.up() and not old & spis(d) and not old_ah & ah_spis(d), f"rekeyed\n{d.tail(20)}", 15)
    assert lab.ping_end(p).lost == 0
    assert d.terminate(child="lan").ok
    until(lambda: not a.children() and not b.children(), "both SAs gone at both ends")
    assert a.initiate().ok and lab.ping().lost == 0


def test_esp_may_leave_integrity_to_ah(lab, culvert):
    """RFC 8221 4, and Cisco's transform sets of esp-aes and ah-sha-hmac; said to be the least of three ways."""
    a, b = pair(lab, culvert, child_more=BOTH, **dict(V1, esp="aes128"))
    assert "which RFC 8221 4 recommends against" in a.log()
    cap = lab.capture("wanB")
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK, want=("ah",), at_least=500)


def test_another_hash_is_named(lab, culvert):
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=BOTH, **V1))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, child_more=dict(ah_proposals="sha512"), **V1))
    assert not a.initiate().ok
    assert "AH integrity sha512" in b.log() and "AH integrity sha256" in b.log(), b.tail(20)
    b.write(conf.simple(lab.b, lab, **V1))
    assert b.cli("reload").ok
    assert not a.initiate().ok
    assert "protocol AH and ESP" in b.log(), b.tail(20)


def test_through_a_nat(new_lab, culvert):
    lab = new_lab(nat="both")
    ids = dict(local=dict(id="a.lab"), remote=dict(id="b.lab"))
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=BOTH, **V1, **ids))
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, child_more=BOTH, any_peer=True, local=dict(id="b.lab"),
                                                 remote=dict(id="%any"), **V1))
    r = a.cli("up", "lan")
    assert not r.ok and "RFC 3715 2.1" in r.out and "esp_proposals without ah_proposals" in r.out, r


def test_only_ikev1(lab, culvert, tmp_path):
    a = lab.daemon(culvert, lab.a).start()
    for version in (0, 2):
        path = tmp_path / f"{version}.conf"
        path.write_text(conf.simple(lab.a, lab, child_more=BOTH, version=version, esp="aes128-sha1"))
        line = 1 + [i for i, l in enumerate(path.read_text().splitlines()) if "ah_proposals" in l][0]
        r = a.cli("check", path)
        assert not r.ok and f"{path}:{line}" in r.out and "negotiated by IKEv1 alone" in r.out, r
