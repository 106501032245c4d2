"""Debian's swanctl, unmodified, brings culvertd its keys, certificates, revocation lists and authorities, and lists
them: the files are tests/vectors/pki's, in the folders that swanctl knows."""
import re
import shutil
from pathlib import Path

import pytest

from lab import conf

PKI = Path(__file__).resolve().parent.parent / "vectors" / "pki"

PLACES = {"x509": ["gwa.pem", "gwa-ec256.pem", "gwb.pem", "gwa.der"], "x509ca": ["ca.pem", "sub.pem"],
          "x509crl": ["ca.crl"], "private": ["gwa-ec256.key", "gwa-ec384.key"], "rsa": ["gwa.key"],
          "pkcs8": ["gwa-pkcs8.key"]}


def put(folder, places):
    for sub, names in places.items():
        (folder / sub).mkdir(parents=True, exist_ok=True)
        for n in names:
            shutil.copy(PKI / n, folder / sub / n)


@pytest.fixture
def daemon(lab, culvert):
    d = lab.daemon(culvert, lab.a).start()
    put(d.dir / "swanctl", PLACES)
    return d


SECRET = "secrets {\n pkcs8-a {\n  file = gwa-pkcs8.key\n  secret = secret\n }\n}\n"
AUTHORITY = "authorities {\n root {\n  cacert = ca.pem\n  crl_uris = file:///nowhere.crl, http://crl.example/a.crl\n }\n}\n"


def test_load_and_list(daemon):
    r = daemon.swanctl_load(SECRET + AUTHORITY)
    assert r.ok, r
    for n in ("x509/gwa.pem", "x509/gwa-ec256.pem", "x509ca/ca.pem", "x509ca/sub.pem", "x509crl/ca.crl"):
        assert re.search(rf"loaded certificate from '.*{n}'", r.out), (n, r.out)
    assert len(re.findall(r"loaded \S+ key from", r.out)) == 4, r.out
    assert "loaded authority 'root'" in r.out

    out = daemon.swanctl("--list-certs").out
    assert out.count("has private key") == 2, out  # gwa and gwa-ec256; gwa.der is the same as gwa.pem
    assert "C=CH, O=Culvert Test, CN=Root" in out
    assert "X.509 CRLs" in out or "CRL" in out
    assert "gwb.example" in out
    raw = daemon.swanctl("--list-certs", "--raw").out
    assert len(re.findall(r"list-cert event \{", raw)) == 6
    assert "subject=C=CH, O=Culvert Test, CN=gwa " in raw and "not-after=Jan 01 00:00:00 2100" in raw
    only = daemon.swanctl("--list-certs", "--type", "x509", "--flag", "ca", "--raw").out
    assert len(re.findall(r"list-cert event \{", only)) == 2

    out = daemon.cli("show", "certs").out
    assert "certificate, RSA 2048, with private key" in out and "expires in" in out and "revocation list" in out, out

    out = daemon.swanctl("--list-authorities").out
    assert "root:" in out and "CN=Root" in out and "file:///nowhere.crl" in out


def test_keys_come_and_go(daemon):
    assert daemon.swanctl_load(SECRET).ok
    keys = daemon.ask("get-keys")["keys"]
    assert len(keys) == 3 and all(re.fullmatch("[0-9a-f]{40}", k) for k in keys)
    (daemon.dir / "swanctl" / "private" / "gwa-ec384.key").unlink()
    r = daemon.swanctl("--load-creds", "--noprompt")
    assert r.ok, r
    assert len(daemon.ask("get-keys")["keys"]) == 2
    r = daemon.swanctl("--load-creds", "--noprompt", "--clear")
    assert r.ok
    shutil.rmtree(daemon.dir / "swanctl" / "x509")
    assert daemon.swanctl("--load-creds", "--noprompt", "--clear").ok
    assert "CN=gwb" not in daemon.swanctl("--list-certs").out


def test_authorities_come_and_go(daemon):
    shutil.rmtree(daemon.dir / "swanctl" / "x509ca")
    put(daemon.dir / "swanctl", {"x509ca": ["ca.pem"]})
    f = daemon.dir / "swanctl" / "swanctl.conf"
    f.write_text(AUTHORITY)
    assert daemon.swanctl("--load-authorities").ok
    assert daemon.ask("get-authorities")["authorities"] == ["root"]
    assert "CN=Root" in daemon.swanctl("--list-certs", "--flag", "ca").out
    f.write_text("")
    r = daemon.swanctl("--load-authorities")
    assert r.ok and "1 unloaded" in r.out, r
    assert "CN=Root" not in daemon.swanctl("--list-certs", "--flag", "ca").out


def test_refused_by_name(daemon):

    cases = [
        ("load-cert", dict(type="X509", flag="CA", data=(PKI / "gwa.der").read_bytes()), "CA basic constraint"),
        ("load-cert", dict(type="X509", flag="NONE", data=b"nothing"), "not a certificate"),
        ("load-cert", dict(type="X509_AC", data=b"x"), "invalid certificate type"),
        ("load-cert", dict(type="X509", flag="XX", data=b"x"), "invalid certificate flag"),
        ("load-key", dict(type="rsa", data=b"nothing"), "not a key"),
        ("load-key", dict(type="any", data=(PKI / "gwa-pkcs8-key.der").read_bytes()), "encrypted"),
        ("load-key", dict(type="any", data=(PKI / "dsa.key").read_bytes()), "no use"),
        ("unload-key", dict(id="00" * 20), "not found"),
        ("load-token", dict(handle="00"), "not supported"),
        ("unload-authority", dict(name="x"), "'x' not found"),
    ]
    for command, message, part in cases:
        r = daemon.ask(command, message, check=False)
        assert r["success"] == "no" and part in r["errmsg"], (command, r)


def test_connection_brings_its_certificates(lab, daemon):
    text = conf.simple(lab.a, lab).replace("auth = psk", "auth = pubkey\n certs = gwa.pem", 1)
    r = daemon.swanctl_load(text)
    assert r.ok and "loaded connection 'gw'" in r.out, r
    out = daemon.swanctl("--list-conns").out
    assert "public key" in out and re.search(r"certs: +C=CH, O=Culvert Test, CN=gwa", out), out
