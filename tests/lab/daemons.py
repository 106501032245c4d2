"""The two kinds of daemon that the lab can put on a gateway, behind one interface: culvertd, and
strongSwan's charon with kernel-libipsec (ESP in user space, in UDP only)."""
import os
import re
import signal
import time

from . import build_dir
from .ns import Result, tool
from .vici import Vici, ViciError
from .wait import until

SANITIZER = re.compile(r"ERROR: (Address|Leak|Undefined\w*)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


class Daemon:
    kind = None

    def __init__(self, side, workdir):
        self.side, self.ns = side, side.gw
        self.dir = workdir / self.kind
        self.dir.mkdir(parents=True, exist_ok=True)
        self.socket = self.dir / "vici"
        self.uri = f"unix://{self.socket}"
        self.proc, self.logs = None, []
        self.credentials = self.dir / "swanctl"  # folders x509, private ... (lab/pki.py)

    # --- life ---

    def _launch(self, argv, env=None):
        log = self.dir / f"{self.kind}{len(self.logs)}.log"
        self.logs.append(log)
        log.touch()
        self.socket.unlink(missing_ok=True)
        self.proc = self.ns.spawn(argv, log=log, env=env)

    def _ready(self, timeout=15):
        def answers():
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.kind} ended with status {self.proc.returncode}:\n{self.tail()}")
            try:
                with self.vici(timeout=2) as v:
                    return v.request("version")
            except (OSError, ViciError):
                return None
        return until(answers, f"{self.kind} answers on its socket", timeout)

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    @property
    def pid(self):
        return self.proc.pid

    def stop(self, timeout=10):
        """A clean end; gives the exit status (None: it had to be killed)."""
        rc = self.ns.stop(self.proc, timeout)
        self.proc = None
        return rc

    def kill(self):
        self.ns.stop(self.proc, sig=signal.SIGKILL)
        self.proc = None

    def abort(self):
        if self.proc is not None:
            self.ns.stop(self.proc, timeout=3)
            self.proc = None

    def log(self, all_runs=True):
        return "".join(f.read_text(errors="replace") for f in (self.logs if all_runs else self.logs[-1:]))

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    # --- control: VICI, for both the same ---

    def vici(self, timeout=40):
        return Vici(self.socket, timeout)

    def ask(self, cmd, msg=None, check=True):
        with self.vici() as v:
            return v.request(cmd, msg, check)

    def initiate(self, child="lan", timeout=15):
        """Gives a Result whose text is the daemon's errmsg when it failed."""
        with self.vici(timeout + 10) as v:
            r = v.request("initiate", dict(child=child, timeout=timeout * 1000), check=False)
        return Result(0 if r.get("success") == "yes" else 1, r.get("errmsg", ""))

    def terminate(self, timeout=10, force=False, **what):
        """what: ike="name" or child="name"."""
        with self.vici(timeout + 10) as v:
            r = v.request("terminate", dict(what, timeout=timeout * 1000,
                                            **({"force": "yes"} if force else {})), check=False)
        return Result(0 if r.get("success") == "yes" else 1, r.get("errmsg", ""))

    def rekey(self, **what):
        """what: ike="name" or child="name" (and reauth="no")."""
        return self.ask("rekey", what)

    def sas(self):
        """IKE SAs as list-sas gives them, each with its name under "name"."""
        with self.vici() as v:
            return [dict(body, name=name) for m in v.stream("list-sas", "list-sa", {})
                    for name, body in m.items()]

    def ikes(self, state="ESTABLISHED"):
        return [s for s in self.sas() if s.get("state") == state]

    def children(self, state="INSTALLED", name=None):
        return [c for s in self.sas() for c in s.get("child-sas", {}).values()
                if c.get("state") == state and (name is None or c.get("name") == name)]

    def up(self, children=1):
        """One IKE SA and so many CHILD SAs, all settled?"""
        return len(self.sas()) == 1 and len(self.ikes()) == 1 and len(self.children()) == children

    def swanctl(self, *args, timeout=40):
        """Debian's swanctl against this daemon, whichever kind it is."""
        d = self.dir / "swanctl"
        for sub in ("x509", "x509ca", "x509aa", "x509ac", "x509ocsp", "x509crl", "pubkey", "private", "rsa",
                    "ecdsa", "bliss", "pkcs8", "pkcs12"):
            (d / sub).mkdir(parents=True, exist_ok=True)
        conf = self.dir / "swanctl-strongswan.conf"
        if not conf.exists():
            conf.write_text("swanctl {\n  load = random openssl pem pkcs1 pkcs8 x509 pubkey\n}\n")
        return self.ns.exec([tool("/usr/sbin/swanctl"), *args, "--uri", self.uri], timeout,
                            env=dict(STRONGSWAN_CONF=str(conf), SWANCTL_DIR=str(d)))

    def swanctl_load(self, text):
        (self.dir / "swanctl").mkdir(exist_ok=True)
        f = self.dir / "swanctl" / "swanctl.conf"
        f.write_text(text)
        f.chmod(0o600)
        return self.swanctl("--load-all", "--noprompt", "--clear")


