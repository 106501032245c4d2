#!/usr/bin/python3
"""What a gateway adds: CPU time per packet of one that encapsulates and of one that decapsulates beside the bare crypto
library, latency of a ping beside the plain path, loss and order at half of the highest rate. Called by bench/run; alone it
prints its JSON:

    sudo bench/e2e/gateway.py [--quick] [--only onecore,latency,order]"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench"), str(Path(__file__).resolve().parent)]
import traffic                                                        # noqa: E402
from kinds import KINDS, CulvertUdp, missing                          # noqa: E402
from lab import build_dir                                             # noqa: E402
from lab.topo import Lab                                              # noqa: E402
from lab.wait import until                                            # noqa: E402
from progress import Steps                                            # noqa: E402

SUITE, SIZE, TCP_HEADERS = "aes128gcm16", 1400, 52  # the TUN's MTU; TCP with time stamps
LATENCY_KINDS = ("plain", "culvert-udp", "culvert", "wireguard-go", "openvpn", "strongswan")


def carries(lab, kind):
    until(lambda: lab.ping(count=1, wait=2).got, f"{kind} carries traffic", 15)


# --- one core ---

class Pinned(CulvertUdp):
    """One gateway has a core of its own, all else has the other."""
    alone = 0  # which of the two daemons

    def up(self):
        self.d = self.d or self.daemons()
        first, *rest = sorted(os.sched_getaffinity(0))
        for i, d in enumerate(self.d):
            os.sched_setaffinity(0, {first} if i == self.alone else set(rest) or {first})
            d.start(self.text(d.side))
        r = self.d[0].initiate()
        if not r.ok:
            raise RuntimeError(f"culvert: {r}\n{self.d[0].tail()}")
        until(lambda: self.d[0].up() and self.d[1].up(), "the tunnel is up")
        return [self.d[self.alone].pid]


def bare_ns(seconds):
    """The crypto library alone, and the data plane in memory, by direction; on the core that the gateway had."""
    out = subprocess.run([build_dir() / "bench" / "bench-dataplane", "--json", "--suite", SUITE, "--size", str(SIZE),
                          "--seconds", str(seconds)], check=True, text=True, capture_output=True, timeout=60).stdout
    return {r["way"]: dict(bare=r["bare_cycles"] * r["ns"] / r["cycles"], memory=r["ns"]) for r in json.loads(out)}


def cost(lab, pids, seconds):
    """CPU time per full segment of TCP in super-packets; the few acknowledgements the other way are part of it."""
    before = traffic.cpu_ns(pids)
    got = traffic.tcp(lab, 4, 1, seconds, 0)
    packets = got["gbit"] * 1e9 / 8 * seconds / (SIZE - TCP_HEADERS)
    return dict(ns=(traffic.cpu_ns(pids) - before) / max(packets, 1), gbit=got["gbit"])


def onecore(lab, rounds, seconds):
    """rows: way enc or dec; share: the bare library's ns over the gateway's CPU ns."""
    rows, steps = [], Steps("onecore", 2 * rounds)
    for n in range(rounds):
        for alone, way in ((0, "enc"), (1, "dec")):
            whole = os.sched_getaffinity(0)
            thing = Pinned(lab, SUITE)
            thing.alone = alone
            try:
                pids = thing.up()
                os.sched_setaffinity(0, whole - {min(whole)} or whole)
                carries(lab, "culvert")
                got = cost(lab, pids, seconds)
                os.sched_setaffinity(0, {min(whole)})
                bare = bare_ns(0.3)[way]
            finally:
                os.sched_setaffinity(0, whole)
                thing.down()
            rows.append(dict(round=n, way=way, **bare, **got, share=bare["bare"] / got["ns"]))
            steps.step(f"round {n + 1}, {way}: {got['ns']:.0f} ns a packet, bare {bare['bare']:.0f} ns, "
                       f"{got['gbit']:.1f} Gbit/s")
    return rows


# --- latency ---

def latency(lab, rounds, count):
    rows, kinds = [], [k for k in LATENCY_KINDS if not missing(k)]
    things, steps = {k: KINDS[k](lab, SUITE) for k in kinds}, Steps("latency", rounds * len(kinds))
    for n in range(rounds):
        for k in kinds if n % 2 == 0 else kinds[::-1]:
            things[k].up()
            try:
                carries(lab, k)
                us = sorted(traffic.pings_us(lab, count))
            finally:
                things[k].down()
            rows.append(dict(round=n, kind=k, us=statistics.median(us), p99=us[len(us) * 99 // 100], answered=len(us)))
            steps.step(f"round {n + 1}, {k}: {rows[-1]['us']:.0f} us, 99 % below {rows[-1]['p99']:.0f} us")
    return rows


# --- order ---

def order(lab, seconds, rounds=3, kinds=("plain", "culvert-udp", "culvert"), sizes=(64, 1400)):
    """At half of the highest rate nothing is lost and nothing comes late, flow by flow."""
    rows = []
    steps = Steps("order", len(kinds) * len(sizes) * rounds)
    for k in kinds:
        thing = KINDS[k](lab, SUITE)
        thing.up()
        try:
            carries(lab, k)
            with traffic.Udp(lab) as u:
                for size in sizes:
                    u.send(4, size, traffic.KPPS_FIRST, 0.1)
                    best, _ = u.highest(4, size, 0.3, 1)
                    full = best["kpps"] if best else traffic.KPPS_FIRST
                    for n in range(rounds):
                        got = u.send(4, size, full / 2, seconds)
                        rows.append(dict(round=n, kind=k, size=size, saturated_kpps=full, kpps=got["kpps"], sent=got["sent"],
                                         lost=got["sent"] - got["received"], late=got["late"]))
                        steps.step(f"round {n + 1}, {k}, {size} bytes at {got['kpps']:.0f} of {full:.0f} kpps: "
                                   f"{rows[-1]['lost']} of {got['sent']} lost, {got['late']} late")
        finally:
            thing.down()
    return rows


PARTS = ("onecore", "latency", "order")


def measure(parts=PARTS, quick=False):
    out = {}
    with Lab(offload=True) as lab:
        if "latency" in parts:
            out["latency"] = latency(lab, *((2, 200) if quick else (5, 500)))
        if "order" in parts:
            out["order"] = order(lab, 1 if quick else 5)
        if "onecore" in parts:
            out["onecore"] = onecore(lab, *((2, 1) if quick else (5, 3)))
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--only", default=",".join(PARTS))
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    print(json.dumps(measure(args.only.split(","), args.quick), indent=1))


if __name__ == "__main__":
    main()
