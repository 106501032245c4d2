"""A router between the gateways that loses, duplicates, delays, reorders, truncates and flips bits in both directions,
by a seed, and keeps an account of each packet.

The kernel between forwards nothing; frames come and go through packet sockets. IKE passes untouched. Of ESP and AH the
relay knows what any router knows, the SPI and the number, and a naive model of RFC 4303 3.4.3 foretells what becomes of
each packet it hands on. A gateway looks at a batch before it commits any of it (at most BATCH packets): where that would
change the reason for which a packet is refused, the packet waits for the next batch, so that the account is exact.
"""
import collections
import heapq
import os
import random
import select
import socket
import struct
import time

from .guest import inside
from .wait import Late

ESP, AH, UDP = 50, 51, 17
BATCH, OUTGOING, ETH = 64, 4, 14
LEAST = {ESP: 1, AH: 5, UDP: 2}  # of payload: what is shorter is no packet to any socket, or a keepalive (RFC 3948 2.3)
Shape = collections.namedtuple("Shape", "header icv align")  # what a suite adds; AH: header is the whole of it
SHAPES = {"gcm": Shape(16, 16, 4), "cbc-sha256": Shape(24, 16, 16), "ah-sha256": Shape(28, 16, 4),
          "ah-sha256-6": Shape(32, 16, 4)}  # RFC 4302 3.3.3.2.1: IPv6 wants multiples of eight


def checksum(data):
    n = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) & 1)))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


class Packet:
    """An IP datagram with ESP, ESP in UDP or AH in it; what is not is None to `of`."""

    def __init__(self, ip, at, protocol):
        self.ip, self.at, self.protocol = bytes(ip), at, protocol
        self.honest, self.number = True, None

    @staticmethod
    def of(ip):
        v6 = ip[0] >> 4 == 6
        at, protocol = (40, ip[6]) if v6 else ((ip[0] & 15) * 4, ip[9])
        if protocol == UDP and 4500 in struct.unpack_from(">HH", ip, at) and len(ip) > at + 12 and \
                ip[at + 8:at + 12] != bytes(4):
            return Packet(ip, at + 8, UDP)
        return Packet(ip, at, protocol) if protocol in (ESP, AH) else None

    @property
    def payload(self):
        return self.ip[self.at:]

    def spi_seq(self):
        return struct.unpack_from(">II", self.payload, 4 if self.protocol == AH else 0)

    def header(self, payload, total=None):
        """A new datagram with this payload and every length and checksum as it should be."""
        h = bytearray(self.ip[:self.at])
        n = len(h) + len(payload) if total is None else total
        v6 = h[0] >> 4 == 6
        if self.protocol == UDP:
            u = self.at - 8
            struct.pack_into(">HH", h, u + 4, 8 + len(payload), 0)
            if v6:
                fake = bytes(h[8:40]) + struct.pack(">II", 8 + len(payload), UDP) + h[u:] + payload
                struct.pack_into(">H", h, u + 6, checksum(fake) or 0xffff)
        if v6:
            struct.pack_into(">H", h, 4, n - 40)
        else:
            struct.pack_into(">H", h, 2, n)
            struct.pack_into(">H", h, 10, 0)
            struct.pack_into(">H", h, 10, checksum(bytes(h[:20])))
        return bytes(h) + payload

    def with_payload(self, payload):
        p = Packet(self.header(payload), self.at, self.protocol)
        p.honest, p.number = False, self.number
        return p

    def aged(self, dscp):
        """As routers leave it: a hop further, perhaps with another DSCP. Neither is AH's business."""
        h = bytearray(self.ip)
        if h[0] >> 4 == 6:
            h[7] -= 1
            h[0], h[1] = 0x60 | dscp >> 2, (dscp << 6 | h[1] & 0x3f) & 0xff
        else:
            h[8] -= 1
            h[1] = dscp << 2 | h[1] & 3
            struct.pack_into(">H", h, 10, 0)
            struct.pack_into(">H", h, 10, checksum(bytes(h[:self.hlen()])))
        self.ip = bytes(h)
        return self

    def hlen(self):
        return (self.ip[0] & 15) * 4


