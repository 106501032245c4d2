"""Streams of datagrams that tell their number and are known byte by byte."""
import hashlib
import socket

from .guest import inside

PORT = 5009


def text(seed, number):
    """A datagram's bytes: its number, and of its length and content what follows from it."""
    h = hashlib.sha256(f"{seed} {number}".encode()).digest()
    n = 4 + int.from_bytes(h[:2], "big") % 400  # too small to begin a search for the path MTU, whose probes have numbers too
    return number.to_bytes(4, "big") + (h * (n // 32 + 1))[:n]


class Stream:
    """From one namespace to an address of another. `got`: number -> how often it came whole."""

    def __init__(self, frm, to, src, dst, seed):
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        self.seed, self.sent, self.got, self.strange = seed, 0, {}, []
        with inside(to):
            self.rx = socket.socket(family, socket.SOCK_DGRAM)
            self.rx.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self.rx.bind((dst, PORT))
        with inside(frm):
            self.tx = socket.socket(family, socket.SOCK_DGRAM)
            self.tx.bind((src, PORT + 1))
            self.tx.connect((dst, PORT))

    def send(self, n):
        for _ in range(n):
            self.tx.send(text(self.seed, self.sent))
            self.sent += 1

    def collect(self):
        while True:
            try:
                data = self.rx.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return self.got
            number = int.from_bytes(data[:4], "big")
            if number < self.sent and data == text(self.seed, number):
                self.got[number] = self.got.get(number, 0) + 1
            else:
                self.strange.append(data)

    def close(self):
        self.rx.close()
        self.tx.close()
