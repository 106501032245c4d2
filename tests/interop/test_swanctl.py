"""Debian's swanctl, unmodified, drives culvertd; what it prints with --raw is spelled as charon spells it,
because existing tools parse it. Run with --stand-in the same assertions hold for charon itself."""
import re

import pytest

from lab import conf
from lab.ns import tool
from lab.wait import until

# keys that charon prints for an IKE SA and a CHILD SA with PSK and AES-GCM (charon 5.9.8, --list-sas --raw)
IKE_SA = {"uniqueid", "version", "state", "local-host", "local-port", "local-id", "remote-host", "remote-port",
          "remote-id", "initiator-spi", "responder-spi", "encr-alg", "encr-keysize", "prf-alg", "dh-group", "established",
          "rekey-time", "child-sas"}
CHILD_SA = {"name", "uniqueid", "reqid", "state", "mode", "protocol", "spi-in", "spi-out", "encr-alg", "encr-keysize",
            "bytes-in", "packets-in", "bytes-out", "packets-out", "rekey-time", "life-time", "install-time", "local-ts",
            "remote-ts"}
IKE_PROP, ESP_PROP = "aes128gcm16-prfsha256-x25519", "aes256gcm16"


@pytest.fixture
def duo(lab, culvert):
    """Both sides loaded by swanctl --load-all alone, with strongSwan as the peer."""
    a = lab.daemon(culvert, lab.a).start()
    b = lab.daemon("strongswan", lab.b).start()
    for d, side in ((a, lab.a), (b, lab.b)):
        r = d.swanctl_load(conf.simple(side, lab, proposals=IKE_PROP, esp=ESP_PROP, encap="yes"))
        assert r.ok, r
        assert re.search(r"loaded ike secret 'ike-1'", r.out)
        assert re.search(r"loaded connection 'gw'", r.out)
        assert "successfully loaded 1 connections, 0 unloaded" in r.out
    return a, b


def up(a, b):
    r = a.swanctl("--initiate", "--child", "lan", "--timeout", "10")
    assert r.ok and "initiate completed successfully" in r.out, f"{r}\n{a.tail()}"
    until(lambda: a.up() and b.up(), "up on both sides")


def test_initiate_and_terminate(lab, duo):
    a, b = duo
    up(a, b)
    assert lab.ping(count=3).lost == 0
    r = a.swanctl("--terminate", "--child", "lan")
    assert r.ok and "terminate completed successfully" in r.out, r
    until(lambda: not a.children() and not b.children(), "the CHILD SA is gone")
    r = a.swanctl("--terminate", "--ike", "gw")
    assert r.ok, r
    until(lambda: not a.sas() and not b.sas(), "the IKE SA is gone")
    r = a.swanctl("--terminate", "--ike", "gw")
    assert not r.ok and "no matching SAs" in r.out, r


def test_initiate_fails(lab, duo):
    a, b = duo
    assert not a.swanctl("--initiate", "--child", "nosuch").ok
    b.stop()
    r = a.swanctl("--initiate", "--child", "lan", "--timeout", "2")
    assert not r.ok and "initiate failed" in r.out, r


def test_list_sas(lab, duo):
    a, b = duo
    assert a.swanctl("--list-sas").out == ""
    up(a, b)
    lab.ping(count=5)
    out = a.swanctl("--list-sas").out
    first = out.splitlines()[0]
    assert re.match(r"gw: #\d+, ESTABLISHED, IKEv2, [0-9a-f]{16}_i\* [0-9a-f]{16}_r$", first), first
    for words in (rf"local  '{lab.a.wan4}' @ {lab.a.wan4}\[4500\]", rf"remote '{lab.b.wan4}' @ {lab.b.wan4}\[4500\]",
                  r"AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519", r"established \d+s ago, rekeying in \d+s",
                  r"lan: #\d+, reqid \d+, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-256",
                  r"installed \d+s ago, rekeying in \d+s, expires in \d+s",
                  r"in  [0-9a-f]{8},\s+\d+ bytes,\s+5 packets", r"out [0-9a-f]{8},\s+\d+ bytes,\s+5 packets",
                  r"local  10\.1\.0\.0/24", r"remote 10\.2\.0\.0/24"):
        assert re.search(words, out), f"{words!r} is not in\n{out}"