class Window:
    """RFC 4303 3.4.3 for one SA, word for word, and what it said BATCH packets ago."""

    def __init__(self, window, esn, taken):
        self.window, self.esn = window, esn
        self.at, self.tops = {n: 0 for n in range(1, taken + 1)}, [taken]

    def refused(self, low, then):
        """Why this number is not taken, as the window was `then`."""
        top = self.tops[then]
        if low > top:
            return None
        if low == 0 or top - low >= self.window:
            return "dp-late" if top - low >= self.window else "dp-replay"
        return "dp-replay" if self.at.get(low, then + 1) <= then else None

    def reason(self, p, ago):
        """Why this packet is not taken when it is looked at `ago` packets before it is committed."""
        low, then = p.spi_seq()[1], max(0, len(self.tops) - 1 - ago)
        top = self.tops[then]
        if self.esn and top >= self.window - 1 and low < top - self.window + 1:
            return "dp-icv"  # appendix A2.1: that is a number of the next 2^32, and the keys do not hold for it
        return self.refused(low, then) or (self.refused(low, len(self.tops) - 1) if p.honest else "dp-icv")

    def passed(self, seq=None):
        """One more packet went by; `seq` was taken."""
        if seq is not None:
            self.at[seq] = len(self.tops)
        self.tops.append(max(self.tops[-1], seq or 0))


