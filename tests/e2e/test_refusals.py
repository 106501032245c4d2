"""A refusal says which parameter differed, ours and theirs, and what to change: `culvert up` with its
text and exit code, the log of both sides, and --json."""
import json
import re

import pytest

from lab import conf
from lab.wait import until

pytestmark = pytest.mark.culvert_only


def both(lab, kind, a_more, b_more, a_psk=conf.PSK, b_psk=conf.PSK):
    a = lab.daemon(kind, lab.a).start(conf.simple(lab.a, lab, psk=a_psk, **a_more))
    b = lab.daemon(kind, lab.b).start(conf.simple(lab.b, lab, psk=b_psk, **b_more))
    return a, b


def kids(side, lab, **kw):
    return dict(children=dict(lan=conf.child(side, lab, **kw)))


# name, A's and B's additions, words that `culvert up` on A must say, words that B's log must say
CASES = [
    ("psk", {}, {}, [r"pre-shared|secret|authenticat"], [r"pre-shared keys differ|psk"]),
    ("ike-proposal", dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes256-sha512-ecp256"),
     [r"proposal", r"aes128|AES_CBC_128"], [r"proposal", r"aes256|AES_CBC_256", r"aes128|AES_CBC_128"]),
    ("ike-dh", dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes128-sha256-ecp256"),
     [r"modp2048|MODP_2048"], [r"ecp256|ECP_256", r"modp2048|MODP_2048"]),
    ("esp-proposal", dict(esp="aes128gcm16"), dict(esp="aes256-sha256"),
     [r"proposal", r"aes128gcm16|AES_GCM_16"], [r"aes256|AES_CBC", r"aes128gcm16|AES_GCM_16"]),
    ("remote-id", dict(local=dict(id="a.lab")), dict(remote=dict(id="other.lab"), any_peer=True),
     [r"authenticat|identity"], [r"a\.lab"]),
    ("selectors", None, None, [r"selector", r"10\.1\.0\.0/24"], [r"10\.99\.0\.0/24", r"10\.1\.0\.0/24|10\.2\.0\.0/24"]),
]


def prepare(lab, kind, name, a_more, b_more):
    if name == "selectors":
        a_more = kids(lab.a, lab)
        b_more = dict(children=dict(lan=dict(local_ts="10.98.0.0/24", remote_ts="10.99.0.0/24")))
    return both(lab, kind, a_more, b_more, b_psk="quite another secret" if name == "psk" else conf.PSK)


@pytest.mark.parametrize("name,a_more,b_more,ours,theirs", CASES, ids=[c[0] for c in CASES])
def test_explained(lab, culvert, name, a_more, b_more, ours, theirs):
    a, b = prepare(lab, culvert, name, a_more, b_more)
    r = a.cli("up", "lan")
    assert r.rc == 1, r
    for words in ours:
        assert re.search(words, r.out, re.I), f"{words!r} is not in: {r.out}"
    for words in theirs:
        assert re.search(words, b.log(), re.I), f"{words!r} is not in the peer's log:\n{b.tail()}"
    for secret in (conf.PSK, "quite another secret"):
        assert secret not in a.log() + b.log() + r.out
    until(lambda: not a.children() and not b.children(), "no CHILD SA came of it")
    j = a.cli("up", "lan", "--json")
    assert j.rc == 1
    assert json.loads(j.out.strip().splitlines()[-1] if "\n" in j.out.strip() and
                      not j.out.lstrip().startswith("{") else j.out), j


def test_the_event_says_the_same(lab, culvert):
    """The log event of VICI carries the refusal."""
    a, b = both(lab, culvert, dict(proposals="aes128-sha256-modp2048"), dict(proposals="aes256-sha512-ecp256"))
    with b.vici() as v:
        v.register("log")
        assert not a.initiate().ok
        texts = []

        def refusal():
            texts.append(str(v.event("log", 10)[1].get("msg")))
            return "proposal" in texts[-1]
        until(refusal, "the refusal among the log events", 10)


