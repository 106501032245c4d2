#!/usr/bin/python3
"""iperf3 and ping from LAN to LAN through the demo's lab, each way in turn, round by round, so that a noisy machine
disturbs all of them alike. What counts are the medians of the ratios within a round. Called by bench/run; alone it
prints its JSON:

    sudo bench/e2e/run.py [--rounds 3] [--seconds 3] [--kinds plain,culvert-udp,...] [--quick]

Needs root; see tests/lab for the lab. veth's offloads are on, as they are on a machine that is not a laboratory; TCP
uses reno, because bbr's pacing measures itself. "One core" puts everything, clients too, on CPU 0."""
import argparse
import json
import os
import signal
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from kinds import KINDS, missing                                      # noqa: E402
from lab.topo import Lab                                              # noqa: E402
from lab.wait import until                                            # noqa: E402

TRAFFIC = {"tcp1": ["-P", 1], "tcp4": ["-P", 4], "udp64": ["-u", "-l", 64], "udp1400": ["-u", "-l", 1360]}
STEPS = {"udp64": (10, 20, 40, 80, 160, 320), "udp1400": (10, 20, 40, 80, 160, 320)}  # thousands of packets a second
LOSS_MAX = 1.0  # percent
FULL = [(cores, family, what) for cores in (2, 1) for family in (4, 6) for what in TRAFFIC]
QUICK = [(2, 4, "tcp1"), (2, 4, "tcp4"), (2, 4, "udp64"), (2, 4, "udp1400"), (2, 6, "tcp4"), (1, 4, "tcp4")]


def say(text):
    print(text, file=sys.stderr, flush=True)


