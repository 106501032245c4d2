"""Every cipher, hash, PRF and group that strongSwan has beside culvert, in both roles and both versions of
IKE. The default run takes a few at once; all of them behind CULVERT_LONG=1. test_matrix.py has the
algorithms of the defaults. (HMAC-SHA-256-96 is not in strongSwan's user space: test_guest_algorithms.py.)"""
import pytest

from lab import long_run
from lab.pair import Pair

WIDTHS = (128, 192, 256)
OLD = ["des", "3des", "cast128"] + [f"{c}{k}" for c in ("blowfish", "camellia") for k in WIDTHS]
CTR = [f"{c}{k}ctr" for c in ("aes", "camellia") for k in WIDTHS]
CCM = [f"{c}{k}ccm{i}" for c in ("aes", "camellia") for k in WIDTHS for i in (8, 12, 16)]
MACS = ["aesxcbc", "aescmac"]
GROUPS = ["modp1024s160", "modp2048s224", "ecp192", "ecp224", "ecp224bp", "ecp256bp", "ecp384bp", "ecp512bp"]

V2_FEW = [("aes256ctr-aesxcbc-modp2048s224", "aes128ctr-aesxcbc"), ("aes192ccm12-prfaescmac-ecp256bp", "aes256ccm16"),
          ("camellia128-aescmac-prfaesxcbc-ecp224", "blowfish192-md5")]
V1_FEW = [("blowfish256-sha384-modp1024s160", "blowfish128-sha256"), ("camellia192-sha512-ecp512bp", "camellia256-sha384-ecp224"),
          ("cast128-md5-modp768", "aes256ctr-aesxcbc")]

V2_IKE = ([f"{c}-sha256-modp2048" for c in OLD + CTR] + [f"{c}-prfsha256-modp2048" for c in CCM] +
          [f"aes128-{m}-prf{p}-modp2048" for m in MACS for p in ("sha256", "aesxcbc", "aescmac")] +
          [f"aes128-{m}-modp2048" for m in MACS] + [f"aes128-sha256-{g}" for g in GROUPS])
V2_ESP = ([f"{c}-sha256" for c in OLD + CTR] + CCM + [f"{c}-{m}" for m in MACS for c in ("aes128", "null", "3des", "aes256ctr")])
V1_IKE = ([f"{c}-sha256-modp2048" for c in OLD] + [f"{c}-{h}-modp2048" for c in ("aes256", "3des") for h in
          ("md5", "sha1", "sha256", "sha384", "sha512")] +
          [f"aes128-sha256-{g}" for g in GROUPS + ["modp768", "modp1024", "modp1536", "modp6144", "modp8192", "modp2048s256",
                                                    "ecp256", "ecp384", "ecp521", "x25519"]])
V1_ESP = ([f"{c}-sha256" for c in OLD + ["aes128ctr", "aes192ctr", "aes256ctr"]] +
          [f"aes{k}ccm{i}" for k in WIDTHS for i in (8, 12, 16)] + [f"aes{k}gcm{i}" for k in WIDTHS for i in (8, 12, 16)] +
          ["aes128-aesxcbc", "null-aesxcbc"] + [f"aes128-{h}" for h in ("md5", "sha1", "sha384", "sha512")])
long = pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1 runs every algorithm")


@pytest.fixture(scope="module", params=["initiator", "responder"])
def pair(request, culvert):
    p = Pair(culvert, request.param)
    yield p
    p.lab.close()


def v2(pair, ike, esp):
    pair.case(ike, ike, esp, esp)
    assert pair.lab.ping(size=1200, count=2, interval=0.01).lost == 0


def v1(pair, ike, esp):
    pair.case(ike, ike, esp, esp, version=1)
    assert pair.lab.ping(size=1200, count=2, interval=0.01).lost == 0


@pytest.mark.parametrize("ike,esp", V2_FEW)
def test_v2(pair, ike, esp):
    v2(pair, ike, esp)


@pytest.mark.parametrize("ike,esp", V1_FEW)
def test_v1(pair, ike, esp):
    v1(pair, ike, esp)


@long
@pytest.mark.parametrize("ike", V2_IKE)
def test_every_v2_ike(pair, ike):
    v2(pair, ike, "aes128gcm16")


@long
@pytest.mark.parametrize("esp", V2_ESP)
def test_every_v2_esp(pair, esp):
    v2(pair, "aes128-sha256-modp2048", esp)


@long
@pytest.mark.parametrize("ike", V1_IKE)
def test_every_v1_ike(pair, ike):
    v1(pair, ike, "aes128-sha256")


@long
@pytest.mark.parametrize("esp", V1_ESP)
def test_every_v1_esp(pair, esp):
    v1(pair, "aes128-sha256-modp2048", esp)
