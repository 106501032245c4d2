"""Every algorithm of ESP and AH that the Linux kernel has too, with packets of all lengths from 0 to 300 and longer
ones, both ways, against strongSwan in a guest. Minutes of emulation, so only with CULVERT_LONG=1."""
import pytest

from lab import long_run
from lab.topo import frm_ns
from lab.world import World, swan

if not long_run():
    pytest.skip("CULVERT_LONG=1 runs every algorithm against the Linux kernel", allow_module_level=True)

pytestmark = [pytest.mark.seconds(120), pytest.mark.culvert_only]
WIDTHS = (128, 192, 256)
ESP = ([f"aes{k}-sha256" for k in WIDTHS] + [f"aes{k}ctr-sha256" for k in WIDTHS] +
       [f"aes{k}gcm{i}" for k in WIDTHS for i in (8, 12, 16)] + [f"aes{k}ccm{i}" for k in WIDTHS for i in (8, 12, 16)] +
       [f"aes{k}gmac" for k in WIDTHS] + ["chacha20poly1305", "des-sha1", "3des-sha1", "cast128-sha1", "null-sha1"] +
       [f"{c}{k}-sha512" for c in ("camellia", "blowfish") for k in WIDTHS] +
       [f"aes128-{m}" for m in ("md5", "sha1", "sha256_96", "sha384", "sha512", "aesxcbc", "aescmac")])
AH = ["md5", "sha1", "sha256", "sha256_96", "sha384", "sha512", "aesxcbc", "aescmac"]


@pytest.fixture(scope="module")
def world(culvert):
    w = World(culvert)
    # sha256_96 has a number for private use: strongSwan takes it from strongSwan alone, unless told otherwise
    w.b = w.lab.daemon("kernel-swan", w.lab.b, options="accept_private_algs = yes").start()
    yield w
    w.close()


def lengths(world):
    """Each packet comes back as it went; Linux answers, so both directions are tried."""
    lab = world.lab
    sizes = " ".join(map(str, [*range(301), 576, 1000, 1372, 1373, 4000, 9000]))
    out = frm_ns(lab, lab.a).sh(f"for n in {sizes}; do ping -q -n -c 1 -W 2 -M dont -s $n {lab.b.host(4)} >/dev/null || echo $n; done",
                                timeout=90).out
    assert not out.split(), f"{out}\n{world.a.tail(10)}\n{world.b.ns.sh('cat /proc/net/xfrm_stat').out}"


@pytest.mark.parametrize("esp", ESP)
def test_esp(world, esp):
    swan(world, "initiator", 2, esp=esp)
    lengths(world)


@pytest.mark.parametrize("ah", AH)
def test_ah(world, ah):
    swan(world, "initiator", 2, child=dict(ah_proposals=ah))
    lengths(world)


@pytest.mark.parametrize("esp", ["aes128gcm16", "aes128ccm16", "aes128ctr-sha256", "aes128gmac", "camellia128-aesxcbc", "null-aescmac"])
def test_esn(world, esp):
    swan(world, "responder", 2, esp=esp + "-esn")
    lengths(world)


@pytest.mark.parametrize("child", [dict(sha256_96="yes"), dict(sha256_96="yes", ah_proposals="sha256")], ids=["esp", "ah"])
def test_sha256_96(world, child):
    """The option of the child: negotiated as sha256, cut to 96 bits by both."""
    swan(world, "initiator", 2, child=child)
    lengths(world)
