"""culvert and strongSwan, each as initiator and responder: what goes right, and what must go wrong in
the right way."""
import re

import pytest

from lab import PYTHON, conf
from lab.topo import INSIDE, MARK
from lab.wait import never, until


@pytest.fixture(params=["initiator", "responder"])
def role(request):
    """culvert's role."""
    return request.param


def start(lab, ours, role, a_more=None, b_more=None, a_psk=conf.PSK, b_psk=conf.PSK, options="", **kw):
    """Both daemons, loaded: (a, b, ours, theirs); a initiates."""
    kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
    d = []
    for kind, side, more, psk in ((kinds[0], lab.a, a_more, a_psk), (kinds[1], lab.b, b_more, b_psk)):
        x = lab.daemon(kind, side, **(dict(options=options) if kind == "strongswan" else {}))
        d.append(x.start(conf.simple(side, lab, psk=psk, **{**kw, **(more or {})})))
    return (*d, *(d if role == "initiator" else d[::-1]))


def up(lab, a, b):
    r = a.initiate()
    assert r.ok, f"{r}\n--- A\n{a.tail(25)}\n--- B\n{b.tail(25)}"
    until(lambda: a.up() and b.up(), "up on both sides")
    assert lab.ping(count=3).lost == 0 and lab.ping(lab.b, count=3).lost == 0


def test_traffic(lab, culvert, role):
    a, b, ours, theirs = start(lab, culvert, role)
    cap = lab.capture("wanB")
    up(lab, a, b)
    sent, received = lab.transfer(2)
    assert sent == received
    sent, received = lab.transfer(2, frm=lab.b)
    assert sent == received
    cap.assert_protected(MARK)
    for size in (1, 500, 1300, 1400, 3000):
        assert lab.ping(size=size, count=2).lost == 0, size


@pytest.mark.parametrize("inner", [6])
def test_ipv6_inside(lab, culvert, role, inner):
    a, b, *_ = start(lab, culvert, role, inner=inner)
    assert a.initiate().ok, f"{a.tail()}\n{b.tail()}"
    assert lab.ping(family=6, count=3).lost == 0 and lab.ping(lab.b, family=6, count=3).lost == 0


@pytest.mark.parametrize("nat", ["masquerade", "forward", "both"])
def test_nat(new_lab, culvert, role, nat):
    lab = new_lab(nat=nat)
    a, b, ours, theirs = start(lab, culvert, role,
                               a_more=dict(local=dict(id="a.lab"), remote=dict(id="b.lab")),
                               b_more=dict(local=dict(id="b.lab"), remote=dict(id="a.lab"), any_peer=True))
    cap = lab.capture("wanB")
    up(lab, a, b)
    cap.assert_protected(want=("esp-udp",))
    assert not cap.of("esp")
    flags = {k for k in ours.ikes()[0] if k.startswith("nat-")}
    mirror = {k.replace("local", "x").replace("remote", "local").replace("x", "remote")
              for k in theirs.ikes()[0] if k.startswith("nat-")} - {"nat-fake", "nat-any"}
    # kernel-libipsec pretends a NAT on its side, to get its UDP: only what is really there must be known
    want = {"masquerade": "nat-local" if role == "initiator" else "nat-remote",
            "forward": "nat-remote" if role == "initiator" else "nat-local"}.get(nat)
    assert not want or want in flags, (flags, mirror)


@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_rekey(lab, culvert, role, who, what):
    a, b, ours, theirs = start(lab, culvert, role)
    up(lab, a, b)
    p = lab.ping_start(count=1000)
    d = ours if who == "ours" else theirs

    def now():
        return [(s["initiator-spi"], s["responder-spi"]) for s in d.ikes()] if what == "ike" else \
            [c["spi-in"] for c in d.children()]
    for _ in range(2):
        old = now()
        assert d.rekey(**({"child": "lan"} if what == "child" else {"ike": "gw"}))["success"] == "yes"
        until(lambda: a.up() and b.up() and now() != old, f"{what} rekeyed\n{d.tail(20)}", 15)
    assert lab.ping_end(p).lost == 0


@pytest.mark.seconds(90)
@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_rekey_by_time(lab, culvert, role, who):
    """Short lifetimes on one side (on both, strongSwan's own collisions are not always settled)."""
    short = dict(rekey_time="5s", over_time="4s", rand_time="0s",
                 child_more=dict(rekey_time="3s", life_time="8s", rand_time="0s"))
    first = (who == "ours") == (role == "initiator")
    a, b, ours, theirs = start(lab, culvert, role, a_more=short if first else None, b_more=None if first else short,
                               esp="aes128gcm16-x25519")
    up(lab, a, b)
    p, seen, ikes = lab.ping_start(count=2400, interval=0.005), set(), set()

    def enough():
        seen.update(c["spi-in"] for c in ours.children())
        ikes.update(s["initiator-spi"] for s in ours.ikes())
        return len(seen) >= 4 and len(ikes) >= 2
    until(enough, "four CHILD SAs and two IKE SAs in turn", 30, every=0.1)
    assert lab.ping_end(p).lost == 0
    until(lambda: a.up() and b.up(), "one SA is left", 15)


