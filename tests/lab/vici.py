"""A client of VICI, strongSwan's control protocol, written from its published description, so that
charon and culvertd are asked the same questions by a party that is neither."""
import socket
import struct
import time

SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)
(CMD_REQUEST, CMD_RESPONSE, CMD_UNKNOWN, EVENT_REGISTER, EVENT_UNREGISTER, EVENT_CONFIRM,
 EVENT_UNKNOWN, EVENT) = range(8)


class ViciError(RuntimeError):
    pass


class CommandFailed(ViciError):
    """The daemon answered success = no; the text is its errmsg."""


def encode(msg):
    out = bytearray()
    for k, v in msg.items():
        name = bytes([len(k)]) + k.encode()
        if isinstance(v, dict):
            out += bytes([SECTION_START]) + name + encode(v) + bytes([SECTION_END])
        elif isinstance(v, (list, tuple)):
            out += bytes([LIST_START]) + name
            for i in v:
                i = i if isinstance(i, bytes) else str(i).encode()
                out += bytes([LIST_ITEM]) + struct.pack(">H", len(i)) + i
            out += bytes([LIST_END])
        else:
            v = v if isinstance(v, bytes) else str(v).encode()
            out += bytes([KEY_VALUE]) + name + struct.pack(">H", len(v)) + v
    return bytes(out)


def decode(data):
    root = {}
    stack, lst, at = [root], None, 0

    def name():
        nonlocal at
        n = data[at]
        at += 1 + n
        return data[at - n:at].decode()

    def value():
        nonlocal at
        n = struct.unpack(">H", data[at:at + 2])[0]
        at += 2 + n
        return data[at - n:at].decode(errors="replace")

    while at < len(data):
        what = data[at]
        at += 1
        if what == SECTION_START:
            sec = {}
            stack[-1][name()] = sec
            stack.append(sec)
        elif what == SECTION_END:
            stack.pop()
        elif what == KEY_VALUE:
            k = name()
            stack[-1][k] = value()
        elif what == LIST_START:
            lst = stack[-1][name()] = []
        elif what == LIST_ITEM:
            lst.append(value())
        elif what == LIST_END:
            lst = None
        else:
            raise ViciError(f"unknown element {what}")
    if len(stack) != 1:
        raise ViciError("sections do not close")
    return root


class Vici:
    def __init__(self, at, timeout=30):
        """at: a path, or (address, port)."""
        tcp = isinstance(at, tuple)
        self.s = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.timeout = timeout
        self.s.connect(at if tcp else str(at))
        self.events = []  # (name, message) that arrived meanwhile

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _send(self, op, name, msg=None):
        d = bytes([op, len(name)]) + name.encode() + (encode(msg) if msg else b"")
        self.s.sendall(struct.pack(">I", len(d)) + d)

    def _exactly(self, n):
        d = b""
        while len(d) < n:
            got = self.s.recv(n - len(d))
            if not got:
                raise ViciError("the daemon closed the connection")
            d += got
        return d

    def _receive(self):
        d = self._exactly(struct.unpack(">I", self._exactly(4))[0])
        if d[0] == EVENT:
            n = d[1]
            return EVENT, d[2:2 + n].decode(), decode(d[2 + n:])
        return d[0], None, decode(d[1:]) if d[0] == CMD_RESPONSE else {}

    def _answer(self):
        while True:
            op, name, msg = self._receive()
            if op != EVENT:
                return op, msg
            self.events.append((name, msg))

    def request(self, cmd, msg=None, check=True):
        self._send(CMD_REQUEST, cmd, msg)
        op, out = self._answer()
        if op != CMD_RESPONSE:
            raise ViciError(f"command {cmd}: answer of type {op}")
        if check and out.get("success", "yes") != "yes":
            raise CommandFailed(out.get("errmsg", "no errmsg"))
        return out

    def register(self, event):
        self._send(EVENT_REGISTER, event)
        op, _ = self._answer()
        if op != EVENT_CONFIRM:
            raise ViciError(f"event {event} is not known")

    def unregister(self, event):
        self._send(EVENT_UNREGISTER, event)
        self._answer()

    def stream(self, cmd, event, msg=None):
        """A command that answers with events (list-sas and the like): their messages."""
        self.register(event)
        self.request(cmd, msg)
        got = [m for n, m in self.events if n == event]
        self.events = [(n, m) for n, m in self.events if n != event]
        self.unregister(event)
        return got

    def event(self, want, timeout=10):
        """The next event whose name is in `want` (a name or a tuple of names)."""
        want = (want,) if isinstance(want, str) else want
        end = time.monotonic() + timeout
        while True:
            for i, (n, m) in enumerate(self.events):
                if n in want:
                    del self.events[i]
                    return n, m
            left = end - time.monotonic()
            if left <= 0:
                raise ViciError(f"no event {want} within {timeout} s")
            self.s.settimeout(left)
            try:
                _, name, msg = self._receive()
            except socket.timeout:
                continue
            finally:
                self.s.settimeout(self.timeout)
            self.events.append((name, msg))
