"""Between the gateways a relay that loses, duplicates, delays, reorders, truncates and flips bits (lab/relay.py):
nothing forged or replayed gets in, nothing honest is lost but what the relay spoilt, and each refusal is counted under
the reason that the relay's account foretells. RFC 4303 3.4.3, RFC 4302 3.4.3."""
import collections
import threading

import pytest

from lab import conf, long_run
from lab.numbered import Stream
from lab.relay import Relay
from lab.wait import until

pytestmark = [pytest.mark.culvert_only, pytest.mark.seconds(120)]
WINDOW = 128
STEPS, BURST = (60, 60) if long_run() else (14, 60)
# name: mode, suite, shape of its packets (lab/relay.py), more of the connection, family outside
ESP, CBC, AUTH = dict(esp_proposals="aes128gcm16"), dict(esp_proposals="aes128-sha256"), dict(ah_proposals="sha256")
CASES = {"esp": ("tunnel", ESP, "gcm", {}, 4), "esp-cbc": ("tunnel", CBC, "cbc-sha256", {}, 4), "esp-6": ("tunnel", ESP, "gcm", {}, 6),
         "udp": ("tunnel", ESP, "gcm", dict(encap="yes"), 4), "udp-cbc": ("tunnel", CBC, "cbc-sha256", dict(encap="yes"), 4),
         "udp-6": ("tunnel", ESP, "gcm", dict(encap="yes"), 6), "ah": ("tunnel", AUTH, "ah-sha256", {}, 4),
         "ah-6": ("tunnel", AUTH, "ah-sha256-6", {}, 6), "transport": ("transport", ESP, "gcm", {}, 4),
         "transport-udp": ("transport", ESP, "gcm", dict(encap="yes"), 4), "ah-transport": ("transport", AUTH, "ah-sha256", {}, 4)}
QUICK = [("esp", False), ("udp-cbc", True), ("ah", False), ("transport", True)]
TRIALS = [(c, esn) for c in CASES for esn in (False, True)] if long_run() else QUICK


class Trial:
    """Two gateways with an SA, streams in both directions, the relay between."""

    def __init__(self, lab, culvert, case, esn, seed, extra=""):
        mode, suite, shape, more, outer = CASES[case]
        child = {k: v + ("-esn" if esn else "") for k, v in suite.items()}
        child.update(replay_window=WINDOW, **({"mode": "transport"} if mode == "transport" else {}))
        self.lab, self.daemons = lab, []
        for side in (lab.a, lab.b):
            ch = child if mode == "transport" else conf.child(side, lab, **child)
            d = lab.daemon(culvert, side)
            d.QUICK += extra
            self.daemons.append(d.start(conf.simple(side, lab, outer=outer, children=dict(lan=ch), **more)))
        a, b = self.daemons
        r = a.initiate()
        assert r.ok, f"{r}\n{a.tail()}"
        until(lambda: a.up() and b.up(), "up on both sides")
        self.streams = [self.stream(f, t, mode, outer, f"{seed} {f.name}") for f, t in ((lab.a, lab.b), (lab.b, lab.a))]
        self.relay = Relay(lab, seed, WINDOW, esn, shape)
        self.before = [self.drops(d) for d in (b, a)]

    @staticmethod
    def stream(frm, to, mode, outer, seed):
        if mode == "transport":
            return Stream(frm.gw, to.gw, frm.wan(outer), to.wan(outer), seed)
        return Stream(frm.lan, to.lan, frm.host4, to.host4, seed)

    @staticmethod
    def drops(d):
        return collections.Counter({k: int(v) for k, v in d.ask("stats")["dataplane"]["drops"].items() if k != "dp-no-policy"})

    def run(self, steps, midway=None):
        for step in range(steps):
            if step == steps // 2 and midway:
                midway()
            for s in self.streams:
                s.send(BURST)
            self.relay.pump(lambda: all(w.arrived >= s.sent for w, s in zip(self.relay.ways, self.streams)),
                            lambda: f"what was sent: {[(w.arrived, s.sent) for w, s in zip(self.relay.ways, self.streams)]}")
        self.relay.flush()

    def settled(self, way, stream, d, before):
        return set(stream.collect()) >= way.taken and self.drops(d) - before == way.drops

    def balance(self):
        """The account of each direction against what came out and what the gateway there counted."""
        for way, stream, d, before in zip(self.relay.ways, self.streams, self.daemons[::-1], self.before):
            try:
                until(lambda: self.settled(way, stream, d, before), way.name, 3)
            except AssertionError:
                pass  # said better below
            told = f"{way.name}: {dict(way.account)}"
            assert self.drops(d) - before == way.drops, told
            assert set(stream.got) == way.taken, f"{told}\nmissing {sorted(way.taken - set(stream.got))}, " \
                f"too much {sorted(set(stream.got) - way.taken)}"
            assert set(stream.got.values()) == {1} and not stream.strange, told
            assert way.arrived == stream.sent and way.lost == set(range(stream.sent)) - way.taken <= way.spoilt, told

    def happened(self, *kinds):
        for way in self.relay.ways:
            for k in ("lost", "duplicated", "reordered", "delayed", "delayed too long", "truncated", "flipped"):
                assert way.account[k] > 5, way.account
            assert set(kinds) <= set(way.drops), way.drops

    def close(self):
        self.relay.close()
        for s in self.streams:
            s.close()


@pytest.fixture
def trial(lab, culvert):
    made = []

    def make(*args, **kw):
        made.append(Trial(lab, culvert, *args, **kw))
        return made[-1]
    yield make
    for t in made:
        t.close()


@pytest.mark.parametrize("case,esn", TRIALS, ids=[c + ("-esn" if esn else "") for c, esn in TRIALS])
def test_relay(trial, case, esn):
    t = trial(case, esn, seed=1)
    t.run(STEPS)
    t.balance()
    t.happened("dp-replay", "dp-icv", "dp-short", "dp-no-sa", *([] if esn else ["dp-late"]))
    for way, d in zip(t.relay.ways, t.daemons[::-1]):
        sa = d.children()[0]
        assert int(sa["packets-in"]) == len(way.taken)
        assert int(sa["duplicate-in"]) == way.drops["dp-replay"] and int(sa["late-in"]) == way.drops["dp-late"]


@pytest.mark.parametrize("io", ["packet", "xdp"] if long_run() else ["packet"])
def test_fast_ways(trial, io):
    """Native ESP past the kernel's sockets."""
    t = trial("esp-cbc", False, seed=3, extra=f"culvertd {{\n  esp_io = {io}\n  esp_interface = wan\n}}\n")
    t.run(STEPS)
    t.balance()
    t.happened("dp-replay", "dp-icv", "dp-short", "dp-no-sa", "dp-late")


@pytest.mark.parametrize("case", ["esp", "udp-cbc", "ah", "transport"] if long_run() else ["udp-cbc"])
def test_across_a_rekeying(trial, case):
    """The SA is replaced while the relay has packets of the old one."""
    t = trial(case, False, seed=2)
    a = t.daemons[0]
    old = {c["spi-in"] for c in a.children()}
    rekeyings = []

    def rekey():
        rekeyings.append(threading.Thread(target=lambda: a.rekey(child="lan")))
        rekeyings[-1].start()
    t.run(STEPS, rekey)
    t.relay.pump(lambda: not rekeyings[0].is_alive(), "the rekeying to end")
    rekeyings[0].join()
    t.balance()
    t.happened("dp-replay", "dp-icv", "dp-short", "dp-no-sa", "dp-late")
    assert all(len(w.windows) == 2 for w in t.relay.ways) and not old & {c["spi-in"] for c in a.children()}
