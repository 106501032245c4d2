#!/usr/bin/python3
"""ping, with what its -W promises: pinger.py HOST COUNT INTERVAL SIZE WAIT [dont] [PATTERN].

Debian's ping waits for the last answer twice as long as the slowest answer so far took, or one interval: when that is
10 ms on a busy machine, an answer is lost that arrived. This one waits WAIT seconds after the last request, and ends with
the last answer. `dont`: routers may fragment (ping -M dont). PATTERN: hexadecimal, fills the packets (ping -p)."""
import os
import select
import socket
import struct
import sys
import time

ECHO = {4: (8, 0), 6: (128, 129)}  # request, reply
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, ICMP6_FILTER = 10, 0, 1


def checksum(data):
    n = sum(struct.unpack(f">{len(data) // 2}H", data))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff


def opened(family, dont):
    if family == 6:
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        s.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("8I", *[~(2 if i == 4 else 0) & 0xffffffff for i in range(8)]))
        return s
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    if dont:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    return s


class Pinger:
    def __init__(self, host, size, dont, pattern):
        self.family, self.host, self.ident = 6 if ":" in host else 4, host, os.getpid() & 0xffff
        self.fill = (pattern * (size // len(pattern) + 1))[:size]
        self.sock = opened(self.family, dont)
        self.sent, self.at, self.times, self.errors = 0, {}, [], 0

    def send(self):
        self.sent += 1
        seq = self.sent & 0xffff
        kind, pad = ECHO[self.family][0], b"\0" * (len(self.fill) & 1)
        head = struct.pack(">BBHHH", kind, 0, 0, self.ident, seq)
        if self.family == 4:  # of ICMPv6 the kernel computes it
            head = struct.pack(">BBHHH", kind, 0, checksum(head + self.fill + pad), self.ident, seq)
        self.at[seq] = time.monotonic()
        try:
            self.sock.sendto(head + self.fill, (self.host, 0))
        except OSError:
            self.errors += 1

    def receive(self, timeout):
        if not select.select([self.sock], [], [], max(0, timeout))[0]:
            return
        try:
            d, sender = self.sock.recvfrom(65536)
        except OSError:
            self.errors += 1
            return
        d = d[(d[0] & 15) * 4:] if self.family == 4 else d
        kind, _, _, ident, seq = struct.unpack_from(">BBHHH", d)
        if kind != ECHO[self.family][1] or ident != self.ident or d[8:] != self.fill:
            return
        if seq in self.at:
            self.times.append(time.monotonic() - self.at.pop(seq))
        else:
            print(f"{len(d)} bytes from {sender[0]}: icmp_seq={seq} (DUP!)")


def main(host, count, interval, size, wait, *more):
    count, interval = int(count), float(interval)
    pattern = [m for m in more if m != "dont"]
    p = Pinger(host, int(size), "dont" in more, bytes.fromhex(pattern[0]) if pattern else bytes(range(16, 56)))
    start = time.monotonic()
    for i in range(count):
        while time.monotonic() < start + i * interval:
            p.receive(start + i * interval - time.monotonic())
        p.send()
    end = time.monotonic() + float(wait)
    while len(p.times) < count and time.monotonic() < end:
        p.receive(end - time.monotonic())
    got = len(p.times)
    print(f"{count} packets transmitted, {got} received, {(count - got) * 100 // count}% packet loss" + (f", {p.errors} errors" if p.errors else ""))
    if got:
        print("rtt min/avg/max = " + "/".join(f"{t * 1000:.3f}" for t in (min(p.times), sum(p.times) / got, max(p.times))) + " ms")
    return 0 if got else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
