"""The bench's own programs: each measurement runs, as short as it can, and gives what report.py and tables.py read. No
figure is judged here; only that there is one."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab import build_dir

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "e2e")]
import control                                                        # noqa: E402
import gateway                                                        # noqa: E402
import matrix                                                         # noqa: E402
import report                                                         # noqa: E402
import tables                                                         # noqa: E402
from plot import svg                                                  # noqa: E402

ABOUT = dict(date="2000-01-01-0000", commit="0", cpu="any", cpus=2, kernel="any", load=0.0, quick=True)


def told(section, result):
    """The figures of one section, after its tables, the plot and a comparison were made of it."""
    out = dict(ABOUT, **{section: result})
    out = json.loads(json.dumps(out))
    out["figures"] = report.figures(out)
    text = tables.markdown(out)
    assert f"## {tables.SECTIONS[section][0]}" in text and "## Goals" in text
    assert svg(out["figures"], "title").endswith("</svg>\n")
    assert report.comparison([out], out).startswith("2000-01-01")
    return {x["name"]: x["got"] for x in out["figures"] if x["got"] is not None}


def in_memory(*argv):
    out = subprocess.run([build_dir() / "bench" / "bench-dataplane", "--json", "--seconds", "0.01", *argv], check=True, text=True,
                         capture_output=True, timeout=30).stdout
    return json.loads(out)


def test_memory():
    gcm, cbc = ("--suite", "aes128gcm16", "--size"), ("--suite", "aes128-sha256", "--size")
    packets = in_memory(*gcm, "64") + in_memory(*gcm, "1420") + in_memory(*cbc, "1420")
    got = told("memory", dict(packets=packets, lookup=in_memory("--lookup"),
                              batches=in_memory(*gcm, "64", "--batch", "8"),
                              sas=[dict(r, round=0) for n in ("1", "100") for r in in_memory(*gcm, "1420", "--sas", n)]))
    assert set(got) == {"gcm_1420_share", "gcm_64_share", "cbc_1420_share", "sas_10000", "lookup_100000"}
    assert all(0 < v < 10 for v in got.values()), got


def end_to_end(kinds, case):
    e = matrix.measure(kinds, [case], rounds=1, quick=True)
    assert not [r for r in e["rows"] if "error" in r], e["rows"]
    assert {(l["cores"], l["family"], l["what"], l["kind"]) for l in e["summary"]} == {(*case, k) for k in kinds}
    assert all(l["gbit"] > 0 for l in e["summary"])
    return told("e2e", e)


def test_tcp():
    assert end_to_end(("plain", "culvert-udp"), (2, 4, "tcp1"))["e2e_plain_tcp1"] > 0


def test_udp():
    end_to_end(("culvert-udp",), (1, 6, "udp64"))


@pytest.mark.parametrize("kind", ["plain-off", "culvert", "culvert-percpu", "wireguard-go", "openvpn", "strongswan"])
def test_way(kind, new_lab):
    """Each way is brought up, carries packets and is taken down again."""
    thing = matrix.KINDS[kind](new_lab(offload=True), "aes128gcm16")
    thing.up()
    try:
        gateway.carries(thing.lab, kind)
        assert matrix.traffic.udp(thing.lab, 4, 1400, 0.1, 0)["flat_kpps"] > 0
    finally:
        thing.down()


def test_gateway(new_lab):
    lab = new_lab(offload=True)
    rows = gateway.latency(lab, 1, 20)
    assert {"plain", "culvert-udp"} <= {r["kind"] for r in rows} and all(r["answered"] and r["us"] > 0 for r in rows)
    assert "ping_extra_us" in told("latency", rows)
    assert told("onecore", gateway.onecore(1, 0.05))["onecore_enc"] > 0


def test_order(new_lab):
    rows = gateway.order(new_lab(offload=True), 0.1, 1, ("culvert-udp",), (1400,))
    assert all(r["sent"] > 0 for r in rows)
    assert set(told("order", rows)) == {"lost", "late"}


def test_control():
    kinds, cases = ["culvert", "charon"], [("psk", "x25519"), ("ecdsa", "ecp256")]
    with control.Space() as space:
        got = told("negotiations", control.negotiations(space, kinds, 1, 10, cases))
        assert set(got) == {f"{role}_{case}" for role in ("responder", "initiator") for case in ("x25519", "ecdsa_ecp256")}
        assert told("cookies", control.cookies(space, kinds, 1, 500))["cookie"] > 0
        assert "half_open_kib" in told("halfopen", control.half_open(space, kinds, 200))


def test_daemons_with_tunnels():
    kinds = ["culvert", "charon"]
    assert set(told("scale", control.scale(kinds, 150, 1, 10))) == {"growth", "listing", "tunnel_kib"}
    assert set(told("idle", control.idle(kinds, 10, 0.2))) == {"idle_us", "idle_wakeups"}
    assert set(told("heap", control.heap(100))) == {"tunnel_heap_kib", "half_open_heap_kib"}
