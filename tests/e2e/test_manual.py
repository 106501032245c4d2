"""SAs by hand: `culvert sa add`, section sas { } of the configuration; no IKE at all."""
import json

import pytest

from lab.topo import MARK
from lab.wait import until
from test_header_bits import tos_of

pytestmark = pytest.mark.culvert_only
KEYS = dict(ab="00112233445566778899aabbccddeeff", ba="ffeeddccbbaa99887766554433221100",
            auth_ab="a1" * 32, auth_ba="b2" * 32)


def settings(lab, side, **more):
    """The keys of one side; the other side's are their mirror image."""
    a = side is lab.a
    other = lab.b if a else lab.a
    out, into = ("ab", "ba") if a else ("ba", "ab")
    return dict(local=side.wan4, remote=other.wan4, spi_in=0x1001 if a else 0x2002, spi_out=0x2002 if a else 0x1001,
                esp_proposals="aes128-sha256", key_in="0x" + KEYS[into], key_out="0x" + KEYS[out],
                auth_in="0x" + KEYS["auth_" + into], auth_out="0x" + KEYS["auth_" + out], local_ts=side.net4,
                remote_ts=other.net4, **more)


def words(s):
    return [f"{k}={v}" for k, v in s.items()]


def both(lab, culvert, **more):
    a = lab.daemon(culvert, lab.a).start()
    b = lab.daemon(culvert, lab.b).start()
    for d, side in ((a, lab.a), (b, lab.b)):
        r = d.cli("sa", "add", "hand", *words(settings(lab, side, **more)))
        assert r.ok, r
    return a, b


def section(name, s):
    return "sas {\n %s {\n%s\n }\n}\n" % (name, "\n".join(f"  {k} = {v}" for k, v in s.items()))


@pytest.mark.smoke
@pytest.mark.parametrize("more", [{}, dict(encap="yes"), dict(replay_window=0)], ids=str)
def test_traffic(lab, culvert, more):
    a, b = both(lab, culvert, **more)
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0
    assert lab.ping(lab.b, count=5).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK, want=("esp-udp" if more.get("encap") else "esp",))
    screen = a.cli("sa", "list").out
    assert "hand" in screen and "aes128" in screen.lower().replace("_cbc-", "") and "INSTALLED" in screen, screen
    assert KEYS["ab"][:8] not in screen
    assert a.cli("sa", "del", "hand").ok
    assert "no SAs by hand" in a.cli("sa", "list").out
    assert not a.cli("sa", "del", "hand").ok
    assert "hand" not in a.cli("show", "policies").out


@pytest.mark.parametrize("mode", ["tunnel", "transport", "beet"])
@pytest.mark.parametrize("proto", ["esp", "ah"])
def test_modes(lab, culvert, proto, mode):
    """Also what IKE is not needed for: AH, and traffic of the two hosts themselves."""
    hosts = mode != "tunnel"
    for side in (lab.a, lab.b):
        s = settings(lab, side, mode=mode)
        if proto == "ah":
            for k in ("esp_proposals", "key_in", "key_out"):
                del s[k]
            s["ah_proposals"] = "sha256"
        if hosts:
            del s["local_ts"], s["remote_ts"]
        r = lab.daemon(culvert, side).start().cli("sa", "add", "hand", *words(s))
        assert r.ok, r
    cap = lab.capture("wanB")
    if hosts:
        for frm, to in ((lab.a, lab.b), (lab.b, lab.a)):
            frm.gw.must(f"ping -c 3 -i 0.05 -W 2 -s 1000 {to.wan4}")
    else:
        assert lab.ping(count=3).lost == 0
        sent, received = lab.transfer(1)
        assert sent == received
    assert cap.of(proto) and not cap.of("clear"), cap.kinds()


def test_keys_from_files(lab, culvert, tmp_path):
    a = lab.daemon(culvert, lab.a).start()
    b = lab.daemon(culvert, lab.b).start()
    for d, side in ((a, lab.a), (b, lab.b)):
        s = settings(lab, side)
        for k in ("key_in", "key_out", "auth_in", "auth_out"):
            path = tmp_path / f"{side.name}-{k}"
            path.write_text(s[k] + "\n")
            s[k] = f"@{path}"
        assert d.cli("sa", "add", "hand", *words(s)).ok
    assert lab.ping(count=3).lost == 0
    r = a.cli("sa", "add", "x", "key_in=@/nonexistent")
    assert not r.ok and "/nonexistent: No such file" in r.out


def test_another_key_is_counted(lab, culvert):
    a, b = both(lab, culvert)
    wrong = words({**settings(lab, lab.b), "auth_in": "0x" + "00" * 32})
    r = b.cli("sa", "add", "hand", *wrong)
    assert not r.ok and "take it back first" in r.out, r
    assert b.cli("sa", "del", "hand").ok and b.cli("sa", "add", "hand", *wrong).ok
    assert lab.ping(count=3).got == 0
    assert int(b.ask("stats")["dataplane"]["drops"]["dp-icv"]) >= 3


