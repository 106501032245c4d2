"""What is sent from LAN A to LAN B: TCP by iperf3, UDP by bench-udp-load, pings. Called by matrix.py and gateway.py."""
import json
import os
import re
import statistics
import subprocess
import time

from lab import build_dir
from lab.wait import until

PORT = 5301
LOSS_MAX = 0.01
IP_AND_UDP = {4: 28, 6: 48}
FLOWS = 4
KPPS_FIRST, KPPS_LAST = 20, 2560


def cpu_ns(pids):
    """CPU time that all threads of these processes have used."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def tcp(lab, family, streams, seconds, omit=1):
    """Gbit/s that arrived."""
    log = lab.dir / "iperf-server.log"
    log.unlink(missing_ok=True)
    srv = lab.b.lan.spawn(["iperf3", "-s", "-1", "--forceflush"], log=log)
    try:
        until(lambda: log.exists() and "listening" in log.read_text(), "iperf3 listens", 10)
        r = lab.a.lan.exec(["iperf3", f"-{family}", "-c", lab.b.host(family), "-t", seconds, "-O", omit, "-P", streams, "-J"],
                           seconds + omit + 20)
    finally:
        lab.b.lan.stop(srv)
    out = json.loads(r.out) if r.out.startswith("{") else dict(error=r.out[:200])
    if "error" in out or "end" not in out:
        raise RuntimeError(f"iperf3: {out.get('error', r)}")
    end = out["end"]
    return dict(gbit=end["sum_received"]["bits_per_second"] / 1e9, retransmits=end["sum_sent"].get("retransmits"))


class Udp:
    """bench-udp-load on both LANs. Sizes are those of the IP packet."""

    def __init__(self, lab):
        self.lab, self.run = lab, 0

    def __enter__(self):
        self.sink = subprocess.Popen(self.lab.b.lan.argv([load_program(), "receive", PORT]), text=True, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, start_new_session=True)
        if not self.sink.stdout.readline():
            raise RuntimeError(f"{load_program()} does not start")
        return self

    def __exit__(self, *exc):
        self.sink.stdin.close()
        try:
            self.sink.wait(5)
        except subprocess.TimeoutExpired:
            self.sink.kill()
            self.sink.wait()
        self.sink.stdout.close()

    def order(self, line):
        self.sink.stdin.write(line + "\n")
        self.sink.stdin.flush()
        answer = self.sink.stdout.readline()
        if not answer:
            raise RuntimeError("bench-udp-load ended")
        return json.loads(answer)

    def settled(self):
        """What has come when nothing comes any more."""
        seen, end = self.order("report"), time.monotonic() + 2
        while time.monotonic() < end:
            time.sleep(0.03)
            now = self.order("report")
            if now["received"] == seen["received"]:
                break
            seen = now
        return seen

    def send(self, family, size, kpps, seconds, flows=FLOWS):
        self.run += 1
        self.order(f"begin {self.run}")
        r = self.lab.a.lan.exec([load_program(), "send", self.lab.b.host(family), PORT, self.run, size - IP_AND_UDP[family],
                                 kpps, int(seconds * 1000), flows], seconds + 20)
        if not r.ok:
            raise RuntimeError(f"bench-udp-load: {r}")
        sent, got = json.loads(r.out), self.settled()
        return dict(sent=sent["sent"], refused=sent["refused"], received=got["received"], late=got["late"],
                    offered_kpps=sent["sent"] / sent["ms"], kpps=got["received"] / sent["ms"],
                    loss=1 - got["received"] / sent["sent"] if sent["sent"] else 1.0)

    def flat_out(self, family, size, seconds):
        """What arrives when the sender does not wait."""
        return self.send(family, size, KPPS_LAST * 4, seconds)

    def highest(self, family, size, seconds, halvings=3):
        """The highest rate of which less than 1 % is lost: all that the sender can, or else looked for around what arrives
        flat out. A step that fails is tried a second time: on a shared machine once is an accident."""
        def good(kpps):
            for _ in range(2):
                got = self.send(family, size, kpps, seconds)
                if got["loss"] <= LOSS_MAX:
                    return got
            return None
        flat = self.flat_out(family, size, seconds)
        if flat["loss"] <= LOSS_MAX:
            return flat, flat
        best, low, high = None, 0, max(flat["kpps"], KPPS_FIRST)
        while high < KPPS_LAST and (got := good(high)):
            best, low, high = got, high, 2 * high
        while best is None and high > 1:
            low = high / 2
            best = good(low)
            high = high if best else low
        for _ in range(halvings):
            if got := good((low + high) / 2):
                best, low = got, (low + high) / 2
            else:
                high = (low + high) / 2
        return best, flat


def udp(lab, family, size, seconds, halvings):
    """kpps: the highest rate with less than 1 % lost; flat_kpps: what arrives when the sender does not wait."""
    with Udp(lab) as u:
        u.send(family, size, KPPS_FIRST, 0.1)  # neighbours, routes, caches
        best, flat = u.highest(family, size, seconds, halvings)
    if best is None:
        raise RuntimeError(f"no rate without loss; flat out {flat}")
    return dict(kpps=best["kpps"], gbit=best["kpps"] * size * 8 / 1e6, late=best["late"], flat_kpps=flat["kpps"],
                flat_loss=flat["loss"])


def pings_us(lab, count):
    """Round trips, each of them."""
    out = lab.a.lan.must(f"ping -n -c {count} -i 0.002 {lab.b.host4}", 60)
    return [float(t) * 1000 for t in re.findall(r"time=([\d.]+) ms", out)]


def ping_us(lab, count):
    return statistics.median(pings_us(lab, count))


def load_program():
    return build_dir() / "bench" / "bench-udp-load"
