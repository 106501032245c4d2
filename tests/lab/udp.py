"""UDP between the LANs' hosts, and selectors for it: for datagrams larger than any MTU."""
import hashlib
import random

from . import PYTHON
from .topo import INSIDE
from .wait import until

ECHO = {4: (8 << 8, 0), 6: (128 << 8, 129 << 8)}  # type and code of request and reply
UDP, ICMP = 17, {4: 1, 6: 58}  # a guest knows no names


def selectors(lab, side, family, icmp=True):
    """UDP to B's port 5000, and echo: keys of a child."""
    near, far = side.net(family), lab.other(side).net(family)
    ours, theirs = (f"[{UDP}]", f"[{UDP}/5000]")[::1 if side is lab.a else -1]
    echo = [f"[{ICMP[family]}/{t}]" for t in ECHO[family]] if icmp else []
    return {"local_ts": ", ".join([near + ours, *(near + e for e in echo)]),
            "remote_ts": ", ".join([far + theirs, *(far + e for e in echo)])}


class Echo:
    """A host of B's LAN that sends UDP datagrams back, and remembers what it saw."""

    def __init__(self, lab, family, port=5000):
        self.ns, self.log = lab.b.lan, lab.dir / f"udp-echo-{port}"
        self.p = self.ns.spawn([PYTHON, INSIDE, "udp-echo", family, port, 60], log=self.log)
        until(lambda: b"listening" in self.log.read_bytes(), "the echo listens", 10)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.ns.stop(self.p, timeout=1)

    def saw(self, size, which=0):
        return hashlib.sha256(content(size, which)).hexdigest() in self.log.read_text()


def content(size, which):
    return random.Random(which).randbytes(size)


def ask(lab, size, family=4, port=5000, count=3, timeout=1.5):
    """Datagrams from A's host to B's; how many came back as they were."""
    r = lab.a.lan.exec([PYTHON, INSIDE, "udp-ask", lab.b.host(family), port, size, count, timeout], timeout=60)
    return int(r.out)
