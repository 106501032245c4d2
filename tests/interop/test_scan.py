"""ike-scan and its psk-crack as a stranger with no key: it sees the policies of a connection, and what it needs for
guessing a weak key only where a connection allows aggressive mode."""
import re

import pytest

from lab import conf
from lab.ns import tool

pytestmark = pytest.mark.culvert_only
WEAK = "kangaroo"
TRANSFORM = {"aes128-sha1-modp1024": "(1=7,14=128,2=2,3=1,4=2)", "3des-md5-modp1024": "(1=5,2=1,3=1,4=2)",
             "aes256-sha256-modp2048": "(1=7,14=256,2=4,3=1,4=14)"}


def respond(lab, suite, **more):
    d = lab.daemon("culvert", lab.b)
    return d.start(conf.simple(lab.b, lab, psk=WEAK, version=1, proposals=suite, esp="aes128-sha1",
                               local=dict(id="b.lab"), remote=dict(id="a.lab"), **more))


def scan(lab, suite, *args):
    """Its public value is made of random bytes and not always a proper one; then it is no use, and it asks again."""
    for port in range(20001, 20011):
        r = lab.a.gw.exec([tool("/usr/bin/ike-scan"), "-M", f"--sport={port}", "--retry=2", f"--trans={TRANSFORM[suite]}", *args,
                           lab.b.wan4])
        assert r.ok, r
        if "returned" in r.out or "-A" not in args:
            break
    return r.out


@pytest.mark.parametrize("suite,seen", [("aes128-sha1-modp1024", ("Enc=AES KeyLength=128", "Hash=SHA1", "Group=2:modp1024")),
                                        ("aes256-sha256-modp2048", ("Enc=AES KeyLength=256", "Hash=SHA2-256", "Group=14:modp2048"))])
def test_policies(lab, suite, seen):
    respond(lab, suite)
    out = scan(lab, suite)
    assert "Main Mode Handshake returned" in out and all(s in out for s in seen), out
    assert "Dead Peer Detection" in out and "RFC 3947" in out, out
    assert "NO-PROPOSAL-CHOSEN" in scan(lab, "3des-md5-modp1024")


def test_aggressive_off(lab):
    """Nothing to guess from: a refusal, and neither hash nor identity of ours."""
    respond(lab, "aes128-sha1-modp1024")
    crack = lab.dir / "psk"
    out = scan(lab, "aes128-sha1-modp1024", "-A", "--id=a.lab", "--idtype=2", "--dhgroup=2", f"--pskcrack={crack}")
    assert "Handshake returned" not in out and "b.lab" not in out, out
    assert not crack.exists() or not crack.read_text().strip()


def test_weak_key(lab):
    respond(lab, "aes128-sha1-modp1024", aggressive="yes")
    crack, words = lab.dir / "psk", lab.dir / "words"
    out = scan(lab, "aes128-sha1-modp1024", "-A", "--id=a.lab", "--idtype=2", "--dhgroup=2", f"--pskcrack={crack}")
    assert "Aggressive Mode Handshake returned" in out, out
    words.write_text(f"wallaby\n{WEAK}\nemu\n")
    r = lab.a.gw.exec([tool("/usr/bin/psk-crack"), "-d", words, crack])
    assert re.search(f'key "{WEAK}" matches', r.out), r
