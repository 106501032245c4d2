"""What an attacker or an unlucky operator tries: each of these broke something once."""
import socket
import struct

import pytest

from lab import conf
from lab.topo import MARK
from lab.vici import CMD_REQUEST, CMD_RESPONSE, encode
from lab.wait import until
from test_leaks import try_everything
from test_traffic import pair

pytestmark = pytest.mark.culvert_only


def packet(cmd, msg):
    d = bytes([CMD_REQUEST, len(cmd)]) + cmd.encode() + encode(msg)
    return struct.pack(">I", len(d)) + d


def test_pipelined_requests(lab, culvert):
    """A client that does not wait for answers: the engine is fed again while it answers the first."""
    a, b = pair(lab, culvert, initiate=False)
    with a.vici() as v:
        v.s.sendall(packet("initiate", dict(child="lan", ike="gw")) +
                    packet("terminate", dict(ike="gw")) +
                    packet("initiate", dict(child="lan", ike="gw")) + packet("version", {}))
        for cmd in ("initiate", "terminate", "initiate", "version"):
            op, msg = v._answer()
            assert op == CMD_RESPONSE and msg.get("success", "yes") == "yes", f"{cmd}: {msg}\n{a.tail()}"
    assert a.running() and a.up()


def test_client_leaves_in_the_middle(lab, culvert):
    """Requests under way of clients that are gone are answered to nobody."""
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab))
    for _ in range(20):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(a.socket))
        s.sendall(packet("initiate", dict(child="lan", ike="gw", timeout=300)) +
                  packet("terminate", dict(ike="gw", force="yes", timeout=200)))
        s.close()
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab))
    until(lambda: a.terminate(ike="gw", force=True).ok or not a.ikes(), "they are let go")
    assert a.initiate().ok and b.up()


def unusable(lab, **more):
    """Well-formed, but a trap cannot be set for selectors that nobody knows yet."""
    return conf.conn(lab.a, lab, any_peer=True,
                     children=dict(lan=dict(local_ts=lab.a.net4, remote_ts="dynamic", start_action="trap")),
                     **more)


@pytest.mark.parametrize("way", ["reload", "load-conn"])
def test_refused_load_leaves_no_leak(lab, culvert, way):
    """What cannot be loaded changes nothing: the policies that were there go on guarding."""
    trap = dict(start_action="trap")
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=trap))
    policies = a.cli("show", "policies").out
    assert lab.b.net4 in policies
    if way == "reload":
        first = conf.conn(lab.a, lab, child_more=dict(start_action="none"))
        a.write(conf.config(dict(another=first, gw=unusable(lab)), psk="another secret of the lab"))
        r = a.cli("reload")
        assert r.rc == 1 and "gw.children.lan" in r.out, r
    else:
        with a.vici() as v:
            out = v.request("load-conn", dict(gw=dict(
                local_addrs=[lab.a.wan4], remote_addrs=["%any"], local=dict(auth="psk"), remote=dict(auth="psk"),
                children=dict(lan=dict(local_ts=[lab.a.net4], remote_ts=["dynamic"], start_action="trap")))),
                check=False)
        assert out["success"] == "no" and "gw.children.lan" in out["errmsg"], out
    assert a.cli("show", "policies").out == policies
    cap = lab.capture("wanA")
    try_everything(lab)
    cap.assert_no_clear(MARK)
    # the old secret and the old connection still serve
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, child_more=trap))
    assert a.initiate().ok, a.tail()
    assert lab.ping(count=2).lost == 0
    with a.vici() as v:
        assert v.request("get-conns")["conns"] == ["gw"]


def test_renamed_connection(lab, culvert):
    """The same traffic under another name: no packet in clear between the old and the new."""
    trap = dict(start_action="trap")
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=trap))
    cap = lab.capture("wanA")
    p = lab.ping_start(count=600, interval=0.002)
    for i in range(8):
        a.load(conf.simple(lab.a, lab, name=f"gw{i}", child_more=trap))
    lab.ping_end(p)
    cap.assert_no_clear()


def test_many_connections_after_a_crash(lab, culvert):
    """The guard of a killed daemon holds until the new one has all of its own."""
    trap = dict(start_action="trap")
    conns = {f"c{i}": conf.conn(lab.a, lab, children=dict(x=dict(
        local_ts=lab.a.net4, remote_ts=f"10.99.{i}.0/24", start_action="trap"))) for i in range(40)}
    conns["last"] = conf.conn(lab.a, lab, child_more=trap)
    a = lab.daemon(culvert, lab.a).start(conf.config(conns))
    cap = lab.capture("wanA")
    p = lab.ping_start(count=1500, interval=0.002)
    a.kill()
    a.start(conf.config(conns))
    lab.ping_end(p)
    cap.assert_no_clear()
