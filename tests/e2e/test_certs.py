"""Two culvertd that know each other by certificates of the folders beside their configurations: up in both versions,
kept out when a revocation list says so, and each refusal names what is wrong. tests/vectors/pki has the files."""
import re
import shutil
from pathlib import Path

import pytest

from lab import conf
from lab.wait import until

pytestmark = pytest.mark.culvert_only

PKI = Path(__file__).resolve().parent.parent / "vectors" / "pki"


def put(daemon, **folders):
    for sub, names in folders.items():
        (daemon.credentials / sub).mkdir(exist_ok=True)
        for n in names.split():
            shutil.copy(PKI / n, daemon.credentials / sub / n)


def text(side, lab, mine, peer, version=2, remote=None, auth="pubkey"):
    local = dict(auth="pubkey", certs=f"{mine}.pem", id="gwa.example" if side is lab.a else "gwb.example")
    return conf.simple(side, lab, version=version, local=local, remote=dict(dict(auth=auth, id=peer), **(remote or {})))


def arrange(lab, x, y, a="gwa", b="gwb", version=2, remote=None, auth="pubkey", authority="ca.pem", more=""):
    """B waits with certificate b; A comes with a, trusts `authority`, and limits the peer by `remote` and `auth`."""
    for d in (x, y):
        for sub in ("x509", "x509ca", "x509crl", "private"):
            shutil.rmtree(d.credentials / sub, ignore_errors=True)
    put(x, x509=f"{a}.pem", x509ca=authority, private=f"{a}.key")
    put(y, x509=f"{b}.pem {more}", x509ca="ca.pem", private=f"{b}.key")
    return (text(lab.a, lab, a, "gwb.example", version, remote, auth),
            text(lab.b, lab, b, "gwa.example", version))


def pair(lab, kind, **args):
    x, y = lab.daemon(kind, lab.a), lab.daemon(kind, lab.b)
    mine, peers = arrange(lab, x, y, **args)
    y.start(peers)
    return x.start(mine), y


@pytest.mark.parametrize("a,b,version", [("gwa-ec384", "sub-gwb", 2), ("gwa", "gwb-ed25519", 2), ("gwa", "gwb", 1)])
def test_up(lab, culvert, a, b, version):
    x, y = pair(lab, culvert, a=a, b=b, version=version, more="sub.pem" if "sub" in b else "")
    r = x.cli("up", "lan")
    assert r.ok, f"{r}\n{x.tail()}\n{y.tail()}"
    until(lambda: x.up() and y.up(), "up on both sides")
    assert lab.ping(count=2).lost == 0


# what B has and A wants, words that `culvert up` on A must say
CASES = [
    (dict(b="expired"), [r"expired", r"until 2020-02-01", r"our clock says 20\d\d-"]),
    (dict(b="early"), [r"not valid yet", r"from 2090-01-01"]),
    (dict(authority="other-ca.pem"), [r"no authority", r"O=Other, CN=Root", r"O=Culvert Test, CN=Root", r"x509ca/"]),
    (dict(b="weak", auth="rsa-2048"), [r"rsa-2048", r"RSA 1024"]),
    (dict(auth="pubkey-sha384"), [r"sha384", r"sha256"]),
    (dict(remote=dict(revocation="strict")), [r"revoked", r"no revocation list", r"relaxed"]),
]


def test_refused(lab, culvert):
    x, y = pair(lab, culvert)
    for args, words in CASES:
        mine, peers = arrange(lab, x, y, **args)
        y.load(peers)
        x.load(mine)
        r = x.cli("up", "lan")
        assert r.rc == 1, (args, r)
        for w in words:
            assert re.search(w, r.out), f"{args}: {w!r} is not in: {r.out}\n{x.tail()}"
        until(lambda: not x.children() and not y.children(), "no CHILD SA came of it")


def test_revoked_at_reload(lab, culvert):
    x, y = pair(lab, culvert, b="revoked")
    assert x.cli("up", "lan").ok, x.tail()
    assert x.cli("down", "gw", "--ike").ok
    put(x, x509crl="ca.crl")
    assert x.cli("reload").ok
    r = x.cli("up", "lan")
    assert r.rc == 1 and re.search(r"revoked on .*keyCompromise", r.out) and "x509crl/ca.crl" in r.out, r


def test_check(lab, culvert):
    x = lab.daemon(culvert, lab.a)
    put(x, x509="gwa.pem expired.pem", x509ca="ca.pem", private="gwb.key")
    x.write(text(lab.a, lab, "gwa", "gwb.example"))
    r = x.cli("check", str(x.config))
    assert r.ok, r
    for w in (r"expired\.pem.*has expired \d+ days ago", r"gwb\.key.*none of the certificates", r"without its private key"):
        assert re.search(w, r.out), (w, r.out)
