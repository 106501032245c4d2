#!/usr/bin/python3
"""What ./check runs: builds, unit tests in three builds, the house's own checks, fuzzing, the tests that cross
a network, the demo. Each step's output goes to a log; failing tests are named with their log's place; the last line
counts all tests of all runners: `N passed, N failed`."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "check-logs"
PYTHON = "/usr/bin/python3"
TAP = re.compile(r"^(not )?ok \d+\b[ -]*([^#\n]*)(# *skip)?", re.M | re.I)


class Stopped(Exception):
    pass


class Check:
    def __init__(self, args):
        self.args, self.start = args, time.monotonic()
        self.passed, self.failed, self.skipped = 0, [], []
        self.child = None
        LOGS.mkdir(parents=True, exist_ok=True)
        for f in LOGS.rglob("*"):
            if f.is_file():
                f.unlink()

    # --- results ---

    def good(self, n=1):
        self.passed += n

    def bad(self, name, log):
        self.failed.append((name, log))

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.0f} s] {text}", flush=True)

    # --- running ---

    def run(self, name, argv, timeout, env=None):
        """Runs one command with its output in a log; gives (status, log). 124: it took too long."""
        log = LOGS / f"{name}.log"
        with open(log, "wb") as out:
            self.child = subprocess.Popen([str(a) for a in argv], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})),
                                          start_new_session=True)
            try:
                status = self.wait(log, timeout)
            except BaseException:
                self.end_child()
                raise
        self.child = None
        return status, log

    def wait(self, log, timeout):
        began = beat = time.monotonic()
        while True:
            try:
                return self.child.wait(min(30, max(0.1, timeout - (time.monotonic() - began))))
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if now - began >= timeout:
                    self.end_child()
                    with open(log, "a") as f:
                        f.write(f"\ncheck: ended after {timeout} s\n")
                    return 124
                if now - beat >= 29:
                    beat = now
                    self.say("   ... " + last_line(log)[:120])

    def end_child(self):
        """Ends the running command in order (tests remove their namespaces), with force if it must be."""
        p, self.child = self.child, None
        if p is None or p.poll() is not None:
            return
        p.terminate()  # the program itself: it ends its own
        try:
            p.wait(30)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()

    def step(self, name, fn):
        self.say(f"{name}")
        t, p, f = time.monotonic(), self.passed, len(self.failed)
        fn()
        self.say(f"   {self.passed - p} passed, {len(self.failed) - f} failed ({time.monotonic() - t:.0f} s)")

    def single(self, name, argv, timeout, env=None):
        """A command that is one test."""
        status, log = self.run(name, argv, timeout, env)
        if status == 0:
            self.good()
        else:
            self.bad(name, log)
            print(tail(log, 15), flush=True)
        return status == 0

    # --- the steps ---

    def build(self, name, folder, cc, *options):
        out = ROOT / folder
        if not (out / "build.ninja").exists():
            if not self.single(f"setup-{name}", ["meson", "setup", out, ROOT, *options], 120, dict(CC=cc)):
                return
        self.single(f"build-{name}", ["ninja", "-C", out], 900)

    def unit(self, name, folder, multiply=1):
        out = ROOT / folder
        record = out / "meson-logs" / "testlog.json"
        record.unlink(missing_ok=True)
        status, log = self.run(f"unit-{name}", ["meson", "test", "-C", out, "--no-rebuild", "--timeout-multiplier", multiply,
                                                "--no-suite", "e2e", "--no-suite", "interop", "--no-suite", "fuzz"], 900,
                               dict(CMOCKA_MESSAGE_OUTPUT="TAP", ASAN_OPTIONS="detect_leaks=1",
                                    UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"))
        if not record.exists():
            self.bad(f"unit tests ({name}) did not run", log)
            return
        tests = [json.loads(l) for l in record.read_text().splitlines() if l.strip()]
        for t in tests:
            self.meson_test(name, t)
        if status and not any(t["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") for t in tests):
            self.bad(f"meson test ({name}) ended with status {status}", log)

    def meson_test(self, build, t):
        text = t.get("stdout", "") + t.get("stderr", "")
        cases = TAP.findall(t.get("stdout", "") + "\n" + t.get("stderr", ""))
        failing = [c[1].strip() for c in cases if c[0]]
        if t["result"] == "SKIP":
            self.skipped.append(f"{build}: {t['name']}")
            return
        self.good(sum(1 for c in cases if not c[0] and not c[2]))
        if t["result"] in ("OK", "EXPECTEDFAIL"):
            if not cases:
                self.good()
            return
        log = LOGS / f"unit-{build}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', t['name'])}.log"
        log.write_text(text)
        for c in failing or [t["result"].lower()]:
            self.bad(f"{build}: {t['name']}: {c}", log)

    def pytest(self, name, folder, timeout, *options, env=None):
        xml = LOGS / f"{name}.xml"
        shards = 1 if folder == "house" else 4  # they wait more than they compute
        argv = [PYTHON, ROOT / "tests" / "lab" / "shards.py", shards, xml, "-v", "--logs", LOGS / name, f"tests/{folder}",
                *options]
        if self.args.only and self.args.as_test:
            argv += ["-k", self.args.only]
        status, log = self.run(name, argv, timeout, env)
        parts = [xml.with_suffix(f".{k}.xml") for k in range(shards)]
        if not all(p.exists() for p in parts):
            self.bad(f"{name}: pytest ended with status {status}", log)
            print(tail(log, 15), flush=True)
            return
        cases = [c for p in parts for c in ET.parse(p).iter("testcase")]
        again = self.alone(name, folder, [c for c in cases if broken(c)], env)
        for c in cases:
            what = f"{name}: {c.get('classname', '').rsplit('.', 1)[-1]}::{c.get('name')}"
            if broken(c) and c.get("name") not in again:
                where = [d for d in (LOGS / name).glob("*") if d.name.endswith(re.sub(r"[^\w.-]+", "_", c.get("name"))[-60:])]
                self.bad(what, where[0] if where else log)
            elif c.find("skipped") is not None:
                self.skipped.append(f"{what}: {c.find('skipped').get('message')}")
            else:
                self.good()
            if broken(c) and c.get("name") in again:
                self.say(f"   {what} failed beside others and passed alone; its first log is in {LOGS / name}")
        if status not in (0, 1) or (not cases and not self.args.as_test):
            self.bad(f"{name}: pytest ended with status {status}", log)

    def alone(self, name, folder, cases, env):
        """The names of those that pass when they are run again, one by one: shards take each other's time, and a few
        of these tests measure time. More than a handful is no accident."""
        passed = set()
        for c in cases if len(cases) <= 3 else []:
            test = f"tests/{folder}/{c.get('classname').rsplit('.', 1)[-1]}.py::{c.get('name')}"
            status, _ = self.run(f"{name}-again-{len(passed)}", [PYTHON, "-m", "pytest", "-v", "--logs", LOGS / f"{name}-again",
                                                                test], 300, env)
            if status == 0:
                passed.add(c.get("name"))
        return passed

    def fuzz(self):
        seconds = 300 if self.args.long else 7
        n = len(re.findall(r"^\s*'\w+':", (ROOT / "fuzz" / "meson.build").read_text(), re.M)) or 20
        status, log = self.run("fuzz", [ROOT / "tools" / "fuzz", "-t", seconds], 400 + n * (seconds + 5))
        verdicts = re.findall(r"^(\w+) +(ok|CRASH)\b(.*)$", log.read_text(errors="replace"), re.M)
        for target, verdict, more in verdicts:
            if verdict == "ok":
                self.good()
            else:
                self.bad(f"fuzz target {target}", more.replace("see", "").strip() or log)
        if not verdicts or (status and all(v[1] == "ok" for v in verdicts)):
            self.bad(f"tools/fuzz ended with status {status}", log)
            print(tail(log, 15), flush=True)

    def clang_format(self):
        """Told, not counted: another version of clang-format may see it differently."""
        files = [str(f) for d in ("src", "include", "fuzz", "bench") for f in (ROOT / d).rglob("*.[ch]")]
        _, log = self.run("clang-format", ["clang-format", "--dry-run", *files], 120)
        odd = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", log.read_text(errors="replace"), re.M)))
        self.say(f"   {len(odd)} files are not as clang-format has them" + (f", see {log}" if odd else ""))

    def steps(self):
        light = "-Doptimization=1"  # a third of the time to build; what users run is the first build
        san = "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Ddebug=true", light, "-Dwerror=false"
        asan = dict(CULVERT_BUILD=str(ROOT / "build-asan"))
        return [
            ("build with gcc", lambda: self.build("gcc", "build", "gcc")),
            ("layercheck", lambda: self.single("layercheck", [ROOT / "tools" / "layercheck", ROOT], 60)),
            ("clang-format", self.clang_format),
            ("unit tests and exchange simulator", lambda: self.unit("gcc", "build")),
            ("tests of the tools", lambda: self.pytest("house", "house", 120)),
            ("build with clang", lambda: self.build("clang", "build-clang", "clang", light)),
            ("unit tests, clang", lambda: self.unit("clang", "build-clang")),
            ("build with ASan and UBSan", lambda: self.build("asan", "build-asan", "gcc", *san)),
            ("unit tests, sanitizers", lambda: self.unit("asan", "build-asan", 5)),
            ("packets of scapy and Linux, sanitizers", lambda: self.pytest("codec", "codec", 120, env=asan)),
            ("end to end", lambda: self.pytest("e2e", "e2e", 1200)),
            ("end to end, sanitizers", lambda: self.pytest("e2e-asan", "e2e", 600, "-m", "smoke", env=asan)),
            ("the bench's own programs", lambda: self.pytest("bench", "bench", 180)),
            ("the guest's image", lambda: self.single("guest-image", [ROOT / "tools" / "guest-image"], 300)),
            ("interoperability", lambda: self.pytest("interop", "interop", 1200)),
            ("demo", lambda: self.single("demo", [ROOT / "demo"], 300)),
            ("demo --nat", lambda: self.single("demo-nat", [ROOT / "demo", "--nat"], 300)),
            ("demo --ipv6", lambda: self.single("demo-ipv6", [ROOT / "demo", "--ipv6"], 300)),
            ("fuzz targets", self.fuzz),
        ]

    def chosen(self):
        """With --only the steps whose name matches, and the builds; if none matches, the pattern is for tests."""
        steps = self.steps()
        self.args.as_test = False
        if not self.args.only:
            return steps
        wanted = [s for s in steps if re.search(self.args.only, s[0], re.I)]
        self.args.as_test = not wanted
        wanted = wanted or [s for s in steps if s[0] in ("tests of the tools", "end to end", "interoperability")]
        builds = [s for s in steps if s[0] == "build with gcc" or
                  (s[0].startswith("build with ") and any(k in w[0] for w in wanted for k in
                                                          (("clang",) if "clang" in s[0] else ("sanitizers",))))]
        return [s for s in steps if s in builds or s in wanted]

    def all(self):
        for name, fn in self.chosen():
            self.step(name, fn)


def broken(case):
    return case.find("failure") is not None or case.find("error") is not None


def last_line(log):
    lines = [l for l in tail(log, 3).splitlines() if l.strip()]
    return lines[-1].strip() if lines else "(no output yet)"


def tail(log, n):
    with open(log, "rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - 8192))
        return "\n".join(f.read().decode(errors="replace").splitlines()[-n:])


def main():
    ap = argparse.ArgumentParser(prog="check", description="builds culvert and runs every test")
    ap.add_argument("--long", action="store_true", help="longer fuzzing and endurance tests")
    ap.add_argument("--only", metavar="PATTERN", help="only the steps whose name matches (or else only tests with such a name)")
    args = ap.parse_args()
    if args.long:
        os.environ["CULVERT_LONG"] = "1"
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    check = Check(args)

    def ended(signum, frame):
        raise Stopped(f"signal {signum}")
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, ended)
    stopped = None
    try:
        check.all()
    except Stopped as e:
        stopped = e
    if check.skipped:
        print(f"\n{len(check.skipped)} not run:")
        for s in check.skipped:
            print("  " + s)
    if check.failed:
        print("\nfailed:")
        for name, log in check.failed:
            print(f"  {name}\n      {log}")
    if stopped:
        print(f"\nstopped by {stopped}")
    print(f"\nafter {time.monotonic() - check.start:.0f} s, logs in {LOGS}\n"
          f"{check.passed} passed, {len(check.failed)} failed", flush=True)
    return 1 if check.failed or stopped or not check.passed else 0


if __name__ == "__main__":
    sys.exit(main())