class Way:
    """One direction."""

    def __init__(self, relay, frm, to, seed):
        self.relay, self.rnd, self.name = relay, random.Random(seed), f"{frm.name} to {to.name}"
        self.inp, self.out = (packet_socket(relay.lab, "wan" + s.name) for s in (frm, to))
        self.ether = mac_of(to.gw, "wan") + mac_of(relay.lab.net, "wan" + to.name)
        self.late, self.serial = [], 0
        self.arrived, self.windows, self.numbers = 0, {}, {}
        self.account = collections.Counter()  # what the relay did
        self.drops = collections.Counter()    # what the gateway behind it must count
        # numbers of datagrams: what the relay kept from arriving whole and in time, what was not taken, what was
        self.spoilt, self.lost, self.taken = set(), set(), set()

    # --- what arrives ---

    def frame(self, frame):
        ip = frame[ETH:]
        total = struct.unpack_from(">H", ip, 4)[0] + 40 if ip[0] >> 4 == 6 else struct.unpack_from(">H", ip, 2)[0]
        p = Packet.of(ip[:total])
        if p is None:
            self.send(ip[:total])  # IKE, pings of the gateways
            return
        self.arrived += 1
        p.number = self.number_of(*p.spi_seq())
        self.play(p.aged(self.rnd.randrange(64)))
        while self.late and self.late[0][0] <= self.arrived:
            self.deliver(heapq.heappop(self.late)[2])

    def number_of(self, spi, seq):
        """Datagrams are numbered from 0, and nothing else is in the SAs: the first SA has the first."""
        if spi not in self.numbers:
            before = 0 if self.windows else self.relay.taken
            self.numbers[spi] = self.arrived - 1 - before
            self.windows[spi] = Window(self.relay.window, self.relay.esn, before)
        return self.numbers[spi] + seq - 1

    def play(self, p):
        r, w = self.rnd, self.relay.window
        dice = r.random()
        if dice < 0.04:
            self.drop(p, "lost")
        elif dice < 0.09:
            self.note("duplicated")
            self.deliver(p)
            self.later(p, r.randrange(2 * w))
        elif dice < 0.20:
            self.note("reordered")
            self.later(p, r.randrange(1, 4))
        elif dice < 0.28:
            self.note("delayed")
            self.later(p, r.randrange(w // 2))
        elif dice < 0.30:
            self.note("delayed too long")
            self.spoilt.add(p.number)
            self.later(p, 2 * w)
        elif dice < 0.40:
            self.damage(p, r.random() < 0.5)
        else:
            self.deliver(p)

    def damage(self, p, instead):
        """A damaged one in the honest one's place, or beside it, before or after."""
        bad = self.cut(p) if self.rnd.random() < 0.4 else self.flip(p)
        if instead:
            self.drop(p, "damaged")
            self.deliver(bad)
        elif self.rnd.random() < 0.5:
            self.deliver(bad)
            self.deliver(p)
        else:
            self.deliver(p)
            self.later(bad, self.rnd.randrange(BATCH))

    def cut(self, p):
        self.note("truncated")
        return p.with_payload(p.payload[:self.rnd.randrange(LEAST[p.protocol], len(p.payload))])

    def flip(self, p):
        self.note("flipped")
        data = bytearray(p.payload)
        # half of them where the gateway looks before it verifies
        data[self.rnd.randrange(12 if self.rnd.random() < 0.5 else len(data))] ^= 1 << self.rnd.randrange(8)
        return p.with_payload(bytes(data))

    # --- what leaves ---

    def note(self, what):
        self.account[what] += 1

    def drop(self, p, why):
        self.note(why)
        self.spoilt.add(p.number)
        self.lost.add(p.number)

    def later(self, p, packets):
        self.serial += 1
        heapq.heappush(self.late, (self.arrived + packets, self.serial, p))

    def flush(self):
        """The end: what still waits goes, unless what becomes of it cannot be told."""
        while self.late:
            self.deliver(heapq.heappop(self.late)[2], last=True)

    def reason(self, p, ago):
        """Why the gateway will not take it; None when it will."""
        least = 12 if p.protocol == AH else 8
        n, shape = len(p.payload), self.relay.shape
        if n < least:
            return "dp-short"
        spi = p.spi_seq()[0]
        if spi not in self.windows:
            return "dp-no-sa"
        if p.protocol == AH:
            if p.payload[1] != shape.header // 4 - 2 or n < shape.header:
                return "dp-short"
        elif n <= shape.header + shape.icv or (n - shape.header - shape.icv) % shape.align:
            return "dp-short"
        return self.windows[spi].reason(p, ago)

    def deliver(self, p, last=False):
        reason = self.reason(p, 0)
        if reason != self.reason(p, BATCH):
            if not last:
                self.later(p, BATCH + 1)
            elif p.honest and p.number not in self.taken:
                self.drop(p, "kept at the end")
            return
        self.send(p.ip)
        self.note("handed on")
        window = self.windows.get(p.spi_seq()[0]) if len(p.payload) >= 12 else None
        if reason:
            self.drops[reason] += 1
            if p.honest and p.number not in self.taken and reason != "dp-replay":
                self.lost.add(p.number)
        else:
            self.taken.add(p.number)
        if window:
            window.passed(None if reason else p.spi_seq()[1])

    def send(self, ip):
        self.out.send(self.ether + (b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00") + ip)


class Relay:
    """Between the two gateways of a lab, from now on. window, esn, shape: of the SAs, as configured; taken: how
    many packets the first SA of each way carried before."""

    def __init__(self, lab, seed, window, esn, shape, taken=0):
        self.lab, self.window, self.esn, self.shape, self.taken = lab, window, esn, SHAPES[shape], taken
        lab.net.must("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
        self.cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(self.cpus)})  # a frame that is sent on another CPU may overtake
        self.ways = [Way(self, lab.a, lab.b, seed), Way(self, lab.b, lab.a, seed + 1)]

    def pump(self, until, what, timeout=20):
        """Carries packets until `until` holds."""
        end = time.monotonic() + timeout
        while not until():
            ready, _, _ = select.select([w.inp for w in self.ways], [], [], 0.005)
            for w in self.ways:
                if w.inp in ready:
                    for f in frames(w.inp):
                        w.frame(f)
            if time.monotonic() > end:
                raise Late(f"not within {timeout} s: {what() if callable(what) else what}")

    def flush(self):
        for w in self.ways:
            w.flush()

    def close(self):
        for w in self.ways:
            w.inp.close()
            w.out.close()
        self.lab.net.must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        os.sched_setaffinity(0, self.cpus)


def frames(sock):
    """What waits in a packet socket and came from outside."""
    while True:
        try:
            data, addr = sock.recvfrom(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if addr[2] != OUTGOING and addr[1] in (0x0800, 0x86dd) and data[0] & 1 == 0:
            yield data


def packet_socket(lab, dev):
    with inside(lab.net):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    s.bind((dev, 3))
    return s


def mac_of(ns, dev):
    return bytes.fromhex(ns.must(f"cat /sys/class/net/{dev}/address").strip().replace(":", ""))
