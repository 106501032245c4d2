#!/usr/bin/python3
"""The demonstration that ./demo runs: LAN A - gateway A - a network between - gateway B - LAN B.

Every step says what it does, shows what came of it, and fails if it was not so.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import ROOT, build_dir                                       # noqa: E402
from lab.ns import sweep, tool                                        # noqa: E402
from lab.topo import MARK, Lab                                        # noqa: E402


class NotSo(Exception):
    """Something that the demo shows was not so."""


def step(text):
    print(f"\n== {text}", flush=True)


def show(text, prefix="   "):
    for line in text.rstrip().splitlines():
        print(prefix + line, flush=True)


def need(cond, text):
    if not cond:
        raise NotSo(text)
    print(f"   ok: {text}", flush=True)


def build():
    out = build_dir()
    if not (out / "build.ninja").exists():
        command(["meson", "setup", str(out), str(ROOT)])
    command(["ninja", "-C", str(out), "culvertd", "culvert"])


def command(argv):
    """Runs a build command; its output is only shown when it fails."""
    env = dict(os.environ, CC=os.environ.get("CC", "gcc"))
    p = subprocess.run(argv, text=True, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if p.returncode:
        show(p.stdout)
        raise NotSo(f"{' '.join(argv)} failed")
    show(p.stdout.strip().splitlines()[-1] if p.stdout.strip() else "done")


def ten_lines(lab, side, family, psk):
    """The whole configuration of a gateway."""
    peer, start = side.peer(family), "trap"
    if lab.nat != "none" and side is lab.b:
        peer, start = "%any", "none"  # behind a NAT the other one must begin
    return f"""connections {{
  {'a-b' if side is lab.a else 'b-a'} {{
    local_addrs = {side.wan(family)}
    remote_addrs = {peer}
    local {{ auth = psk }}
    remote {{ auth = psk }}
    children {{ lan {{ local_ts = {side.net(family)}
                     remote_ts = {lab.other(side).net(family)}
                     start_action = {start} }} }} }} }}
secrets {{ ike-1 {{ secret = "{psk}" }} }}
"""


def picture(lab, family):
    nat = " (masquerades A)" if lab.nat != "none" else ""
    a, b = lab.a, lab.b
    show(f"LAN A {a.net(family)} -- gateway A {a.wan(family)} -- router{nat} -- "
         f"{b.wan(family)} gateway B -- {b.net(family)} LAN B")
    show("namespaces: " + " ".join(ns.name for ns in lab.spaces))


def demo(lab, family, kind):
    picture(lab, family)

    step("starting culvertd on both gateways, each with this configuration")
    psk = "demo-" + os.urandom(16).hex()
    daemons = []
    for side in (lab.a, lab.b):
        text = ten_lines(lab, side, family, psk)
        print(f"   -- gateway {side.name}")
        show(text.replace(psk, "a secret that both know"), "   | ")
        daemons.append(lab.daemon(kind, side).start(text))
    a, b = daemons
    need(a.running() and b.running(), "both answer on their sockets")

    caps = {i: lab.capture(i) for i in ("wanA", "wanB")}
    if kind == "strongswan":
        a.initiate()
    step(f"ping from LAN A to LAN B ({lab.b.host(family)}); the first packet brings the tunnel up")
    p = lab.ping(family=family, count=1 if kind == "culvert" else 3, wait=10, pattern=MARK[:16].hex())
    show(p.out.strip().splitlines()[-1] if p.got else p.out + a.tail(15))
    need(p.lost == 0, "the very first packet was answered")
    for frm, name in ((lab.a, "A to B"), (lab.b, "B to A")):
        p = lab.ping(frm, family=family, count=10, interval=0.05, pattern=MARK[:16].hex())
        show(next((l for l in p.out.splitlines() if "transmitted" in l), p.out))
        need(p.lost == 0, f"ten pings from {name}, none lost")

    step("TCP transfer of 8 MB from LAN A to LAN B through the tunnel")
    t = time.monotonic()
    sent, received = lab.transfer(8, family=family)
    show(f"sha256 sent     {sent}\nsha256 received {received}\n{8 / (time.monotonic() - t):.0f} MB/s, most of it spent on Python")
    need(sent == received and len(sent) == 64, "the content arrived unaltered")

    step("what gateway A says of its SAs: culvert show sas")
    if kind == "culvert":
        r = a.cli("show", "sas")
        show(r.out)
        need(r.ok, "culvert show sas")
    else:
        show(a.swanctl("--list-sas").out)
    need(len(a.ikes()) == 1 and len(a.children()) == 1, "one IKE SA established, one CHILD SA installed")

    step("what crossed the network between, from captures on both sides of its router")
    prove(lab, caps, kind)

    return daemons


def finish(lab, daemons, kind):
    step("ending both daemons")
    for d, side in zip(daemons, (lab.a, lab.b)):
        d.stop()
        if kind == "culvert":
            left = side.gw.must("ip rule; ip -6 rule; nft list tables; ip -o link")
            need("culvert" not in left and " 220" not in left,
                 f"gateway {side.name}: rules, routes, the nftables table and the TUN device are gone")


def prove(lab, caps, kind):
    nat = lab.nat != "none"
    for iface, cap in caps.items():
        show(f"{iface}: " + ", ".join(f"{n} {k}" for k, n in sorted(cap.kinds().items())))
        esp = cap.of("esp", "esp-udp")
        need(len(esp) > 5000, f"{iface}: {len(esp)} ESP packets")
        need(not cap.of("clear"), f"{iface}: no packet that is neither ESP nor IKE (nor ARP and neighbour discovery)")
        need(not cap.holds(MARK[:16]), f"{iface}: nothing of the content can be read")
        if nat or kind == "strongswan":
            need(not cap.of("esp"), f"{iface}: all of it in UDP port 4500, as a NAT demands")
        else:
            need(not cap.of("esp-udp"), f"{iface}: native ESP, IP protocol 50")
    # a second opinion, by another reader of captures
    # (port 9 and the ICMP answer to it mark the end of a capture)
    flt = ("not (udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50 or arp or ip6 proto 58 or dst host ff02::16 or "
           "ip[6:2] & 0x1fff != 0 or udp port 9 or icmp[0] = 3)")
    for iface, cap in caps.items():
        p = subprocess.run([tool("/usr/bin/tcpdump"), "-n", "-r", cap.path, flt], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        odd = p.stdout.strip() or (p.stderr.strip() if p.returncode else "")
        need(not odd, f"{iface}: tcpdump finds nothing else either" + (f"; it says: {odd[:300]}" if odd else ""))


def keep(lab, daemons):
    lab.keep()
    a = lab.a
    to = lab.b.host6 if ":" in daemons[0].ikes()[0]["remote-host"] else lab.b.host4
    print(f"""
