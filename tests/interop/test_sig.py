"""Authentication by signatures between culvert and strongSwan, in both roles: RSA, ECDSA and EdDSA keys
with certificates, IKEv2 by the old methods and RFC 7427, IKEv1 in main and aggressive mode; and what must
be refused, with its reason. The whole matrix needs CULVERT_LONG=1."""
import re

import pytest

from lab import conf, long_run, pki
from lab.topo import Lab
from lab.wait import until

IKE = {"rsa": "aes128-sha256-x25519", "ecdsa": "aes128-sha256-ecp256", "ecdsa384": "aes256-sha384-ecp384",
       "ecdsa521": "aes256-sha512-ecp521", "ed25519": "aes128-sha256-x25519", "rsa3072": "aes128-sha256-x25519"}
SHORT = [("2", "rsa"), ("2", "ecdsa"), ("1", "rsa"), ("aggressive", "ecdsa")]
LONG = [("2", k) for k in ("rsa3072", "ecdsa384", "ecdsa521", "ed25519")] + \
       [("1", k) for k in ("ecdsa", "ecdsa384", "ecdsa521")] + \
       [("aggressive", k) for k in ("rsa", "ecdsa384", "ecdsa521")]
CASES = SHORT + (LONG if long_run() else [])
made = {}


def authority(kind, name=None):
    """Keys take their time, so an authority serves all tests that do not ask for one of their own."""
    return made.setdefault((kind, name), pki.Authority(kind, name))


def identity(kind, side):
    return made.setdefault((kind, side.name, "id"), authority(kind).issue(f"gw{side.name.lower()}.lab", kind=kind))


def name_of(side):
    return f"gw{side.name.lower()}.lab"


class Pair:
    """Two daemons, kept over the cases of a module."""

    def __init__(self, ours, role, options=""):
        self.lab, self.role = Lab(), role
        kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
        self.d = [self.lab.daemon(k, s, **(dict(options=options) if k == "strongswan" else {})).start()
                  for k, s in zip(kinds, (self.lab.a, self.lab.b))]
        self.a, self.b = self.d
        self.ours, self.theirs = self.d if role == "initiator" else self.d[::-1]

    def load(self, version="2", kind="rsa", own=None, trusted=None, others=None, crls=(), ours=None, theirs=None, **kw):
        """own, trusted, others: by daemon, instead of what goes with kind; ours, theirs: more of the connection."""
        if self.ours.sas():
            self.ours.terminate(ike="gw", timeout=2)
        elif self.theirs.sas():
            self.theirs.terminate(ike="gw", force=True, timeout=2)
        until(lambda: not self.a.sas() and not self.b.sas(), "a clean start")
        for d in self.d:
            me, peer = d.side, self.lab.other(d.side)
            pki.install(d, (own or {}).get(d, [identity(kind, me)]), (trusted or {}).get(d, [authority(kind)]),
                        (others or {}).get(d, ()), crls)
            more = dict(version=1 if version != "2" else 2, proposals=IKE[kind], esp="aes128-sha256",
                        aggressive="yes" if version == "aggressive" else None)
            more.update(kw)
            more["local"] = dict(auth="pubkey", certs="own0.pem", id=name_of(me))
            more["remote"] = dict(auth="pubkey", id=name_of(peer))
            for k, v in ((ours if d is self.ours else theirs) or {}).items():
                more[k] = {**more[k], **v} if isinstance(v, dict) else v
            d.load(conf.simple(me, self.lab, **more))

    def up(self):
        r = self.a.initiate()
        assert r.ok, f"{r}\n--- A\n{self.a.tail(30)}\n--- B\n{self.b.tail(30)}"
        until(lambda: self.a.up() and self.b.up(), "up on both sides")
        until(lambda: self.lab.ping(count=2, interval=0.01).lost == 0, "traffic")
        for d in self.d:
            sa = d.ikes()[0]
            assert (sa["local-id"], sa["remote-id"]) == (name_of(d.side), name_of(self.lab.other(d.side)))

    def refused(self, pattern=None):
        """No SA comes of it, and culvert's log has the reason."""
        at = len(self.ours.log())
        assert not self.a.initiate(timeout=6).ok
        # charon as initiator of aggressive mode believes that its SA is up, whatever it hears
        until(lambda: not self.ours.ikes() and not self.a.children() and not self.b.children(), "no SA came of it")
        if pattern and self.ours.kind == "culvert":
            until(lambda: re.search(pattern, self.ours.log()[at:]), f"{pattern}\n{self.ours.tail(20)}", 5)

    def close(self):
        self.lab.close()


