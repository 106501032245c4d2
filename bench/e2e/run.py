#!/usr/bin/python3
"""iperf3 from LAN to LAN through the demo's lab: plain (routed, no tunnel), wireguard-go and culvert in turn, round
by round, so that a noisy machine disturbs all of them alike. What counts are the medians of the ratios within a round.

    sudo bench/e2e/run.py [--rounds 5] [--seconds 4] [--with strongswan,culvert-udp] [--suite aes128gcm16] [--out FOLDER]

Writes DATE-e2e.json and DATE-e2e.md. Needs root; see tests/lab for the lab. veth's offloads are on, as they are on a
machine that is not a laboratory; TCP uses reno, because bbr's pacing measures itself."""
import argparse
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from lab import build_dir, conf                                       # noqa: E402
from lab.topo import Lab                                              # noqa: E402
from lab.wait import until                                            # noqa: E402

STREAMS = (1, 4)


class Plain:
    """The router knows the way between the LANs."""

    def __init__(self, lab, suite):
        self.lab = lab

    def up(self):
        for s in (self.lab.a, self.lab.b):
            self.lab.net.must(f"ip route replace {s.net4} via {s.wan4}")
        return []

    def down(self):
        for s in (self.lab.a, self.lab.b):
            self.lab.net.must(f"ip route del {s.net4}")


class WireGuard:
    """wireguard-go on both gateways."""

    def __init__(self, lab, suite):
        self.lab, self.procs = lab, []

    def up(self):
        lab = self.lab
        keys = {s: lab.net.must("wg genkey").strip() for s in (lab.a, lab.b)}
        for s in (lab.a, lab.b):
            o = lab.other(s)
            dev = self.dev(s)
            pub = subprocess.run(["wg", "pubkey"], input=keys[o], text=True, capture_output=True, check=True).stdout.strip()
            p = s.gw.spawn(["wireguard-go", "-f", dev], log=s.gw.dir / "wireguard.log")
            self.procs.append((s, p))
            until(lambda: s.gw.sh(f"wg show {dev}").ok, "wireguard-go is up", 10)
            f = s.gw.dir / "wg.conf"
            f.write_text(f"[Interface]\nPrivateKey = {keys[s]}\nListenPort = 51820\n[Peer]\nPublicKey = {pub}\n"
                         f"Endpoint = {o.wan4}:51820\nAllowedIPs = {o.net4}\n")
            f.chmod(0o600)
            s.gw.must(f"wg setconf {dev} {f} && ip link set {dev} mtu 1420 up && ip route replace {o.net4} dev {dev}")
        return [p.pid for _, p in self.procs]

    def dev(self, s):
        return f"wg{s.name.lower()}{os.getpid()}"

    def down(self):
        for s, p in self.procs:
            s.gw.stop(p)
        self.procs = []


class Daemon:
    kind, more = "culvert", {}

    def __init__(self, lab, suite):
        self.lab, self.suite, self.d = lab, suite, None

    def up(self):
        lab = self.lab
        if self.d is None:
            self.d = [lab.daemon(self.kind, s) for s in (lab.a, lab.b)]
        for d in self.d:
            d.start(conf.simple(d.side, lab, esp=self.suite, **self.more))
        r = self.d[0].initiate()
        if not r.ok:
            raise RuntimeError(f"{self.kind}: {r}\n{self.d[0].tail()}")
        until(lambda: self.d[0].up() and self.d[1].up(), "the tunnel is up")
        return [d.pid for d in self.d]

    def down(self):
        for d in self.d:
            if d.proc is not None:
                d.stop()


class CulvertUdp(Daemon):
    more = dict(encap="yes")


class StrongSwan(Daemon):
    kind = "strongswan"


KINDS = {"plain": Plain, "wireguard-go": WireGuard, "culvert": Daemon, "culvert-udp": CulvertUdp, "strongswan": StrongSwan}


