"""Libreswan in a guest: RSA signatures in both versions, XAUTH and Mode Config with culvert as gateway. Only with
CULVERT_LONG=1."""
import pytest

from lab import conf, long_run, pki
from lab.wait import until
from lab.world import World

if not long_run():
    pytest.skip("CULVERT_LONG=1 runs what Libreswan authenticates", allow_module_level=True)

pytestmark = [pytest.mark.seconds(90), pytest.mark.culvert_only]
SUITE = dict(proposals="aes128-sha256-modp2048")
IKE = dict(ike="aes128-sha2_256;dh14", esp="aes128-sha2_256", pfs="no")


@pytest.fixture(scope="module")
def world(culvert):
    w = World(culvert)
    ca = pki.Authority("rsa")
    pki.install(w.a, [ca.issue("a.lab")], [ca])
    w.peer("libreswan").credentials_in("own", ca.issue("b.lab"), ca)
    yield w
    w.close()


def up(world, role):
    c = world.up(role)
    world.tunnel()
    return c


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("version,mode", [(1, "main"), (1, "aggressive"), (2, "")])
def test_rsa(world, role, version, mode):
    world.down()
    lab, aggressive = world.lab, mode == "aggressive"
    world.a.load(conf.config(dict(gw=conf.conn(
        lab.a, lab, version=version, aggressive="yes" if aggressive else None, esp="aes128-sha256",
        local=dict(auth="pubkey", certs="own0.pem", id="a.lab"), remote=dict(auth="pubkey", id="b.lab"), **SUITE))))
    world.b.load(dict(IKE, ikev2="insist" if version == 2 else "no", authby="rsasig", leftcert="own", leftsendcert="always",
                      rightca="%same", leftid="@b.lab", rightid="@a.lab", leftsubnet=lab.b.net4, rightsubnet=lab.a.net4,
                      aggressive="yes" if aggressive else None), conf.PSK)
    up(world, role)


@pytest.mark.parametrize("auth", ["psk", "rsa"])
def test_xauth(world, auth):
    """Libreswan travels: XAUTH, a virtual address, and traffic from it."""
    world.down()
    lab = world.lab
    rsa = auth == "rsa"
    ours = dict(auth="pubkey", certs="own0.pem", id="a.lab") if rsa else dict(auth="psk", id="a.lab")
    c = dict(version=1, local_addrs=lab.a.wan4, pools="road", unique="never", local=ours, remote={
        "auth": "pubkey" if rsa else "psk", "id": "%any"}, **SUITE)
    c["remote-xauth"] = dict(auth="xauth")
    c["children"] = dict(lan=dict(local_ts=lab.a.net4, remote_ts="dynamic", esp_proposals="aes128-sha256"))
    world.a.load(conf.config(dict(gw=c), secrets={"ike-1": dict(secret=f'"{conf.PSK}"'),
                                                  "xauth-1": dict(id="alice", secret='"in wonderland"')}) +
                 conf.block("pools", dict(road=dict(addrs="10.9.0.0/24"))))
    ids = dict(leftid="@b.lab", rightid="@a.lab")
    signed = dict(authby="rsasig", leftcert="own", leftsendcert="always", rightca="%same") if rsa else {}
    world.b.load(dict(IKE, **ids, **signed, ikev2="no", leftxauthclient="yes", rightxauthserver="yes", leftusername="alice",
                      leftmodecfgclient="yes", rightmodecfgserver="yes", modecfgpull="yes", rightsubnet=lab.a.net4,
                      leftnexthop=lab.b.router4),
                 conf.PSK, '@alice : XAUTH "in wonderland"')
    r = world.b.initiate()
    assert r.ok, f"{r}\n{world.a.tail(30)}\n{world.b.tail(40)}"
    until(lambda: world.a.up(), "up", 10)
    sa = world.a.ikes()[0]
    assert sa["remote-xauth-id"] == "alice" and sa["remote-vips"]
    vip = sa["remote-vips"][0]
    out = lab.b.gw.sh(f"ip addr show; ping -c 4 -i 0.1 -W 2 -I {vip} {lab.a.host4}").out
    assert " 0% packet loss" in out, f"{out}\n{world.a.tail(20)}"
