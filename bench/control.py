#!/usr/bin/python3
"""The control plane: CPU time per negotiation, growth, memory, cookie answers, listing; culvertd and Debian's charon
driven alike by bench/ike_load.c over a veth pair, in turn. Called by bench/run; alone it prints its JSON:

    sudo bench/control.py [--quick] [--only negotiations,scale,halfopen,cookies,idle,heap] [--kinds culvert,charon]"""
import argparse
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]
from lab import STATE, build_dir                                      # noqa: E402
from lab.ns import Ns, claim, sweep, tool                             # noqa: E402
from lab.topo import run                                              # noqa: E402
from lab.vici import CMD_RESPONSE, Vici, ViciError                    # noqa: E402
from lab.wait import until                                            # noqa: E402
from progress import Steps, say                                       # noqa: E402

GROUPS = ("x25519", "ecp256", "modp2048")
AUTHS = ("psk", "rsa", "ecdsa")
CERTS = dict(rsa="gwb", ecdsa="gwb-ec256")  # the gateway's, of tests/vectors/pki; the driver has the peers'
GATEWAY, DRIVER, PEERS = "192.0.2.1", "192.0.2.2", "100.64.0.0/12"
PSK = "bench secret"
COOKIE_ANSWER = 28 + 8 + 17  # bytes: header, notify payload, cookie; what the bare sender sends


def peer_addr(i):
    i += 0x64400001
    return ".".join(str(i >> s & 255) for s in (24, 16, 8, 0))


def peer_ts(i):
    return f"10.{128 + (i >> 16) % 128}.{i >> 8 & 255}.{i & 255}/32"


def answers_anybody(group, auth):
    """The gateway's connection for all peers."""
    local = dict(auth="psk") if auth == "psk" else dict(auth="pubkey", id="gwb.example")
    return dict(version=2, local_addrs=GATEWAY, remote_addrs="%any", proposals=f"aes128-sha256-{group}", mobike="no",
                unique="never", dpd_delay="0", local=local, remote=dict(auth=local["auth"], id="%any"),
                children=dict(net=dict(local_ts="192.168.0.0/16", remote_ts="10.128.0.0/9", esp_proposals="aes128gcm16")))


def calls_peer(i, group, auth):
    c = answers_anybody(group, auth)
    c.update(remote_addrs=peer_addr(i))
    c["children"] = {f"net{i}": dict(c["children"]["net"], remote_ts=peer_ts(i))}
    return c


def vici_conn(c):
    """The same connection as VICI's load-conn wants it: lists where the file has words."""
    lists = ("local_addrs", "remote_addrs", "proposals", "esp_proposals", "local_ts", "remote_ts")
    return {k: vici_conn(v) if isinstance(v, dict) else [v] if k in lists else v for k, v in c.items()}


