"""Captures on a link of the lab, and what they hold: a reader of its own for what matters here
(which packets are ESP or IKE, which are anything else), so that no dissector's opinion is needed."""
import ipaddress
import os
import select
import signal
import struct
import subprocess
import time
from collections import Counter

from .ns import tool
from .wait import until

# What belongs to a network as such: ARP, neighbour discovery, MLD.
HOUSEKEEPING = "housekeeping"


class Packet:
    __slots__ = ("time", "kind", "proto", "src", "dst", "sport", "dport", "payload", "raw")

    def __repr__(self):
        ports = f" {self.sport}>{self.dport}" if self.sport is not None else ""
        return f"<{self.kind} {self.src} > {self.dst} proto {self.proto}{ports} {len(self.raw)} bytes>"


class Capture:
    def __init__(self, ns, iface, path, flt=()):
        self.ns, self.iface, self.path = ns, iface, path
        self.nonce = os.urandom(12).hex().encode()
        self.packets_seen = None
        self.proc = ns.spawn([tool("/usr/bin/tcpdump"), "--immediate-mode", "-i", iface, "-n", "-U", "-Z", "root",
                              "-B", "16384", "-s", "0", "-w", path, *flt], stderr=subprocess.PIPE)
        self._listening()

    def _listening(self):
        said, end = b"", time.monotonic() + 10
        fd = self.proc.stderr.fileno()
        while b"listening on" not in said:
            ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
            d = os.read(fd, 4096) if ready else b""
            if not d:
                raise RuntimeError("tcpdump did not start: " + said.decode(errors="replace"))
            said += d

    def stop(self):
        """Ends the capture when it holds all that was on the link before this call: a datagram with
        a nonce is sent last, and the file is complete when that is in it."""
        if self.proc is None:
            return self
        if self._send_nonce():
            until(lambda: self.nonce in self._tail(), f"the last packet in {self.path}", 15)
        self.abort()
        return self

    def _send_nonce(self):
        """To an address of the link that nobody has (its neighbour entry is made by hand), so that nobody answers.
        False when the link is down and nothing can be on its way either."""
        if not self._carries():
            return False
        out = self.ns.sh(f"ip -4 -o addr show dev {self.iface}").out.split()
        if "inet" not in out:
            return False
        to = str(ipaddress.ip_interface(out[out.index("inet") + 1]).network.broadcast_address - 7)
        self.ns.must(f"ip neigh replace {to} lladdr 02:00:00:00:00:09 dev {self.iface} nud permanent")
        self.ns.must(f"bash -c 'printf %s {self.nonce.decode()} > /dev/udp/{to}/9'")
        self.ns.must(f"ip neigh del {to} dev {self.iface}")
        return True

    def _carries(self):
        return "state UP" in self.ns.sh(f"ip link show {self.iface}").out

    def _tail(self):
        with open(self.path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 65536))
            return f.read()

    def abort(self):
        if self.proc is not None:
            self.ns.stop(self.proc, timeout=5, sig=signal.SIGINT)
            self.proc.stderr.close()
            self.proc = None

    # --- reading ---

    def packets(self):
        if self.packets_seen is None:
            self.stop()
            self.packets_seen = [p for p in read_pcap(self.path) if self.nonce not in p.raw]
        return self.packets_seen

    def of(self, *kinds):
        return [p for p in self.packets() if p.kind in kinds]

    def kinds(self):
        return Counter(p.kind for p in self.packets())

    def holds(self, text):
        return any(text in p.raw for p in self.packets())

    def assert_protected(self, mark=None, want=("esp", "esp-udp"), at_least=1):
        """Protected packets were there, and nothing but them, IKE and housekeeping."""
        self.assert_no_clear(mark)
        n = len(self.of(*want))
        assert n >= at_least, f"only {n} of {want} on {self.iface}: {dict(self.kinds())}"
        return self

    def assert_no_clear(self, mark=None):
        clear = self.of("clear")
        assert not clear, f"{len(clear)} packets in clear on {self.iface}, first {clear[:3]}"
        if mark is not None:
            assert not self.holds(mark), f"content is readable on {self.iface}"
        return self


