"""The Linux kernel in a guest with keys by hand (`ip xfrm`) against SAs of ours by hand: AH, transport mode, BEET, AH
around ESP, IPComp, and bytes of all sizes through them. Minutes of emulation, so most only with CULVERT_LONG=1."""
from collections import Counter

import re

import pytest

from lab import long_run
from lab.numbered import Stream
from lab.relay import Relay
from lab.topo import Lab
from lab.wait import until

pytestmark = [pytest.mark.seconds(120), pytest.mark.culvert_only]
KEY = ("00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100")
AUTH = {"sha256": ("a1" * 32, "b2" * 32, "hmac(sha256)", 128), "sha1": ("a1" * 20, "b2" * 20, "hmac(sha1)", 96),
        "sha512": ("a1" * 64, "b2" * 64, "hmac(sha512)", 256)}
SPI = (0x1001, 0x2002)
# proto, mode, outer family, inner family, integrity, ESN
CASES = [("ah", "transport", 4, 4, "sha256", False), ("ah", "transport", 6, 6, "sha512", False), ("esp", "transport", 4, 4, "sha256", False),
         ("esp", "transport", 6, 6, "sha1", True), ("ah", "tunnel", 4, 4, "sha256", True), ("ah", "tunnel", 4, 6, "sha1", False),
         ("ah", "tunnel", 6, 4, "sha512", False), ("ah", "tunnel", 6, 6, "sha256", False), ("esp", "beet", 4, 4, "sha256", False),
         ("esp", "tunnel", 6, 4, "sha1", True), ("esp", "tunnel", 4, 6, "sha256", False)]


@pytest.fixture(scope="module")
def world(culvert):
    lab = Lab(guests="B")
    a = lab.daemon(culvert, lab.a).start()
    yield lab, a
    lab.close()


def ours(lab, a, proto, mode, outer, inner, integ, esn):
    ts = {"transport": lambda s: s.wan(outer), "tunnel": lambda s: s.net(inner), "beet": lambda s: s.host(inner)}[mode]
    auth = AUTH[integ]
    words = dict(local=lab.a.wan(outer), remote=lab.b.wan(outer), spi_in=SPI[0], spi_out=SPI[1], mode=mode, auth_in="0x" + auth[1],
                 auth_out="0x" + auth[0], local_ts=ts(lab.a), remote_ts=ts(lab.b))
    tail = "-esn" if esn else ""
    if proto == "esp":
        words.update(esp_proposals=f"aes128-{integ}{tail}", key_in="0x" + KEY[1], key_out="0x" + KEY[0])
    else:
        words.update(ah_proposals=f"{integ}{tail}")
    r = a.cli("sa", "add", "hand", *[f"{k}={v}" for k, v in words.items()])
    assert r.ok, r
    return ts


def theirs(lab, ts, proto, mode, outer, inner, integ, esn):
    """The guest's side; its kernel pads AH in IPv4 as RFC 4302 asks only with align4."""
    g, auth = lab.b.gw, AUTH[integ]
    flags = (["align4"] if proto == "ah" and outer == 4 else []) + (["esn"] if esn else []) + \
        (["af-unspec"] if mode == "tunnel" and outer != inner else [])
    for i, (src, dst, way) in enumerate(((lab.a, lab.b, "in"), (lab.b, lab.a, "out"))):
        sel = f"sel src {ts(src)} dst {ts(dst)}" if mode == "beet" else ""
        enc = f"enc 'cbc(aes)' 0x{KEY[i]}" if proto == "esp" else ""
        g.must(f"ip xfrm state add src {src.wan(outer)} dst {dst.wan(outer)} proto {proto} spi {SPI[1 - i]:#x} mode {mode} "
               f"{'flag ' + ' flag '.join(flags) if flags else ''} replay-window 64 "
               f"auth-trunc '{auth[2]}' 0x{auth[i]} {auth[3]} {enc} {sel}")
        for d in ("in", "fwd") if way == "in" else ("out",):
            g.must(f"ip xfrm policy add src {ts(src)} dst {ts(dst)} dir {d} tmpl src {src.wan(outer)} dst {dst.wan(outer)} "
                   f"proto {proto} mode {mode}")


