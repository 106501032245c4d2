"""Daemons in a guest (guest.py), whose ESP and AH are the Linux kernel's: strongSwan with
kernel-netlink, and Libreswan. One of them at a time: they share UDP 500."""
from . import pki
from .daemons import Daemon, StrongSwan
from .guest import inside
from .ns import Result
from .vici import Vici, ViciError
from .wait import until

VICI_PORT = 4502
IPSEC = "/usr/libexec/ipsec/"


class KernelSwan(StrongSwan):
    """charon in the guest; its control socket is reached from the LAN behind it."""
    kind = "kernel-swan"
    HOME = "/run/swan"
    PLUGINS = StrongSwan.PLUGINS.replace("kernel-libipsec ", "") + " xauth-generic attr unity"

    def start(self, text=None, wait=True):
        g = self.ns
        g.put(f"{self.HOME}/strongswan.conf",
              self.conf(f"tcp://{self.side.gw4}:{VICI_PORT}", f"{self.HOME}/log"))
        self.proc = g.start(["/usr/sbin/charon-systemd"], log=f"{self.HOME}/out", env=self._env())
        self._ready()
        if text:
            self.load(text)
        return self

    def _env(self):
        return dict(STRONGSWAN_CONF=f"{self.HOME}/strongswan.conf", SWANCTL_DIR=f"{self.HOME}/swanctl")

    def _ready(self, timeout=30):
        def answers():
            try:
                with self.vici(timeout=5) as v:
                    return v.request("version")
            except (OSError, ViciError):
                return None
        return until(answers, "charon in the guest answers", timeout, every=0.2)

    def running(self):
        return self.proc is not None

    def vici(self, timeout=40):
        with inside(self.side.lan):
            return Vici((self.side.gw4, VICI_PORT), timeout)

    def load(self, text):
        self.ns.put(f"{self.HOME}/swanctl/swanctl.conf", text)
        self.ns.must(f"swanctl --load-all --noprompt --clear --uri tcp://{self.side.gw4}:{VICI_PORT}",
                     env=self._env())

    def stop(self, timeout=10):
        if self.proc is not None:
            self.ns.stop(self.proc, timeout)
        self.proc = None
        self.ns.sh("ip xfrm state flush; ip xfrm policy flush")
        return 0

    abort = kill = stop

    def log(self, all_runs=True):
        return self.ns.sh(f"cat {self.HOME}/log {self.HOME}/out").out if self.proc is not None else ""


class Libreswan(Daemon):
    """pluto, with one connection "lab". What it is asked in words of ipsec.conf."""
    kind = "libreswan"

    def start(self, text="", wait=True):
        g = self.ns
        g.must("mkdir -p /var/lib/ipsec/nss /run/pluto /etc/ipsec.d; echo nameserver 127.0.0.1 > /etc/resolv.conf\n"
               "[ -e /var/lib/ipsec/nss/cert9.db ] || ipsec initnss >/tmp/initnss 2>&1")
        self._files("", "")
        self.proc = g.start([IPSEC + "pluto", "--config", "/etc/ipsec.conf", "--nofork"], log="/tmp/pluto.out")
        until(lambda: g.sh(f"{IPSEC}whack --status >/dev/null 2>&1 && {IPSEC}whack --listen").ok,
              "pluto answers", 30, every=0.2)
        return self

    def _files(self, conn, secrets):
        self.ns.put("/etc/ipsec.conf", "config setup\n logfile=/tmp/pluto.log\n logtime=yes\n dnssec-enable=no\n"
                    f" ikev1-policy=accept\n\n{conn}\n")
        self.ns.put("/etc/ipsec.secrets", secrets)

    def running(self):
        return self.proc is not None

    def credentials_in(self, name, own, authority):
        """Into pluto's store: a certificate with its key as NAME, and who issued it. Read when it starts."""
        g, db = self.ns, "-d sql:/var/lib/ipsec/nss"
        g.put("/tmp/own.p12", pki.p12(name, own))
        g.put("/tmp/ca.pem", authority.pem)
        g.must(f"certutil -A {db} -n ca -t CT,C,C -i /tmp/ca.pem && pk12util -i /tmp/own.p12 {db} -W lab")
        self.stop()
        self.start()

    def load(self, words, psk, more=""):
        """words: ipsec.conf's keys for the connection, over what all have in common; more: of ipsec.secrets."""
        s = self.side
        all_words = dict(auto="ignore", left=s.wan4, leftnexthop=s.router4, right=s.peer4, authby="secret",
                         type="tunnel", fragmentation="yes", rekey="no", mobike="no", dpdaction="clear")
        all_words.update(words)
        conn = "conn lab\n" + "".join(f" {k}={v}\n" for k, v in all_words.items() if v is not None)
        self._files(conn, f'%any %any : PSK "{psk}"\n: PSK "{psk}"\n{more}\n')
        g = self.ns
        g.must(f"{IPSEC}whack --rereadsecrets; {IPSEC}whack --delete --name lab >/dev/null 2>&1\n"
               f"{IPSEC}addconn --config /etc/ipsec.conf lab && {IPSEC}whack --listen\n"
               f"{IPSEC}whack --status | grep '\"lab\"'")

    def initiate(self, child="lab", timeout=20):
        r = self.ns.sh(f"timeout {timeout} {IPSEC}whack --initiate --name lab", timeout + 10)
        ok = r.ok and ("IPsec SA established" in r.out or "established Child SA" in r.out)
        return Result(0 if ok else 1, r.out)

    def established(self):
        return [l for l in self.ns.sh(f"{IPSEC}whack --trafficstatus").out.splitlines() if "lab" in l]

    def up(self, children=1):
        return len(self.established()) == children

    def terminate(self, timeout=10, **what):
        return self.ns.sh(f"{IPSEC}whack --terminate --name lab", timeout)

    def rekey(self, **what):
        """IKEv1's children are not rekeyed at will, but another quick mode does the same."""
        v1 = "ikev2=no" in self.ns.sh("cat /etc/ipsec.conf").out
        how = "initiate" if v1 else f"rekey-{'ipsec' if 'child' in what else 'ike'}"
        return self.ns.sh(f"{IPSEC}whack --{how} --name lab")

    def stop(self, timeout=10):
        if self.proc is not None:
            self.ns.sh(f"{IPSEC}whack --shutdown")
            self.ns.stop(self.proc, timeout)
        self.proc = None
        self.ns.sh("ip xfrm state flush; ip xfrm policy flush")
        return 0

    abort = kill = stop

    def log(self, all_runs=True):
        return self.ns.sh("cat /tmp/pluto.log /tmp/pluto.out").out if self.proc is not None else ""


GUEST_KINDS = {"kernel-swan": KernelSwan, "libreswan": Libreswan}
