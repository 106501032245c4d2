"""The topology of the lab, its addresses, and what is measured across it.

                wanA 172.16.1.0/24          wanB 203.0.113.0/24
    lanA .10 -- .1 gwA .1 ------ .254 net .254 ------ .2 gwB .1 -- .10 lanB
    10.1.0.0/24, 10.1.1.0/24      (router, NAT)      10.2.0.0/24, 10.2.1.0/24
    fd01::/64          2001:db8:a::1    2001:db8:b::2          fd02::/64

guests: which gateways ("A", "B") are a virtual machine with a kernel of its own (guest.py), not a namespace.

nat: "none"; "masquerade" (A behind a masquerading router); "forward" (B behind a router that passes
UDP 500 and 4500 on); "both". As usual such routers pass neither ESP nor AH.
"""
import hashlib
import itertools
import os
import re
import shutil

from . import PYTHON, ROOT, STATE
from .capture import Capture
from .ns import Ns, claim, run, sweep

NATS = ("none", "masquerade", "forward", "both")
_count = itertools.count(1)


class Side:
    """One gateway with its LAN."""

    def __init__(self, name, **kw):
        self.name = name
        self.__dict__.update(kw)
        self.gw = self.lan = None           # Ns
        self.peer4 = self.peer6 = None      # address under which this side reaches the other

    def net(self, family, second=False):
        return self.net6 if family == 6 else self.net4b if second else self.net4

    def host(self, family, second=False):
        return self.host6 if family == 6 else self.host4b if second else self.host4

    def wan(self, family):
        return self.wan6 if family == 6 else self.wan4

    def peer(self, family):
        return self.peer6 if family == 6 else self.peer4


def sides():
    a = Side("A", wan4="172.16.1.1", router4="172.16.1.254", wan6="2001:db8:a::1",
             router6="2001:db8:a::fe", net4="10.1.0.0/24", gw4="10.1.0.1", host4="10.1.0.10",
             net4b="10.1.1.0/24", gw4b="10.1.1.1", host4b="10.1.1.10",
             net6="fd01::/64", gw6="fd01::1", host6="fd01::10")
    b = Side("B", wan4="203.0.113.2", router4="203.0.113.254", wan6="2001:db8:b::2",
             router6="2001:db8:b::fe", net4="10.2.0.0/24", gw4="10.2.0.1", host4="10.2.0.10",
             net4b="10.2.1.0/24", gw4b="10.2.1.1", host4b="10.2.1.10",
             net6="fd02::/64", gw6="fd02::1", host6="fd02::10")
    return a, b


class Ping:
    def __init__(self, result):
        m = re.search(r"(\d+) packets transmitted, (\d+) received", result.out)
        self.sent, self.got = (int(m[1]), int(m[2])) if m else (0, 0)
        self.out = result.out

    @property
    def lost(self):
        return self.sent - self.got

    def __repr__(self):
        return f"<ping: {self.sent} sent, {self.got} answered>"


