#!/usr/bin/python3
"""TCP and UDP from LAN to LAN through the demo's lab, each way in turn, round by round, so that a noisy machine disturbs
all of them alike. What counts are the medians of the ratios within a round. Called by bench/run; alone it prints its JSON:

    sudo bench/e2e/matrix.py [--quick] [--rounds 3] [--seconds 3] [--kinds plain,culvert-udp,...] [--cases 2/4/tcp1,...]

Needs root; see tests/lab for the lab. TCP uses reno, because bbr's pacing measures itself. "One core" puts everything,
clients too, on one CPU."""
import argparse
import json
import os
import signal
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench"), str(Path(__file__).resolve().parent)]
import traffic                                                        # noqa: E402
from kinds import KINDS, USUAL, missing                                      # noqa: E402
from lab.topo import Lab                                              # noqa: E402
from lab.wait import until                                            # noqa: E402
from progress import Steps, say                                       # noqa: E402

WHATS = ("tcp1", "tcp4", "udp64", "udp1400")
CASES = [(cores, family, what) for cores in (2, 1) for family in (4, 6) for what in WHATS]
BASES = ("plain", "plain-off", "memcpy", "wireguard-go", "culvert-udp")
# what the goals are held against: a quick pass measures these again
GOAL_KINDS = ("plain", "culvert-udp", "culvert-percpu", "memcpy", "wireguard-go")
GOAL_CASES = [(2, 4, "tcp1"), (2, 4, "tcp4")]


class Pass:
    """One round over some kinds and cases: seconds of each measurement, of which TCP's first `omit` do not count."""

    def __init__(self, kinds, cases, seconds, omit, halvings):
        self.kinds, self.cases, self.seconds, self.omit, self.halvings = kinds, cases, seconds, omit, halvings

    def steps(self):
        return len(self.kinds) * len(self.cases)

    def one(self, lab, family, what):
        if what.startswith("tcp"):
            return traffic.tcp(lab, family, int(what[3:]), self.seconds, self.omit)
        return traffic.udp(lab, family, int(what[3:]), min(0.25 * self.seconds, 1), self.halvings)


def passes(kinds, cases, rounds, seconds, quick):
    if not quick:
        return [Pass(kinds, cases, seconds, 1, 3)] * rounds
    again = [k for k in kinds if k in GOAL_KINDS], [c for c in cases if c in GOAL_CASES]
    return [Pass(kinds, cases, 1, 0, 2)] + [Pass(*again, 2, 1, 2)] * 2


def one_kind(lab, thing, kind, cases, p, about, rows, steps):
    pids = thing.up()
    try:
        until(lambda: lab.ping(count=1, wait=2).got and lab.ping(family=6, count=1, wait=2).got, f"{kind} carries traffic", 15)
        for _, family, what in cases:
            where = f"round {about['round'] + 1}, {about['cores']} core(s), IPv{family} {what:8} {kind:13}"
            row = dict(about, family=family, what=what)
            before = traffic.cpu_ns(pids)
            try:
                row.update(p.one(lab, family, what), cpu_s=(traffic.cpu_ns(pids) - before) / 1e9)
                steps.step(f"{where} {row['gbit']:7.2f} Gbit/s" + (f" {row['kpps']:7.1f} kpps" if "kpps" in row else ""))
            except (RuntimeError, ValueError, OSError) as e:
                row["error"] = str(e)[:300]
                steps.step(f"{where} failed: {str(e).strip().splitlines()[0]}")
                until(lambda: lab.ping(count=1, wait=2).got, "the way recovers", 30)
            rows.append(row)
    finally:
        thing.down()


def neighbours(cases):
    """Cases of the same protocol: each way is brought up once for them, and the next way's turn is not far off."""
    groups = {}
    for c in cases:
        groups.setdefault((c[0], c[1], c[2][:3]), []).append(c)
    return groups.items()


