"""Peers that vanish and come back, hostile datagrams, a hundred ups and downs, a clean exit."""
import re

import pytest

from lab import PYTHON, conf, long_run
from lab.topo import INSIDE, MARK
from lab.wait import until
from test_traffic import pair

# what the kernel adds by itself once duplicate address detection is done does not count
SETTINGS = "ip rule; ip -6 rule; ip route show table all; " \
           "ip -6 route show table all | grep -Ev 'fe80|ff00|anycast|multicast'; " \
           "nft list ruleset; ip -o link | sed 's/state.*//'"


@pytest.mark.parametrize("how", ["killed", "unplugged"])
def test_dead_peer(lab, culvert, how):
    """DPD finds a peer that vanished; with dpd_action = clear its SAs go."""
    a, b = pair(lab, culvert, a_more=dict(dpd_delay="1s"))
    if how == "killed":
        b.kill()
    else:
        lab.net.must("ip link set wanB down")
    until(lambda: not a.sas(), "the dead peer's SAs are gone", 40)
    if how == "unplugged":
        lab.net.must("ip link set wanB up")
        until(lambda: lab.net.sh(f"ping -c1 -W1 {lab.b.wan4}").ok, "the link is back")
        assert a.initiate().ok, a.tail()
        assert lab.ping(count=3).lost == 0


@pytest.mark.culvert_only
def test_dead_peer_comes_back(lab, culvert):
    """dpd_action = restart: the tunnel is there again by itself when the peer is."""
    a, b = pair(lab, culvert, keyingtries=0, a_more=dict(dpd_delay="1s", child_more=dict(dpd_action="restart")))
    old = a.ikes()[0]["initiator-spi"]
    b.kill()
    until(lambda: not a.ikes() or a.ikes()[0]["initiator-spi"] != old, "the peer's death is noticed", 40)
    b.start(conf.simple(lab.b, lab))
    until(lambda: a.up() and b.up(), "up again", 40)
    assert lab.ping(count=3).lost == 0


@pytest.mark.smoke
def test_restarted_peer(lab, culvert):
    """RFC 7296 2.4: INITIAL_CONTACT of a peer that lost its state replaces what we had."""
    ours = dict(unique="replace", local=dict(id="a.lab"), remote=dict(id="b.lab"))
    a, b = pair(lab, culvert, a_more=ours,
                b_more=dict(unique="replace", local=dict(id="b.lab"), remote=dict(id="a.lab")))
    for _ in range(2):
        a.kill()
        a.start(conf.simple(lab.a, lab, **ours))
        assert a.initiate().ok, a.tail()
        until(lambda: a.up() and b.up(), f"the old SAs are gone on both sides\n{b.tail(15)}", 5)
        assert lab.ping(count=3).lost == 0


@pytest.mark.culvert_only
def test_answers_after_the_responder_restarted(lab, culvert):
    """start_action = trap on both sides: traffic brings a new tunnel up after the peer was killed."""
    a, b = pair(lab, culvert, child_more=dict(start_action="trap"), dpd_delay="1s")
    b.kill()
    b.start(conf.simple(lab.b, lab, child_more=dict(start_action="trap"), dpd_delay="1s"))
    until(lambda: lab.ping(lab.b, count=1, wait=5).got, "the restarted side's traffic", 20)
    until(lambda: lab.ping(count=1, wait=1).got, "the other side's traffic", 20)