def test_list_sas_raw(lab, duo):
    a, b = duo
    up(a, b)
    lab.ping(count=5)
    out = a.swanctl("--list-sas", "--raw").out
    assert out.startswith("list-sa event {gw {") and "list-sas reply {" in out
    for words in ("state=ESTABLISHED", "version=2", "encr-alg=AES_GCM_16", "encr-keysize=128", "prf-alg=PRF_HMAC_SHA2_256",
                  "dh-group=CURVE_25519", "state=INSTALLED", "mode=TUNNEL", "protocol=ESP", "encap=yes",
                  "local-ts=[10.1.0.0/24]", "remote-ts=[10.2.0.0/24]", "packets-in=5", "packets-out=5", "initiator=yes"):
        assert words in out, f"{words} is not in\n{out}"
    ike = a.ikes()[0]
    child = next(iter(ike["child-sas"].values()))
    assert IKE_SA <= set(ike), IKE_SA - set(ike)
    assert CHILD_SA <= set(child), CHILD_SA - set(child)
    assert next(iter(ike["child-sas"])) == f"lan-{child['uniqueid']}"
    # the peer is a real charon: whatever name it has for a thing, ours is the same
    theirs = b.ikes()[0]
    for k in ("version", "state", "encr-alg", "encr-keysize", "prf-alg", "dh-group", "initiator-spi", "responder-spi"):
        assert ike[k] == theirs[k], k
    for k in ("initiator-spi", "responder-spi"):
        assert re.fullmatch("[0-9a-f]{16}", ike[k])
    for k in ("spi-in", "spi-out"):
        assert re.fullmatch("[0-9a-f]{8}", child[k])


def test_other_algorithms_raw(lab, culvert):
    a = lab.daemon(culvert, lab.a).start()
    b = lab.daemon("strongswan", lab.b).start()
    for d, side in ((a, lab.a), (b, lab.b)):
        assert d.swanctl_load(conf.simple(side, lab, proposals="aes256-sha384-modp2048", esp="aes192-sha1-ecp256")).ok
    up(a, b)
    assert a.swanctl("--rekey", "--child", "lan").ok
    until(lambda: a.up() and b.up() and a.children()[0].get("dh-group"), "rekeyed with PFS")
    out = a.swanctl("--list-sas", "--raw").out
    for words in ("encr-alg=AES_CBC", "encr-keysize=256", "integ-alg=HMAC_SHA2_384_192", "prf-alg=PRF_HMAC_SHA2_384",
                  "dh-group=MODP_2048", "integ-alg=HMAC_SHA1_96", "encr-keysize=192", "dh-group=ECP_256"):
        assert words in out, f"{words} is not in\n{out}"


def test_list_conns(lab, duo):
    a, _ = duo
    out = a.swanctl("--list-conns").out
    for words in (r"gw: IKEv2", rf"local:\s+{lab.a.wan4}", rf"remote:\s+{lab.b.wan4}", r"local pre-shared key authentication",
                  r"remote pre-shared key authentication", r"lan: TUNNEL", r"local:\s+10\.1\.0\.0/24", r"remote:\s+10\.2\.0\.0/24"):
        assert re.search(words, out), f"{words!r} is not in\n{out}"
    raw = a.swanctl("--list-conns", "--raw").out
    for words in ("list-conn event {gw {", f"local_addrs=[{lab.a.wan4}]", f"remote_addrs=[{lab.b.wan4}]", "version=IKEv2",
                  "class=pre-shared key", "mode=TUNNEL", "local-ts=[10.1.0.0/24]", "remote-ts=[10.2.0.0/24]"):
        assert words in raw, f"{words} is not in\n{raw}"


def test_list_pols(lab, culvert):
    a = lab.daemon(culvert, lab.a).start()
    r = a.swanctl_load(conf.simple(lab.a, lab, child_more=dict(start_action="trap")))
    assert r.ok, r
    out = a.swanctl("--list-pols").out
    for words in (r"gw/lan, TUNNEL", r"local:\s+10\.1\.0\.0/24", r"remote:\s+10\.2\.0\.0/24"):
        assert re.search(words, out), f"{words!r} is not in\n{out}"
    assert a.swanctl("--list-pols", "--trap").ok
    assert a.swanctl("--list-pols", "--drop").out == ""


def test_install_and_uninstall(lab, duo):
    a, _ = duo
    r = a.swanctl("--install", "--child", "lan")
    assert r.ok, r
    assert "gw/lan" in a.swanctl("--list-pols", "--trap").out
    r = a.swanctl("--uninstall", "--child", "lan")
    assert r.ok, r
    assert "gw/lan" not in a.swanctl("--list-pols", "--trap").out