def one_round(lab, things, p, n, rows, steps):
    whole = os.sched_getaffinity(0)
    for (cores, _, _), cases in neighbours(p.cases):
        if cores == 1:
            os.sched_setaffinity(0, {min(whole)})
        try:
            for k in p.kinds if n % 2 == 0 else p.kinds[::-1]:
                try:
                    one_kind(lab, things[k], k, cases, p, dict(round=n, cores=cores, kind=k), rows, steps)
                except (AssertionError, RuntimeError, ValueError, OSError) as e:
                    say(f"round {n + 1}: {k} failed: {str(e).strip().splitlines()[0]}")
                    rows.append(dict(round=n, cores=cores, kind=k, error=str(e)[:500]))
        finally:
            os.sched_setaffinity(0, whole)


def measure(kinds=USUAL, cases=tuple(CASES), rounds=3, seconds=3, suite="aes128gcm16", quick=False):
    rows, absent = [], {k: missing(k) for k in kinds}
    for k, why in absent.items():
        if why:
            say(f"e2e: {k} is not measured: {why}")
    kinds, cases = [k for k in kinds if not absent[k]], list(cases)
    if len(os.sched_getaffinity(0)) < 2:
        absent["two cores"] = "there is only one"
        cases = [c for c in cases if c[0] == 1]
    plan = passes(kinds, cases, rounds, seconds, quick)
    steps = Steps("e2e", sum(p.steps() for p in plan))
    with Lab(offload=True) as lab:
        things = {k: KINDS[k](lab, suite) for k in kinds}
        for n, p in enumerate(plan):
            one_round(lab, things, p, n, rows, steps)
    return dict(rounds=len(plan), suite=suite, not_measured={k: w for k, w in absent.items() if w}, rows=rows,
                summary=summarize(rows, kinds))


def case_of(row):
    return row["cores"], row.get("family"), row.get("what")


def median_ratio(rows, key, case, kind, base):
    def by_round(k):
        return {r["round"]: r[key] for r in rows if case_of(r) == case and r["kind"] == k and r.get(key)}
    mine, other = by_round(kind), by_round(base)
    both = [mine[n] / other[n] for n in mine if n in other]
    return statistics.median(both) if both else None


def middle(rows, key):
    got = [r[key] for r in rows if r.get(key) is not None]
    return statistics.median(got) if got else None


def summarize(rows, kinds):
    out = []
    for case in dict.fromkeys(case_of(r) for r in rows if "what" in r):
        for k in kinds:
            mine = [r for r in rows if case_of(r) == case and r["kind"] == k]
            if not mine:
                continue
            line = dict(cores=case[0], family=case[1], what=case[2], kind=k, rounds=sum("error" not in r for r in mine),
                        errors=sum("error" in r for r in mine))
            line.update({key: middle(mine, key) for key in ("gbit", "kpps", "flat_kpps", "late") if key in mine[0]})
            line.update({f"to_{b}": median_ratio(rows, "gbit", case, k, b) for b in BASES})
            out.append(line)
    return out


def parse_case(text):
    cores, family, what = text.split("/")
    case = int(cores), int(family), what
    if case not in CASES:
        raise ValueError(text)
    return case


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--suite", default="aes128gcm16")
    ap.add_argument("--kinds", default=",".join(USUAL))
    ap.add_argument("--cases", help="CORES/FAMILY/TRAFFIC, separated by commas; traffic is " + ", ".join(WHATS))
    ap.add_argument("--quick", action="store_true")
    args = ap.parse_args()
    kinds = [k for k in args.kinds.split(",") if k]
    if any(k not in KINDS for k in kinds):
        ap.error("kinds are " + ", ".join(KINDS))
    try:
        cases = [parse_case(c) for c in args.cases.split(",")] if args.cases else CASES
    except ValueError as e:
        ap.error(f"no such case: {e}")
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    print(json.dumps(measure(kinds, cases, args.rounds, args.seconds, args.suite, args.quick), indent=1))


if __name__ == "__main__":
    main()
