#!/usr/bin/python3
"""Runs pytest in N processes at once, each with its share of the tests (--shard K/N, see plugin.py):
    shards.py N XML PYTEST-ARGUMENT...
Results are written to XML with .K before its suffix; output follows shard by shard; the worst status is given back."""
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

DONE = re.compile(r" (PASSED|FAILED|SKIPPED|ERROR) ")


def main():
    n, xml, args = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    running = []
    for k in range(n):
        out = open(f"{xml}.{k}.out", "wb")
        running.append(subprocess.Popen(
            ["/usr/bin/python3", "-m", "pytest", "--shard", f"{k}/{n}", "--junitxml", xml.with_suffix(f".{k}.xml"), *args],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    def ended(signum, frame):
        for p in running:
            p.send_signal(signum)
    signal.signal(signal.SIGTERM, ended)
    while any(p.poll() is None for p in running):
        time.sleep(1)
        text = "".join(Path(f"{xml}.{k}.out").read_text(errors="replace") for k in range(n))
        print(f"{len(DONE.findall(text))} tests done, {text.count(' FAILED ')} failed", flush=True)
    status = [p.wait() for p in running]
    for k in range(n):
        out = Path(f"{xml}.{k}.out")
        sys.stdout.write(out.read_text(errors="replace"))
        out.unlink()
    return max((s if s >= 0 else 128 - s) if s != 5 else 0 for s in status)


if __name__ == "__main__":
    sys.exit(main())