class Culvert(Daemon):
    kind = "culvert"
    # a peer counts as dead after 15 seconds (and not minutes), for both kinds of daemon
    QUICK = "culvertd {\n  retransmit_timeout = 1.0\n  retransmit_tries = 3\n}\n"

    def __init__(self, side, workdir, args=()):
        super().__init__(side, workdir)
        self.args = list(args)
        self.credentials = self.dir  # beside its configuration
        self.config = self.dir / "culvert.conf"
        self.bin = build_dir() / "culvertd"
        self.exit = None

    def write(self, text):
        part = self.config.with_suffix(".new")
        part.write_text(text)
        part.chmod(0o600)
        os.replace(part, self.config)

    def start(self, text="", wait=True):
        self.write(text + self.QUICK)
        self._launch([self.bin, "--config", self.config, "--vici", self.uri, "--foreground",
                      "--log-level", os.environ.get("CULVERT_LOG", "1"), *self.args],
                     env=dict(ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=99",
                              UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99"))
        if wait:
            self._ready()
        return self

    def load(self, text):
        self.write(text + self.QUICK)
        r = self.cli("reload")
        assert r.ok, f"reload: {r}\n{self.tail()}"

    def cli(self, *args, timeout=60):
        """The operator's command."""
        return self.ns.exec([build_dir() / "culvert", "--vici", self.uri, *args], timeout)

    def wait_end(self, timeout=10):
        """For a start that is to fail: exit status and what was said."""
        rc = self.proc.wait(timeout)
        self.ns.procs.remove(self.proc)
        self.proc = None
        return Result(rc, self.log(all_runs=False))

    def stop(self, timeout=10):
        rc = super().stop(timeout)
        self.check_sane()
        assert rc == 0, f"culvertd ended with status {rc} on SIGTERM:\n{self.tail()}"
        return rc

    def abort(self):
        died = self.proc is not None and self.proc.poll() is not None
        rc = self.proc.returncode if died else 0
        super().abort()
        self.check_sane()
        if died:
            raise RuntimeError(f"culvertd had ended by itself with status {rc}:\n{self.tail()}")

    def check_sane(self):
        m = SANITIZER.search(self.log())
        assert not m, f"a sanitizer spoke up in culvertd:\n{self.log()[m.start():][:4000]}"

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


class StrongSwan(Daemon):
    kind = "strongswan"
    PLUGINS = ("random nonce openssl gcrypt gmp curve25519 chapoly ccm gcm ctr cmac xcbc hmac kdf drbg aes "
               "sha1 sha2 md5 pem pkcs1 pkcs8 x509 pubkey constraints kernel-libipsec kernel-netlink "
               "socket-default vici updown counters xauth-generic")

    def __init__(self, side, workdir, options="", keys=False):
        """options: more lines of strongswan.conf; keys: the log shows keys (levels 4)."""
        super().__init__(side, workdir)
        self.options, self.levels = options, "ike = 4\n      chd = 4" if keys else ""

    def conf(self, socket, log, plugins=None, more=""):
        """strongswan.conf"""
        return f"""charon-systemd {{
  load = {plugins or self.PLUGINS}
  retransmit_timeout = 1.0
  retransmit_tries = 3
  {self.options if "dos_protection" in self.options else "dos_protection = no"}
  {"" if "dos_protection" in self.options else self.options}
  syslog {{
    daemon {{
      default = -1
    }}
    auth {{
      default = -1
    }}
  }}
  journal {{
    default = -1
  }}
  filelog {{
    lab {{
      path = {log}
      flush_line = yes
      default = 1
      {self.levels}
    }}
  }}
  plugins {{
    vici {{
      socket = {socket}
    }}
    {more}
  }}
}}
"""

    def start(self, text=None, wait=True):
        conf = self.dir / "strongswan.conf"
        # kernel-libipsec stands before kernel-netlink, or ESP is asked of a kernel that has none; its
        # own packets carry a mark that leads past its TUN device.
        conf.write_text(self.conf(self.uri, self.dir / "charon.log", more="""kernel-libipsec {
      allow_peer_ts = yes
    }
    kernel-netlink {
      fwmark = !0x42
    }
    socket-default {
      fwmark = 0x42
    }"""))
        self._launch([tool("/usr/sbin/charon-systemd")], env=dict(STRONGSWAN_CONF=str(conf)))
        if wait:
            self._ready()
        if text:
            self.load(text)
        return self

    def log(self, all_runs=True):
        f = self.dir / "charon.log"
        return super().log(all_runs) + (f.read_text(errors="replace") if f.exists() else "")

    def load(self, text):
        r = self.swanctl_load(text)
        assert r.ok, f"swanctl --load-all: {r}"


KINDS = {"culvert": Culvert, "strongswan": StrongSwan}
