"""LAN interfaces past the kernel's forwarding: each of lan_io's ways carries traffic, and what a router must
judge still meets the kernel."""
import pytest

from lab import conf
from lab.topo import MARK
from lab.wait import until

WAYS = {"packet": "LAN interface lan through AF_PACKET", "xdp": "LAN interface lan through AF_XDP (generic, copy"}
pytestmark = pytest.mark.culvert_only


def start(lab, side, io, interface="lan", **kw):
    d = lab.daemon("culvert", side)
    d.QUICK += f"culvertd {{\n  lan_io = {io}\n  lan_interfaces = {interface}\n}}\n"
    return d.start(conf.simple(side, lab, **kw))


def pair(lab, io, **kw):
    a, b = start(lab, lab.a, io, **kw), start(lab, lab.b, io, **kw)
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "one IKE SA and one CHILD SA on both sides")
    for d in (a, b):
        assert WAYS[io] in d.log(), d.tail()
    return a, b


def through_tun(side):
    """Packets that the TUN device carried, both ways."""
    return sum(int(side.gw.must(f"cat /sys/class/net/culvert0/statistics/{d}_packets")) for d in ("rx", "tx"))


@pytest.mark.smoke
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("io", WAYS)
def test_traffic(lab, io, inner):
    a, b = pair(lab, io, inner=inner)
    assert lab.ping(count=2, family=inner).lost == 0  # neighbours are found
    before = through_tun(lab.a), through_tun(lab.b)
    cap = lab.capture("wanB")
    assert lab.ping(count=20, family=inner).lost == 0
    assert lab.ping(lab.b, count=20, family=inner).lost == 0
    for frm in (lab.a, lab.b):
        sent, received = lab.transfer(2, frm=frm, family=inner)
        assert sent == received
    cap.assert_protected(MARK, at_least=1000)
    after = through_tun(lab.a), through_tun(lab.b)
    assert after[0] - before[0] < 10 and after[1] - before[1] < 10, "the TUN device was to rest"


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("io", WAYS)
def test_super_packets(new_lab, io, inner):
    """Interfaces with offloads: checksums are left open, and packets come as large as 64 KB."""
    lab = new_lab(offload=True)
    pair(lab, io, inner=inner)
    for frm in (lab.a, lab.b):
        assert lab.ping(frm, count=5, family=inner).lost == 0
        sent, received = lab.transfer(8, frm=frm, family=inner)
        assert sent == received


@pytest.mark.parametrize("io", WAYS)
def test_the_gateways_themselves(lab, io):
    """What is for a gateway, or from it, is the kernel's."""
    pair(lab, io)
    for who, to in ((lab.a.lan, lab.b.gw4), (lab.a.gw, lab.b.host4), (lab.a.gw, lab.b.gw4),
                    (lab.a.lan, lab.a.gw4)):
        p = who.exec(["ping", "-n", "-q", "-c", 3, "-i", 0.05, "-W", 2] +
                     (["-I", lab.a.gw4] if who is lab.a.gw else []) + [to])
        assert " 0% packet loss" in p.out, p.out


@pytest.mark.parametrize("io", WAYS)
def test_nobody_there(lab, io):
    """An address without a neighbour: the far gateway's kernel asks, and answers."""
    pair(lab, io)
    p = lab.a.lan.exec(["ping", "-n", "-c", 2, "-W", 5, "10.2.0.77"])
    assert "10.2.0.1 icmp_seq=1 Destination Host Unreachable" in p.out, p.out
    assert lab.ping(count=3).lost == 0


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("io", WAYS)
def test_hop_limit(lab, io, family):
    """Each gateway is one hop, and the one where the hop limit ends says so."""
    pair(lab, io, inner=family)
    for hops, answer in ((1, lab.a.gw4 if family == 4 else lab.a.gw6),
                         (2, lab.b.gw4 if family == 4 else lab.b.gw6)):
        p = lab.a.lan.exec(["ping", f"-{family}", "-n", "-c", 1, "-W", 3, "-t", hops, lab.b.host(family)])
        assert f"From {answer}" in p.out and "exceeded" in p.out, p.out
    p = lab.a.lan.exec(["ping", f"-{family}", "-n", "-c", 1, "-W", 3, "-t", 3, lab.b.host(family)])
    assert " 0% packet loss" in p.out and "ttl=62" in p.out, p.out


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("io", WAYS)
def test_path_mtu(lab, io, family):
    """Too big a packet is answered with the MTU that fits, as with the TUN device."""
    pair(lab, io, inner=family)
    assert lab.ping(size=1440, count=1, family=family).got == 0, "this was to be too big"
    lab.ping(size=1440, count=1, family=family)
    assert lab.ping(size=1440, count=3, family=family).lost == 0
    # cut by the sender, or by the gateway
    for size in (1372, 1373, 1472, 4000, 20000):
        assert lab.ping(size=size, count=2, family=family, df=False).lost == 0, size


