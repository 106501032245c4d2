"""IKEv1: culvert and strongSwan, each as initiator and responder, in main and aggressive mode with
pre-shared keys: suites, PFS, NAT, rekeying, deletes, DPD; and what must go wrong in the right way."""
import re

import pytest

from lab import conf, long_run
from lab.wait import until

GUESSABLE = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes"
MODES = ["main", "aggressive"]


@pytest.fixture(params=["initiator", "responder"])
def role(request):
    """culvert's role."""
    return request.param


def start(lab, ours, role, mode="main", a_more=None, b_more=None, a_psk=conf.PSK, b_psk=conf.PSK, options="", **kw):
    """Both daemons, loaded: (a, b, ours, theirs); a initiates."""
    kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
    kw = dict(dict(version=1, proposals="aes128-sha256-modp2048", esp="aes128-sha256"), **kw)
    if mode == "aggressive":
        kw["aggressive"] = "yes"
    d = []
    for kind, side, more, psk in ((kinds[0], lab.a, a_more, a_psk), (kinds[1], lab.b, b_more, b_psk)):
        x = lab.daemon(kind, side, **(dict(options=GUESSABLE + "\n  " + options) if kind == "strongswan" else {}))
        d.append(x.start(conf.simple(side, lab, psk=psk, **{**kw, **(more or {})})))
    return (*d, *(d if role == "initiator" else d[::-1]))


def up(lab, a, b):
    r = a.initiate()
    assert r.ok, f"{r}\n--- A\n{a.tail(25)}\n--- B\n{b.tail(25)}"
    until(lambda: a.up() and b.up(), "up on both sides")
    assert lab.ping(count=3).lost == 0 and lab.ping(lab.b, count=3).lost == 0


@pytest.mark.parametrize("mode", MODES)
def test_traffic(lab, culvert, role, mode):
    a, b, ours, theirs = start(lab, culvert, role, mode)
    up(lab, a, b)
    for size in (1, 500, 1300):
        assert lab.ping(size=size, count=2).lost == 0, size
    sa, sb = a.ikes()[0], b.ikes()[0]
    assert sa["version"] == sb["version"] == "1"
    for k in ("encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group", "initiator-spi", "responder-spi"):
        assert sa.get(k) == sb.get(k), k
    if ours.kind == "culvert":
        s = ours.ikes()[0]
        assert (s["v1-state"], s["v1-mode"]) == ("QM_IDLE", mode)
        assert f"IKEv1 {mode} mode  QM_IDLE" in ours.cli("show", "sas").out


SUITES = [("3des-md5-modp1024", "3des-md5"), ("aes256-sha1-modp1536", "aes256-sha1-modp1536"),
          ("aes192-sha384-ecp256", "aes192-sha384-ecp256"), ("aes256-sha512-ecp521", "aes256-sha512"),
          ("aes128-sha256-modp3072", "aes128gcm16-modp2048"), ("aes128-sha256-modp2048s256", "aes256gcm16"),
          ("aes128-sha256-x25519", "null-sha256"), ("default", "default"), ("aes128-sha1-modp4096,aes256-sha256-ecp384", "aes128-sha1,aes256-sha256")]


@pytest.mark.parametrize("ike,esp", SUITES)
def test_suites(lab, culvert, role, ike, esp):
    a, b, *_ = start(lab, culvert, role, proposals=ike, esp=esp)
    up(lab, a, b)
    ca, cb = a.children()[0], b.children()[0]
    for k in ("encr-alg", "encr-keysize", "integ-alg", "mode", "protocol"):
        assert ca.get(k) == cb.get(k), k


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nat", ["masquerade", "forward", "both"])
def test_nat(new_lab, culvert, role, nat, mode):
    lab = new_lab(nat=nat)
    a, b, ours, theirs = start(lab, culvert, role, mode,
                               a_more=dict(local=dict(id="a.lab"), remote=dict(id="b.lab")),
                               b_more=dict(local=dict(id="b.lab"), remote=dict(id="a.lab"), any_peer=True))
    up(lab, a, b)
    flags = {k for k in ours.ikes()[0] if k.startswith("nat-")}
    want = {"masquerade": "nat-local" if role == "initiator" else "nat-remote",
            "forward": "nat-remote" if role == "initiator" else "nat-local"}.get(nat)
    assert not want or want in flags, flags


@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_rekey(lab, culvert, role, who, what):
    a, b, ours, theirs = start(lab, culvert, role, esp="aes128-sha256-modp2048")
    up(lab, a, b)
    p = lab.ping_start(count=1000)
    d = ours if who == "ours" else theirs

    def now():
        return [(s["initiator-spi"], s["responder-spi"]) for s in d.ikes()] if what == "ike" else \
            [c["spi-in"] for c in d.children()]
    for _ in range(2):
        old = now()
        assert d.rekey(**({"child": "lan"} if what == "child" else {"ike": "gw"}))["success"] == "yes"
        until(lambda: a.up() and b.up() and now() != old, f"{what} rekeyed\n{ours.tail(20)}\n{theirs.tail(20)}", 15)
    assert lab.ping_end(p).lost == 0


@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_delete(lab, culvert, role, who, what):
    a, b, ours, theirs = start(lab, culvert, role)
    up(lab, a, b)
    d = ours if who == "ours" else theirs
    assert d.terminate(**({"child": "lan"} if what == "child" else {"ike": "gw"})).ok
    until(lambda: not a.children() and not b.children(), "no child is left")
    if what == "ike":
        until(lambda: not a.sas() and not b.sas(), "no SA is left")
    else:
        until(lambda: a.ikes() and b.ikes(), "the ISAKMP SA stays")
        assert a.initiate().ok and lab.ping(count=3).lost == 0


