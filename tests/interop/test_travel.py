"""Travellers: XAUTH and Mode Config with IKEv1, configuration payloads with IKEv2; culvert and strongSwan as
traveller and as gateway. A travels, B is the gateway with a pool; pings go through the virtual address. All
combinations need CULVERT_LONG=1."""
import itertools
import re

import pytest

from lab import conf, long_run, pki
from lab.topo import Lab
from lab.wait import until

OPTIONS = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n  cisco_unity = yes"
USERS = {"alice": "in wonderland", "bob": "the builder"}
NET = "10.9.0.0/24"
made = {}


def pki_of(name):
    """The authority, or what it issued for a name: made once."""
    if name not in made:
        made[name] = pki.Authority("rsa") if name == "CA" else pki_of("CA").issue(name)
    return made[name]


def section(auth, **more):
    return dict(dict(auth="pubkey", certs="own0.pem") if auth == "own" else dict(auth=auth), **more)


def traveller(lab, version=1, mode="main", auth="psk", xauth=True, pull=True, user="alice", vip="0.0.0.0", remote_ts=None,
              child="lan"):
    side, gw = lab.a, lab.b
    login = dict(auth="xauth", xauth_id=user)
    c = dict(version=version, local_addrs=side.wan4, remote_addrs=gw.wan4, proposals="aes128-sha256-modp2048",
             vips=vip, aggressive="yes" if mode == "aggressive" else None, pull=None if pull else "no",
             remote=section("psk" if auth == "psk" else "pubkey", id="gw.lab"),
             children={child: dict(local_ts="dynamic" if vip else side.net4, remote_ts=remote_ts or gw.net4,
                                   esp_proposals="aes128-sha256")})
    if auth == "hybrid":
        c["local"] = dict(login, id="road.lab")
    else:
        c["local"] = section("psk" if auth == "psk" else "own", id="road.lab")
        if xauth and version == 1:
            c["local-xauth"] = login
    return c


def gateway(lab, version=1, mode="main", auth="psk", xauth=True, pull=True, pool=True, local_ts=None):
    side = lab.b
    c = dict(version=version, local_addrs=side.wan4, proposals="aes128-sha256-modp2048", unique="never",
             pools="road" if pool else None, aggressive="yes" if mode == "aggressive" else None,
             pull=None if pull else "no", local=section("psk" if auth == "psk" else "own", id="gw.lab"),
             children=dict(lan=dict(local_ts=local_ts or side.net4, remote_ts="dynamic" if pool else lab.a.net4,
                                    esp_proposals="aes128-sha256")))
    if auth == "hybrid":
        c["remote"] = dict(auth="xauth", id="%any")
    else:
        c["remote"] = section("psk" if auth == "psk" else "pubkey", id="%any")
        if xauth and version == 1:
            c["remote-xauth"] = dict(auth="xauth")
    return c


def secrets(users):
    return {"ike-1": dict(secret=f'"{conf.PSK}"'),
            **{f"xauth-{u}": dict(id=u, secret=f'"{p}"') for u, p in users.items()}}