def read_pcap(path):
    """Packets of an Ethernet capture, classified."""
    with open(path, "rb") as f:
        data = f.read()
    magic = data[:4]
    e = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(magic)
    assert e, f"{path} is no capture"
    assert struct.unpack(e + "I", data[20:24])[0] == 1, "not Ethernet"
    out, frags, at = [], {}, 24
    while at + 16 <= len(data):
        sec, usec, caplen, _ = struct.unpack(e + "IIII", data[at:at + 16])
        raw = data[at + 16:at + 16 + caplen]
        at += 16 + caplen
        if len(raw) < caplen:
            break
        p = Packet()
        p.time, p.raw = sec + usec / 1e6, raw
        p.src = p.dst = p.sport = p.dport = p.proto = None
        p.payload = b""
        p.kind = classify(p, raw, frags)
        out.append(p)
    return out


def classify(p, raw, frags):
    kind = struct.unpack(">H", raw[12:14])[0]
    if kind == 0x0806:
        return HOUSEKEEPING
    if kind == 0x0800:
        ip = raw[14:]
        hlen = (ip[0] & 15) * 4
        p.src, p.dst = str(ipaddress.ip_address(ip[12:16])), str(ipaddress.ip_address(ip[16:20]))
        p.proto = ip[9]
        total, ident, off = struct.unpack(">2xHHH", ip[:8])
        return upper(p, ip[hlen:total], (p.src, p.dst, p.proto, ident), off & 0x1fff, frags)
    if kind == 0x86dd:
        ip = raw[14:]
        p.src, p.dst = str(ipaddress.ip_address(ip[8:24])), str(ipaddress.ip_address(ip[24:40]))
        return upper6(p, ip[6], ip[40:40 + struct.unpack(">H", ip[4:6])[0]], frags)
    return "clear"


def upper6(p, nh, body, frags):
    ident, off = None, 0
    while nh in (0, 43, 60, 44) and len(body) >= 8:
        if nh == 44:
            off, ident = struct.unpack(">HI", body[2:8])
            off >>= 3
            nh, body = body[0], body[8:]
        else:
            n = (body[1] + 1) * 8
            nh, body = body[0], body[n:]
    p.proto = nh
    if nh == 58 and body and body[0] in (130, 131, 132, 133, 134, 135, 136, 137, 143):
        return HOUSEKEEPING
    return upper(p, body, (p.src, p.dst, nh, ident), off, frags)


def upper(p, body, flow, off, frags):
    """off: fragment offset; later fragments are of the kind of the first."""
    if off:
        return frags.get(flow, "clear")
    p.payload = body
    kind = "clear"
    if about_ours(p, body):
        return HOUSEKEEPING
    if p.proto == 50:
        kind = "esp"
    elif p.proto == 51:
        kind = "ah"
    elif p.proto == 17 and len(body) >= 8:
        p.sport, p.dport = struct.unpack(">HH", body[:4])
        p.payload = body[8:]
        kind = udp_kind(p)
    frags[flow] = kind
    return kind


def about_ours(p, body):
    """An ICMP error about IKE or ESP itself: what it quotes went over this wire already."""
    if p.proto == 1 and len(body) >= 36 and body[0] in (3, 11):
        proto, quoted = body[17], body[8 + (body[8] & 15) * 4:]
    elif p.proto == 58 and len(body) >= 56 and body[0] in (1, 2, 3):
        proto, quoted = body[14], body[48:]
    else:
        return False
    return proto in (50, 51) or (proto == 17 and bool({500, 4500} & set(struct.unpack(">HH", quoted[:4]))))


def udp_kind(p):
    ports = (p.sport, p.dport)
    if 500 in ports and len(p.payload) >= 28:
        return "ike"
    if 4500 in ports:
        if p.payload == b"\xff":
            return "keepalive"
        if p.payload[:4] == bytes(4):
            return "ike-natt"
        if len(p.payload) >= 8:
            return "esp-udp"
    return "clear"