class Lab:
    def __init__(self, nat="none", offload=False, guests=""):
        assert nat in NATS
        sweep()
        self.nat, self.offload, self.guests, self.daemons, self.captures = nat, offload, guests, [], []
        self.prefix = f"cv{os.getpid()}x{next(_count)}"
        self.dir = STATE / self.prefix
        shutil.rmtree(self.dir, ignore_errors=True)
        claim(self.dir, os.getpid())
        self.spaces = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _ns(self, name):
        ns = Ns(f"{self.prefix}-{name}", self.dir / name)
        self.spaces.append(ns)
        return ns

    def _link(self, ns1, if1, ns2, if2):
        run(["ip", "link", "add", if1, "netns", ns1.name, "type", "veth",
             "peer", "name", if2, "netns", ns2.name])
        for ns, dev in ((ns1, if1), (ns2, if2)):
            if not self.offload:
                # captures would show super-packets and checksums that nobody filled in
                ns.must(f"ethtool -K {dev} tx off rx off gso off gro off tso off >/dev/null")
            ns.must(f"ip link set {dev} up")

    def _make(self):
        self.a, self.b = sides()
        self.net = self._ns("net")
        for s in (self.a, self.b):
            s.lan = self._ns("lan" + s.name)
            if s.name in self.guests:
                s.gw = self._guest(s)
            else:
                s.gw = self._gateway(s)
            self._hosts(s, '10.2.1.0/24' if s.name == 'A' else '10.1.1.0/24')
        self.net.must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self._nat()

    def _hosts(self, s, second):
        """Its LAN's host, whose second address talks to the network `second`, and the router's side."""
        s.lan.must(f"""set -e
            ip addr add {s.host4}/24 dev lan; ip addr add {s.host4b}/24 dev lan
            ip addr add {s.host6}/64 dev lan nodad
            ip route add default via {s.gw4}; ip -6 route add default via {s.gw6}
            ip route add {second} via {s.gw4b} src {s.host4b}""")
        self.net.must(f"""set -e
            ip addr add {s.router4}/24 dev wan{s.name}
            ip addr add {s.router6}/64 dev wan{s.name} nodad""")

    def _gateway(self, s):
        gw = self._ns("gw" + s.name)
        self._link(gw, "wan", self.net, "wan" + s.name)
        self._link(gw, "lan", s.lan, "lan")
        gw.must(f"""set -e
            ip addr add {s.wan4}/24 dev wan; ip addr add {s.wan6}/64 dev wan nodad
            ip addr add {s.gw4}/24 dev lan; ip addr add {s.gw4b}/24 dev lan
            ip addr add {s.gw6}/64 dev lan nodad
            ip route add default via {s.router4}; ip -6 route add default via {s.router6}
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
            for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done""")
        return gw

    def client(self, name, wan, lan):
        """A third gateway with its LAN, behind the same router as A; wan, lan: the first three bytes of their networks.
        It reaches B as A does."""
        s = Side(name, wan4=f"{wan}.1", router4=f"{wan}.254", wan6=f"2001:db8:{name.lower()}::1",
                 router6=f"2001:db8:{name.lower()}::fe", net4=f"{lan}.0/24", gw4=f"{lan}.1", host4=f"{lan}.10",
                 net4b=f"{lan}.0/24", gw4b=f"{lan}.2", host4b=f"{lan}.11", net6=f"fd0{name.lower()}::/64",
                 gw6=f"fd0{name.lower()}::1", host6=f"fd0{name.lower()}::10")
        s.lan = self._ns("lan" + name)
        s.gw = self._gateway(s)
        self._hosts(s, self.b.net4b)
        s.peer4, s.peer6 = self.a.peer4, self.a.peer6
        return s

    def _guest(self, s):
        from .guest import Guest
        g = Guest(f"{self.prefix}-gw{s.name}", self.dir / f"gw{s.name}",
                  [(self.net, "wan" + s.name, "wan", [f"{s.wan4}/24", f"{s.wan6}/64"]),
                   (s.lan, "lan", "lan", [f"{s.gw4}/24", f"{s.gw4b}/24", f"{s.gw6}/64"])],
                  [s.router4, s.router6])
        self.spaces.append(g)
        return g

    def _nat(self):
        a, b = self.a, self.b
        mask, fwd = self.nat in ("masquerade", "both"), self.nat in ("forward", "both")
        rules = []
        if mask:
            rules.append("chain post { type nat hook postrouting priority 100; "
                         "oifname wanB masquerade; }")
        if fwd:
            rules.append("chain pre { type nat hook prerouting priority -100; "
                         f"iifname wanA ip daddr {a.router4} udp dport {{ 500, 4500 }} dnat to {b.wan4}; }}")
        if rules:
            rules.append("chain through { type filter hook forward priority 0; "
                         "ip protocol { esp, ah } drop; }")
            path = self.net.dir / "nft"
            path.write_text("table ip lab {\n" + "\n".join(rules) + "\n}\n")
            self.net.must(f"nft -f {path}")
        a.peer4, a.peer6 = (a.router4 if fwd else b.wan4), b.wan6
        b.peer4, b.peer6 = (b.router4 if mask else a.wan4), a.wan6

    def other(self, side):
        return self.a if side is self.b else self.b

    # --- what is done across it ---

    def ping(self, frm=None, family=4, count=3, interval=0.05, size=56, second=False, wait=2,
             pattern=None, df=True):
        """Pings from LAN to LAN. df=False lets IPv4 routers fragment."""
        return Ping(frm_ns(self, frm).exec(
            self._ping_argv(frm, family, count, interval, size, second, wait, pattern, df),
            timeout=count * interval + wait + 30))

    def _ping_argv(self, frm, family, count, interval, size, second, wait, pattern, df=True):
        to = self.other(frm or self.a)
        return [PYTHON, "-I", "-S", PINGER, to.host(family, second), count, interval, size, wait, *([] if df else ["dont"]),
                *([pattern] if pattern else [])]

    def ping_start(self, frm=None, family=4, count=2000, interval=0.002, size=56, second=False):
        """A stream of pings in the background; `ping_end` waits for it."""
        log = self.dir / f"ping{next(_count)}.log"
        p = frm_ns(self, frm).spawn(
            self._ping_argv(frm, family, count, interval, size, second, 2, None), log=log)
        p.lab_log = log
        return p

    def ping_end(self, p, timeout=60):
        from .ns import Result
        rc = p.wait(timeout)
        return Ping(Result(rc, p.lab_log.read_text()))

    def transfer(self, mbytes=4, frm=None, family=4, port=5001, timeout=60):
        """A TCP transfer from LAN to LAN; gives (sum sent, sum received), which must agree.
        The content carries MARK again and again, so that a capture shows it if it is in clear."""
        src = frm or self.a
        dst = self.other(src)
        out = self.dir / f"transfer{next(_count)}"
        srv = dst.lan.spawn([PYTHON, INSIDE, "tcp-receive", family, port, timeout], log=out)
        from .wait import until
        until(lambda: b"listening" in out.read_bytes(), "the receiver listens", 10)
        got = src.lan.exec([PYTHON, INSIDE, "tcp-send", dst.host(family), port,
                            mbytes << 20, timeout], timeout=timeout + 10)
        try:
            srv.wait(timeout)
        finally:
            dst.lan.stop(srv, timeout=1)
        return got.out.strip(), out.read_text().split("listening", 1)[1].strip()

    def capture(self, where="wanB", ns=None, name=None):
        c = Capture(ns or self.net, where, self.dir / f"{name or where}-{next(_count)}.pcap")
        self.captures.append(c)
        return c

    def daemon(self, kind, side, **kw):
        from .daemons import KINDS
        from .peers import GUEST_KINDS
        d = {**KINDS, **GUEST_KINDS}[kind](side, self.dir / side.gw.name.rsplit("-", 1)[1], **kw)
        self.daemons.append(d)
        return d

    # --- end ---

    def keep(self):
        """Leaves it all up; `sweep(kept=True)` removes it later."""
        (self.dir / "keep").touch()

    def save_logs(self, to):
        """Copies logs and captures (never configurations: they hold secrets)."""
        to.mkdir(parents=True, exist_ok=True)
        for f in self.dir.rglob("*"):
            if f.is_file() and f.suffix in (".log", ".pcap"):
                shutil.copy(f, to / "-".join(f.relative_to(self.dir).parts))

    def close(self):
        problems = []
        for step in ([c.abort for c in self.captures] + [d.abort for d in reversed(self.daemons)] +
                     [ns.delete for ns in self.spaces]):
            try:
                step()
            except Exception as e:  # go on with the others: nothing may be left behind
                problems.append(str(e))
        self.spaces = []
        shutil.rmtree(self.dir, ignore_errors=True)
        if problems:
            print("lab:", "; ".join(problems))


INSIDE = ROOT / "tests" / "lab" / "inside.py"
PINGER = ROOT / "tests" / "lab" / "pinger.py"
MARK = b"THIS-WAS-SENT-IN-CLEAR-TEXT."


def content(n):
    """n bytes, the same each time: the mark and a counter that is hashed."""
    out, i = bytearray(), 0
    while len(out) < n:
        out += MARK + hashlib.sha256(i.to_bytes(8, "big")).digest()
        i += 1
    return bytes(out[:n])


def frm_ns(lab, frm):
    return (frm or lab.a).lan
