"""Every suite that strongSwan's user space has too, in both roles: negotiated, both sides name it the
same way, and traffic passes in both directions."""
import pytest

from lab.pair import Pair
from lab.wait import until

IKE = (["aes128-sha256-x25519", "aes192-sha256-x25519", "aes256-sha256-x25519", "3des-sha1-modp2048"] +
       [f"aes128-{h}-ecp256" for h in ("md5", "sha1", "sha256", "sha384", "sha512")] +
       [f"aes128-sha256-prf{h}-ecp256" for h in ("md5", "sha1", "sha384", "sha512")] +
       [f"aes{k}gcm{i}-prfsha{p}-x25519" for k, i, p in ((128, 16, 256), (192, 16, 384), (256, 16, 512),
                                                         (128, 12, 256), (256, 12, 256), (128, 8, 256), (256, 8, 256))] +
       ["chacha20poly1305-prfsha256-x25519"] +
       [f"aes128-sha256-{g}" for g in ("modp768", "modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144",
                                       "modp8192", "modp2048s256", "ecp256", "ecp384", "ecp521", "x25519", "x448")])
ESP = ([f"aes{k}gcm{i}" for k in (128, 192, 256) for i in (16, 12, 8)] + ["chacha20poly1305"] +
       [f"aes{k}-sha256" for k in (128, 192, 256)] +
       [f"aes128-{h}" for h in ("md5", "sha1", "sha384", "sha512")] + ["3des-sha1", "null-sha256", "null-sha1"])
# several at once: the first that both have, in the responder's order
LISTS = [("aes256-sha512-modp4096,aes128-sha256-x25519", "aes128-sha256-x25519,aes256-sha512-modp4096"),
         ("aes128-aes256-sha1-sha256-modp2048-x25519", "aes256-sha256-x25519"),
         ("default", "default"),
         ("aes128gcm16-aes256gcm16-prfsha256-prfsha384-ecp256-x25519,aes128-sha256-ecp256", "aes256gcm16-prfsha384-ecp256")]


@pytest.fixture(scope="module", params=["initiator", "responder"])
def pair(request, culvert):
    p = Pair(culvert, request.param)
    yield p
    p.lab.close()


@pytest.mark.parametrize("ike", IKE)
def test_ike(pair, ike):
    pair.case(ike, ike, "aes128gcm16", "aes128gcm16")


@pytest.mark.parametrize("esp", ESP)
def test_esp(pair, esp):
    pair.case("aes128-sha256-x25519", "aes128-sha256-x25519", esp, esp)
    assert pair.lab.ping(size=1200, count=3).lost == 0


@pytest.mark.parametrize("a,b", LISTS)
def test_lists(pair, a, b):
    pair.case(a, b, "aes256gcm16-aes128gcm16,aes128-sha256", "aes128-sha256,aes128gcm16")


@pytest.mark.parametrize("a,b", [("x25519-ecp256", "ecp256"), ("modp2048-x25519", "x25519"), ("ecp256-modp3072", "modp3072")])
def test_invalid_ke(pair, a, b):
    """The initiator guesses a key exchange that the responder does not have: one retry settles it."""
    cap = pair.lab.capture("wanB")
    pair.case(f"aes128-sha256-{a}", f"aes128-sha256-{b}", None, None)
    # charon's threads sometimes miss an answer that comes at once; then the same message crosses again
    messages = {bytes(p.payload) for p in cap.of("ike")}
    assert len(messages) == 4, "IKE_SA_INIT twice: INVALID_KE_PAYLOAD, then the right one"


@pytest.mark.parametrize("esp", ["aes128gcm16-x25519", "aes256-sha256-modp2048", "aes128gcm16-ecp384"])
@pytest.mark.parametrize("who", ["a", "b"])
def test_pfs_rekey(pair, esp, who):
    _, first = pair.case("aes128-sha256-x25519", "aes128-sha256-x25519", esp, esp)
    d = getattr(pair, who)
    p = pair.lab.ping_start(count=300)
    assert d.rekey(child="lan")["success"] == "yes"
    until(lambda: pair.a.up() and pair.b.up() and pair.a.children()[0]["spi-in"] != first["spi-in"], "rekeyed", 15)
    assert pair.lab.ping_end(p).lost == 0
    groups = {d.children()[0].get("dh-group") for d in (pair.a, pair.b)}
    assert len(groups) == 1 and None not in groups
