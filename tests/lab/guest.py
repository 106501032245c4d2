"""A gateway with a kernel of its own: Debian's cloud kernel in qemu (software emulation, no KVM needed), its
network cards taps in namespaces of the lab. For peers that need ESP in the kernel: strongSwan with
kernel-netlink, Libreswan, `ip xfrm`. tools/guest-image makes what it boots; it has programs, a shell and no disk.

A Guest stands where topo.py has an Ns: exec, sh, must, delete. A process of the guest is started by `start`."""
import base64
import contextlib
import ctypes
import fcntl
import os
import shlex
import socket
import struct
import subprocess
import time
from pathlib import Path

from . import ROOT
from .ns import CommandFailed, Result

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
CHUNK = 40000  # characters of base64 in one line to the agent


def image():
    """The folder with kernel and base image; made when it is not there or its recipe is another one."""
    given = os.environ.get("CULVERT_GUEST")
    folder = Path(given) if given else ROOT / "build" / "guest"
    p = subprocess.run([ROOT / "tools" / "guest-image", folder], text=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        raise CommandFailed(f"tools/guest-image: {p.stdout}")
    return folder


@contextlib.contextmanager
def inside(ns):
    """This thread is in the namespace meanwhile; what it opens there stays there."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{ns.name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if LIBC.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        LIBC.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


def open_tap(ns, name):
    """A new tap in a namespace; the descriptor is good in any other."""
    with inside(ns):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    ns.must(f"ip link set {name} up")
    return fd


class Guest:
    _macs = 0

    def __init__(self, name, workdir, cards, gateways=(), memory=384):
        """cards: (Ns, name of the tap there, name in the guest, addresses with prefix lengths).
        Returns before the guest is up; the first command waits for it."""
        self.name, self.dir = name, Path(workdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.console = self.dir / "agent", self.dir / "console.log"
        self.sock, self.held, self.taps = None, b"", []
        folder = image()
        words = ["console=ttyS0", "quiet", "panic=-1", "net.ifnames=0", "lab.gw=" + ",".join(gateways)]
        argv = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(memory),
                "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-serial", f"file:{self.console}",
                "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=lab,path={self.port},server=on,wait=off",
                "-device", "virtserialport,chardev=lab,name=lab"]
        for i, (ns, tap, dev, addrs) in enumerate(cards):
            fd = open_tap(ns, tap)
            self.taps.append(fd)
            Guest._macs += 1
            mac = f"52:54:00:{os.getpid() >> 8 & 255:02x}:{os.getpid() & 255:02x}:{Guest._macs & 255:02x}"
            argv += ["-netdev", f"tap,id=n{i},fd={fd}", "-device", f"virtio-net-pci,netdev=n{i},mac={mac},romfile="]
            words.append(f"lab.if{i}=" + ",".join([dev, *addrs]))
        argv += ["-kernel", folder / "vmlinuz", "-initrd", folder / "base.cpio", "-append", " ".join(words)]
        with open(self.dir / "qemu.log", "wb") as log:
            self.proc = subprocess.Popen(argv, pass_fds=self.taps, stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=subprocess.STDOUT, start_new_session=True)
        for fd in self.taps:
            os.close(fd)

    # --- the agent's port ---

    def wait(self, timeout=60):
        """Until the agent speaks."""
        end = time.monotonic() + timeout
        while self.sock is None:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(str(self.port))
                self.sock = s
            except OSError:
                s.close()
                if self.proc.poll() is not None or time.monotonic() > end:
                    raise CommandFailed(f"no guest: {(self.dir / 'qemu.log').read_text()}")
                time.sleep(0.02)
        if self._line(end) != b"READY":
            raise CommandFailed(f"the guest did not come up, see {self.console}")
        return self

    def _line(self, end):
        """One line from the agent, None when the time is over."""
        while b"\n" not in self.held:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(65536)
            except socket.timeout:
                return None
            if not got:
                raise CommandFailed(f"the guest went away, see {self.console}")
            self.held += got
        line, self.held = self.held.split(b"\n", 1)
        return line

    def sh(self, script, timeout=60, env=None):
        """A guest runs one script at a time; one that takes too long is the end of the guest's use."""
        if self.sock is None:
            self.wait()
        script = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in (env or {}).items()) + script
        self.sock.settimeout(timeout)
        self.sock.sendall(base64.b64encode(script.encode()) + b"\n")
        end, text = time.monotonic() + timeout, None
        while True:
            line = self._line(end)
            if line is None:
                raise CommandFailed(f"[{self.name}] not within {timeout} s: {script}")
            if line == b"BEGIN":
                text = []
            elif text is not None and line.startswith(b"END "):
                return Result(int(line[4:]), base64.b64decode(b"".join(text)).decode(errors="replace"))
            elif text is not None:
                text.append(line)

    # --- as an Ns has it ---

    def exec(self, argv, timeout=60, env=None):
        return self.sh(shlex.join(str(a) for a in argv), timeout, env)

    def must(self, script, timeout=60, env=None):
        r = self.sh(script, timeout, env)
        if not r.ok:
            raise CommandFailed(f"[{self.name}] {script}: status {r.rc}\n{r.out}")
        return r.out

    def start(self, argv, log="/dev/null", env=None):
        """A program that stays; gives its process id in the guest."""
        line = shlex.join(str(a) for a in argv)
        return int(self.must(f"setsid {line} >{shlex.quote(log)} 2>&1 </dev/null &\necho $!", env=env))

    def stop(self, pid, timeout=5):
        """Ends what `start` began, with force if it must be."""
        self.sh(f"kill {pid}; n=0; while kill -0 {pid} 2>/dev/null && [ $n -lt {timeout * 20} ]; do\n"
                f"usleep 50000; n=$((n+1)); done; kill -9 {pid} 2>/dev/null")

    def put(self, path, data, mode=0o600):
        """A file into the guest."""
        text = base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()
        q = shlex.quote(str(path))
        self.must(f"mkdir -p $(dirname {q}) && : >{q} && chmod {mode:o} {q}")
        for i in range(0, len(text), CHUNK):
            self.must(f"base64 -d >>{q} <<'E'\n{text[i:i + CHUNK]}\nE\n")

    def get(self, path):
        return base64.b64decode(self.must(f"base64 {shlex.quote(str(path))}"))

    def delete(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
