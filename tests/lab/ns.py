"""A network namespace and the processes in it."""
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import ROOT, STATE

NAME = re.compile(r"^cv(\d+)x\d+-\w+$")


class CommandFailed(RuntimeError):
    pass


def run(argv, timeout=60, check=True, env=None, stdin=None):
    """Runs a command outside of any namespace; gives its output (stderr included)."""
    p = subprocess.run(argv, text=True, timeout=timeout, env=env, input=stdin,
                       stdin=None if stdin is not None else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and p.returncode:
        raise CommandFailed(f"{' '.join(map(str, argv))}: status {p.returncode}\n{p.stdout}")
    return p.stdout


def tool(path):
    """A copy of a system program below build/. AppArmor's profiles of Debian's tcpdump, swanctl and
    charon go by path and would keep them out of the lab's folder; the program itself is the same."""
    src, place = Path(path), ROOT / "build" / "lab-tools"
    dst = place / src.name
    if not src.exists():
        raise CommandFailed(f"{path} is missing: run tools/bootstrap")
    if not dst.exists() or dst.stat().st_mtime < src.stat().st_mtime:
        place.mkdir(parents=True, exist_ok=True)
        part = place / f"{src.name}.{os.getpid()}"
        shutil.copy2(src, part)
        os.replace(part, dst)
    return str(dst)


class Result:
    """What a command said: `rc`, `out` (stderr included)."""

    def __init__(self, rc, out):
        self.rc, self.out = rc, out

    @property
    def ok(self):
        return self.rc == 0

    def __repr__(self):
        return f"<status {self.rc}: {self.out.strip()}>"


class Ns:
    def __init__(self, name, workdir):
        self.name, self.dir, self.procs = name, Path(workdir), []
        self.dir.mkdir(parents=True, exist_ok=True)
        run(["ip", "netns", "add", name])
        try:
            self.must("ip link set lo up\n"
                      "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done\n"
                      "for f in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $f; done\n"
                      "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0"
                      " net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
                      " net.ipv6.conf.default.router_solicitations=0\n"
                      "sysctl -qw net.ipv4.tcp_congestion_control=reno 2>/dev/null || true")
        except BaseException:
            self.delete()
            raise

    def argv(self, argv):
        return ["ip", "netns", "exec", self.name] + [str(a) for a in argv]

    def exec(self, argv, timeout=60, env=None):
        """Runs one program to its end; status 124 when it took too long (and was killed)."""
        p = subprocess.Popen(self.argv(argv), text=True, env=dict(os.environ, **(env or {})),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            out, _ = p.communicate(timeout=timeout)
        except BaseException as e:
            os.killpg(p.pid, signal.SIGKILL)
            out, _ = p.communicate()
            if not isinstance(e, subprocess.TimeoutExpired):
                raise
            return Result(124, out)
        return Result(p.returncode, out)

    def sh(self, script, timeout=60, env=None):
        return self.exec(["sh", "-c", script], timeout, env)

    def must(self, script, timeout=60, env=None):
        r = self.sh(script, timeout, env)
        if not r.ok:
            raise CommandFailed(f"[{self.name}] {script}: status {r.rc}\n{r.out}")
        return r.out

    def spawn(self, argv, log=None, env=None, stderr=None):
        """Starts a program in a session of its own (the scheduler groups processes by session);
        stop() or delete() ends it."""
        out = open(log, "ab") if log else subprocess.DEVNULL
        try:
            p = subprocess.Popen(self.argv(argv), stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=stderr or subprocess.STDOUT,
                                 env=dict(os.environ, **(env or {})), start_new_session=True)
        finally:
            if log:
                out.close()
        self.procs.append(p)
        return p

    def stop(self, p, timeout=10, sig=signal.SIGTERM):
        """Ends a spawned program; gives its exit status, or None when it had to be killed."""
        late = False
        if p.poll() is None:
            p.send_signal(sig)
            try:
                p.wait(timeout)
            except subprocess.TimeoutExpired:
                late = True
                p.kill()
                p.wait()
        if p in self.procs:
            self.procs.remove(p)
        return None if late else p.returncode

    def delete(self):
        for p in list(self.procs):
            self.stop(p, timeout=5)
        remove_namespace(self.name)


def remove_namespace(name):
    """Ends what still runs in a namespace of ours, then removes it."""
    if not NAME.match(name):
        raise ValueError(f"not a namespace of the lab: {name}")
    for _ in range(50):
        pids = run(["ip", "netns", "pids", name], check=False).split()
        pids = [int(p) for p in pids if p.isdigit()]
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    run(["ip", "netns", "del", name], check=False)


def born(pid):
    """Start time of a process in ticks since boot, None when there is none: pids are used again."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def claim(folder, pid):
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "owner").write_text(f"{pid} {born(pid)}\n")


def sweep(kept=False):
    """Removes labs whose owner is dead, and with `kept` also those left up on purpose."""
    gone = []
    for folder in sorted(STATE.glob("cv*")) if STATE.exists() else []:
        try:
            pid, start = (folder / "owner").read_text().split()
        except (OSError, ValueError):
            continue
        if (folder / "keep").exists():
            if not kept:
                continue
        elif str(born(pid)) == start:
            continue
        for ns in Path("/run/netns").glob(folder.name + "-*"):
            remove_namespace(ns.name)
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder.name)
    return gone
