"""Native ESP through each of esp_io's ways on the interface toward the peer."""
import pytest

from lab import conf
from lab.topo import MARK

WAYS = {"raw": None, "packet": "native ESP on wan through AF_PACKET",
        "xdp": "native ESP on wan through AF_XDP (generic, copy", "auto": "native ESP on wan through AF_XDP"}


def start(lab, side, io, interface="wan"):
    d = lab.daemon("culvert", side)
    d.QUICK += f"culvertd {{\n  esp_io = {io}\n  esp_interface = {interface}\n}}\n"
    return d.start(conf.simple(side, lab))


@pytest.mark.parametrize("io", WAYS)
def test_traffic(lab, io):
    a, b = start(lab, lab.a, io), start(lab, lab.b, "raw")
    assert a.initiate().ok, a.tail()
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0 and lab.ping(lab.b, count=5).lost == 0
    sent, received = lab.transfer(2)
    assert sent == received
    cap.assert_protected(MARK, at_least=1000)
    assert cap.kinds()["esp"]
    assert "native ESP" not in a.log() if WAYS[io] is None else WAYS[io] in a.log(), a.tail()
    assert int(a.children()[0]["packets-in"]) >= 10
    assert b.children()


def test_falls_back(lab):
    a, _ = start(lab, lab.a, "xdp", "nothere"), start(lab, lab.b, "raw")
    assert 'interface "nothere": No such device; native ESP through raw sockets instead' in a.log()
    assert a.initiate().ok, a.tail()
    assert lab.ping(count=5).lost == 0
