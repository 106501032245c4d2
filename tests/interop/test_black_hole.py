"""A path that drops large packets without a word, to a peer that answers no probes: what TCP inside does is all there is."""
import time

import pytest

from lab import conf, long_run
from lab.wait import until
from lab.world import World, swan

pytestmark = pytest.mark.culvert_only
RATE = 24  # Mbit/s


def black_hole(lab, size=1300):
    path = lab.net.dir / "nft-hole"
    path.write_text("table inet hole { chain through { type filter hook forward priority 0;\n"
                    f"meta length > {size} drop\n}}\n}}\n")
    lab.net.must(f"nft -f {path}")


def test_strongswan(lab):
    """The first large segments are all lost, so nothing is heard of the other end any more. It costs what TCP takes to
    send one three times, 0.7 s; after that the path is known, to further connections in both directions."""
    for dev in ("wanA", "wanB"):
        lab.net.must(f"tc qdisc add dev {dev} root tbf rate {RATE}mbit burst 16k latency 30ms")
    black_hole(lab)
    a = lab.daemon("culvert", lab.a).start(conf.simple(lab.a, lab))
    b = lab.daemon("strongswan", lab.b).start(conf.simple(lab.b, lab))
    assert a.initiate().ok
    until(lambda: a.up() and b.up(), "the SA on both sides")
    took = []
    for frm in (lab.a, lab.a, lab.b):
        t = time.monotonic()
        sent, received = lab.transfer(2, frm=frm)
        took.append(round(time.monotonic() - t, 2))
        assert sent == received
    print("seconds, the first one finds it out:", took)
    assert took[0] < took[1] + 3
    assert "TCP inside fell into a black hole" in a.log()
    assert a.children()[0]["path-mtu"] == "1280"


@pytest.mark.seconds(120)
@pytest.mark.skipif(not long_run(), reason="CULVERT_LONG=1: minutes of emulation")
def test_kernel():
    """The same with Linux's own ESP."""
    w = World("culvert")
    try:
        swan(w, "initiator", 2, esp="aes128gcm16")
        black_hole(w.lab)
        sent, received = w.lab.transfer(1)
        assert sent == received
        assert "TCP inside fell into a black hole" in w.a.log()
    finally:
        w.close()