def test_peer_absent(lab, culvert):
    """No answer at all: the reason says so, in bounded time."""
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, keyingtries=1))
    r = a.cli("up", "lan", "--timeout", "4", timeout=30)
    assert r.rc == 1 and re.search("answer|timeout|time", r.out, re.I), r


def test_unknown_child(lab, culvert):
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab))
    r = a.cli("up", "nosuch")
    assert r.rc == 1 and "nosuch" in r.out
    r = a.cli("down", "nosuch")
    assert r.rc == 1 and "nosuch" in r.out


def test_up_and_down(lab, culvert):
    """The operator's usual day: up, show, down; exit codes and JSON."""
    a, b = both(lab, culvert, {}, {})
    r = a.cli("up", "lan")
    assert r.rc == 0, f"{r}\n{a.tail()}"
    text = a.cli("show", "sas")
    assert text.rc == 0 and "gw" in text.out and lab.b.wan4 in text.out and "10.2.0.0/24" in text.out
    j = json.loads(a.cli("show", "sas", "--json").out)
    assert "ESTABLISHED" in json.dumps(j) and "INSTALLED" in json.dumps(j)
    assert json.loads(a.cli("show", "conns", "--json").out)
    assert json.loads(a.cli("show", "policies", "--json").out)
    assert a.cli("down", "lan").rc == 0
    until(lambda: not a.children() and not b.children(), "down on both sides")


def test_up_of_a_shunt(lab, culvert):
    """pass and drop have no SA: that is said, and whether they are installed."""
    shunts = """    children {
      away {
        remote_ts = 10.77.0.0/16
        mode = pass
        start_action = trap
      }
      later {
        remote_ts = 10.78.0.0/16
        mode = drop
      }"""
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab).replace("    children {", shunts, 1))
    r = a.cli("up", "away")
    assert r.rc == 1 and "mode = pass" in r.out and "it is installed" in r.out, r
    r = a.cli("up", "later")
    assert r.rc == 1 and "mode = drop" in r.out and "not installed" in r.out and "start_action = trap" in r.out, r


def test_reload_says_what_waits_for_a_restart(lab, culvert):
    good = conf.simple(lab.a, lab)
    a = lab.daemon(culvert, lab.a).start(good)
    r = a.cli("reload")
    assert r.rc == 0 and "until it starts again" not in r.out, r
    a.write(good + "\nculvertd {\n  hold_max = 99\n  sa_max = 1024\n}\n")
    r = a.cli("reload")
    assert r.rc == 0 and "reloaded" in r.out and re.search(r"until it starts again: .*sa_max, hold_max", r.out), r


def test_no_daemon(lab, culvert):
    d = lab.daemon(culvert, lab.a)
    r = d.cli("show", "sas")
    assert r.rc == 3 and str(d.socket) in r.out and len(r.out.strip().splitlines()) == 1, r


# --- configuration ---

BROKEN = [
    ("syntax", lambda t: t.replace("connections {", "connections {{", 1), [r"culvert\.conf:\d+"]),
    ("unclosed", lambda t: t.rstrip().rstrip("}"), [r"culvert\.conf:\d+"]),
    ("proposal", lambda t: t.replace("version = 2", "version = 2\n    proposals = aes128-sha9-modp2048"),
     [r":\d+", "sha9"]),
    ("key", lambda t: t.replace("version = 2", "version = 2\n    remote_adrs = 1.2.3.4"), [r":\d+", "remote_adrs"]),
    ("address", lambda t: t.replace("10.1.0.0/24", "10.1.0.0/99"), [r":\d+", "10.1.0.0/99"]),
    ("time", lambda t: t.replace("version = 2", "version = 2\n    rekey_time = soon"), [r":\d+", "soon"]),
    ("version", lambda t: t.replace("version = 2", "version = 7"), [r":\d+", "7"]),
]