def cpu(pids):
    """CPU seconds that these processes have used."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            v = f.read().rsplit(")", 1)[1].split()
        ticks += int(v[11]) + int(v[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def client(lab, family, what, seconds, more=()):
    log = lab.dir / "iperf-server.log"
    log.unlink(missing_ok=True)
    srv = lab.b.lan.spawn(["iperf3", "-s", "-1", "--forceflush"], log=log)
    try:
        until(lambda: log.exists() and "listening" in log.read_text(), "iperf3 listens", 10)
        r = lab.a.lan.exec(["iperf3", f"-{family}", "-c", lab.b.host(family), "-t", seconds, *TRAFFIC[what], *more, "-J"],
                           seconds + 20)
    finally:
        lab.b.lan.stop(srv)
    out = json.loads(r.out) if r.out.startswith("{") else dict(error=r.out[:200])
    if "error" in out or "end" not in out:
        raise RuntimeError(f"iperf3: {out.get('error', r)}")
    return out["end"]


def tcp(lab, family, what, seconds, pids):
    before = cpu(pids)
    end = client(lab, family, what, seconds, ("-O", 1))
    return dict(gbit=end["sum_received"]["bits_per_second"] / 1e9, retransmits=end["sum_sent"].get("retransmits"),
                cpu_s=cpu(pids) - before)


def udp(lab, family, what, seconds):
    """The rate is doubled until packets get lost; what counts is the most that arrived. Flat out, the sender would take
    the cores that it shares with the gateways."""
    size, best = int(TRAFFIC[what][-1]), dict(kpps=0.0, gbit=0.0)
    for step in STEPS[what]:
        try:
            total = client(lab, family, what, min(seconds, 2), ("-b", step * 1000 * size * 8))["sum"]
        except RuntimeError as e:  # its control connection is lost among the packets: more than it carries
            if best["kpps"]:
                break
            best["error"] = str(e)[:200]
            until(lambda: lab.ping(count=1, wait=2).got, "the way recovers", 20)
            continue
        kpps = max(0, total["packets"] - total["lost_packets"]) / total["seconds"] / 1e3
        if kpps > best["kpps"]:
            best = dict(kpps=kpps, gbit=kpps * size * 8 / 1e6, lost=total["lost_percent"])
        if total["lost_percent"] > LOSS_MAX or total["packets"] / total["seconds"] < step * 700:
            break
    return best


def iperf(lab, family, what, seconds, pids):
    return tcp(lab, family, what, seconds, pids) if what.startswith("tcp") else udp(lab, family, what, seconds)


def ping_us(lab):
    out = lab.a.lan.must(f"ping -n -q -c 300 -i 0.002 {lab.b.host4}", 30)
    return float(out.rsplit("=", 1)[1].split("/")[1]) * 1000


def one_way(lab, thing, kind, cases, seconds, about, rows):
    pids = thing.up()
    try:
        until(lambda: lab.ping(count=1, wait=2).got and lab.ping(family=6, count=1, wait=2).got, f"{kind} carries traffic", 10)
        if about["cores"] == 2:
            rows.append(dict(about, family=4, what="ping", us=ping_us(lab)))
        for _, family, what in cases:
            row = dict(about, family=family, what=what, **iperf(lab, family, what, seconds, pids))
            rows.append(row)
            say(f"  round {about['round'] + 1}: {about['cores']} core(s), IPv{family} {what:8} {kind:13} {row['gbit']:7.2f} Gbit/s")
    finally:
        thing.down()


def run_round(lab, things, kinds, cores, cases, seconds, n, rows):
    whole = os.sched_getaffinity(0)
    if cores == 1:
        os.sched_setaffinity(0, {min(whole)})
    try:
        for k in kinds if n % 2 == 0 else kinds[::-1]:
            try:
                one_way(lab, things[k], k, cases, seconds, dict(round=n, cores=cores, kind=k), rows)
            except (AssertionError, RuntimeError, ValueError) as e:
                say(f"  round {n + 1}: {k}: {str(e).strip().splitlines()[0]}")
                rows.append(dict(round=n, cores=cores, kind=k, error=str(e)[:500]))
    finally:
        os.sched_setaffinity(0, whole)


def measure(kinds=tuple(KINDS), rounds=3, seconds=3, suite="aes128gcm16", quick=False):
    rows, cases = [], QUICK if quick else FULL
    absent = {k: missing(k) for k in kinds}
    for k, why in absent.items():
        if why:
            say(f"  {k}: not measured: {why}")
    kinds = [k for k in kinds if not absent[k]]
    with Lab(offload=True) as lab:
        things = {k: KINDS[k](lab, suite) for k in kinds}
        for n in range(rounds):
            for cores in (2, 1):
                mine = [c for c in cases if c[0] == cores]
                if mine:
                    run_round(lab, things, kinds, cores, mine, seconds, n, rows)
    return dict(rounds=rounds, seconds=seconds, suite=suite, not_measured={k: w for k, w in absent.items() if w}, rows=rows,
                summary=summarize(rows, kinds))


def median_ratio(rows, key, case, kind, base):
    def by_round(k):
        return {r["round"]: r[key] for r in rows if (r["cores"], r.get("family"), r.get("what")) == case and r["kind"] == k}
    mine, other = by_round(kind), by_round(base)
    both = [mine[n] / other[n] for n in mine if other.get(n)]
    return statistics.median(both) if both else None


def summarize(rows, kinds):
    out = []
    cases = dict.fromkeys((r["cores"], r["family"], r["what"]) for r in rows if "what" in r)
    for case in cases:
        key = "us" if case[2] == "ping" else "gbit"
        for k in kinds:
            mine = [r for r in rows if (r["cores"], r.get("family"), r.get("what")) == case and r["kind"] == k]
            if not mine:
                continue
            line = dict(cores=case[0], family=case[1], what=case[2], kind=k, **{key: statistics.median(r[key] for r in mine)})
            if "kpps" in mine[0]:
                line["kpps"] = statistics.median(r["kpps"] for r in mine)
            for base in ("plain", "memcpy", "wireguard-go"):
                line[f"to_{base}"] = median_ratio(rows, key, case, k, base)
            out.append(line)
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--suite", default="aes128gcm16")
    ap.add_argument("--kinds", default=",".join(KINDS))
    ap.add_argument("--quick", action="store_true")
    args = ap.parse_args()
    kinds = [k for k in args.kinds.split(",") if k]
    if any(k not in KINDS for k in kinds):
        ap.error("kinds are " + ", ".join(KINDS))
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    print(json.dumps(measure(kinds, args.rounds, args.seconds, args.suite, args.quick), indent=1))


if __name__ == "__main__":
    main()