def pings(ns, family, to, *more):
    out = ns.sh(f"ping -{family} -c 3 -i 0.05 -W 2 {' '.join(map(str, more))} {to}").out
    return " 0% packet loss" in out, out


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(map(str, c)))
def test_kernel(world, case):
    lab, a = world
    proto, mode, outer, inner = case[:4]
    if case is not CASES[0] and not long_run():
        pytest.skip("CULVERT_LONG=1 runs the others")
    try:
        theirs(lab, ours(lab, a, *case), *case)
        for size in (0, 1, 7, 56, 700, 1200):
            if mode == "transport":
                ok, out = pings(lab.a.gw, outer, lab.b.wan(outer), "-s", size)
            else:
                ok, out = pings(lab.a.lan, inner, lab.b.host(inner), "-s", size)
            assert ok, f"{size}: {out}\n{lab.b.gw.sh('ip -s xfrm state; cat /proc/net/xfrm_stat').out}\n{a.ask('stats')['dataplane']}"
        back = pings(lab.b.gw, outer, lab.a.wan(outer)) if mode == "transport" else (lab.ping(lab.b, inner).lost == 0, "")
        assert back[0], back[1]
        if mode == "transport" and outer == 4:
            ok, out = pings(lab.a.gw, 4, lab.b.wan4, "-R")
            assert ok, out
        drops = a.ask("stats")["dataplane"]["drops"]
        assert set(drops) <= {"dp-no-policy", "dp-no-sa"}, drops
    finally:
        a.cli("sa", "del", "hand")
        lab.b.gw.sh("ip xfrm state flush; ip xfrm policy flush")


def refused(g):
    """All that the kernel's inbound side did not take."""
    return sum(int(l.split()[1]) for l in g.must("cat /proc/net/xfrm_stat").splitlines() if l.startswith("XfrmIn"))


@pytest.mark.parametrize("case,shape", [(("esp", "tunnel", 4, 4, "sha256", False), "cbc-sha256"),
                                        (("esp", "tunnel", 6, 4, "sha256", True), "cbc-sha256"),
                                        (("ah", "tunnel", 4, 4, "sha256", False), "ah-sha256")], ids=["esp", "esp-6-esn", "ah"])
def test_relay(world, case, shape):
    """tests/e2e/test_relay.py with the kernel at the other end: what the naive model foretells holds for it, too."""
    if not long_run():
        pytest.skip("CULVERT_LONG=1 runs it")
    lab, a = world
    g, outer, streams, relay = lab.b.gw, case[2], [], None
    try:
        theirs(lab, ours(lab, a, *case), *case)
        assert lab.ping(count=1).lost == 0  # addresses of neighbours are known now; the first number is taken
        streams = [Stream(f.lan, t.lan, f.host4, t.host4, f.name) for f, t in ((lab.a, lab.b), (lab.b, lab.a))]
        relay = Relay(lab, 5, 64, case[5], shape, taken=1)
        before, ours_before = refused(g), drops(a)
        for _ in range(40):
            for s in streams:
                s.send(16)
            relay.pump(lambda: all(w.arrived >= s.sent for w, s in zip(relay.ways, streams)), "what was sent")
        relay.flush()
        for way, s in zip(relay.ways, streams):
            until(lambda: set(s.collect()) >= way.taken, f"{way.name}: {dict(way.account)}", 10)
            assert set(s.got) == way.taken and set(s.got.values()) == {1} and not s.strange, dict(way.account)
            assert way.lost == set(range(s.sent)) - way.taken <= way.spoilt
        until(lambda: refused(g) - before >= sum(relay.ways[0].drops.values()), "the kernel's counters", 5)
        assert refused(g) - before == sum(relay.ways[0].drops.values()), (g.must("cat /proc/net/xfrm_stat"), relay.ways[0].drops)
        until(lambda: drops(a) - ours_before == relay.ways[1].drops, "our counters", 5)
    finally:
        for x in streams + [relay] * bool(relay):
            x.close()
        a.cli("sa", "del", "hand")
        g.sh("ip xfrm state flush; ip xfrm policy flush")


def drops(a):
    return Counter({k: int(v) for k, v in a.ask("stats")["dataplane"]["drops"].items() if k != "dp-no-policy"})


# what goes around the packet, from the outside in; mode; outer family, inner family
BUNDLES = [("ah esp comp", "tunnel", 4, 4), ("ah esp", "tunnel", 4, 4), ("ah esp", "transport", 4, 4), ("ah esp", "tunnel", 6, 4),
           ("ah esp", "tunnel", 4, 6), ("ah esp", "transport", 6, 6), ("esp comp", "tunnel", 4, 4), ("esp comp", "transport", 4, 4),
           ("esp comp", "tunnel", 6, 6), ("ah esp comp", "transport", 6, 6), ("ah comp", "tunnel", 4, 4),
           ("ah bare", "tunnel", 4, 4), ("ah bare", "transport", 6, 6)]  # bare: ESP that leaves integrity to AH
AH_SPI, CPI, AH_KEY = (0x3003, 0x4004), (0x1234, 0x5678), ("c3" * 20, "d4" * 20)