@pytest.mark.parametrize("io", WAYS)
def test_lan_mtu(lab, io):
    """The far LAN is narrower than the tunnel: its gateway answers."""
    pair(lab, io)
    lab.b.gw.must("ip link set lan mtu 1000")
    lab.b.lan.must("ip link set lan mtu 1000")
    assert lab.ping(count=2).lost == 0
    p = lab.a.lan.exec(["ping", "-n", "-c", 1, "-W", 3, "-M", "do", "-s", 1200, lab.b.host4])
    assert "Frag needed" in p.out and "mtu = 1000" in p.out, p.out
    assert lab.ping(size=1200, count=3, df=False).lost == 0


@pytest.mark.parametrize("io", WAYS)
def test_policy_gone(lab, io):
    """Without the policy the kernel forwards again, to whomever it likes."""
    a, b = pair(lab, io)
    lab.net.must(f"ip route add {lab.b.net4} via {lab.b.wan4}; ip route add {lab.a.net4} via {lab.a.wan4}")
    for d in (a, b):
        d.write("")
        assert d.cli("reload").ok
        d.terminate(ike="gw", force=True, timeout=1)
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0
    assert cap.of("clear")


@pytest.mark.parametrize("io", WAYS)
def test_killed(lab, io):
    """Nothing leaves in clear after a kill, nothing stays behind, and the next start serves again."""
    trap = dict(child_more=dict(start_action="trap"))
    a, b = pair(lab, io, **trap)
    lab.net.must(f"ip route add {lab.b.net4} via {lab.b.wan4}; ip route add {lab.a.net4} via {lab.a.wan4}")
    cap = lab.capture("wanA")
    a.kill()
    assert lab.ping(count=5, wait=1, pattern=MARK[:16].hex()).got == 0
    cap.assert_no_clear(MARK)
    until(lambda: "xdp" not in lab.a.gw.must("ip link show lan"), "the XDP program is gone", 5)
    a.start(conf.simple(lab.a, lab, **trap))
    p = lab.ping(count=3, interval=0.3, wait=10)
    assert p.lost == 0, f"{p.out}\n{a.tail()}"
    assert a.log(all_runs=False).count(WAYS[io]) == 1
    a.stop()
    assert "xdp" not in lab.a.gw.must("ip link show lan")


@pytest.mark.parametrize("io", WAYS)
def test_interface_goes(lab, io):
    """The TUN device takes over, and the log says so."""
    a, b = start(lab, lab.a, io, "lan, nothere"), start(lab, lab.b, "tun")
    assert 'interface "nothere": No such device; nothere is served by the TUN device instead' in a.log()
    assert a.initiate().ok, a.tail()
    assert lab.ping(count=3).lost == 0
    lab.a.gw.must(f"""set -e
        ip link del lan; ip link add lan type veth peer name lan netns {lab.a.lan.name}; ip link set lan up
        ip addr add {lab.a.gw4}/24 dev lan""")
    lab.a.lan.must(f"""set -e
        ip link set lan up; ip addr add {lab.a.host4}/24 dev lan; ip route add default via {lab.a.gw4}""")
    until(lambda: "LAN interface lan is gone: the TUN device serves it" in a.log(), "it is noticed")
    assert lab.ping(count=3).lost == 0
    assert b.children()