def cpu(pids):
    """CPU seconds that these processes have used."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            v = f.read().rsplit(")", 1)[1].split()
        ticks += int(v[11]) + int(v[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def iperf(lab, streams, seconds, pids):
    log = lab.dir / "iperf-server.log"
    log.unlink(missing_ok=True)
    srv = lab.b.lan.spawn(["iperf3", "-s", "-1", "--forceflush"], log=log)
    try:
        until(lambda: log.exists() and "listening" in log.read_text(), "iperf3 listens", 10)
        before = cpu(pids)
        r = lab.a.lan.exec(["iperf3", "-c", lab.b.host4, "-t", seconds, "-O", 1, "-P", streams, "-J"], seconds + 30)
        used = cpu(pids) - before
    finally:
        lab.b.lan.stop(srv)
    out = json.loads(r.out)
    if "error" in out or "end" not in out:
        raise RuntimeError(f"iperf3: {out.get('error', r)}")
    end = out["end"]
    gbit = end["sum_received"]["bits_per_second"] / 1e9
    return dict(gbit=gbit, retransmits=end["sum_sent"].get("retransmits"), cpu_per_gbyte=used / (gbit / 8 * (seconds + 1)) if pids
                else None)


def measure(kinds, args):
    rows = []
    with Lab(offload=True) as lab:
        things = {k: KINDS[k](lab, args.suite) for k in kinds}
        for n in range(args.rounds):
            for k in kinds if n % 2 == 0 else kinds[::-1]:
                pids = things[k].up()
                try:
                    until(lambda: lab.ping(count=1, wait=2).got, f"{k} carries traffic", 10)
                    for streams in STREAMS:
                        row = dict(round=n, kind=k, streams=streams, **iperf(lab, streams, args.seconds, pids))
                        rows.append(row)
                        print(f"round {n + 1}: {k:13} {streams} stream{'s' if streams > 1 else ' '} {row['gbit']:7.2f} Gbit/s",
                              flush=True)
                finally:
                    things[k].down()
    return rows


def summarize(rows, kinds):
    out = []
    for streams in STREAMS:
        for k in kinds:
            mine = {r["round"]: r for r in rows if r["kind"] == k and r["streams"] == streams}
            line = dict(kind=k, streams=streams, gbit=statistics.median(r["gbit"] for r in mine.values()))
            costs = [r["cpu_per_gbyte"] for r in mine.values() if r["cpu_per_gbyte"] is not None]
            line["cpu_per_gbyte"] = statistics.median(costs) if costs else None
            for base in ("plain", "wireguard-go"):
                other = {r["round"]: r["gbit"] for r in rows if r["kind"] == base and r["streams"] == streams}
                line[f"to_{base}"] = statistics.median(mine[n]["gbit"] / other[n] for n in mine) if other else None
            out.append(line)
    return out


def table(lines, about):
    def f(v, form="{:.2f}"):
        return "-" if v is None else form.format(v)
    text = [f"# End to end, {about['date']}", "",
            f"iperf3, TCP, {about['seconds']} s, {about['rounds']} rounds in turn, medians; ESP suite {about['suite']}; "
            f"{about['cpu']}, {about['cpus']} CPUs, Linux {about['kernel']}. CPU seconds are those of both gateways' daemons.", "",
            "| | streams | Gbit/s | ratio to plain | ratio to wireguard-go | CPU s per GB |", "|---|---|---|---|---|---|"]
    text += [f"| {l['kind']} | {l['streams']} | {f(l['gbit'])} | {f(l['to_plain'], '{:.3f}')} | {f(l['to_wireguard-go'])} | "
             f"{f(l['cpu_per_gbyte'])} |" for l in lines]
    return "\n".join(text) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=4)
    ap.add_argument("--suite", default="aes128gcm16")
    ap.add_argument("--kinds", default="plain,wireguard-go,culvert")
    ap.add_argument("--with", dest="more", default="", help="further kinds: " + ", ".join(KINDS))
    ap.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    args = ap.parse_args()
    kinds = [k for k in f"{args.kinds},{args.more}".split(",") if k]
    if any(k not in KINDS for k in kinds):
        ap.error("kinds are " + ", ".join(KINDS))
    if "culvert" in kinds and not (build_dir() / "culvertd").exists():
        ap.error(f"{build_dir()} has no culvertd: build first (buildtype release)")
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    rows = measure(kinds, args)
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown CPU")
    about = dict(date=datetime.date.today().isoformat(), rounds=args.rounds, seconds=args.seconds, suite=args.suite, cpu=model,
                 cpus=os.cpu_count(), kernel=os.uname().release)
    lines = summarize(rows, kinds)
    args.out.mkdir(parents=True, exist_ok=True)
    base = args.out / f"{about['date']}-e2e"
    base.with_name(base.name + ".json").write_text(json.dumps(dict(about, summary=lines, rows=rows), indent=1) + "\n")
    base.with_name(base.name + ".md").write_text(table(lines, about))
    print("\n" + table(lines, about) + f"\nwritten: {base}.json, {base}.md")


if __name__ == "__main__":
    main()