class Pair:
    """Two daemons, kept over the cases of a module."""

    def __init__(self, ours, role):
        self.lab = Lab()
        kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
        self.d = [self.lab.daemon(k, s, **(dict(options=OPTIONS) if k == "strongswan" else {})).start()
                  for k, s in zip(kinds, (self.lab.a, self.lab.b))]
        self.a, self.b = self.d
        self.ours, self.theirs = self.d if role == "initiator" else self.d[::-1]
        for d, name in ((self.a, "road.lab"), (self.b, "gw.lab")):
            pki.install(d, [pki_of(name)], [pki_of("CA")])

    def clean(self):
        for d in self.d:
            for s in d.sas():
                d.terminate(ike=s["name"], force=True, timeout=2)
        until(lambda: not self.a.sas() and not self.b.sas(), "a clean start")

    def load(self, a_conns=None, users=None, pool=NET, pool_more=None, a_more=None, b_more=None, **kw):
        self.clean()
        self.b.load(conf.config(dict(gw=gateway(self.lab, **{**kw, **(b_more or {})})), secrets=secrets(USERS)) +
                    conf.block("pools", dict(road=dict(addrs=pool, **(pool_more or {})))))
        conns = a_conns or dict(gw=traveller(self.lab, **{**kw, **(a_more or {})}))
        self.a.load(conf.config(conns, secrets=secrets(users or USERS)))

    def ping(self, vip, count=2):
        """From the traveller itself, by its virtual address, and back. charon's own routes move once more when it
        finds the address that it installed; what is sent just then never reaches us, so it may try again."""
        tries = 1 if self.a.kind == "culvert" else 4
        for ns, words in ((self.lab.a.gw, ["-I", vip, self.lab.b.host4]), (self.lab.b.lan, [vip])):
            for _ in range(tries):
                r = ns.exec(["ping", "-c", str(count), "-i", "0.05", "-W", "1", *words])
                if " 0% packet loss" in r.out:
                    break
            assert " 0% packet loss" in r.out, f"{r.out}\n{self.ours.tail(12)}\n{self.theirs.tail(12)}"

    def up(self, vip=True):
        r = self.a.initiate()
        assert r.ok, f"{r}\n--- A\n{self.a.tail(30)}\n--- B\n{self.b.tail(30)}"
        until(lambda: self.a.up() and self.b.up(), f"up on both sides\n{self.a.tail()}\n{self.b.tail()}")
        if not vip:
            return None
        mine, theirs = self.a.ikes()[0]["local-vips"], self.b.ikes()[0]["remote-vips"]
        assert mine == theirs and len(mine) == 1
        assert self.a.children()[0]["local-ts"] == self.b.children()[0]["remote-ts"] == [f"{mine[0]}/32"]
        self.ping(mine[0])
        return mine[0]

    def refused(self, pattern=None):
        """No CHILD SA comes of it, and culvert's log has the reason."""
        at = len(self.ours.log())
        assert not self.a.initiate(timeout=6).ok
        until(lambda: not self.a.children() and not self.b.children(), "no CHILD SA came of it")
        if pattern and self.ours.kind == "culvert":
            until(lambda: re.search(pattern, self.ours.log()[at:]), f"{pattern}\n{self.ours.tail(20)}", 5)

    def says(self, gateway_text, traveller_text):
        return gateway_text if self.ours is self.b else traveller_text


@pytest.fixture(scope="module", params=["initiator", "responder"])
def pair(request, culvert):
    p = Pair(culvert, request.param)
    yield p
    p.lab.close()


ALL = list(itertools.product(["main", "aggressive"], ["psk", "rsa", "hybrid"], ["pull", "push"]))
SHORT = [("main", "psk", "pull"), ("aggressive", "hybrid", "push"), ("main", "rsa", "pull")]


@pytest.mark.parametrize("mode,auth,how", ALL if long_run() else SHORT)
def test_v1(pair, mode, auth, how):
    pair.load(mode=mode, auth=auth, pull=how == "pull", pool_more=dict(dns="10.2.0.53"))
    vip = pair.up()
    assert pair.b.ikes()[0]["remote-xauth-id"] == "alice"
    if pair.ours is pair.a:
        assert pair.a.ikes()[0]["dns"] == ["10.2.0.53"]
    else:
        p = pair.b.ask("get-pools", dict(leases="yes"))["road"]
        assert (p["base"], p["online"]) == ("10.9.0.0", "1")
        assert dict(address=vip, identity="alice", status="online") in p["leases"].values()
    assert pair.a.terminate(ike="gw").ok
    until(lambda: not pair.a.sas() and not pair.b.sas(), "no SA is left")
    if pair.ours is pair.a:
        assert vip not in pair.lab.a.gw.exec(["ip", "addr"]).out


long = pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1")


@long
@pytest.mark.parametrize("mode", ["main", "aggressive"])
def test_xauth_only(pair, mode):
    pair.load(mode=mode, a_more=dict(vip=None), b_more=dict(pool=False))
    pair.up(vip=False)
    assert pair.lab.ping(count=2).lost == 0


@long
@pytest.mark.parametrize("mode,how", itertools.product(["main", "aggressive"], ["pull", "push"]))
def test_no_xauth(pair, mode, how):
    pair.load(mode=mode, pull=how == "pull", xauth=False)
    pair.up()


@pytest.mark.parametrize("auth", ["psk", "rsa"] if long_run() else ["psk"])
def test_v2(pair, auth):
    pair.load(version=2, auth=auth, pool_more=dict(dns="10.2.0.53"))
    vip = pair.up()
    if pair.ours is pair.a:
        assert pair.a.ikes()[0]["dns"] == ["10.2.0.53"]
    assert pair.a.rekey(ike="gw")["success"] == "yes"
    until(lambda: pair.a.up() and pair.b.up() and len(pair.a.ikes()) == 1, "rekeyed")
    assert pair.b.ikes()[0]["remote-vips"] == [vip]
    pair.ping(vip)


