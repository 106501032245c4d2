"""GRE and IP-in-IP tunnels between the gateways, protected host to host by transport mode and by tunnel mode with
selectors of their protocol: RFC 2784, RFC 2003, RFC 3884. The LANs are routed into them, multicast goes through."""
import pytest

from lab import PYTHON, ROOT, conf
from lab.topo import MARK
from lab.wait import until

pytestmark = [pytest.mark.culvert_only]
# name: protocol, its name in selectors, family outside, what the tunnel adds
KINDS = {"gre": (47, "gre", 4, 24), "gre-6": (47, "gre", 6, 44), "ipip": (4, "4", 4, 20)}
FORGE = """
import socket, sys
a, b = (socket.inet_aton(x) for x in sys.argv[1:])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
s.sendto(b"\\x45" + bytes(7) + b"\\x40\\x2f" + bytes(2) + a + b + bytes(40), (sys.argv[2], 0))
"""
ENDS = {"A": "10.9.0.1", "B": "10.9.0.2"}


def tunnel(lab, side, kind):
    """This gateway's end, with the other LAN behind it."""
    number, _, family, _ = KINDS[kind]
    other = lab.other(side)
    log = lab.dir / f"gre{side.name}.log"
    side.gre = side.gw.spawn([PYTHON, ROOT / "tests" / "lab" / "gre.py", "tun9", number, side.wan(family), other.wan(family)], log=log)
    until(lambda: "ready" in log.read_text(), "the tunnel's end")
    side.gw.must(f"""set -e
        ip addr add {ENDS[side.name]}/30 dev tun9; ip link set tun9 up multicast on
        ip route add {other.net4} via {ENDS[other.name]} dev tun9
        ip route add 224.0.0.0/4 dev tun9
        sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0""")
    return log


def start(lab, culvert, kind, mode, **more):
    _, protocol, family, _ = KINDS[kind]
    for side in (lab.a, lab.b):
        tunnel(lab, side, kind)
        child = dict(mode=mode, local_ts=f"dynamic[{protocol}]", remote_ts=f"dynamic[{protocol}]", **more)
        yield lab.daemon(culvert, side).start(conf.simple(side, lab, outer=family, children=dict(lan=child)))


def up(a, b):
    r = a.initiate()
    assert r.ok, f"{r}\n{a.tail()}"
    until(lambda: a.up() and b.up(), "up on both sides")


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
@pytest.mark.parametrize("kind", KINDS)
def test_lans(lab, culvert, kind, mode):
    a, b = start(lab, culvert, kind, mode)
    up(a, b)
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0, b.ask("stats")["dataplane"]
    assert lab.ping(lab.b, count=5).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    for side in (lab.a, lab.b):
        out = side.gw.sh("ping -c 3 -i 0.05 -W 2 -I tun9 -t 1 224.0.0.1").out  # the neighbour, by multicast
        assert " 0% packet loss" in out, out
    cap.assert_protected(MARK, want=("esp",), at_least=300)


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_first_packet_and_sizes(lab, culvert, mode):
    """A packet of a LAN, in GRE, starts IKE and is not lost. Senders inside learn what the way through both carries."""
    a, b = start(lab, culvert, "gre", mode, start_action="trap")
    assert lab.ping(count=1, wait=10).lost == 0, a.tail()
    assert a.children() and b.children()
    for size in (1200, 1300, 1400, 1472):
        until(lambda: lab.ping(count=1, size=size, wait=0.3).lost == 0, f"the sender to learn the MTU at {size}", 5)
    assert lab.ping(count=3, size=3000, df=False).lost == 0


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_what_is_not_gre(lab, culvert, mode):
    """Only GRE is protected. What else the gateways say to each other goes as it went, and GRE in clear is dropped."""
    a, b = start(lab, culvert, "gre", mode)
    up(a, b)
    cap = lab.capture("wanB")
    out = lab.a.gw.sh(f"ping -c 3 -i 0.2 -W 2 {lab.b.wan4}").out
    assert " 0% packet loss" in out, out
    until(lambda: len(cap.of("clear")) >= 6, "pings in clear")
    before = int(b.ask("stats")["dataplane"]["clear-in-dropped"])
    lab.net.must(f"{PYTHON} -c '{FORGE}' {lab.a.wan4} {lab.b.wan4}")
    until(lambda: int(b.ask("stats")["dataplane"]["clear-in-dropped"]) > before, "GRE in clear to be dropped")
    # a protocol that nobody has here: the host's error quotes the packet, which came through the tunnel
    lab.b.gw.stop(lab.b.gre)
    unheard = len(cap.of("clear"))
    lab.ping(count=3, wait=0.3)
    assert int(b.children()[0]["packets-in"]) >= 3
    assert len(cap.of("clear")) == unheard, cap.of("clear")
    for d in (a, b):
        d.stop()
        assert "ipproto" not in d.ns.must("ip rule; ip -6 rule") and "goto" not in d.ns.must("ip rule; ip -6 rule")


def test_what_is_not_gre_6(lab, culvert):
    """The same of IPv6, whose senders still learn the MTU inside."""
    a, b = start(lab, culvert, "gre-6", "tunnel")
    up(a, b)
    out = lab.a.gw.sh(f"ping -c 3 -i 0.2 -W 2 {lab.b.wan6}").out
    assert " 0% packet loss" in out, out
    for size in (1200, 1400):
        until(lambda: lab.ping(count=1, size=size, wait=0.3).lost == 0, f"the sender to learn the MTU at {size}", 5)
