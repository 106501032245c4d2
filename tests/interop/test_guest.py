"""Peers with a kernel of their own, in a guest (lab/guest.py): one boot and a few cases in every run. The matrix is
test_guest_matrix.py."""
import pytest

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
    libreswan(world, "initiator", 1, {})
    libreswan(world, "responder", 1, dict(pfs="yes"), esp="aes128-sha256-modp2048")