@pytest.mark.parametrize("name,spoil,says", BROKEN, ids=[b[0] for b in BROKEN])
def test_bad_configuration(lab, culvert, name, spoil, says):
    """Refused whole with file, line and word; what runs keeps running."""
    good = conf.simple(lab.a, lab)
    bad = spoil(good)
    assert bad != good
    a, b = both(lab, culvert, {}, {})
    assert a.initiate().ok
    a.write(bad)
    for args in (("reload",), ("check", a.config)):
        r = a.cli(*args)
        assert r.rc == 1, f"{args}: {r}"
        for words in says:
            assert re.search(words, r.out), f"{words!r} is not in: {r.out}"
        assert conf.PSK not in r.out + a.log()
    assert a.up() and lab.ping(count=2).lost == 0
    a.write(good)
    assert a.cli("check", a.config).rc == 0
    assert a.cli("reload").rc == 0
    assert a.up() and lab.ping(count=2).lost == 0


def test_bad_configuration_at_start(lab, culvert):
    d = lab.daemon(culvert, lab.a).start("connections {\n  gw {\n    version = 7\n  }\n}\n", wait=False)
    r = d.wait_end()
    assert r.rc not in (0, None) and re.search(r"culvert\.conf:3", r.out), r
    assert not d.socket.exists()


def test_missing_configuration(lab, culvert):
    d = lab.daemon(culvert, lab.a)
    d.config = d.dir / "gone.conf"
    d.write = lambda text: None
    r = d.start(wait=False).wait_end()
    assert r.rc not in (0, None) and "gone.conf" in r.out


# --- what the machine lacks ---

def one_line(r, *words):
    assert r.rc not in (0, None), r
    lines = [l for l in r.out.strip().splitlines() if l.strip()]
    assert any(all(re.search(w, l, re.I) for w in words) for l in lines), f"{words} are not in one line of:\n{r.out}"
    assert len(lines) <= 3, f"not one clear line:\n{r.out}"


def test_busy_port(lab, culvert):
    holder = lab.a.gw.spawn(["/usr/bin/python3", "-c",
                             "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
                             "s.bind(('',500))\nprint('bound',flush=True)\nsys.stdin.read()\n"
                             "import signal\nsignal.pause()"], log=lab.dir / "holder.log")
    until(lambda: "bound" in (lab.dir / "holder.log").read_text(), "port 500 is taken")
    before = lab.a.gw.must("ip rule; ip -6 rule; nft list ruleset; ip link")
    r = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab), wait=False).wait_end()
    one_line(r, "500", "in use|busy|taken")
    assert lab.a.gw.must("ip rule; ip -6 rule; nft list ruleset; ip link") == before
    lab.a.gw.stop(holder)


def test_no_tun(lab, culvert):
    d = lab.daemon(culvert, lab.a)
    d.write(conf.simple(lab.a, lab))
    r = lab.a.gw.exec(["unshare", "-m", "sh", "-c",
                       f"mount -t tmpfs none /dev && exec timeout 10 {d.bin} --config {d.config} --vici {d.uri} --foreground"])
    one_line(r, "/dev/net/tun")


@pytest.mark.parametrize("cap", ["net_admin", "net_raw"])
def test_missing_capability(lab, culvert, cap):
    d = lab.daemon(culvert, lab.a)
    d.write(conf.simple(lab.a, lab))
    r = lab.a.gw.exec(["setpriv", f"--bounding-set=-{cap}", f"--inh-caps=-{cap}", "timeout", "10", d.bin,
                       "--config", d.config, "--vici", d.uri, "--foreground"])
    one_line(r, f"CAP_{cap}")


def test_second_daemon_on_the_same_socket(lab, culvert):
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab))
    r = lab.a.gw.exec(["timeout", "10", a.bin, "--config", a.config, "--vici", a.uri, "--foreground"])
    assert r.rc not in (0, 124) and re.search("in use|busy|already|taken", r.out), r
    assert a.ask("version"), "the first one still answers on its socket"
