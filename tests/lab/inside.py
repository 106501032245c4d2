#!/usr/bin/python3
"""Small programs that the lab runs inside a namespace: inside.py WHAT ARGUMENTS. See main()."""
import hashlib
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tcp_receive(family, port, timeout):
    s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(float(timeout))
    s.bind(("", int(port)))
    s.listen(1)
    print("listening", flush=True)
    c, _ = s.accept()
    c.settimeout(float(timeout))
    h = hashlib.sha256()
    while True:
        d = c.recv(1 << 16)
        if not d:
            break
        h.update(d)
    print(h.hexdigest(), flush=True)


def tcp_send(host, port, size, timeout):
    from lab.topo import content
    data = content(int(size))
    s = socket.create_connection((host, int(port)), timeout=float(timeout))
    s.settimeout(float(timeout))
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
    print(hashlib.sha256(data).hexdigest())


def udp_send(host, port, hextext):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(bytes.fromhex(hextext), (host, int(port)))


def udp_echo(family, port, timeout):
    """Sends each datagram back whole, until nothing comes any more."""
    s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(float(timeout))
    s.bind(("", int(port)))
    print("listening", flush=True)
    while True:
        d, who = s.recvfrom(65535)
        print(hashlib.sha256(d).hexdigest(), flush=True)
        s.sendto(d, who)


def udp_ask(host, port, size, count, timeout):
    """Datagrams that must come back as they are; prints how many did. The kernel may learn from the first ones how
    large fragments may be: what does not come back is tried again."""
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: no DF
    s.settimeout(float(timeout))
    from lab.udp import content
    good = 0
    for i in range(int(count)):
        data = content(int(size), i)
        for _ in range(6):
            s.sendto(data, (host, int(port)))
            try:
                good += s.recv(65535) == data
                break
            except TimeoutError:
                continue
    print(good)


def udp_backwards(source, host, port, size):
    """A datagram in IPv4 fragments of 800 bytes, the last one first."""
    from lab.udp import content
    data = content(int(size), 0)
    udp = struct.pack(">HHHH", 4000, int(port), 8 + len(data), 0) + data
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for at in reversed(range(0, len(udp), 800)):
        part = udp[at:at + 800]
        more = 0x2000 if at + 800 < len(udp) else 0
        s.sendto(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(part), 0x1234, at // 8 | more, 64, 17, 0,
                             socket.inet_aton(source), socket.inet_aton(host)) + part, (host, 0))


def packets(path, dev, to):
    """Packets of probes.py, in frames or as the host's own."""
    import json
    with open(path) as f:
        todo = [bytes.fromhex(x) for x in json.load(f)]
    if dev != "-":
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((dev, 0))
        for p in todo:
            s.send(bytes.fromhex(to.replace(":", "")) + b"\2\0\0\0\0\1" +
                   (b"\x08\x00" if p[0] >> 4 == 4 else b"\x86\xdd") + p)
        return
    for p in todo:
        v4 = p[0] >> 4 == 4
        s = socket.socket(socket.AF_INET if v4 else socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        to = socket.inet_ntop(s.family, p[16:20] if v4 else p[24:40])
        try:
            s.sendto(p, (to, 0))
        except PermissionError:
            pass  # dropped on its way out


def icmp_ask(host, kind, size, timeout):
    """An ICMP message of this type, code 0, to a host of IPv4; prints the types that come from it."""
    def checksum(b):
        n = sum(struct.unpack(f">{len(b) // 2}H", b))
        n = (n >> 16) + (n & 0xffff)
        return 0xffff - (n + (n >> 16) & 0xffff)
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(float(timeout))
    body = struct.pack(">HH", 7, 1) + bytes(int(size))
    head = struct.pack(">BBH", int(kind), 0, 0)
    s.sendto(struct.pack(">BBH", int(kind), 0, checksum(head + body)) + body, (host, 0))
    try:
        while True:
            d, who = s.recvfrom(65535)
            if who[0] == host:
                print(d[20])
                break
    except TimeoutError:
        print("none")


def ike_like(rnd):
    """Bytes that look like IKE to a first glance: a header with fields out of range or lengths
    that lie, followed by noise."""
    body = rnd.randbytes(rnd.randrange(0, 300))
    length = rnd.choice([28 + len(body), 28, 0, 0xffffffff, rnd.randrange(1 << 16)])
    return (rnd.randbytes(8) + rnd.choice([bytes(8), rnd.randbytes(8)]) +
            bytes([rnd.choice([33, 46, 0, 53, rnd.randrange(256)]),
                   rnd.choice([0x20, 0x10, 0x21, 0x30, rnd.randrange(256)]),
                   rnd.choice([34, 35, 36, 37, rnd.randrange(256)]), rnd.randrange(256)]) +
            rnd.choice([bytes(4), rnd.randbytes(4)]) + length.to_bytes(4, "big") + body)


def udp_garbage(host, count, seed):
    """A bounded number of hostile datagrams to 500 and 4500, no faster than they can be read."""
    rnd = random.Random(int(seed))
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(int(count)):
        kind = rnd.randrange(5)
        if kind == 0:
            d, port = rnd.randbytes(rnd.randrange(0, 1400)), rnd.choice([500, 4500])
        elif kind == 1:
            d, port = ike_like(rnd), 500
        elif kind == 2:
            d, port = bytes(4) + ike_like(rnd), 4500
        elif kind == 3:
            d, port = rnd.randbytes(8) + rnd.randbytes(rnd.randrange(0, 200)), 4500  # ESP, no such SA
        else:
            d, port = b"\xff" * rnd.randrange(1, 6), 4500
        try:
            s.sendto(d, (host, port))
        except OSError:
            pass  # an ICMP answer to an earlier one
        if i % 50 == 49:
            time.sleep(0.005)  # pace, not waiting


def ike_flood(host, hextext, count):
    """Copies of a first message, each with an SPI of its own; says how many were answered at all and
    how many answers ask for a cookie (N payload first, type 16390: RFC 7296 2.6)."""
    init, answers, cookies = bytes.fromhex(hextext), 0, 0
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    for _ in range(int(count)):
        s.sendto(os.urandom(8) + init[8:], (host, 500))
        try:
            d = s.recv(4096)
        except (socket.timeout, OSError):
            continue
        answers += 1
        cookies += d[16] == 41 and int.from_bytes(d[34:36], "big") == 16390
    print("cookies", cookies, "answers", answers)


def main():
    what = {f.__name__.replace("_", "-"): f
            for f in (tcp_receive, tcp_send, udp_send, udp_echo, udp_ask, udp_backwards, icmp_ask, packets, udp_garbage, ike_flood)}
    what[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
