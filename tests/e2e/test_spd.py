"""The order of the SPD (RFC 4301 4.4.1, 5.1, 5.2), packet by packet: what is to be protected goes to the TUN device and never
in clear, what is dropped goes nowhere, and what no policy covers, or one passes, leaves as if culvertd were not there."""
import ipaddress
import os
import random
import re

import pytest

from lab import conf
from lab.probes import Probe, mac, seen, send

pytestmark = pytest.mark.culvert_only
LONG = bool(os.environ.get("CULVERT_LONG"))
A4, A6, B4, B6 = "10.1.0.0/24", "fd01::/64", "10.2.0.0/24", "fd02::/64"
HOST, HOST6, FAR, FAR6 = "10.1.0.10", "fd01::10", "10.2.0.10", "fd02::10"
WAN, LAN2, GW = "172.16.1.1", "10.1.1.10", "10.1.0.1"
ECHO, MASK = 8 << 8, 17 << 8


def row(mode, local, remote, priority=0):
    return mode, local, remote, priority


def go(where, src=HOST, dst=FAR, *more, own=False, **kw):
    """where: tun, clear, nowhere. own: a packet of the gateway itself."""
    return where, Probe(src, dst, *more, **kw), own


WIDE = row("tunnel", A4, B4), row("tunnel", A6, B6)
CASES = {
    "a bypass of worse priority": ([row("tunnel", A4, B4, 10), row("pass", HOST, FAR, 100)], [go("tun"), go("tun", HOST, "10.2.0.9")]),
    "a bypass of better priority": (
        [row("tunnel", A4, B4, 100), row("pass", "10.0.0.0/8", "10.0.0.0/8", 10)],
        [go("clear"), go("clear", GW, FAR, own=True), go("clear", "10.9.0.1")]),
    "an explicit priority goes before automatic ones": (
        [row("tunnel", A4, B4, 1), row("pass", HOST, FAR), row("tunnel", A6, B6), row("pass", HOST6, FAR6, 500000)],
        [go("tun"), go("tun", HOST6, FAR6)]),
    "shunts go before tunnels": (
        [row("tunnel", A4, FAR), row("pass", A4, B4), row("tunnel", A6, FAR6), row("drop", A6, B6)],
        [go("clear"), go("nowhere", HOST6, FAR6)]),
    "drop between two": (
        [row("tunnel", A4, B4, 5), row("drop", A4, "10.0.0.0/8", 6), row("pass", A4, "10.3.0.0/16", 7)],
        [go("tun"), go("nowhere", HOST, "10.3.0.1"), go("nowhere", HOST, "10.4.0.1"), go("clear", LAN2, "10.4.0.1")]),
    "only a port": (
        [row("tunnel", A4, B4 + "[tcp/23]"), row("tunnel", A6, B6 + "[tcp/23]")],
        [go("tun", HOST, FAR, "tcp", 1, 23), go("clear", HOST, FAR, "tcp", 1, 80), go("clear", HOST, FAR, "icmp", 0, ECHO),
         go("clear", HOST, FAR, "udp", 1, 23), go("tun", HOST6, FAR6, "tcp", 1, 23), go("clear", HOST6, FAR6, "tcp", 1, 80),
         go("clear", HOST6, FAR6, "icmp6", 0, 128 << 8), go("tun", GW, FAR, "tcp", 1, 23, own=True),
         go("clear", GW, FAR, "tcp", 1, 80, own=True), go("clear", WAN, FAR, "tcp", 1, 23, own=True)]),
    "ports and types pass inside": (
        [*WIDE, row("pass", A4, B4 + "[tcp/80-90]"), row("pass", A4 + "[icmp/2048-2303]", B4 + "[icmp/2048-2303]"), row("pass", A6, B6 + "[17/53]")],
        [go("clear", HOST, FAR, "tcp", 1, 85), go("tun", HOST, FAR, "tcp", 1, 91), go("tun", HOST, FAR, "tcp", 85, 1),
         go("clear", HOST, FAR, "icmp", 0, ECHO), go("tun", HOST, FAR, "icmp", 0, MASK), go("clear", HOST6, FAR6, "udp", 9, 53),
         go("tun", HOST6, FAR6, "udp", 9, 54), go("clear", GW, FAR, "tcp", 1, 80, own=True)]),
    "only a port is dropped": (
        [row("drop", A4, B4 + "[tcp/23]"), row("drop", A6, B6 + "[58]")],
        [go("nowhere", HOST, FAR, "tcp", 1, 23), go("clear", HOST, FAR, "tcp", 1, 80), go("clear"),
         go("nowhere", HOST6, FAR6, "icmp6", 0, 128 << 8), go("clear", HOST6, FAR6), go("nowhere", GW, FAR, "tcp", 1, 23, own=True)]),
    "one host is dropped": (
        [row("drop", HOST, B4)],
        [go("nowhere"), go("clear", "10.1.0.11"), go("clear", WAN, FAR, own=True)]),
    "everything through the tunnel": (
        [row("tunnel", A4, "0.0.0.0/0"), row("tunnel", A6, "::/0")],
        [go("tun"), go("tun", HOST, "198.51.100.1"), go("clear", LAN2, "198.51.100.1"), go("clear", WAN, "198.51.100.1", own=True),
         go("clear", WAN, "172.16.1.254", own=True), go("tun", HOST6, "2001:db8:99::1"), go("clear", "fd05::1", "2001:db8:99::1"),
         go("clear", "2001:db8:a::1", "2001:db8:99::1", own=True)]),
    "ranges": (
        [row("tunnel", "10.1.0.9-10.1.0.11", "10.2.0.5-10.2.0.20"), row("pass", A4, "10.2.0.10-10.2.0.11[udp/5-9]", 3)],
        [go("tun", HOST, "10.2.0.5"), go("clear", HOST, "10.2.0.21"), go("clear", "10.1.0.12"), go("clear"), go("tun", HOST, FAR, "udp", 1, 4),
         go("clear", HOST, "10.2.0.11", "udp", 1, 9), go("tun", HOST, "10.2.0.12", "udp", 1, 9)]),
    "other protocols": (
        [row("tunnel", A4 + "[gre]", B4 + "[gre]")],
        [go("tun", HOST, FAR, "gre"), go("clear")]),
}


