"""Peers in a guest, the matrix: strongSwan with the Linux kernel's ESP and AH, and Libreswan, in both roles. Minutes of
emulation, so only with CULVERT_LONG=1."""
import re

import pytest

from lab import PYTHON, ROOT, conf, long_run
from lab.wait import until
from lab.world import World, libreswan, swan

if not long_run():
    pytest.skip("CULVERT_LONG=1 runs the matrix of peers in a guest", allow_module_level=True)

pytestmark = [pytest.mark.seconds(90), pytest.mark.culvert_only]
ROLES = ["initiator", "responder"]  # culvert's


@pytest.fixture(scope="module")
def world(culvert):
    w = World(culvert)
    yield w
    w.close()


ESP = ["aes128gcm16", "aes256gcm16-esn", "aes192gcm12", "chacha20poly1305", "aes128-sha1", "aes256-sha512-esn", "aes192-sha384",
       "3des-md5", "null-sha256", "aes128-sha256-ecp256"]
SWAN = [(f"esp {p}", dict(esp=p)) for p in ESP] + [
    ("transport", dict(transport=True)),
    ("transport esn", dict(transport=True, esp="aes128gcm16-esn")),
    ("udp", dict(more=dict(encap="yes"))),
    ("transport in udp", dict(transport=True, more=dict(encap="yes"))),
    ("ah", dict(child=dict(ah_proposals="sha256"))),
    ("ah esn", dict(child=dict(ah_proposals="sha512-esn"))),
    ("ah transport", dict(transport=True, child=dict(ah_proposals="sha1"))),
    ("ipcomp", dict(child=dict(ipcomp="yes"))),
    ("ipcomp transport", dict(transport=True, child=dict(ipcomp="yes"))),
    ("ipcomp udp", dict(child=dict(ipcomp="yes"), more=dict(encap="yes"))),
    ("ipcomp ah", dict(child=dict(ipcomp="yes", ah_proposals="sha256"))),
    ("beet", dict(beet=True)),  # not with AH: Linux 6.1 writes its header over 8 bytes of the payload
    ("beet udp", dict(beet=True, more=dict(encap="yes"))),
    ("beet esn", dict(beet=True, esp="aes256gcm16-esn")),
    ("beet ipv6", dict(beet=True, inner=6, outer=6)),
    ("beet 6 in 4", dict(beet=True, inner=6)),
    ("beet 4 in 6", dict(beet=True, outer=6)),
    ("inner ipv6", dict(inner=6)),
    ("outer ipv6", dict(outer=6)),
    ("fragments", dict(proposals="aes128-sha256-modp4096", more=dict(fragmentation="force"))),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name,kw", SWAN, ids=[s[0].replace(" ", "-") for s in SWAN])
def test_swan(world, role, version, name, kw):
    if version == 1 and "chacha" in kw.get("esp", ""):
        pytest.skip("IKEv1 has no number for it")
    if version == 1 and kw.get("beet"):
        pytest.skip("IKEv1 has no BEET")
    c = swan(world, role, version, **kw)
    assert c["mode"] == ("TRANSPORT" if kw.get("transport") else "BEET" if kw.get("beet") else "TUNNEL")


@pytest.mark.parametrize("ours", ["beet", "tunnel"])
@pytest.mark.parametrize("role", ROLES)
def test_swan_beet_alone(world, role, ours):
    """One side wants BEET, the other one tunnel mode: that is what it is, in both programs."""
    lab, b = world.lab, world.peer("kernel-swan")
    world.down()
    for d, mode in ((world.a, ours), (b, "tunnel" if ours == "beet" else "beet")):
        d.load(conf.simple(d.side, lab, children=dict(lan=dict(mode=mode, local_ts=d.side.host4, remote_ts=lab.other(d.side).host4))))
    assert world.up(role)["mode"] == b.children()[0]["mode"] == "TUNNEL"
    world.tunnel()
    told = ours == "beet" or role == "responder"
    assert bool(re.search(f"another mode in mind.*ours: {ours}", world.a.log().rsplit("connection loaded", 1)[1])) == told, world.a.tail()


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind,protocol", [("gre", 47), ("ipip", 4)], ids=["gre", "ipip"])
def test_swan_gre(world, role, mode, kind, protocol):
    """The kernel's GRE and IP-in-IP there, protected host to host, with the LANs behind them."""
    b, lab = world.peer("kernel-swan"), world.lab
    world.down()
    what = f"dynamic[{protocol}]"
    for d in (world.a, b):
        d.load(conf.simple(d.side, lab, proposals="aes128-sha256-modp2048", local=dict(id=f"{d.side.name.lower()}.lab"),
                           remote=dict(id=f"{lab.other(d.side).name.lower()}.lab"),
                           children=dict(lan=dict(mode=mode, esp_proposals="aes128-sha256", local_ts=what, remote_ts=what))))
    ours = gre_end(lab, protocol)
    g = lab.b.gw
    try:
        g.must(f"ip link add tun9 type {kind} local {lab.b.wan4} remote {lab.a.wan4} ttl 64\n"
               "ip addr add 10.9.0.2/30 dev tun9; ip link set tun9 up mtu 1400 multicast on\n"
               f"ip route add {lab.a.net4} via 10.9.0.1 dev tun9; sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0")
        world.up(role)  # without a trap, what the devices themselves say goes in clear before
        cap = lab.capture("wanB")
        for frm in (lab.a, lab.b):
            assert lab.ping(frm, count=5, interval=0.02).lost == 0, world.a.ask("stats")["dataplane"]
        for size, df in ((1200, True), (1472, True), (3000, False)):
            until(lambda: lab.ping(count=1, size=size, df=df, wait=1).lost == 0, f"the MTU to be learnt at {size}", 15)
        sent, got = lab.transfer(1)
        assert sent == got
        if kind == "gre":
            out = lab.a.gw.sh("ping -c 3 -i 0.2 -W 2 -I tun9 -t 1 224.0.0.1").out
            assert " 0% packet loss" in out, out
        cap.assert_protected(want=("esp",), at_least=10)
    finally:
        g.sh("ip link del tun9")
        lab.a.gw.stop(ours)


def gre_end(lab, protocol):
    log = lab.dir / "gre.log"
    log.write_text("")
    p = lab.a.gw.spawn([PYTHON, ROOT / "tests" / "lab" / "gre.py", "tun9", protocol, lab.a.wan4, lab.b.wan4], log=log)
    until(lambda: "ready" in log.read_text(), "the tunnel's end")
    lab.a.gw.must(f"ip addr add 10.9.0.1/30 dev tun9; ip link set tun9 up multicast on; ip route add {lab.b.net4} via 10.9.0.2 dev tun9")
    return p


@pytest.mark.parametrize("role", ROLES)
def test_swan_aggressive(world, role):
    world.peer("kernel-swan")
    if "aggressive_mode_psk" not in world.b.options:
        world.b.stop()
        world.b = world.lab.daemon("kernel-swan", world.lab.b,
                                   options="i_dont_care_about_security_and_use_aggressive_mode_psk = yes").start()
    swan(world, role, 1, aggressive=True)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_swan_rekey(world, version, who, what):
    swan(world, "initiator", version, esp="aes128gcm16-modp2048")
    a, b = world.a, world.b
    d = a if who == "ours" else b

    def now():
        return [(s["initiator-spi"], s["responder-spi"]) for s in d.ikes()] if what == "ike" else \
            [c["spi-in"] for c in d.children()]
    p = world.lab.ping_start(count=500, interval=0.01)
    old = now()
    assert d.rekey(**({"child": "lan"} if what == "child" else {"ike": "gw"}))["success"] == "yes"
    until(lambda: a.up() and b.up() and now() != old, f"{what} rekeyed\n{a.tail(20)}", 20)
    assert world.lab.ping_end(p).lost == 0


ID = dict(leftid="@b.lab", rightid="@a.lab")
IDS = dict(local=dict(id="a.lab"), remote=dict(id="b.lab"))
LIBRESWAN = [  # no ESN with IKEv1: Libreswan 4.10 answers the attribute of RFC 4304 with BAD_PROPOSAL_SYNTAX
    ("main", 1, {}, {}),
    ("main pfs", 1, dict(pfs="yes"), dict(esp="aes128-sha256-modp2048")),
    ("main 3des-md5", 1, dict(ike="3des-md5;dh5", esp="3des-md5"), dict(proposals="3des-md5-modp1536", esp="3des-md5")),
    ("main aes256-sha512", 1, dict(ike="aes256-sha2_512;dh15", esp="aes256-sha2_512"),
     dict(proposals="aes256-sha512-modp3072", esp="aes256-sha512")),
    ("main udp", 1, dict(encapsulation="yes"), dict(more=dict(encap="yes"))),
    ("aggressive", 1, dict(aggressive="yes", **ID), dict(more=dict(aggressive="yes", **IDS))),
    ("transport", 1, {}, dict(transport=True)),
    ("transport udp", 1, dict(encapsulation="yes"), dict(transport=True, more=dict(encap="yes"))),
    ("ah", 1, dict(phase2="ah", esp=None, ah="sha2_256"), dict(child=dict(ah_proposals="sha256"))),
    ("ipcomp", 1, dict(compress="yes"), dict(child=dict(ipcomp="yes"))),
    ("ikev2", 2, ID, dict(more=IDS)),
    ("ikev2 ipcomp", 2, dict(ID, compress="yes"), dict(more=IDS, child=dict(ipcomp="yes"))),
    ("ikev2 gcm", 2, dict(ID, ike="aes_gcm256-sha2_256;dh19", esp="aes_gcm_c_256"),
     dict(more=IDS, proposals="aes256gcm16-prfsha256-ecp256", esp="aes256gcm16")),
    ("ikev2 chacha", 2, dict(ID, esp="chacha20_poly1305"), dict(more=IDS, esp="chacha20poly1305")),
    ("ikev2 esn", 2, dict(ID, esn="yes"), dict(more=IDS, esp="aes128-sha256-esn")),
    ("ikev2 transport", 2, ID, dict(more=IDS, transport=True)),
    ("ikev2 udp", 2, dict(ID, encapsulation="yes"), dict(more=dict(IDS, encap="yes"))),
    ("ikev2 ah", 2, dict(ID, phase2="ah", esp=None, ah="sha2_256"), dict(more=IDS, child=dict(ah_proposals="sha256"))),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name,version,words,kw", LIBRESWAN, ids=[l[0].replace(" ", "-") for l in LIBRESWAN])
def test_libreswan(world, role, name, version, words, kw):
    libreswan(world, role, version, words, **kw)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_libreswan_rekey(world, version, who):
    words, more = (ID, IDS) if version == 2 else ({}, {})
    libreswan(world, "initiator", version, words, more=more)
    a, b = world.a, world.b
    old = [c["spi-in"] for c in a.children()]
    p = world.lab.ping_start(count=300, interval=0.01)
    if who == "ours":
        assert a.rekey(child="lan")["success"] == "yes"
    else:
        assert b.rekey(child="lan").ok
    until(lambda: a.up() and [c["spi-in"] for c in a.children()] != old, f"rekeyed\n{a.tail(20)}", 20)
    assert world.lab.ping_end(p).lost == 0


def test_libreswan_differs(world):
    """Another secret, another mode: named at our side."""
    b = world.peer("libreswan")
    for words, more, said in ((dict(pfs="no"), dict(their_psk="quite another secret"), "psk-mismatch|pre-shared keys differ"),
                              (dict(type="transport"), {}, "encapsulation mode"),
                              (dict(esp="aes256-sha2_512"), {}, "encryption")):
        with pytest.raises(AssertionError):
            libreswan(world, "responder", 1, words, **more)
        assert re.search(said, world.a.log()), world.a.tail(30)
    assert b.running()
