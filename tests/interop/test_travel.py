"""Travellers: XAUTH and Mode Config with IKEv1, configuration payloads with IKEv2; culvert and strongSwan as
traveller and as gateway. A travels, B is the gateway with a pool; pings go through the virtual address."""
import pytest

from lab import conf
from lab.wait import until

GUESSABLE = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes"
USER, PASSWORD = "alice", "in wonderland"
NET = "10.9.0.0/24"


@pytest.fixture(params=["initiator", "responder"])
def role(request):
    """culvert's role: the traveller or the gateway."""
    return request.param


def traveller(lab, side, version=1, mode="main", xauth=True, pull=True, user=USER, password=PASSWORD, vip="0.0.0.0",
              remote_ts=None, ident="road.lab", secrets=None):
    v1 = version == 1
    c = conf.conn(side, lab, version=version, local=dict(id=ident), remote=dict(id="gw.lab"),
                  proposals="aes128-sha256-modp2048", vips=vip, aggressive="yes" if mode == "aggressive" else None,
                  pull=None if pull else "no",
                  children=dict(lan=dict(local_ts="dynamic" if vip else side.net4, remote_ts=remote_ts or lab.other(side).net4,
                                         esp_proposals="aes128-sha256")))
    if v1 and xauth:
        c["local-xauth"] = dict(auth="xauth", xauth_id=user)
    return conf.config(dict(gw=c), secrets=secrets or {"ike-1": dict(secret=f'"{conf.PSK}"'),
                                                      "xauth-1": dict(id=user, secret=f'"{password}"')})


def gateway(lab, side, version=1, mode="main", xauth=True, pull=True, pool=NET, pool_more=None, local_ts=None, pools="road"):
    v1 = version == 1
    c = conf.conn(side, lab, version=version, any_peer=True, local=dict(id="gw.lab"), remote=dict(id="%any"),
                  proposals="aes128-sha256-modp2048", pools=pools if pool else None, unique="never",
                  aggressive="yes" if mode == "aggressive" else None, pull=None if pull else "no",
                  children=dict(lan=dict(local_ts=local_ts or side.net4, remote_ts="dynamic" if pool else lab.other(side).net4,
                                         esp_proposals="aes128-sha256")))
    if v1 and xauth:
        c["remote-xauth"] = dict(auth="xauth")
    text = conf.config(dict(gw=c), secrets={"ike-1": dict(secret=f'"{conf.PSK}"'),
                                           "xauth-1": dict(id=USER, secret=f'"{PASSWORD}"'),
                                           "xauth-2": dict(id="bob", secret='"the builder"')})
    return text + (conf.block("pools", {"road": dict(addrs=pool, **(pool_more or {}))}) if pool else "")


def daemons(lab, ours, role):
    kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
    d = [lab.daemon(k, s, **(dict(options=GUESSABLE + "\n  cisco_unity = yes") if k == "strongswan" else {}))
         for k, s in zip(kinds, (lab.a, lab.b))]
    return (*d, *(d if role == "initiator" else d[::-1]))


def start(lab, ours, role, a_more=None, b_more=None, **kw):
    a, b, us, them = daemons(lab, ours, role)
    b.start(gateway(lab, lab.b, **{**kw, **(b_more or {})}))
    a.start(traveller(lab, lab.a, **{**kw, **(a_more or {})}))
    return a, b, us, them


def ping(lab, vip, count=3):
    """From the traveller itself, by its virtual address, and back."""
    there = lab.a.gw.exec(["ping", "-c", str(count), "-i", "0.2", "-W", "2", "-I", vip, lab.b.host4])
    back = lab.b.lan.exec(["ping", "-c", str(count), "-i", "0.2", "-W", "2", vip])
    assert " 0% packet loss" in there.out, there.out
    assert " 0% packet loss" in back.out, back.out


def up(lab, a, b, vip=True):
    r = a.initiate()
    assert r.ok, f"{r}\n--- A\n{a.tail(25)}\n--- B\n{b.tail(25)}"
    until(lambda: a.up() and b.up(), f"up on both sides\n{a.tail()}\n{b.tail()}")
    if not vip:
        return None
    mine, theirs = a.ikes()[0]["local-vips"], b.ikes()[0]["remote-vips"]
    assert mine == theirs
    ping(lab, mine[0])
    return mine[0]


@pytest.mark.parametrize("mode", ["main", "aggressive"])
@pytest.mark.parametrize("how", ["pull", "push", "xauth only", "no xauth"])
def test_v1(lab, culvert, role, mode, how):
    kw = dict(mode=mode, pull=how != "push", xauth=how != "no xauth")
    if how == "xauth only":
        a, b, us, them = start(lab, culvert, role, a_more=dict(vip=None), b_more=dict(pool=None), **kw)
        up(lab, a, b, vip=False)
        assert lab.ping(count=3).lost == 0
    else:
        a, b, us, them = start(lab, culvert, role, **kw)
        assert up(lab, a, b) == "10.9.0.1"
        c = (a.children()[0], b.children()[0])
        assert c[0]["local-ts"] == c[1]["remote-ts"] == ["10.9.0.1/32"]
    if kw["xauth"]:
        assert b.ikes()[0]["remote-xauth-id"] == USER
    if us is b and how == "pull":
        p = b.ask("get-pools", dict(leases="yes"))["road"]
        assert (p["base"], p["size"], p["online"], p["offline"]) == ("10.9.0.0", "254", "1", "0")
        assert p["leases"]["0"] == dict(address="10.9.0.1", identity=USER if kw["xauth"] else "road.lab", status="online")
    assert a.terminate(ike="gw").ok
    until(lambda: not a.sas() and not b.sas(), "no SA is left")
    if us is a:
        assert "10.9.0.1" not in lab.a.gw.exec(["ip", "addr"]).out