def text(lab, rows):
    modes = {"tunnel": None, "pass": "pass", "drop": "drop"}
    kids = {f"r{i}": dict(local_ts=l, remote_ts=r, mode=modes[m], priority=p or None, start_action="trap")
            for i, (m, l, r, p) in enumerate(rows)}
    return conf.simple(lab.a, lab, children=kids)


class Gateway:
    """A's, alone: tunnels do not come up, what is for one waits behind the TUN device."""

    def __init__(self, lab, io="tun"):
        self.lab, self.tun = lab, io == "tun"
        self.d = lab.daemon("culvert", lab.a)
        if io != "tun":
            self.d.QUICK += f"culvertd {{\n  lan_io = {io}\n  lan_interfaces = lan\n}}\n"
        self.d.start(text(lab, []))
        self.to = mac(lab.a.gw, "lan")
        for name in ("lan", "wan"):  # nobody has to be found first
            for a, m in ((lab.a.router4, "wanA"), (lab.a.router6, "wanA")):
                lab.a.gw.sh(f"ip neigh replace {a} lladdr {mac(lab.net, m)} dev wan")
        self.wan = lab.capture("wanA")
        self.inner = lab.capture("culvert0", ns=lab.a.gw, name="culvert0")
        self.sent = []

    def load(self, rows):
        self.d.write(text(self.lab, rows))
        r = self.d.cli("reload")
        assert r.ok, r

    def send(self, name, probes):
        self.sent += [(name, *p) for p in probes]
        send(self.lab.a.lan, [p for _, p, own in probes if not own], "lan", self.to)
        send(self.lab.a.gw, [p for _, p, own in probes if own])

    def check(self):
        clear = seen(self.wan)
        self.inner.abort()
        inner = self.inner.path.read_bytes()
        wrong = []
        for name, want, p, own in self.sent:
            got = "clear" if p.tag in clear else "tun" if p.tag in inner else "nowhere"
            fine = got == want or (want == "nowhere" and got == "tun")  # dropped behind the TUN device
            if not self.tun:
                fine = (got == "clear") == (want == "clear")
            if not fine:
                wrong.append(f"{name}: {p} {'of the gateway ' if own else ''}{got} instead of {want}")
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("io", ["tun", "packet", "xdp"])
def test_table(lab, io):
    g = Gateway(lab, io)
    for name, (rows, probes) in CASES.items():
        g.load(rows)
        g.send(name, [(w, Probe(p.src, p.dst, PROTO[p.proto], p.sport, p.dport), own) for w, p, own in probes])
    g.check()


