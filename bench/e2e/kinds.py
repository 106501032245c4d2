"""The ways from LAN to LAN that are measured: routed, culvertd, its memcpy mode, and the neighbours. Called by matrix.py
and gateway.py."""
import os
import re
import subprocess
from pathlib import Path

from lab import build_dir, conf
from lab.wait import until
from progress import say


class Plain:
    """The router knows the way between the LANs."""

    def __init__(self, lab, suite):
        self.lab = lab

    def up(self):
        for s in (self.lab.a, self.lab.b):
            self.lab.net.must(f"ip route replace {s.net4} via {s.wan4} && ip -6 route replace {s.net6} via {s.wan6}")
        return []

    def down(self):
        for s in (self.lab.a, self.lab.b):
            self.lab.net.must(f"ip route del {s.net4}; ip -6 route del {s.net6}")


class PlainOff(Plain):
    """The same without any offload: every packet by itself."""

    def switch(self, to):
        lab = self.lab
        for ns, devs in ((lab.net, ("wanA", "wanB")), (lab.a.gw, ("wan", "lan")), (lab.b.gw, ("wan", "lan")),
                         (lab.a.lan, ("lan",)), (lab.b.lan, ("lan",))):
            for dev in devs:
                ns.must(f"ethtool -K {dev} tx {to} rx {to} tso {to} gso {to} >/dev/null")

    def up(self):
        self.switch("off")
        return super().up()

    def down(self):
        super().down()
        self.switch("on")


class Processes:
    """A program of another project on both gateways, with a TUN device."""

    def __init__(self, lab, suite):
        self.lab, self.procs = lab, []

    def up(self):
        """A second time when it did not start: they are not what is tested here."""
        try:
            self.begin()
        except (AssertionError, RuntimeError) as e:
            said = "; ".join(log.read_text(errors="replace")[-300:] for s in (self.lab.a, self.lab.b)
                             for log in [s.gw.dir / f"{self.name}.log"] if log.exists())
            say(f"{self.name} did not start and is started again: {e}: {said}")
            self.down()
            self.begin()
        return [p.pid for _, p in self.procs]

    def spawn(self, s, argv):
        p = s.gw.spawn(argv, log=s.gw.dir / f"{self.name}.log")
        self.procs.append((s, p))

    def route(self, s, dev):
        o = self.lab.other(s)
        s.gw.must(f"ip link set {dev} mtu 1420 up && ip route replace {o.net4} dev {dev} && "
                  f"ip -6 route replace {o.net6} dev {dev}")

    def down(self):
        for s, p in self.procs:
            s.gw.stop(p)
        self.procs = []


class WireGuard(Processes):
    """Debian's wireguard-go."""
    name = "wireguard-go"

    def begin(self):
        lab = self.lab
        keys = {s: lab.net.must("wg genkey").strip() for s in (lab.a, lab.b)}
        for s in (lab.a, lab.b):
            o, dev = lab.other(s), f"wg{s.name.lower()}{os.getpid()}"
            pub = subprocess.run(["wg", "pubkey"], input=keys[o], text=True, capture_output=True, check=True).stdout.strip()
            self.spawn(s, ["wireguard-go", "-f", dev])
            until(lambda: s.gw.sh(f"wg show {dev}").ok, "wireguard-go is up", 10)
            f = s.gw.dir / "wg.conf"
            f.write_text(f"[Interface]\nPrivateKey = {keys[s]}\nListenPort = 51820\n[Peer]\nPublicKey = {pub}\n"
                         f"Endpoint = {o.wan4}:51820\nAllowedIPs = {o.net4}, {o.net6}\n")
            f.chmod(0o600)
            s.gw.must(f"wg setconf {dev} {f}")
            self.route(s, dev)


