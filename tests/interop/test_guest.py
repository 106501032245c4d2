"""Peers with a kernel of their own, in a guest (lab/guest.py): one boot and a few cases in every run. The matrix is
test_guest_matrix.py."""
import pytest

from lab.wait import until
from lab.world import World, libreswan, swan


@pytest.fixture(scope="module")
def world(culvert):
    w = World(culvert)
    yield w
    w.close()


@pytest.mark.seconds(120)
@pytest.mark.culvert_only
def test_kernel(world):
    """What every run tries: the kernel's ESP with extended sequence numbers, and Libreswan both ways."""
    assert swan(world, "initiator", 2, esp="aes256gcm16-esn")["esn"] == "1"
    swan(world, "responder", 2, child=dict(ipcomp="yes"))
    libreswan(world, "initiator", 1, {})
    libreswan(world, "responder", 1, dict(pfs="yes"), esp="aes128-sha256-modp2048")


@pytest.mark.seconds(60)
@pytest.mark.culvert_only
def test_beet(world):
    """BEET with strongSwan, which asks for it again when either side rekeys."""
    assert swan(world, "initiator", 2, beet=True)["mode"] == "BEET"
    a, b, lab = world.a, world.b, world.lab
    for d in (a, b):
        old = a.children()[0]["spi-in"]
        assert d.rekey(child="lan")["success"] == "yes"
        until(lambda: a.up() and b.up() and a.children()[0]["spi-in"] != old, f"rekeyed\n{a.tail(20)}", 20)
        assert [x.children()[0]["mode"] for x in (a, b)] == ["BEET", "BEET"]
        assert lab.ping(count=3).lost == lab.ping(lab.b, count=3).lost == 0