@pytest.mark.seconds(120)
def test_both_rekey_by_time(lab, culvert, role):
    """Both sides rekey at nearly the same moments: whoever wins, traffic flows and each side can go on sending."""
    short = dict(rekey_time="8s", over_time="8s", rand_time="1s", dpd_delay="5s",
                 child_more=dict(rekey_time="4s", life_time="12s", rand_time="1s"))
    a, b, ours, theirs = start(lab, culvert, role, a_more=short, b_more=short, esp="aes128gcm16-x25519")
    up(lab, a, b)
    p, seen = lab.ping_start(count=6000, interval=0.005), set()

    def enough():
        seen.update(c["spi-in"] for c in ours.children())
        return len(seen) >= 6
    until(enough, "six CHILD SAs in turn", 60, every=0.1)
    assert lab.ping_end(p).lost == 0
    until(lambda: ours.children() and theirs.children(), "a CHILD SA is up on both sides", 15)
    assert lab.ping(count=3).lost == 0 and lab.ping(lab.b, count=3).lost == 0


def test_wrong_psk(lab, culvert, role):
    a, b, ours, theirs = start(lab, culvert, role, b_psk="not the same secret")
    r = a.initiate()
    assert not r.ok
    assert re.search(r"AUTH_FAILED|AUTHENTICATION_FAILED|pre-shared|MAC mismatched", b.log())
    until(lambda: not a.sas() and not b.sas(), "no SA came of it")
    if role == "initiator" and ours.kind == "culvert":
        assert re.search("authenticat|pre-shared", ours.log(), re.I), ours.tail()