PROTO = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6", 47: "gre"}


@pytest.mark.parametrize("how", ["ip link set culvert0 down", "nft flush ruleset", "kill -9"])
def test_closed(lab, how):
    """Whatever is gone, what is protected or dropped does not leave in clear."""
    g = Gateway(lab)
    g.load([*WIDE, row("drop", A4, "10.3.0.0/16"), row("drop", A6, "fd03::/16[udp]"), row("pass", A4, "10.2.0.99/32")])
    if how == "kill -9":
        g.d.kill()
    else:
        lab.a.gw.must(how)
    drops = [go("nowhere", HOST, "10.3.0.1"), go("nowhere", HOST6, "fd03::1")] if "nft" not in how else []
    g.send(how, [go("nowhere"), go("nowhere", HOST6, FAR6), go("nowhere", GW, FAR, own=True), *drops])
    if "nft" not in how:
        g.send(how, [go("clear", HOST, "10.2.0.99"), go("clear", LAN2, FAR), go("clear", HOST6, "fd03::1", "tcp")])
    g.check()


def test_inbound(lab):
    """RFC 4301 5.2: what is to be protected or dropped does not come in clear either; the rest does."""
    g = Gateway(lab)
    g.load([*WIDE, row("drop", A4, "10.3.0.0/16"), row("pass", A4, B4 + "[udp/53]"), row("drop", A4, "10.4.0.0/16[icmp/2048-2303]"),
            row("drop", A4, "10.0.0.0/8", 9000000)])
    lan = lab.capture("lan", ns=lab.a.lan, name="lanA")
    probes = [(False, Probe(FAR, HOST)), (True, Probe(FAR, HOST, "udp", 53, 7)), (False, Probe("10.3.0.1", HOST)),
              (False, Probe(FAR6, HOST6)), (True, Probe("fd03::1", HOST6)), (True, Probe("198.51.100.1", HOST)),
              (False, Probe("10.4.0.1", HOST, "icmp", 0, ECHO)), (False, Probe("10.77.0.1", HOST)), (True, Probe(FAR, LAN2))]
    lab.a.gw.must(f"for a in {HOST} {LAN2} {HOST6}; do ip neigh replace $a lladdr {mac(lab.a.lan, 'lan')} dev lan; done")
    send(lab.net, [p for _, p in probes], "wanA", mac(lab.a.gw, "wan"))
    got = seen(lan)
    assert [(p.tag in got) for _, p in probes] == [may for may, _ in probes], probes
    # its own LAN is within what is dropped, and is reached
    assert " 0% packet loss" in lab.a.gw.sh(f"ping -c 2 -i 0.05 -W 1 {HOST}").out
    assert " 0% packet loss" in lab.a.lan.sh(f"ping -c 2 -i 0.05 -W 1 {GW}").out


# --- a model ---

def ends(text):
    if "-" in text:
        return [int(ipaddress.ip_address(x)) for x in text.split("-")]
    n = ipaddress.ip_network(text)
    return [int(n[0]), int(n[-1])]