The lab stays up:
   ip netns exec {a.gw.name} {build_dir()}/culvert --vici {daemons[0].uri} show sas
   ip netns exec {a.lan.name} ping {to}
   ip netns exec {lab.net.name} tcpdump -n -i wanB
   namespaces: {' '.join(ns.name for ns in lab.spaces)}
   configurations, sockets and logs: {lab.dir}
Remove it with: sudo ./demo --clean""", flush=True)


def arguments():
    ap = argparse.ArgumentParser(prog="demo", description="two gateways, a tunnel, and the proof that it protects")
    ap.add_argument("--nat", action="store_true", help="put gateway A behind a masquerading router (ESP in UDP)")
    ap.add_argument("--ipv6", action="store_true", help="IPv6 inside and outside")
    ap.add_argument("--keep", action="store_true", help="leave the lab up at the end")
    ap.add_argument("--clean", action="store_true", help="remove labs that were left up")
    ap.add_argument("--stand-in", action="store_true", help=argparse.SUPPRESS)
    return ap.parse_args()


def main():
    args = arguments()
    if args.clean:
        gone = sweep(kept=True)
        print("removed: " + (" ".join(gone) or "nothing was there"))
        return 0
    if args.nat and args.ipv6:
        print("demo: --nat masquerades IPv4; it does not go with --ipv6", file=sys.stderr)
        return 2

    def ended(signum, frame):
        raise KeyboardInterrupt
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, ended)
    started, kind, lab, status = time.monotonic(), "strongswan" if args.stand_in else "culvert", None, 1
    try:
        if kind == "culvert":
            step("building (meson, ninja)")
            build()
        step("making the lab: five network namespaces")
        lab = Lab(nat="masquerade" if args.nat else "none")
        daemons = demo(lab, 6 if args.ipv6 else 4, kind)
        if args.keep:
            keep(lab, daemons)
        else:
            finish(lab, daemons, kind)
        print(f"\nThe demo went well: {time.monotonic() - started:.0f} s.", flush=True)
        status = 0
    except NotSo as e:
        print(f"   NOT SO: {e}", flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted", flush=True)
        status = 130
    except Exception as e:
        print(f"   FAILED: {type(e).__name__}: {e}", flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up is not interrupted
        if lab is not None and not (lab.dir / "keep").exists():
            if status not in (0, 130):
                logs = build_dir() / "lab-logs" / "demo"
                lab.save_logs(logs)
                for d in lab.daemons:
                    print(f"   -- last words of gateway {d.side.name} (all in {logs})")
                    show(d.tail(15), "   | ")
            step("cleaning up")
            lab.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