@pytest.mark.parametrize("what", ["ike", "esp"])
def test_no_common_proposal(lab, culvert, role, what):
    more = [dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes256-sha512-ecp384")] if what == "ike" else \
        [dict(esp="aes128gcm16"), dict(esp="aes256-sha512")]
    a, b, ours, theirs = start(lab, culvert, role, a_more=more[0], b_more=more[1])
    r = a.initiate()
    assert not r.ok
    assert re.search(r"NO_PROP|no proposal|proposal", a.log() + r.out)
    until(lambda: not a.children() and not b.children(), "no CHILD SA came of it")
    if ours.kind == "culvert" and role == "responder":
        for words in ((r"aes128|AES_CBC_128|AES_GCM", r"aes256|AES_CBC_256")):
            assert re.search(words, ours.log()), f"{words} is not in\n{ours.tail()}"


def test_mismatched_selectors(lab, culvert, role):
    a, b, ours, theirs = start(lab, culvert, role,
                               b_more=dict(children=dict(lan=dict(local_ts="10.98.0.0/24", remote_ts="10.99.0.0/24"))))
    assert not a.initiate().ok
    until(lambda: not a.children() and not b.children(), "no CHILD SA came of it")
    assert re.search(r"TS_UNACCEPT|selector", a.log())
    assert "10.98.0.0/24" in b.log() or b.kind == "strongswan"


@pytest.mark.parametrize("narrow", ["a", "b"])
def test_narrowing(lab, culvert, role, narrow):
    """RFC 7296 2.9: the wider side gets what the narrower one has."""
    wide = dict(children=dict(lan=dict(local_ts="10.1.0.0/16", remote_ts="10.2.0.0/16"))), \
        dict(children=dict(lan=dict(local_ts="10.2.0.0/16", remote_ts="10.1.0.0/16")))
    a, b, ours, theirs = start(lab, culvert, role, a_more=wide[0] if narrow == "b" else None,
                               b_more=wide[1] if narrow == "a" else None)
    up(lab, a, b)
    for d, local, remote in ((a, "10.1.0.0/24", "10.2.0.0/24"), (b, "10.2.0.0/24", "10.1.0.0/24")):
        c = d.children()[0]
        assert (c["local-ts"], c["remote-ts"]) == ([local], [remote])


@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("what", ["ike", "child"])
def test_delete(lab, culvert, role, who, what):
    a, b, ours, theirs = start(lab, culvert, role)
    up(lab, a, b)
    d = ours if who == "ours" else theirs
    assert d.terminate(**{what: "gw" if what == "ike" else "lan"}).ok
    if what == "ike":
        until(lambda: not a.sas() and not b.sas(), "no SA on either side")
    else:
        until(lambda: not a.children() and not b.children(), "no CHILD SA on either side")
        assert len(a.ikes()) == len(b.ikes()) == 1
    up(lab, a, b)


def test_liveness_keeps_quiet_tunnels(lab, culvert, role):
    """Both check each other every second, and both answer."""
    a, b, *_ = start(lab, culvert, role, dpd_delay="1s")
    up(lab, a, b)
    was = a.ikes()[0]["initiator-spi"]
    cap = lab.capture("wanB")
    never(lambda: not (a.up() and b.up()), "an SA went although the peer lives", 4)
    assert a.ikes()[0]["initiator-spi"] == was
    assert len(cap.of("ike-natt")) >= 4


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_dead_peer(lab, culvert, role, who):
    a, b, ours, theirs = start(lab, culvert, role, dpd_delay="1s")
    up(lab, a, b)
    victim, survivor = (ours, theirs) if who == "ours" else (theirs, ours)
    victim.kill()
    until(lambda: not survivor.sas(), "the dead peer's SAs are gone", 45)


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_peer_restarts(lab, culvert, role, who):
    ids = [dict(unique="replace", local=dict(id=f"{x}.lab"), remote=dict(id=f"{y}.lab")) for x, y in ("ab", "ba")]
    a, b, ours, theirs = start(lab, culvert, role, a_more=ids[0], b_more=ids[1])
    up(lab, a, b)
    d = ours if who == "ours" else theirs
    d.kill()
    side, n = (lab.a, 0) if d is a else (lab.b, 1)
    d.start(conf.simple(side, lab, **ids[n]))
    r = d.initiate()
    assert r.ok, f"{r}\n{d.tail()}"
    until(lambda: a.up() and b.up(), f"the old SAs are gone\n--- A\n{a.tail(15)}\n--- B\n{b.tail(15)}")
    assert lab.ping(count=3).lost == 0


def half_open(lab, init, n):
    """Leaves half-open IKE SAs behind: copies of a genuine first message with SPIs of their own."""
    r = lab.net.exec([PYTHON, INSIDE, "ike-flood", lab.b.wan4, init.hex(), n], timeout=30)
    assert r.ok, r
    return r.out


def first_message(lab, a):
    cap = lab.capture("wanB")
    a.initiate(timeout=3)
    return cap.of("ike")[0].payload


def test_cookie_asked_by_strongswan(lab, culvert):
    """strongSwan with half-open SAs asks for a cookie, and gets it."""
    dos = "dos_protection = yes\n  cookie_threshold_ip = 1\n  cookie_threshold = 1\n  block_threshold = 0"
    a, b, *_ = start(lab, culvert, "initiator", b_more=dict(any_peer=True), options=dos)
    init = first_message(lab, a)
    a.terminate(ike="gw", force=True, timeout=2)
    until(lambda: not a.sas(), "down again")
    half_open(lab, init, 3)
    cap = lab.capture("wanB")
    assert a.initiate().ok, a.tail()
    assert "COOKIE" in b.log()
    assert len(cap.of("ike")) >= 4, "IKE_SA_INIT twice"
    until(lambda: a.children() and b.children(), "up on both sides")
    assert lab.ping(count=3).lost == 0


def test_cookie_asked_by_us(lab, culvert):
    """Under a flood of first messages ours asks for cookies, and strongSwan still gets through."""
    more = "dos_protection = yes\n  cookie_threshold_ip = 10\n  cookie_threshold = 10\n  block_threshold = 0"
    a, b, ours, theirs = start(lab, culvert, "responder", b_more=dict(any_peer=True), options=more)
    init = first_message(lab, a)
    a.terminate(ike="gw", force=True, timeout=2)
    until(lambda: not a.sas(), "down again")
    said = half_open(lab, init, 400)
    assert "cookies" in said and int(said.split()[1]) > 0, f"no cookie was asked: {said}"
    assert a.initiate().ok, f"{a.tail()}\n{b.tail()}"
    until(lambda: a.children() and b.children(), "up on both sides")
    assert lab.ping(count=3).lost == 0


def test_several_children(lab, culvert, role):
    def kids(side):
        return dict(one=conf.child(side, lab), two=conf.child(side, lab, second=True))
    a, b, ours, theirs = start(lab, culvert, role, a_more=dict(children=kids(lab.a)), b_more=dict(children=kids(lab.b)))
    for name in ("one", "two"):
        assert a.initiate(name).ok, f"{a.tail()}\n{b.tail()}"
    until(lambda: a.up(2) and b.up(2), "two CHILD SAs in one IKE SA")
    assert lab.ping(count=3).lost == 0 and lab.ping(count=3, second=True).lost == 0


def test_ike_scan_sees_us(lab, culvert):
    """A third party's first message is answered in IKEv2's terms."""
    d = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, any_peer=True,
                                                     proposals="aes256-sha1-modp1024,aes128-sha256-x25519"))
    r = lab.net.exec(["ike-scan", "-M", "-2", "--sport=20500", "--retry=2", lab.b.wan4])
    assert "IKEv2 SA_INIT Handshake returned" in r.out or "Notify message" in r.out, r
    assert d.running() and d.ask("version")