class OpenVpn(Processes):
    """Debian's OpenVPN, one peer to one peer, certificates made on the spot, AES-128-GCM, no kernel module."""
    name = "openvpn"

    def certificate(self, s):
        key, crt = s.gw.dir / "ovpn.key", s.gw.dir / "ovpn.crt"
        s.gw.must(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={s.name} "
                  f"-keyout {key} -out {crt} 2>/dev/null")
        out = s.gw.must(f"openssl x509 -in {crt} -noout -fingerprint -sha256")
        return key, crt, out.strip().split("=", 1)[1]

    def begin(self):
        made = {s: self.certificate(s) for s in (self.lab.a, self.lab.b)}
        for s in (self.lab.a, self.lab.b):
            o, (key, crt, _) = self.lab.other(s), made[s]
            mine, theirs = ("10.255.0.1", "10.255.0.2") if s is self.lab.a else ("10.255.0.2", "10.255.0.1")
            role = ["--tls-server", "--dh", "none"] if s is self.lab.a else ["--tls-client"]
            self.spawn(s, ["openvpn", "--dev", "ovpn0", "--dev-type", "tun", "--disable-dco", "--proto", "udp4", "--port", "1194",
                           "--local", s.wan4, "--remote", o.wan4, "1194", "--ifconfig", mine, theirs, *role, "--cert", crt,
                           "--key", key, "--peer-fingerprint", made[o][2], "--data-ciphers", "AES-128-GCM", "--cipher",
                           "AES-128-GCM", "--mssfix", "0", "--tun-mtu", "1420", "--sndbuf", "4194304", "--rcvbuf", "4194304",
                           "--verb", "3"])
        for s in (self.lab.a, self.lab.b):
            log = s.gw.dir / "openvpn.log"
            until(lambda: "Initialization Sequence Completed" in log.read_text(), "OpenVPN is up", 20)
            self.route(s, "ovpn0")

    def down(self):
        super().down()
        for s in (self.lab.a, self.lab.b):
            (s.gw.dir / "openvpn.log").unlink(missing_ok=True)


class Daemon:
    kind, more, child = "culvert", {}, {}

    def __init__(self, lab, suite):
        self.lab, self.suite, self.d = lab, suite, None

    def daemons(self):
        return [self.lab.daemon(self.kind, s) for s in (self.lab.a, self.lab.b)]

    def text(self, s):
        o = self.lab.other(s)
        both = dict(local_ts=f"{s.net4},{s.net6}", remote_ts=f"{o.net4},{o.net6}", **self.child)
        return conf.simple(s, self.lab, esp=self.suite, child_more=both, **self.more)

    def up(self):
        if self.d is None:
            self.d = self.daemons()
        for d in self.d:
            d.start(self.text(d.side))
        r = self.d[0].initiate()
        if not r.ok:
            raise RuntimeError(f"{self.kind}: {r}\n{self.d[0].tail()}")
        until(lambda: self.d[0].up() and self.d[1].up(), "the tunnel is up")
        return [d.pid for d in self.d]

    def down(self):
        for d in self.d or []:
            if d.proc is not None:
                d.stop()


class CulvertUdp(Daemon):
    more = dict(encap="yes")


class PerCpu(CulvertUdp):
    """An SA for each worker (RFC 9611): for several flows."""
    child = dict(per_cpu_sas="yes")


class LanPacket(CulvertUdp):
    """The LAN interfaces past the kernel's forwarding: lan_io."""
    io = "packet"

    def daemons(self):
        both = super().daemons()
        for d in both:
            d.QUICK += f"culvertd {{\n  lan_io = {self.io}\n  lan_interfaces = lan\n}}\n"
        return both


class LanXdp(LanPacket):
    io = "xdp"


class Memcpy(CulvertUdp):
    """The same daemon with a copy in place of the cipher: exists only in a build with bench_memcpy."""

    def daemons(self):
        both = super().daemons()
        for d in both:
            d.bin = memcpy_program()
        return both

    def down(self):
        super().down()
        copied = re.findall(r"^memcpy: (\d+) packets copied", self.d[0].log(all_runs=False), re.M)
        if not copied or int(copied[-1]) == 0:
            raise RuntimeError("memcpy: the cipher was not replaced: bench/memcpy.c no longer wraps what the data plane calls")


class StrongSwan(Daemon):
    """kernel-libipsec: ESP in user space, in UDP only."""
    kind = "strongswan"


LIBIPSEC = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"


def memcpy_program():
    return build_dir() / "bench" / "bench-culvertd-memcpy"


KINDS = {"plain": Plain, "culvert-udp": CulvertUdp, "culvert-percpu": PerCpu, "memcpy": Memcpy, "wireguard-go": WireGuard, "plain-off": PlainOff,
         "culvert": Daemon, "openvpn": OpenVpn, "strongswan": StrongSwan, "lan-packet": LanPacket, "lan-xdp": LanXdp}
USUAL = tuple(k for k in KINDS if not k.startswith("lan-"))  # the others when asked for


def missing(kind):
    """Why this kind cannot be measured here, or None."""
    def program(path):
        return None if Path(path).exists() else f"{path} is not installed"
    return {"memcpy": lambda: None if memcpy_program().exists() else "the build has no bench_memcpy (meson option)",
            "wireguard-go": lambda: program("/usr/bin/wireguard-go"), "openvpn": lambda: program("/usr/sbin/openvpn"),
            "strongswan": lambda: program("/usr/sbin/charon-systemd") or program(LIBIPSEC)}.get(kind, lambda: None)()