def test_stats(lab, duo):
    a, b = duo
    up(a, b)
    out = a.swanctl("--stats").out
    for words in (r"uptime: .+, since", r"IKE_SAs: 1 total, 0 half-open"):
        assert re.search(words, out), f"{words!r} is not in\n{out}"
    assert a.swanctl("--version").ok


def test_rekey(lab, duo):
    a, b = duo
    up(a, b)
    p = lab.ping_start(count=500)
    child, ike = a.children()[0]["spi-in"], a.ikes()[0]["initiator-spi"]
    r = a.swanctl("--rekey", "--child", "lan")
    assert r.ok and "rekey completed successfully" in r.out, r
    until(lambda: a.up() and b.up() and a.children()[0]["spi-in"] != child, "CHILD SA rekeyed")
    r = a.swanctl("--rekey", "--ike", "gw")
    assert r.ok, r
    until(lambda: a.up() and b.up() and a.ikes()[0]["initiator-spi"] != ike, "IKE SA rekeyed")
    assert lab.ping_end(p).lost == 0


def test_log(lab, duo):
    """--log follows the daemon's log while something happens."""
    a, b = duo
    f = lab.dir / "swanctl-log.log"
    p = a.ns.spawn(["stdbuf", "-oL", tool("/usr/sbin/swanctl"), "--log", "--uri", a.uri], log=f,
                   env=dict(STRONGSWAN_CONF=str(a.dir / "swanctl-strongswan.conf")))

    def follows():  # its registration shows in nothing: something small is asked for until it tells of it
        a.ask("initiate", dict(child="nosuch"), check=False)
        a.swanctl_load(conf.simple(lab.a, lab, proposals=IKE_PROP, esp=ESP_PROP, encap="yes"))
        return f.stat().st_size
    until(follows, "swanctl --log prints something", 10)
    up(a, b)
    until(lambda: re.search(r"\d+\[\w+\] .*(established|ESTABLISHED)", f.read_text()), "the log tells of the SA", 5)
    a.ns.stop(p)


def test_events(lab, duo):
    """ike-updown, child-updown, ike-rekey and child-rekey, as an exporter would read them."""
    a, b = duo
    with a.vici() as v:
        for e in ("ike-updown", "child-updown", "ike-rekey", "child-rekey"):
            v.register(e)
        up(a, b)
        _, m = v.event("ike-updown")
        assert m["up"] == "yes" and m["gw"]["state"] == "ESTABLISHED"
        _, m = v.event("child-updown")
        assert m["up"] == "yes" and "child-sas" in m["gw"]
        a.rekey(child="lan")
        _, m = v.event("child-rekey")
        kids = m["gw"]["child-sas"]
        pair = next(iter(kids.values()))
        assert {"old", "new"} <= set(pair) and pair["old"]["spi-in"] != pair["new"]["spi-in"]
        a.rekey(ike="gw")
        _, m = v.event("ike-rekey")
        assert {"old", "new"} <= set(m["gw"])
        a.terminate(ike="gw")
        _, m = v.event("ike-updown")
        assert m.get("up", "no") == "no" and "gw" in m


def test_reload_replaces_and_unloads(lab, duo):
    a, b = duo
    up(a, b)
    text = conf.config(dict(other=conf.conn(lab.a, lab, children=dict(net=conf.child(lab.a, lab)))))
    r = a.swanctl_load(text)
    assert r.ok and "successfully loaded 1 connections, 1 unloaded" in r.out, r
    out = a.swanctl("--list-conns").out
    assert "other: IKE" in out and "gw: IKE" not in out
    assert a.children(), "what runs keeps running"


def test_refused_connection(lab, duo):
    """load-conn of nonsense fails with a reason, and changes nothing."""
    a, _ = duo
    r = a.swanctl_load(conf.simple(lab.a, lab, proposals="aes128-sha9-modp2048"))
    assert not r.ok and re.search("sha9|proposal", r.out), r
    assert "gw: IKEv2" in a.swanctl("--list-conns").out


def test_two_daemons_two_sockets(lab, duo):
    a, b = duo
    assert a.uri != b.uri and lab.a.wan4 in a.swanctl("--list-conns").out
    up(a, b)
    assert a.ikes()[0]["local-host"] == b.ikes()[0]["remote-host"] == lab.a.wan4