class Gateway:
    """A daemon in the gateway's namespace."""

    def __init__(self, space):
        self.ns, self.dir = space.gw, space.dir
        self.socket = self.dir / f"{self.kind}.vici"
        self.socket.unlink(missing_ok=True)
        self.proc = None

    def launch(self, argv, env=None):
        self.log = self.dir / f"{self.kind}.log"
        self.log.unlink(missing_ok=True)
        self.proc = self.ns.spawn(argv, log=self.log, env=env)

        def answers():
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.kind} ended:\n{self.log.read_text()}")
            try:
                with self.vici() as v:
                    return v.request("version")
            except (OSError, ViciError):
                return None
        until(answers, f"{self.kind} answers", 20)
        return self

    def vici(self, timeout=60):
        return Vici(self.socket, timeout)

    def stop(self):
        self.ns.stop(self.proc, timeout=3)
        if self.proc.poll() is None:
            self.proc.kill()

    def cpu_ns(self):
        total = 0
        for task in Path(f"/proc/{self.proc.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def settled_cpu_ns(self):
        """After the work that is still under way."""
        seen, same, end = self.cpu_ns(), 0, time.monotonic() + 15
        while same < 3 and time.monotonic() < end:
            time.sleep(0.05)
            now = self.cpu_ns()
            same = same + 1 if now - seen < 400_000 else 0
            seen = now
        return seen

    def wakeups(self):
        """How often its threads have gone to sleep."""
        return sum(int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", (t / "status").read_text())[1])
                   for t in Path(f"/proc/{self.proc.pid}/task").iterdir())

    def rss(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.proc.pid}/status").read_text())[1]) * 1024

    def load_secret(self, v, auth):
        if auth == "psk":
            v.request("load-shared", dict(id="psk", type="IKE", data=PSK))
            return
        pki = ROOT / "tests" / "vectors" / "pki"
        v.request("load-cert", dict(type="X509", flag="CA", data=(pki / "ca.pem").read_text()))
        v.request("load-cert", dict(type="X509", flag="NONE", data=(pki / f"{CERTS[auth]}.pem").read_text()))
        v.request("load-key", dict(type="any", data=(pki / f"{CERTS[auth]}.key").read_text()))

    def serve(self, group, auth="psk"):
        with self.vici() as v:
            self.load_secret(v, auth)
            v.request("load-conn", {"any": vici_conn(answers_anybody(group, auth))})

    def load_peers(self, group, auth, first, count, start):
        """start: they are called as they are loaded; VICI's initiate would look through all of them each time."""
        with self.vici() as v:
            for i in range(first, first + count):
                c = calls_peer(i, group, auth)
                c["children"][f"net{i}"]["start_action"] = "start" if start else "none"
                v.request("load-conn", {f"peer{i}": vici_conn(c)})

    def list_sas(self):
        """Reads a listing as fast as it comes; gives the number of SAs."""
        with self.vici(120) as v:
            v.register("list-sa")
            v._send(0, "list-sas")
            data, n = bytearray(), 0
            while True:
                while len(data) >= 4:
                    size = struct.unpack_from(">I", data)[0]
                    if len(data) < 4 + size:
                        break
                    if data[4] == CMD_RESPONSE:
                        return n
                    n += 1
                    del data[:4 + size]
                data += v.s.recv(1 << 16)

    def status(self):
        with self.vici() as v:
            return v.request("stats")


def unit_environment():
    """What its systemd unit sets for culvertd."""
    return re.findall(r"^Environment=(\S+)", (ROOT / "dist" / "culvertd.service").read_text(), re.M)


class Culvert(Gateway):
    kind, environment = "culvert", unit_environment()

    def start(self, cookies=False):
        f = self.dir / "culvert.conf"
        more = "cookie_threshold = 0" if cookies else "cookie_threshold = 4294967295"
        f.write_text(f"culvertd {{\n  half_open_max = 1000000\n  {more}\n}}\n")
        return self.launch(["env", *self.environment, build_dir() / "culvertd", "--config", f, "--vici", f"unix://{self.socket}",
                            "--foreground", "--log-level", "-1"])


class Charon(Gateway):
    kind = "charon"
    PLUGINS = "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints hmac kdf kernel-netlink socket-default vici"

    def start(self, cookies=False):
        f = self.dir / "strongswan.conf"
        guard = "dos_protection = yes\n  cookie_threshold = 1\n  block_threshold = 0" if cookies else "dos_protection = no"
        quiet = "".join(f"    {g} {{\n      default = -1\n    }}\n" for g in ("daemon", "auth"))
        f.write_text(f"""charon-systemd {{
  load = {self.PLUGINS}
  install_routes = no
  install_virtual_ip = no
  ikesa_table_size = 32768
  ikesa_table_segments = 64
  {guard}
  syslog {{
{quiet}  }}
  journal {{
    default = -1
  }}
  plugins {{
    vici {{
      socket = unix://{self.socket}
    }}
  }}
}}
""")
        return self.launch([tool("/usr/sbin/charon-systemd")],
                           env=dict(STRONGSWAN_CONF=str(f), LD_PRELOAD=str(build_dir() / "bench" / "bench-fake-xfrm.so")))


KINDS = {"culvert": Culvert, "charon": Charon}


class Space:
    """Two namespaces joined by veth: the gateway's and that of all peers. `number` tells several apart."""

    def __init__(self, number=0):
        sweep()
        prefix = f"cv{os.getpid()}x{900 + number}"
        self.dir = STATE / prefix
        shutil.rmtree(self.dir, ignore_errors=True)
        claim(self.dir, os.getpid())
        self.driver, self.spaces = None, []
        try:
            self.gw = self._ns(f"{prefix}-gw")
            self.peers = self._ns(f"{prefix}-peers")
            run(["ip", "link", "add", "wan", "netns", self.gw.name, "type", "veth", "peer", "name", "wan", "netns",
                 self.peers.name])
            self.gw.must(f"ip addr add {GATEWAY}/24 dev wan && ip link set wan up && ip route add {PEERS} via {DRIVER}")
            self.peers.must(f"ip addr add {DRIVER}/24 dev wan && ip link set wan up && ip route add local {PEERS} dev lo")
        except BaseException:
            self.close()
            raise

    def _ns(self, name):
        ns = Ns(name, self.dir / name)
        self.spaces.append(ns)
        return ns

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.drop_driver()
        for ns in self.spaces:
            ns.delete()
        self.spaces = []
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- the driver ---

    def new_driver(self):
        self.drop_driver()
        self.driver = subprocess.Popen(self.peers.argv([build_dir() / "bench" / "bench-ike-load", GATEWAY]), text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def drop_driver(self):
        if self.driver:
            self.driver.stdin.close()
            try:
                self.driver.wait(10)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
        self.driver = None

    def tell(self, line):
        self.driver.stdin.write(line + "\n")
        self.driver.stdin.flush()

    def heard(self):
        line = self.driver.stdout.readline()
        if not line:
            raise RuntimeError("the driver ended")
        return json.loads(line)

    def order(self, line, want=None):
        self.tell(line)
        got = self.heard()
        if want is not None and got["up"] < want:
            raise RuntimeError(f"{line}: only {got['up']} of {want} ({got['failed']} failed)")
        return got


def spent(gateway, work):
    before = gateway.settled_cpu_ns()
    work()
    return gateway.settled_cpu_ns() - before


def bring_up(space, first, count, window=16):
    space.order(f"call {first} {count} {window}", count)


def responder_us(space, kind, group, auth, count):
    gw = KINDS[kind](space).start()
    try:
        space.new_driver()
        gw.serve(group, auth)
        space.order(f"peers {group} {auth} 0 {count + 40}")
        bring_up(space, 0, 40)
        return spent(gw, lambda: bring_up(space, 40, count)) / count / 1000
    finally:
        space.drop_driver()
        gw.stop()


def initiator_us(space, kind, group, auth, count):
    """Loading connections that start at once, less loading as many that do not."""
    gw = KINDS[kind](space).start()
    try:
        space.new_driver()
        space.order(f"serve {group} {auth}")
        with gw.vici() as v:
            gw.load_secret(v, auth)

        def go(first, n):
            space.order("mark")
            gw.load_peers(group, auth, first, n, True)
            space.order(f"wait {n}", n)
        go(0, 40)
        loading = spent(gw, lambda: gw.load_peers(group, auth, 40, count, False))
        return (spent(gw, lambda: go(40 + count, count)) - loading) / count / 1000
    finally:
        space.drop_driver()
        gw.stop()


def engine_us(group, auth, count):
    """Two engines in one process without a network, and the bare cryptography."""
    out = subprocess.run([build_dir() / "bench" / "bench-handshake", "--json", "--group", group, "--auth", auth,
                          "--count", str(count)], check=True, capture_output=True, text=True, timeout=120).stdout
    return json.loads(out)[0]


def negotiations(space, kinds, rounds, count, cases):
    """kind bare: the cryptography alone; engine: ours without sockets and threads."""
    rows, steps = [], Steps("negotiations", rounds * len(cases) * (1 + 2 * len(kinds)))
    for n in range(rounds):
        for auth, group in cases:
            alone, name = engine_us(group, auth, count), f"round {n + 1}: {auth:5} {group:9}"
            for role, fn in (("responder", responder_us), ("initiator", initiator_us)):
                about = dict(round=n, group=group, role=role, auth=auth)
                rows += [dict(about, kind="bare", us=alone["bare_us"]), dict(about, kind="engine", us=alone[f"{role}_us"])]
                for kind in kinds if n % 2 == 0 else kinds[::-1]:
                    us = fn(space, kind, group, auth, count)
                    rows.append(dict(about, kind=kind, us=us))
                    steps.step(f"{name} {role:9} {kind:8} {us:9.1f} us")
            steps.step(f"{name} bare      {alone['bare_us']:9.1f} us, engine {alone['responder_us']:.1f} and "
                       f"{alone['initiator_us']:.1f} us")
    return rows


class Filled:
    """A daemon with so many tunnels up, in namespaces of its own."""

    def __init__(self, number, kind, tunnels, room):
        """room: negotiations that may still come."""
        self.space, self.kind, self.up = Space(number), kind, 0
        try:
            self.gw = KINDS[kind](self.space).start()
            self.space.new_driver()
            self.gw.serve("x25519")
            self.space.order(f"peers x25519 psk 0 {tunnels + room}")
            self.more(min(100, tunnels))
            low = self.gw.rss()
            self.more(tunnels - self.up)
            self.gw.settled_cpu_ns()
            self.tunnel_bytes = (self.gw.rss() - low) / max(tunnels - 100, 1)
        except BaseException:
            self.close()
            raise

    def more(self, count):
        while count > 0:  # in portions, each of which must make progress
            n = min(count, 2000)
            bring_up(self.space, self.up, n, 32)
            self.up, count = self.up + n, count - n

    def negotiation_us(self, count):
        us = spent(self.gw, lambda: bring_up(self.space, self.up, count)) / count / 1000
        self.up += count
        return us

    def listing_us(self):
        listed = []
        ns = spent(self.gw, lambda: listed.append(self.gw.list_sas()))
        if listed[0] < self.up:
            raise RuntimeError(f"{self.kind}: {listed[0]} of {self.up} SAs listed")
        return ns / listed[0] / 1000

    def idle(self, seconds):
        """CPU time and wake-ups in a second in which nothing happens."""
        self.gw.settled_cpu_ns()
        ns, woken, t0 = self.gw.cpu_ns(), self.gw.wakeups(), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - t0
        return dict(kind=self.kind, tunnels=self.up, cpu_us_per_s=(self.gw.cpu_ns() - ns) / 1000 / took,
                    wakeups_per_s=(self.gw.wakeups() - woken) / took)

    def close(self):
        self.space.drop_driver()
        if getattr(self, "gw", None) and self.gw.proc:
            self.gw.stop()
        self.space.close()


def scale(kinds, tunnels, rounds, probe):
    """Growth and listing: for each kind one daemon with 100 tunnels and one with all of them side by side, asked in turn."""
    rows, memory, made = [], [], {}
    steps = Steps("scale", len(kinds) * (1 + rounds))
    try:
        for i, k in enumerate(kinds):
            made[k, "few"] = Filled(2 * i, k, 100, rounds * probe)
            made[k, "all"] = Filled(2 * i + 1, k, tunnels, rounds * probe)
            memory.append(dict(kind=k, tunnels=tunnels, tunnel_bytes=made[k, "all"].tunnel_bytes))
            steps.step(f"{k}: {tunnels} tunnels are up, {memory[-1]['tunnel_bytes']:.0f} bytes each")
        for n in range(rounds):
            for k in kinds if n % 2 == 0 else kinds[::-1]:
                row = dict(round=n, kind=k, tunnels=tunnels, us_at_100=made[k, "few"].negotiation_us(probe),
                           us_at_all=made[k, "all"].negotiation_us(probe), list_us=made[k, "all"].listing_us())
                rows.append(row)
                steps.step(f"round {n + 1}, {k}: {row['us_at_100']:.1f} us at 100 tunnels, {row['us_at_all']:.1f} us at {tunnels}, "
                           f"listing {row['list_us']:.2f} us an SA")
    finally:
        for f in made.values():
            f.close()
    return dict(rows=rows, memory=memory)


def idle(kinds, tunnels, seconds):
    rows, steps = [], Steps("idle", len(kinds))
    for k in kinds:
        f = Filled(0, k, tunnels, 0)
        try:
            rows.append(f.idle(seconds))
        finally:
            f.close()
        steps.step(f"{k}: {rows[-1]['cpu_us_per_s']:.1f} us of CPU a second, {rows[-1]['wakeups_per_s']:.1f} wake-ups a second")
    return rows


def half_open(space, kinds, count):
    """On fresh daemons: what another measurement freed would be used again."""
    rows, steps = [], Steps("halfopen", len(kinds))
    for kind in kinds:
        gw = KINDS[kind](space)
        gw.environment = ()  # no huge pages, which would hide what a small piece of memory takes
        gw.start()
        try:
            space.new_driver()
            gw.serve("x25519")
            space.order("peers x25519 psk 0 1")
            bring_up(space, 0, 1)
            space.order("half 200", 200)
            low = gw.rss()
            space.order(f"half {count}", count)
            rows.append(dict(kind=kind, count=count, half_open_bytes=(gw.rss() - low) / count))
        finally:
            space.drop_driver()
            gw.stop()
        steps.step(f"{kind}: {rows[-1]['half_open_bytes']:.0f} bytes each")
    return rows


class Echo(Gateway):
    """One receive and one send for each datagram."""
    kind, how = "bare", "--echo"

    def start(self, cookies=True):
        self.proc = self.ns.spawn([build_dir() / "bench" / "bench-ike-load", self.how, 501, COOKIE_ANSWER])
        time.sleep(0.2)
        return self


class EchoBursts(Echo):
    """The same with recvmmsg and sendmmsg."""
    kind, how = "bare-bursts", "--echo-bursts"


ECHOES = {"bare": Echo, "bare-bursts": EchoBursts}


def flood_us(space, kind, n, count, window):
    """The daemon's CPU time for one first message answered with a cookie."""
    gw = {**KINDS, **ECHOES}[kind](space).start(cookies=True)
    port = 501 if kind in ECHOES else 500
    try:
        space.new_driver()
        if kind in KINDS:
            gw.serve("x25519")
        space.order(f"peers x25519 psk {n} 1")
        space.order(f"first {n}")
        space.order(f"flood 200 {window} {port}", 200)
        return spent(gw, lambda: space.order(f"flood {count} {window} {port}", count)) / count / 1000
    finally:
        space.drop_driver()
        gw.stop()


def cookies(space, kinds, rounds, count, window=32):
    """The bare receivers and senders are under the same flood."""
    rows, kinds = [], [*ECHOES, *kinds]
    steps = Steps("cookies", rounds * len(kinds))
    for n in range(rounds):
        for k in kinds if n % 2 == 0 else kinds[::-1]:
            rows.append(dict(round=n, kind=k, window=window, us=flood_us(space, k, n, count, window)))
            steps.step(f"round {n + 1}, {k}: {rows[-1]['us']:.2f} us each")
    return rows


def heap(count):
    """The allocator's own account of the engine, the SAs and the policy view."""
    out = subprocess.run([build_dir() / "bench" / "bench-ike-memory", str(count)], check=True, capture_output=True, text=True,
                         timeout=300).stdout
    return json.loads(out)


PARTS = ("heap", "negotiations", "cookies", "halfopen", "idle", "scale")


def measure(parts=PARTS, kinds=("culvert", "charon"), quick=False):
    kinds = [k for k in kinds if not missing(k)]
    out = dict(not_measured={k: missing(k) for k in KINDS if missing(k)})
    for k, why in out["not_measured"].items():
        say(f"not measured: {k}: {why}")
    if "heap" in parts:
        out["heap"] = heap(1000 if quick else 4000)
    if {"negotiations", "cookies", "halfopen"} & set(parts):
        with Space() as space:
            if "negotiations" in parts:
                cases = [(a, g) for a in AUTHS for g in GROUPS if not quick or a == "psk" or g == "x25519"]
                out["negotiations"] = negotiations(space, kinds, 2 if quick else 5, 100 if quick else 300, cases)
            if "cookies" in parts:
                out["cookies"] = cookies(space, kinds, 3 if quick else 5, 10000 if quick else 40000)
            if "halfopen" in parts:
                out["halfopen"] = half_open(space, kinds, 2000 if quick else 8000)
    if "idle" in parts:
        out["idle"] = idle(kinds, 1000, 3 if quick else 10)
    if "scale" in parts:
        out["scale"] = scale(kinds, 20000, 3 if quick else 7, 200 if quick else 500)
    return out


def missing(kind):
    """Why this daemon cannot be measured here, or None."""
    charon = Path("/usr/sbin/charon-systemd")
    return f"{charon} is not installed" if kind == "charon" and not charon.exists() else None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--only", default=",".join(PARTS))
    ap.add_argument("--kinds", default="culvert,charon")
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    print(json.dumps(measure(args.only.split(","), args.kinds.split(","), args.quick), indent=1))


if __name__ == "__main__":
    main()