class Side:
    def __init__(self, text):
        addr, _, sel = text.partition("[")
        self.lo, self.hi = ends(addr)
        self.bits = 128 if ":" in addr else 32
        proto, _, ports = sel.rstrip("]").partition("/")
        self.proto = int(proto or 0)
        lo, _, hi = (ports or "0-65535").partition("-")
        self.ports = int(lo), int(hi or lo)

    def has(self, addr, proto, port):
        if not self.lo <= int(addr) <= self.hi or self.bits != addr.max_prefixlen or self.proto not in (0, proto):
            return False
        return self.ports == (0, 65535) or (port is not None and self.ports[0] <= port <= self.ports[1])

    def narrow(self):
        return (self.bits - (self.hi - self.lo).bit_length() + 16 - (self.ports[1] - self.ports[0]).bit_length() +
                (8 if self.proto else 0))


def decide(rows, p):
    """What the first row that covers it says."""
    best = None
    for mode, local, remote, priority in rows:
        l, r = Side(local), Side(remote)
        ports = (p.dport, p.dport) if p.proto in (1, 58) else (p.sport, p.dport) if p.proto in (6, 17) else (None, None)
        if not (l.has(p.src, p.proto, ports[0]) and r.has(p.dst, p.proto, ports[1])):
            continue
        common = all(x.lo <= int(a) <= x.hi for x in (l, r) for a in (p.src, p.dst))
        if common and mode != "pass" and (l.lo, l.hi) != (r.lo, r.hi):
            continue  # no way across
        rank = (priority or (400000 if mode == "tunnel" else 200000), -l.narrow() - r.narrow(),
                ["drop", "tunnel", "pass"].index(mode))
        if best is None or rank < best[0]:
            best = rank, mode
    return {None: "clear", "pass": "clear", "tunnel": "tun", "drop": "nowhere"}[best and best[1]]


def some_rows(rnd):
    rows = []
    for _ in range(rnd.randrange(3, 14)):
        v6 = rnd.random() < 0.3
        def side(net):
            k = rnd.randrange(4)
            base = f"fd0{net}::" if v6 else f"10.{net}.0."
            if k == 0:
                return base + "/64" if v6 else base + "0/24"
            if k == 1:
                return f"{base}{rnd.randrange(1, 4)}/{128 if v6 else 32}"
            if k == 2:
                return f"{base}{rnd.randrange(1, 3)}-{base}{rnd.randrange(3, 5)}"
            return "fd00::/8" if v6 else "10.0.0.0/8"
        proto = rnd.choice(["", "", "[6]", "[17]", "[17/1]", "[17/2-3]", "[58/32768]" if v6 else "[1/2048]"])
        other = re.sub("/.*", "]", proto) if "17" in proto else proto
        rows.append(row(rnd.choice(["tunnel", "tunnel", "pass", "drop"]), side(1) + other, side(2) + proto,
                        rnd.choice([0, 0, 7, 8, 9])))
    return rows


def some_probe(rnd):
    v6 = rnd.random() < 0.3
    def addr(net):
        return f"fd0{net}::{rnd.randrange(1, 6)}" if v6 else f"10.{net}.0.{rnd.randrange(1, 6)}"
    proto = rnd.choice(["tcp", "udp", "udp", "icmp6" if v6 else "icmp"])
    port = rnd.choice([ECHO, MASK] if proto == "icmp" else [128 << 8, 129 << 8] if proto == "icmp6" else [1, 2, 3, 4])
    src = addr(rnd.choice([1, 1, 1, 5]))
    return Probe("10.1.0.7" if src == GW else "fd01::7" if src == "fd01::1" else src, addr(rnd.choice([2, 2, 2, 3])), proto, 9, port)


def test_model(lab):
    """Random policies and packets: the kernel does what a plain list does. The data plane's own test is against the same order."""
    rnd = random.Random(5)
    g = Gateway(lab)
    for turn in range(60 if LONG else 8):
        rows = some_rows(rnd)
        g.load(rows)
        g.send(f"{turn}: {rows}", [(decide(rows, p), p, False) for p in (some_probe(rnd) for _ in range(60))])
    g.check()