@pytest.mark.smoke
def test_garbage(lab, culvert):
    """Hostile datagrams change nothing: the SA stays, no ping is lost, the daemon lives and is sane."""
    a, b = pair(lab, culvert)
    old = {c["spi-in"] for c in a.children()}
    p = lab.ping_start(count=600, interval=0.005)
    n = 20000 if long_run() else 3000
    for i, addr in enumerate((lab.a.wan4, lab.a.wan6)):
        r = lab.net.exec([PYTHON, INSIDE, "udp-garbage", addr, n, i + 1], timeout=50)
        assert r.ok, r
    # forged with the peer's own address, too
    lab.net.must(f"ip addr add {lab.b.wan4}/32 dev lo")
    lab.net.must(f"ip route replace {lab.a.wan4} dev wanA src {lab.b.wan4}")
    lab.net.exec([PYTHON, INSIDE, "udp-garbage", lab.a.wan4, n // 3, 3], timeout=50)
    lab.net.must(f"ip addr del {lab.b.wan4}/32 dev lo")
    lab.ping_end(p)
    assert a.running() and a.up() and {c["spi-in"] for c in a.children()} == old
    assert lab.ping(count=10).lost == 0


@pytest.mark.culvert_only
def test_garbage_loses_no_packet(lab, culvert):
    a, b = pair(lab, culvert)
    p = lab.ping_start(count=600, interval=0.005)
    lab.net.exec([PYTHON, INSIDE, "udp-garbage", lab.a.wan4, 3000, 9], timeout=50)
    assert lab.ping_end(p).lost == 0


@pytest.mark.culvert_only
def test_replayed_and_damaged_packets(lab, culvert):
    """A copy of an old packet and one with a flipped bit are dropped; nothing comes in twice."""
    a, b = pair(lab, culvert, encap="yes")
    cap = lab.capture("wanB")
    assert lab.ping(count=5).lost == 0
    old = [p for p in cap.of("esp-udp") if p.dst == lab.b.wan4]
    inside = lab.capture("lan", ns=lab.b.lan)
    lab.net.must(f"ip addr add {lab.a.wan4}/32 dev lo")
    sender = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
              "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
              f"s.bind(('{lab.a.wan4}',4500))\n"
              "for h in sys.argv[1:]: s.sendto(bytes.fromhex(h),('%s',4500))\n" % lab.b.wan4)
    bad = bytearray(old[-1].payload)
    bad[len(bad) // 2] ^= 1
    r = lab.net.exec([PYTHON, "-c", sender] + [p.payload.hex() for p in old] + [bytes(bad).hex()])
    assert r.ok, r
    lab.net.must(f"ip addr del {lab.a.wan4}/32 dev lo")
    assert not [p for p in inside.packets() if p.src == lab.a.host4], "a replayed packet came in"
    assert lab.ping(count=3).lost == 0


@pytest.mark.culvert_only
@pytest.mark.seconds(300)
def test_a_hundred_times(lab, culvert):
    """Up and down a hundred times: no memory, no descriptors, no SAs are left behind."""
    a, b = pair(lab, culvert)

    def cycle(n):
        for _ in range(n):
            assert a.terminate(ike="gw").ok
            r = a.initiate()
            assert r.ok, f"{r}\n{a.tail()}"
    cycle(20)
    before = [(d.fds(), d.rss_kb()) for d in (a, b)]
    cycle(1000 if long_run() else 100)
    until(lambda: a.up() and b.up(), "one SA on both sides")
    for d, (fds, rss) in zip((a, b), before):
        assert d.fds() <= fds + 1, f"{d.side.name}: {fds} -> {d.fds()} descriptors"
        assert d.rss_kb() < rss + 1024, f"{d.side.name}: {rss} -> {d.rss_kb()} kB"
    assert lab.ping(count=3).lost == 0


@pytest.mark.culvert_only
@pytest.mark.smoke
@pytest.mark.parametrize("traffic", [False, True], ids=["idle", "tunnel-up"])
def test_clean_exit(lab, culvert, traffic):
    """SIGTERM: routes, rules, the nftables table and the TUN device are gone, the socket too."""
    was = lab.a.gw.must(SETTINGS)
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab))
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, child_more=dict(start_action="trap")))
    now = lab.a.gw.must(SETTINGS)
    assert "culvert0" in now and "table inet culvert" in now and re.search("220", now)
    if traffic:
        assert lab.ping(count=2).lost == 0
    assert a.stop() == 0
    assert lab.a.gw.must(SETTINGS) == was
    assert not a.socket.exists()
    assert b.running()


@pytest.mark.culvert_only
def test_secrets_stay_out_of_logs(lab, culvert, monkeypatch):
    monkeypatch.setenv("CULVERT_LOG", "3")
    a, b = pair(lab, culvert)
    assert lab.ping(count=2, pattern=MARK[:16].hex()).lost == 0
    a.rekey(child="lan")
    until(lambda: a.up() and b.up(), "settled")
    text = a.log() + b.log() + a.cli("show", "sas").out
    assert conf.PSK not in text and MARK[:16].decode() not in text
    assert a.log(), "something is logged at level 3"