@pytest.fixture(scope="module", params=["initiator", "responder"])
def pair(request, culvert):
    p = Pair(culvert, request.param)
    yield p
    p.close()


@pytest.mark.parametrize("version,kind", CASES)
def test_up(pair, version, kind):
    pair.load(version, kind)
    pair.up()


def test_key_and_secret(pair):
    """We prove ourselves by a key, the peer by a secret."""
    pair.load(kind="ecdsa", ours=dict(remote=dict(auth="psk")), theirs=dict(local=dict(auth="psk", certs=None)))
    pair.up()


NOT = [("untrusted", "cert-untrusted|no authority that is trusted"), ("expired", "expired"),
       ("identity", "certificate is not for this identity"), ("revoked", "revoked"),
       ("secret", "auth-method|authentication method")]


@pytest.mark.parametrize("what,pattern", NOT if long_run() else NOT[:3])
@pytest.mark.parametrize("version", ["2", "1", "aggressive"] if long_run() else ["2"])
def test_refused(pair, version, what, pattern):
    """What strongSwan shows us is not good enough."""
    ca, them, d = authority("ecdsa"), pair.theirs.side, pair.theirs
    kw, theirs = {}, {}
    if what == "untrusted":
        other = authority("ecdsa", "another CA")
        kw = dict(own={d: [other.issue(name_of(them))]}, trusted={d: [ca, other]})
        theirs = dict(send_cert="always")
    elif what == "expired":
        kw = dict(own={d: [ca.issue(name_of(them), start=-10, end=-1)]})
    elif what == "identity":
        if version != "2":
            pytest.skip("charon keeps IKEv1 from naming what its certificate has not")
        kw = dict(own={d: [ca.issue("somebody.lab", "somebody.lab")]})
    elif what == "revoked":
        if pair.ours.kind != "culvert":
            pytest.skip("charon needs its plugin revocation for that")
        kw = dict(crls=[ca.crl(identity("ecdsa", them))])
    elif what == "secret":
        if version != "2":
            pattern = "authentication"
        theirs = dict(local=dict(auth="psk", certs=None), remote=dict(auth="psk" if version != "2" else "pubkey"))
    pair.load(version, "ecdsa", theirs=theirs, **kw)
    pair.refused(pattern)


@pytest.fixture(params=["initiator", "responder"])
def own_pair(request, culvert):
    made_here = []

    def make(options):
        made_here.append(Pair(culvert, request.param, options))
        return made_here[-1]
    yield make
    for p in made_here:
        p.close()


@pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1")
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ecdsa384", "ecdsa521"])
def test_without_rfc7427(own_pair, kind):
    p = own_pair("signature_authentication = no")
    p.load(kind=kind)
    p.up()


@pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1")
@pytest.mark.parametrize("version", ["1", "aggressive"])
@pytest.mark.parametrize("kind,hashed", [("ecdsa", "sha1"), ("ecdsa", "sha384"), ("ecdsa", "sha512"), ("ecdsa384", "sha256"),
                                         ("ecdsa521", "sha256"), ("ecdsa521", "sha1")])
def test_v1_other_hash(pair, version, kind, hashed):
    """RFC 4754 2: the signature's hash is the curve's; what is negotiated is that of HASH_I and HASH_R, which is signed."""
    pair.load(version, kind, proposals=f"aes128-{hashed}-modp2048")
    pair.up()


@pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1")
@pytest.mark.parametrize("auth", ["rsa/pss-sha256", "rsa/pss-sha384", "rsa/pss-sha512"])
def test_pss(own_pair, auth):
    p = own_pair("rsa_pss = yes")
    limits = dict(local=dict(auth=f"ike:{auth}"), remote=dict(auth=f"ike:{auth}"))
    p.load(ours=limits, theirs=limits)
    p.up()


@pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1")
def test_chain(own_pair):
    """An authority between ours and the root: its certificate comes with the message."""
    p = own_pair("")
    root = authority("rsa", "root")
    between = pki.Authority("rsa", "between", by=root)
    p.load(own={d: [between.issue(name_of(d.side))] for d in p.d}, trusted={d: [root] for d in p.d},
           others={p.ours: [between], p.theirs: [between]})
    p.up()