def test_a_limit_ends_it_and_nothing_leaves_in_clear(lab, culvert):
    a, b = both(lab, culvert, life_packets=5)
    cap = lab.capture("wanB")
    assert 0 < lab.ping(count=10).got <= 5
    until(lambda: "EXPIRED" in a.cli("sa", "list").out, "the SA to expire")
    assert lab.ping(count=2).got == 0
    cap.assert_no_clear()


def test_refusals(lab, culvert):
    a = lab.daemon(culvert, lab.a).start()
    s = settings(lab, lab.a)
    assert a.cli("sa", "add", "one", *words(s)).ok
    r = a.cli("sa", "add", "two", *words(s))
    assert not r.ok and "choose another spi_in" in r.out, r
    r = a.cli("sa", "add", "two", *words({**s, "esp_proposals": "aes128"}))
    assert not r.ok
    r = a.cli("sa", "add", "two", *words({**s, "key_in": "0x00"}))
    assert not r.ok and "aes128 takes a key of 16 bytes" in r.out, r
    assert a.cli("sa", "list").out.count("INSTALLED") == 1
    assert "two" not in a.cli("show", "policies").out


def numbers(d):
    sa = json.loads(d.cli("sa", "list", "--json").out)[0]["hand"]
    return int(sa["seq-in"]), int(sa["seq-out"])


def test_a_restart_goes_on(lab, culvert):
    """RFC 4303 2.2: without seq_out the peer sees replays; with it nothing is lost, and nothing old comes in again."""
    a, b = both(lab, culvert)
    assert lab.ping(count=5).lost == 0
    seq_in, seq_out = numbers(a)
    assert seq_out >= 5 and seq_in >= 5
    a.stop()
    assert f"sequence numbers: {seq_out} sent, {seq_in} received" in a.log()
    a.start()
    s = settings(lab, lab.a)
    assert a.cli("sa", "add", "hand", *words(s)).ok
    assert lab.ping(count=2, wait=0.2).got == 0
    assert int(b.ask("stats")["dataplane"]["drops"]["dp-replay"]) >= 2
    assert a.cli("sa", "del", "hand").ok
    assert a.cli("sa", "add", "hand", *words({**s, "seq_out": seq_out, "seq_in": seq_in})).ok
    assert lab.ping(count=5).lost == 0
    assert numbers(a) == (seq_in + 5, seq_out + 5)


def test_wants_new_keys(lab, culvert):
    """A soft limit: nobody rekeys, the operator hears of it."""
    a, b = both(lab, culvert, rekey_packets=3, rekey_time="100s")
    assert lab.ping(count=6).lost == 0
    until(lambda: a.log().count("wants new keys") == 1, "the soft limit to be told")


def test_the_ip_headers(lab, culvert):
    """The rules of a child's tunnel: here the outer DSCP and TCP's MSS (with mtu no probe is larger)."""
    both(lab, culvert, copy_dscp="no", dscp="ef", mss_clamp=1000, mtu=1300)
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    assert {tos_of(p) >> 2 for p in cap.of("esp")} == {46}
    assert max(len(p.raw) for p in cap.of("esp")) < 1150


def test_other_screens(lab, culvert):
    a = lab.daemon(culvert, lab.a).start()
    r = a.cli("sa", "add", "hand", *words({**settings(lab, lab.a), "local": "10.9.9.9"}))
    assert r.ok and "10.9.9.9 is no address of this host" in r.out, r
    assert "10.9.9.9 is no address of this host" in a.log()
    assert "10.9.9.9 === " in a.cli("show", "sas").out and "hand #" in a.cli("show", "sas").out
    screen = a.cli("show", "crypto", "ipsec", "sa").out
    assert "Crypto map tag: manual/hand, local addr 10.9.9.9" in screen and "0x00001001" in screen, screen
    a.write(section("bad", settings(lab, lab.a, mode="transport")))
    r = a.cli("reload")
    assert not r.ok and "local_ts" in r.out and "transport mode joins the two ends" in r.out, r


def test_in_the_configuration(lab, culvert):
    """Loading the same again leaves the sequence numbers alone; what is taken out goes."""
    a = lab.daemon(culvert, lab.a).start(section("hand", settings(lab, lab.a)))
    b = lab.daemon(culvert, lab.b).start(section("hand", settings(lab, lab.b)))
    assert lab.ping(count=3).lost == 0
    assert a.cli("reload").ok and b.cli("reload").ok
    assert lab.ping(count=3).lost == 0, b.ask("stats")["dataplane"]
    # the same key under other settings would begin its sequence numbers again
    a.write(section("hand", settings(lab, lab.a, replay_window=128)))
    a.cli("reload")
    assert "its sequence numbers would begin again" in a.log()
    assert lab.ping(count=3).lost == 0
    a.write("")
    assert a.cli("reload").ok
    assert "no SAs by hand" in a.cli("sa", "list").out
