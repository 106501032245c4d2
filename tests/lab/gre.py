#!/usr/bin/python3
"""A GRE (RFC 2784) or IP-in-IP (RFC 2003) tunnel in user space, for kernels without: gre.py DEV PROTOCOL LOCAL REMOTE.

A TUN device DEV, and a raw socket whose packets are the host's own, as those of the kernel's tunnels. They have DF; when
the route to the other end carries less than DEV's MTU, that is lowered, and the kernel tells who sends into it."""
import errno
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SIOCSIFMTU = 0x8922
# level; IP_MTU_DISCOVER, IP_MTU and their likes in IPv6
OPTIONS = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}
GRE = 47


def header(packet):
    return struct.pack(">HH", 0, 0x0800 if packet[0] >> 4 == 4 else 0x86dd)


def lower(sock, dev, family, remote, extra):
    """DEV's MTU becomes what the path carries: now, not what the route did when the socket was connected."""
    sock.connect((remote, 0))
    level, _, what = OPTIONS[family]
    mtu = sock.getsockopt(level, what) - extra
    fcntl.ioctl(socket.socket(), SIOCSIFMTU, struct.pack("16si12x", dev.encode(), mtu))
    print("mtu", mtu, flush=True)


def main(dev, protocol, local, remote):
    family, protocol = 6 if ":" in remote else 4, int(protocol)
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", dev.encode(), IFF_TUN | IFF_NO_PI))
    sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, protocol)
    level, discover, _ = OPTIONS[family]
    sock.setsockopt(level, discover, 2)  # IP_PMTUDISC_DO: DF
    sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    sock.bind((local, 0))
    sock.connect((remote, 0))
    print("ready", flush=True)
    while True:
        for fd in select.select([tun, sock], [], [])[0]:
            try:
                if fd == tun:
                    p = os.read(tun, 65536)
                    sock.send((header(p) if protocol == GRE else b"") + p)
                else:
                    p = sock.recv(65536)
                    p = p[(p[0] & 15) * 4:] if family == 4 else p
                    os.write(tun, p[4:] if protocol == GRE else p)
            except OSError as e:
                if e.errno == errno.EMSGSIZE:
                    lower(sock, dev, family, remote, (20 if family == 4 else 40) + (4 if protocol == GRE else 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
