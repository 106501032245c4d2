"""The control plane: CPU time per negotiation, growth, memory, cookie answers, listing; culvertd and Debian's charon
driven alike by bench/ike_load.c over a veth pair, in turn. Called by bench/run; alone it prints its JSON:

    sudo bench/control.py [--quick] [--only negotiations,scale,cookies,engine] [--kinds culvert,charon]"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from lab import STATE, build_dir, conf                                # noqa: E402
from lab.ns import Ns, claim, sweep, tool                             # noqa: E402
from lab.topo import run                                              # noqa: E402
from lab.vici import CMD_RESPONSE, Vici, ViciError                    # noqa: E402
from lab.wait import until                                            # noqa: E402

GROUPS = ("x25519", "ecp256", "modp2048")
GATEWAY, DRIVER, PEERS = "192.0.2.1", "192.0.2.2", "100.64.0.0/12"
PSK = "bench secret"
COOKIE_ANSWER = 64 + 8  # bytes: header, notify payload, cookie; what the bare sender sends


def peer_addr(i):
    i += 0x64400001
    return ".".join(str(i >> s & 255) for s in (24, 16, 8, 0))


def peer_ts(i):
    return f"10.{128 + (i >> 16) % 128}.{i >> 8 & 255}.{i & 255}/32"


def answers_anybody(group):
    """The gateway's connection for all peers."""
    return dict(version=2, local_addrs=GATEWAY, remote_addrs="%any", proposals=f"aes128-sha256-{group}", mobike="no",
                unique="never", dpd_delay="0", local=dict(auth="psk"), remote=dict(auth="psk", id="%any"),
                children=dict(net=dict(local_ts="192.168.0.0/16", remote_ts="10.128.0.0/9", esp_proposals="aes128gcm16")))


def calls_peer(i, group):
    c = answers_anybody(group)
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

    def rss(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.proc.pid}/status").read_text())[1]) * 1024

    def load_secret(self, v):
        v.request("load-shared", dict(id="psk", type="IKE", data=PSK))

    def serve(self, group):
        with self.vici() as v:
            self.load_secret(v)
            v.request("load-conn", {"any": vici_conn(answers_anybody(group))})

    def load_peers(self, group, first, count, start):
        """start: they are called as they are loaded; VICI's initiate would look through all of them each time."""
        with self.vici() as v:
            for i in range(first, first + count):
                c = calls_peer(i, group)
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


class Culvert(Gateway):
    kind = "culvert"

    def start(self, cookies=False):
        f = self.dir / "culvert.conf"
        more = "cookie_threshold = 0" if cookies else "cookie_threshold = 4294967295"
        f.write_text(f"culvertd {{\n  half_open_max = 1000000\n  {more}\n}}\n")
        return self.launch([build_dir() / "culvertd", "--config", f, "--vici", f"unix://{self.socket}", "--foreground",
                            "--log-level", "-1"])


class Charon(Gateway):
    kind = "charon"
    PLUGINS = "random nonce openssl pem pkcs1 x509 pubkey hmac kdf kernel-netlink socket-default vici"

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
    """Two namespaces joined by veth: the gateway's and that of all peers."""

    def __init__(self):
        sweep()
        prefix = f"cv{os.getpid()}x900"
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


def responder_us(space, kind, group, count):
    gw = KINDS[kind](space).start()
    try:
        space.new_driver()
        gw.serve(group)
        space.order(f"peers {group} 0 {count + 40}")
        bring_up(space, 0, 40)
        return spent(gw, lambda: bring_up(space, 40, count)) / count / 1000
    finally:
        space.drop_driver()
        gw.stop()


def initiator_us(space, kind, group, count):
    """Loading connections that start at once, less loading as many that do not."""
    gw = KINDS[kind](space).start()
    try:
        space.new_driver()
        space.order(f"serve {group}")
        with gw.vici() as v:
            gw.load_secret(v)

        def go(first, n):
            space.order("mark")
            gw.load_peers(group, first, n, True)
            space.order(f"wait {n}", n)
        go(0, 40)
        loading = spent(gw, lambda: gw.load_peers(group, 40, count, False))
        return (spent(gw, lambda: go(40 + count, count)) - loading) / count / 1000
    finally:
        space.drop_driver()
        gw.stop()


def say(text):
    print(text, file=sys.stderr, flush=True)


def negotiations(space, kinds, rounds, count):
    rows = []
    for n in range(rounds):
        for group in GROUPS:
            for role, fn in (("responder", responder_us), ("initiator", initiator_us)):
                for kind in kinds if n % 2 == 0 else kinds[::-1]:
                    us = fn(space, kind, group, count)
                    rows.append(dict(round=n, group=group, role=role, kind=kind, us=us))
                    say(f"  round {n + 1}: {group:9} {role:9} {kind:8} {us:9.1f} us")
    return rows


