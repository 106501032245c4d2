"""Routing daemons on the gateways: FRR's bgpd with zebra, and BIRD. Debian's, started by the test, ended with it."""
import json
import os
import shutil
import tempfile
from pathlib import Path

from .wait import until

FRR = "/usr/lib/frr"


class Speaker:
    """neighbors: (our address, its address, its AS, more) ..., networks: prefixes to announce."""

    def __init__(self, ns, workdir, asn, router_id):
        self.ns, self.dir, self.asn, self.id = ns, workdir, asn, router_id
        self.dir.mkdir(parents=True, exist_ok=True)
        self.procs = []

    def spawn(self, *argv):
        self.procs.append(self.ns.spawn(list(argv), log=self.dir / (os.path.basename(argv[0]) + ".log")))

    def stop(self):
        for p in reversed(self.procs):
            self.ns.stop(p)
        self.procs = []


class Bird(Speaker):
    def start(self, neighbors, networks, multihop=False):
        (self.dir / "bird.conf").write_text(f"""
router id {self.id};
log "{self.dir}/bird-messages.log" all;
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export filter {{ if source = RTS_BGP then accept; reject; }}; }}; }}
protocol static nets {{ ipv4; {" ".join(f"route {n} blackhole;" for n in networks)} }}
""" + "".join(f"""
protocol bgp n{i} {{
  local {local} as {self.asn};
  neighbor {remote} as {asn};
  {"multihop;" if multihop else ""}
  hold time 3; graceful restart off; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 {{ import filter {{ bgp_local_pref = {200 - 10 * i}; accept; }}; export where proto = "nets"; {more} }};
}}
""" for i, (local, remote, asn, more) in enumerate(neighbors)))
        self.spawn("/usr/sbin/bird", "-f", "-c", self.dir / "bird.conf", "-s", self.dir / "bird.ctl", "-P",
                   self.dir / "bird.pid")
        return self

    def established(self):
        out = self.ns.sh(f"birdc -s {self.dir}/bird.ctl show protocols").out
        return sum("Established" in line for line in out.splitlines())


class Frr(Speaker):
    def start(self, neighbors, networks, multihop=False):
        lines = [f"router bgp {self.asn}", f" bgp router-id {self.id}", " no bgp ebgp-requires-policy",
                 " no bgp network import-check", " timers bgp 1 3"]
        for local, remote, asn, _ in neighbors:
            lines += [f" neighbor {remote} remote-as {asn}", f" neighbor {remote} update-source {local}",
                      f" neighbor {remote} timers connect 1", f" neighbor {remote} advertisement-interval 0"]
            if multihop:
                lines += [f" neighbor {remote} ebgp-multihop 4", f" neighbor {remote} disable-connected-check"]
        lines += [" address-family ipv4 unicast"] + [f"  network {n}" for n in networks]
        for i, (_, remote, _, _) in enumerate(neighbors):
            lines += [f"  neighbor {remote} route-map in{i} in"]
        lines += [" exit-address-family"]
        for i in range(len(neighbors)):
            lines += [f"route-map in{i} permit 10", f" set local-preference {200 - 10 * i}"]
        # they run as user frr, for whom the lab's folder is closed
        self.dir = Path(tempfile.mkdtemp(prefix="culvert-frr."))
        (self.dir / "bgpd.conf").write_text("\n".join(lines) + "\n")
        (self.dir / "zebra.conf").write_text("")
        self.dir.chmod(0o755)
        for f in [self.dir, *self.dir.iterdir()]:
            shutil.chown(f, "frr", "frr")
        common = ["-z", self.dir / "zserv", "--vty_socket", self.dir]
        self.spawn(f"{FRR}/zebra", *common, "-f", self.dir / "zebra.conf", "-i", self.dir / "zebra.pid")
        until((self.dir / "zserv").exists, "zebra's socket")
        self.spawn(f"{FRR}/bgpd", *common, "-f", self.dir / "bgpd.conf", "-i", self.dir / "bgpd.pid", "-p", "179")
        return self

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def established(self):
        r = self.ns.sh(f"vtysh --vty_socket {self.dir} -d bgpd -c 'show bgp summary json'")
        if not r.ok or "{" not in r.out:
            return 0
        peers = json.loads(r.out[r.out.index("{"):]).get("ipv4Unicast", {}).get("peers", {})
        return sum(p.get("state") == "Established" for p in peers.values())