def our_bundle(lab, a, layers, mode, outer, inner):
    ts = lambda s: s.wan(outer) if mode == "transport" else s.net(inner)  # noqa: E731
    words = dict(local=lab.a.wan(outer), remote=lab.b.wan(outer), spi_in=SPI[0], spi_out=SPI[1], mode=mode, local_ts=ts(lab.a),
                 remote_ts=ts(lab.b))
    auth = AUTH["sha256"]
    if "bare" in layers:
        words.update(esp_proposals="aes128", key_in="0x" + KEY[1], key_out="0x" + KEY[0])
    if "esp" in layers:
        words.update(esp_proposals="aes128-sha256", key_in="0x" + KEY[1], key_out="0x" + KEY[0], auth_in="0x" + auth[1],
                     auth_out="0x" + auth[0])
    if "ah" in layers:
        pre = "ah_" if "esp" in layers or "bare" in layers else ""
        words["ah_proposals"] = "sha1"
        words.update({f"{pre}auth_in": "0x" + AH_KEY[1], f"{pre}auth_out": "0x" + AH_KEY[0]})
        words.update(dict(ah_spi_in=AH_SPI[0], ah_spi_out=AH_SPI[1]) if pre else {})
    if "comp" in layers:
        words.update(cpi_in=CPI[0], cpi_out=CPI[1])
    r = a.cli("sa", "add", "hand", *[f"{k}={v}" for k, v in words.items()])
    assert r.ok, r
    return ts


def their_bundle(lab, ts, layers, mode, outer, inner):
    """Templates from the inside out; only the innermost makes a tunnel."""
    g, auth, names = lab.b.gw, AUTH["sha256"], layers.replace("bare", "esp").split()[::-1]
    spis = dict(esp=SPI, ah=AH_SPI if "esp" in names else SPI, comp=CPI)
    modes = {n: mode if i == 0 else "transport" for i, n in enumerate(names)}
    mixed = ["af-unspec"] if mode == "tunnel" and outer != inner else []
    for i, (src, dst, way) in enumerate(((lab.a, lab.b, "in"), (lab.b, lab.a, "out"))):
        integ = "" if "bare" in layers else f"auth-trunc '{auth[2]}' 0x{auth[i]} {auth[3]}"
        what = dict(esp=f"{integ} enc 'cbc(aes)' 0x{KEY[i]}",
                    ah=f"auth-trunc 'hmac(sha1)' 0x{AH_KEY[i]} 96", comp="comp deflate")
        ends = f"src {src.wan(outer)} dst {dst.wan(outer)}"
        for n in names:
            flags = mixed + (["align4"] if n == "ah" and outer == 4 else [])
            g.must(f"ip xfrm state add {ends} proto {n} spi {spis[n][1 - i]:#x} mode {modes[n]} "
                   f"{'flag ' + ' flag '.join(flags) if flags else ''} {what[n]}")
        level = {n: "level use" if n == "comp" and way == "in" else "" for n in names}  # small packets are not compressed
        tmpl = " ".join(f"tmpl {ends} proto {n} mode {modes[n]} {level[n]}" for n in names)
        for d in ("in", "fwd") if way == "in" else ("out",):
            g.must(f"ip xfrm policy add src {ts(src)} dst {ts(dst)} dir {d} {tmpl}")


@pytest.mark.parametrize("case", BUNDLES, ids=lambda c: "-".join(map(str, c)).replace(" ", "-"))
def test_kernel_bundles(world, case):
    """Several SAs one in the other: RFC 2401 4.3, RFC 3173."""
    lab, a = world
    layers, mode, outer, inner = case
    if case is not BUNDLES[0] and not long_run():
        pytest.skip("CULVERT_LONG=1 runs the others")
    cap = lab.capture("wanB")
    try:
        their_bundle(lab, our_bundle(lab, a, *case), *case)
        for size in (0, 1, 7, 56, 700, 1200):
            for frm, to in ((lab.a, lab.b), (lab.b, lab.a)):
                if mode == "transport":
                    ok, out = pings(frm.gw, outer, to.wan(outer), "-s", size)
                else:
                    ok, out = pings(frm.lan, inner, to.host(inner), "-s", size)
                assert ok, f"{size}: {out}\n{lab.b.gw.sh('ip -s xfrm state; cat /proc/net/xfrm_stat').out}\n{a.ask('stats')['dataplane']}"
        cap.assert_protected(want=(layers.split()[0],), at_least=36)
        if "comp" in layers:
            shown = a.cli("sa", "list", "--json").out
            assert re.search(r'"packets-compressed": *"?[1-9]', shown) and re.search(r'"packets-decompressed": *"?[1-9]', shown), shown
        drops = a.ask("stats")["dataplane"]["drops"]
        assert set(drops) <= {"dp-no-policy", "dp-no-sa"}, drops
    finally:
        a.cli("sa", "del", "hand")
        lab.b.gw.sh("ip xfrm state flush; ip xfrm policy flush")