@long
def test_v6(pair):
    """An IPv6 address inside, from a pool of its own."""
    pair.load(version=2, pool="2001:db8:9::/120", a_more=dict(vip="::", remote_ts=pair.lab.b.net6),
              b_more=dict(local_ts=pair.lab.b.net6))
    r = pair.a.initiate()
    assert r.ok, f"{r}\n{pair.a.tail()}\n{pair.b.tail()}"
    vip = pair.a.ikes()[0]["local-vips"][0]
    r = pair.lab.a.gw.exec(["ping", "-6", "-c", "2", "-i", "0.1", "-W", "2", "-I", vip, pair.lab.b.host6])
    assert " 0% packet loss" in r.out, r.out


@pytest.mark.parametrize("users,user", [(dict(alice="in wonderlanD"), "alice"), (dict(carol="whatever"), "carol")])
def test_login_fails(pair, users, user):
    pair.load(users=users, a_more=dict(user=user))
    pair.refused(pair.says("user name or password is wrong", "the peer refused our user name or password"))
    until(lambda: not pair.a.sas() and not pair.b.sas(), "no SA is left")


@pytest.mark.parametrize("version", [1, 2] if long_run() else [1])
def test_exhausted(pair, version):
    """Two addresses, three travellers: the third hears why."""
    conns = {f"gw{i}": traveller(pair.lab, version=version, auth="psk", xauth=False, child=f"lan{i}") for i in range(3)}
    for i, c in enumerate(conns.values()):
        c["local"]["id"] = f"road{i}.lab"
    pair.load(a_conns=conns, version=version, xauth=False, pool="10.9.0.0/30")
    assert pair.a.initiate("lan0").ok and pair.a.initiate("lan1").ok, f"{pair.a.tail()}\n{pair.b.tail()}"
    at = len(pair.ours.log())
    assert not pair.a.initiate("lan2", timeout=6).ok
    want = pair.says("no virtual address is free.*road of 2 addresses, 2 in use", "the peer gave no virtual address")
    until(lambda: re.search(want, pair.ours.log()[at:]), f"{want}\n{pair.ours.tail(20)}", 5)
    assert len(pair.b.children()) == 2


def test_two_travellers(pair):
    """One identity, two users: each has an address and an SA of its own, and keeps the address."""
    conns = {u: traveller(pair.lab, user=u, child=u) for u in USERS}
    pair.load(a_conns=conns)
    got = {}
    for turn in range(2):
        for u in (USERS if turn == 0 else reversed(list(USERS))):
            r = pair.a.initiate(u)
            assert r.ok, f"{r}\n{pair.a.tail()}\n{pair.b.tail()}"
            vip = next(s for s in pair.a.ikes() if s["name"] == u)["local-vips"][0]
            assert got.setdefault(u, vip) == vip
        until(lambda: len(pair.b.children()) == 2, "both are there")
        assert len(set(got.values())) == 2
        for vip in got.values():
            pair.ping(vip)
        pair.clean()


@long
def test_split_include(pair):
    """The gateway says what is to be tunnelled; the traveller wants everything."""
    pair.load(a_more=dict(remote_ts="0.0.0.0/0"), pool_more=dict(split_include=pair.lab.b.net4))
    pair.up()
    if pair.ours is pair.a:
        assert pair.a.children()[0]["remote-ts"] == [pair.lab.b.net4]


@pytest.mark.culvert_only
def test_swanctl_loads_pools(pair):
    if pair.ours is pair.a:
        pytest.skip("one side is enough")
    pair.clean()
    text = conf.config(dict(gw=gateway(pair.lab)), secrets=secrets(USERS))
    r = pair.b.swanctl_load(text + conf.block("pools", dict(
        road=dict(addrs="10.9.0.0/24", dns="10.2.0.53, 10.2.0.54", split_include="10.2.0.0/16", **{"28672": '"Hello"'}),
        other=dict(addrs="10.8.0.0/28"))))
    assert r.ok, r
    r = pair.b.swanctl("--list-pools")
    assert re.search(r"road\s+10\.9\.0\.0\s+\d+ / \d+ / 254", r.out) and re.search(r"other\s+10\.8\.0\.0\s+0 / 0 / 14", r.out), r.out
    r = pair.b.swanctl_load(text)
    assert r.ok and "2 unloaded" in r.out, r
    assert pair.b.ask("get-pools") == {}
    for msg, err in ((dict(x=dict(addrs="nonsense")), "nonsense"), (dict(x=dict(dns=["10.0.0.1"])), "missing addrs"),
                     (dict(x=dict(addrs="10.0.0.0/24", nds=["10.0.0.1"])), "nds")):
        answer = pair.b.ask("load-pool", msg, check=False)
        assert answer["success"] == "no" and err in answer["errmsg"], answer
    assert pair.b.ask("unload-pool", dict(name="x"), check=False)["errmsg"] == "x not found"