def test_dpd(lab, culvert, role):
    """Answered while both live; a peer that is gone is found dead."""
    a, b, ours, theirs = start(lab, culvert, role, dpd_delay="2s", dpd_timeout="8s")
    up(lab, a, b)
    until(lambda: ours.log().count("N(DPD_ACK)") + theirs.log().count("N(DPD_ACK)") >= 4, "DPD both ways", 20)
    assert a.up() and b.up()
    theirs.kill()
    until(lambda: not ours.sas(), f"found dead\n{ours.tail(20)}", 30)


def test_two_children(lab, culvert, role):
    two = dict(lan=lambda side: conf.child(side, lab, esp_proposals="aes128-sha256"),
               lan2=lambda side: conf.child(side, lab, second=True, esp_proposals="aes128-sha256"))
    a, b, ours, theirs = start(lab, culvert, role,
                               a_more=dict(children={k: f(lab.a) for k, f in two.items()}),
                               b_more=dict(children={k: f(lab.b) for k, f in two.items()}))
    for child in two:
        r = a.initiate(child)
        assert r.ok, f"{r}\n{a.tail(20)}\n{b.tail(20)}"
    until(lambda: a.up(2) and b.up(2), "two children under one ISAKMP SA")
    assert lab.ping(count=3).lost == 0


def test_version_0_accepts_both(lab, culvert):
    for version in (1, 2):
        a, b, ours, theirs = start(lab, culvert, "responder", b_more=dict(version=0), version=version)
        up(lab, a, b)
        assert ours.ikes()[0]["version"] == str(version)
        for d in (a, b):
            d.stop()


@pytest.mark.parametrize("mode", MODES)
def test_wrong_psk(lab, culvert, role, mode):
    a, b, ours, theirs = start(lab, culvert, role, mode, b_psk="not the same secret")
    r = a.initiate()
    assert not r.ok
    until(lambda: not a.ikes() and not b.ikes(), "no SA came of it")
    if ours.kind == "culvert":
        until(lambda: re.search("psk-mismatch|pre-shared keys differ", ours.log()), "named as such", 10)


NOT = [("encryption", dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes256-sha256-modp2048")),
       ("hash", dict(proposals="aes128-sha1-modp2048"), dict(proposals="aes128-sha256-modp2048")),
       ("group", dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes128-sha256-modp1536")),
       ("integrity", dict(esp="aes128-sha1"), dict(esp="aes128-sha256")),
       ("PFS group", dict(esp="aes128-sha256-modp2048"), dict(esp="aes128-sha256-modp3072")),
       ("proxy identities", dict(child_more=dict(remote_ts="10.99.0.0/16")), {})]


@pytest.mark.parametrize("what,a_more,b_more", NOT)
def test_refused(lab, culvert, role, what, a_more, b_more):
    a, b, ours, theirs = start(lab, culvert, role, a_more=a_more, b_more=b_more)
    r = a.initiate()
    assert not r.ok
    until(lambda: not a.children() and not b.children(), "no CHILD SA came of it")
    if ours.kind == "culvert" and role == "responder":
        assert what in ours.log(), ours.tail()
    if ours.kind == "culvert" and role == "initiator":
        assert re.search(r"the peer refused", ours.log()), ours.tail()


@pytest.mark.culvert_only
def test_aggressive_is_off(lab, culvert):
    """A connection that does not name aggressive mode never shows its hash."""
    a, b, ours, theirs = start(lab, culvert, "responder", "aggressive", b_more=dict(aggressive="no"))
    assert not a.initiate(timeout=5).ok
    assert "main mode only" in ours.log() and not ours.sas()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("how", ["yes", "accept"] + (["force", "no"] if long_run() else []))
def test_fragments(lab, culvert, role, version, how):
    """Messages that fit no packet of 300 bytes: the fragments of Cisco and strongSwan, and RFC 7383."""
    kw = dict(version=version, proposals="aes128-sha256-modp3072", esp="aes128-sha256")
    sides = (lab.a, lab.b) if role == "initiator" else (lab.b, lab.a)
    ours = lab.daemon(culvert, sides[0])
    theirs = lab.daemon("strongswan", sides[1], options="fragment_size = 300")
    long = {s: dict(id=s.name.lower() * 150 + ".lab") for s in sides}  # IKEv2's messages are small otherwise

    def ids(s):
        return dict(local=long[s], remote=long[lab.other(s)]) if version == 2 else {}
    theirs.start(conf.simple(sides[1], lab, fragmentation="yes", **kw, **ids(sides[1])))
    ours.start(("culvertd {\n  fragment_size = 300\n}\n" if ours.kind == "culvert" else "") +
               conf.simple(sides[0], lab, fragmentation=how, **kw, **ids(sides[0])))
    a, b = (ours, theirs) if role == "initiator" else (theirs, ours)
    cap = lab.capture("wanB")
    up(lab, a, b)
    parts = {p.src for p in cap.of("ike", "ike-natt") if p.payload[16 if p.kind == "ike" else 20] in (132, 53)}
    if ours.kind == "culvert":
        want = {lab.a.wan4, lab.b.wan4} if how in ("yes", "force") else {theirs.side.wan4} if how == "accept" else set()
        assert parts == want, cap.kinds()