def scale(space, kind, group, tunnels, probe, half_open):
    """Growth, memory and listing of one daemon that fills up."""
    gw = KINDS[kind](space).start()
    out = dict(kind=kind, tunnels=tunnels)
    try:
        space.new_driver()
        gw.serve(group)
        space.order(f"peers {group} 0 {tunnels + probe}")
        bring_up(space, 0, 100)
        low = gw.rss()
        out["us_at_100"] = spent(gw, lambda: bring_up(space, 100, probe)) / probe / 1000
        bring_up(space, 100 + probe, tunnels - 100 - probe, 32)
        gw.settled_cpu_ns()
        out["tunnel_bytes"] = (gw.rss() - low) / (tunnels - 100)
        out["us_at_full"] = spent(gw, lambda: bring_up(space, tunnels, probe)) / probe / 1000
        say(f"  {kind}: {out['us_at_100']:.1f} us at 100 tunnels, {out['us_at_full']:.1f} us at {tunnels}, "
            f"{out['tunnel_bytes']:.0f} bytes each")
        listed = []
        times = [spent(gw, lambda: listed.append(gw.list_sas())) for _ in range(3)]
        out["listed"] = min(listed)
        out["list_us_per_sa"] = statistics.median(times) / out["listed"] / 1000
    finally:
        space.drop_driver()
        gw.stop()
    out["half_open_bytes"] = half_open_bytes(space, kind, group, half_open)
    say(f"  {kind}: listing {out['list_us_per_sa']:.2f} us an SA ({out['listed']} SAs), half-open "
        f"{out['half_open_bytes']:.0f} bytes")
    return out


def half_open_bytes(space, kind, group, count):
    """On a fresh daemon: what another measurement freed would be used again."""
    gw = KINDS[kind](space).start()
    try:
        space.new_driver()
        gw.serve(group)
        space.order(f"peers {group} 0 1")
        bring_up(space, 0, 1)
        space.order("half 200", 200)
        low = gw.rss()
        space.order(f"half {count}", count)
        return (gw.rss() - low) / count
    finally:
        space.drop_driver()
        gw.stop()


class Echo(Gateway):
    kind = "bare"

    def start(self, cookies=True):
        self.proc = self.ns.spawn([build_dir() / "bench" / "bench-ike-load", "--echo", 501, COOKIE_ANSWER])
        time.sleep(0.2)
        return self


def cookies(space, kinds, rounds, count):
    """First messages answered with a cookie, and the bare receiver and sender under the same flood."""
    rows = []
    for n in range(rounds):
        gws = {}
        space.new_driver()
        try:
            for k in kinds:
                gws[k] = KINDS[k](space).start(cookies=True) if k != "bare" else Echo(space).start()
                if k != "bare":
                    gws[k].serve("x25519")
                space.order(f"peers x25519 {n} 1")
                space.tell(f"call {n} 1 1")
                space.heard()
                if k != "bare":
                    space.order(f"flood 50 32 500")
                port = 501 if k == "bare" else 500
                for window in (32,):
                    us = spent(gws[k], lambda: space.order(f"flood {count} {window} {port}", count)) / count / 1000
                    rows.append(dict(round=n, kind=k, window=window, us=us))
                    say(f"  round {n + 1}: cookie answer {k:8} {us:6.2f} us")
                gws.pop(k).stop()
        finally:
            for g in gws.values():
                g.stop()
            space.drop_driver()
    return rows


def engine(count):
    def js(*argv):
        return json.loads(subprocess.run([str(build_dir() / "bench" / argv[0]), *argv[1:]], check=True, capture_output=True,
                                         text=True).stdout)
    return dict(handshake=js("bench-handshake", "--json", "--count", str(count)),
                memory=js("bench-ike-memory", str(count * 10)))


PARTS = ("engine", "negotiations", "scale", "cookies")


def measure(parts=PARTS, kinds=("culvert", "charon"), quick=False):
    out = {}
    with Space() as space:
        if "engine" in parts:
            out["engine"] = engine(60 if quick else 300)
        if "negotiations" in parts:
            out["negotiations"] = negotiations(space, list(kinds), 2 if quick else 5, 100 if quick else 300)
        if "cookies" in parts:
            out["cookies"] = cookies(space, ["bare", *kinds], 2 if quick else 5, 4000 if quick else 20000)
        if "scale" in parts:
            out["scale"] = [scale(space, k, "x25519", 2000 if quick else 20000, 200 if quick else 500, 1000 if quick else 8000)
                            for k in kinds]
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--only", default=",".join(PARTS))
    ap.add_argument("--kinds", default="culvert,charon")
    args = ap.parse_args()
    print(json.dumps(measure(args.only.split(","), args.kinds.split(","), args.quick), indent=1))


if __name__ == "__main__":
    main()
