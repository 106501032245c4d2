#!/usr/bin/python3
"""What a gateway adds: its chain from device to device on one core beside the bare crypto library, latency of a ping beside
the plain path, loss and order at half of the highest rate. Called by bench/run; alone it prints its JSON:

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
from kinds import KINDS, missing                                      # noqa: E402
from lab import build_dir                                             # noqa: E402
from lab.topo import Lab                                              # noqa: E402
from lab.wait import until                                            # noqa: E402
from progress import Steps                                            # noqa: E402

SUITE, SIZE = "aes128gcm16", 1400  # the TUN's MTU
LATENCY_KINDS = ("plain", "culvert-udp", "culvert", "wireguard-go", "openvpn", "strongswan")


def carries(lab, kind):
    until(lambda: lab.ping(count=1, wait=2).got, f"{kind} carries traffic", 15)


# --- one core ---

def program(name, *args):
    argv = [build_dir() / "bench" / name, "--json", *map(str, args)]
    return {r["way"]: r for r in json.loads(subprocess.run(argv, check=True, text=True, capture_output=True, timeout=60).stdout)}


def onecore(rounds, seconds):
    """rows: way enc or dec; share: the bare library's ns over those of the chain from device to device, both on one core."""
    rows, steps, whole = [], Steps("onecore", rounds), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(whole)})
    try:
        for n in range(rounds):
            chain = program("bench-lane", "--seconds", seconds)
            memory = program("bench-dataplane", "--suite", SUITE, "--size", SIZE, "--seconds", seconds)
            for way, r in memory.items():
                bare, ns = r["bare_cycles"] * r["ns"] / r["cycles"], chain[way]["ns"]
                rows.append(dict(round=n, way=way, bare=bare, memory=r["ns"], ns=ns, share=bare / ns))
            steps.step(f"round {n + 1}: " + ", ".join(f"{r['way']} {r['ns']:.0f} ns a packet, bare {r['bare']:.0f}" for r in rows[-2:]))
    finally:
        os.sched_setaffinity(0, whole)
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
    if "onecore" in parts:
        out["onecore"] = onecore(*((3, 0.3) if quick else (5, 1)))
    with Lab(offload=True) as lab:
        if "latency" in parts:
            out["latency"] = latency(lab, *((2, 200) if quick else (5, 500)))
        if "order" in parts:
            out["order"] = order(lab, 1 if quick else 5)
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
