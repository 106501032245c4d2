"""Single packets through or out of a gateway, each with a tag by which captures find it again."""
import ipaddress
import json
import os
import struct

from . import PYTHON
from .topo import INSIDE

PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "gre": 47}


class Probe:
    """proto: a name of PROTO. ICMP: dport is type << 8 | code, and there is no other port."""

    def __init__(self, src, dst, proto="udp", sport=40000, dport=7):
        self.src, self.dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        self.proto, self.sport, self.dport = PROTO[proto], sport, dport
        self.tag = b"probe" + os.urandom(10).hex().encode()

    def upper(self):
        if self.proto in (1, 58):
            return struct.pack(">HHI", self.dport, 0, 0) + self.tag
        if self.proto == 17:
            return struct.pack(">HHHH", self.sport, self.dport, 8 + len(self.tag), 0) + self.tag
        if self.proto == 6:
            return struct.pack(">HHIIBBHHH", self.sport, self.dport, 1, 0, 5 << 4, 2, 1000, 0, 0) + self.tag
        return struct.pack(">I", 0) + self.tag

    def packet(self):
        up, src, dst = self.upper(), self.src.packed, self.dst.packed
        if self.src.version == 6:
            return struct.pack(">IHBB", 6 << 28, len(up), self.proto, 64) + src + dst + up
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(up), 1, 0, 64, self.proto, 0) + src + dst
        s = sum(struct.unpack(">10H", head))
        s = (s & 0xffff) + (s >> 16)
        s = 0xffff - ((s & 0xffff) + (s >> 16))
        return head[:10] + struct.pack(">H", s) + head[12:] + up

    def __repr__(self):
        return f"<{self.src}[{self.sport}] > {self.dst}[{self.dport}] proto {self.proto}>"


def mac(ns, dev):
    return ns.must(f"cat /sys/class/net/{dev}/address").strip()


def send(ns, probes, dev=None, to=None):
    """From an interface of this namespace to a MAC address; without: the host's own, by its routes."""
    todo = json.dumps([p.packet().hex() for p in probes])
    path = ns.dir / "probes.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(todo)
    ns.must(f"{PYTHON} {INSIDE} packets {path} {dev or '-'} {to or '-'}")


def seen(capture):
    """What a stopped capture holds, for `tag in`."""
    return capture.stop().path.read_bytes()
