"""Route-based VPN: `interface = NAME` gives a child a TUN interface of its own, and routes decide what it protects."""
import pytest

from lab import conf, long_only
from lab.topo import MARK
from lab.wait import until

pytestmark = pytest.mark.culvert_only
NET = {"vti0": "10.255.0", "vti1": "10.255.1"}


def routed(side, lab, interface="vti0", **more):
    """Everything may pass: the interface's routes say what does."""
    n = 1 if side is lab.a else 2
    return dict(dict(interface=interface, interface_addrs=f"{NET[interface]}.{n}/30"), **more)


def tunnel(side, lab, outer=4, name="gw", **more):
    return conf.conn(side, lab, outer=outer, local=dict(id=f"{name}.{side.name.lower()}.lab"),
                     remote=dict(id=f"{name}.{lab.other(side).name.lower()}.lab"),
                     children=dict(lan=routed(side, lab, **more)))


def start(lab, culvert, conns, head="", **more):
    out = []
    for side in (lab.a, lab.b):
        text = head + conf.config({n: dict(tunnel(side, lab, name=n, **kw), **dict(dict(version=2), **more))
                                   for n, kw in conns.items()})
        out.append(lab.daemon(culvert, side).start(text))
    for n in conns:
        r = out[0].cli("up", "lan", "--ike", n)
        assert r.ok, f"{r}\n{out[0].tail()}"
    return out


def route(lab, interface, metric=100, family=4):
    for side in (lab.a, lab.b):
        side.gw.must(f"ip route add {lab.other(side).net(family)} dev {interface} metric {metric}")


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_routed_in_is_protected(lab, culvert, workers):
    a, b = start(lab, culvert, {"gw": {}}, f"culvertd {{\n workers = {workers}\n}}\n")
    lab.a.gw.must("ping -c 3 -i 0.05 -W 2 10.255.0.2")
    route(lab, "vti0")
    route(lab, "vti0", family=6)
    cap = lab.capture("wanB")
    for family in (4, 6):
        assert lab.ping(count=5, family=family).lost == 0
        assert lab.ping(lab.b, count=5, family=family).lost == 0
        sent, received = lab.transfer(4, family=family)
        assert sent == received
    cap.assert_protected(MARK, at_least=1000)
    child = a.children()[0]
    assert int(child["packets-in"]) > 20 and int(child["packets-out"]) > 20
    assert "0.0.0.0/0" in child["remote-ts"][0]


def test_ikev1(lab, culvert):
    start(lab, culvert, {"gw": {}}, version=1)
    route(lab, "vti0")
    assert lab.ping(count=5).lost == 0


def test_nothing_is_routed_by_itself(lab, culvert):
    """Selectors of an interface are no policies of the host: neither routes nor the guard know them."""
    a, b = start(lab, culvert, {"gw": {}})
    assert "0.0.0.0/0" not in lab.a.gw.sh("ip route show table 220").out
    lab.a.gw.must(f"ping -c 2 -i 0.05 -W 2 {lab.a.router4}")


def test_two_tunnels_with_the_same_selectors(lab, culvert):
    """The route with the better metric carries; when its interface goes down, the other one does."""
    a, b = start(lab, culvert, {"one": dict(outer=4, interface="vti0"), "two": dict(outer=6, interface="vti1")})
    route(lab, "vti0", 100)
    route(lab, "vti1", 200)
    assert lab.ping(count=5).lost == 0
    use = sent_through(a)
    assert use["one"] >= 5 and use["two"] <= 2, use  # the kernel reports multicast groups now and then
    for side in (lab.a, lab.b):
        side.gw.must("ip link set vti0 down")
    assert lab.ping(count=5).lost == 0
    use = sent_through(a)
    assert use["two"] >= 5, use


def sent_through(d):
    """Packets out by connection."""
    return {sa["name"]: sum(int(c["packets-out"]) for c in sa["child-sas"].values()) for sa in d.sas()}


def test_rekeying_loses_nothing(lab, culvert):
    a, b = start(lab, culvert, {"gw": {}}, "culvertd {\n workers = 2\n}\n")
    route(lab, "vti0")
    p = lab.ping_start(count=600, interval=0.005)
    for i in range(4):
        d, before = (a, b)[i % 2], {c["uniqueid"] for c in a.children()}
        d.rekey(child="lan")
        until(lambda: {c["uniqueid"] for c in a.children()}.isdisjoint(before) and len(a.children()) == 1, "the new SA")
    assert lab.ping_end(p).lost == 0


def test_traffic_starts_it(lab, culvert):
    for side in (lab.a, lab.b):
        lab.daemon(culvert, side).start(conf.config({"gw": tunnel(side, lab, start_action="trap", interface_routes="yes",
                                                                  local_ts=side.net4, remote_ts=lab.other(side).net4)}))
    assert lab.ping(count=3).lost == 0


def device_mtu(side, name="vti0"):
    return int(side.gw.must(f"cat /sys/class/net/{name}/mtu"))


@pytest.mark.parametrize("outer,esp,mtu", [(4, "aes256-sha512", 1422), long_only(4, "aes128gcm16", 1446),
                                           long_only(6, "aes128gcm16", 1426)])
def test_mtu_of_the_interface(lab, culvert, outer, esp, mtu):
    """It is what the outgoing link leaves to the packets inside, and follows the link."""
    a, b = start(lab, culvert, {"gw": dict(outer=outer, esp_proposals=esp)})
    for side in (lab.a, lab.b):
        until(lambda s=side: device_mtu(s) == mtu, f"MTU {mtu}")
    lab.a.gw.must("ip link set wan mtu 1400")
    until(lambda: 1300 < device_mtu(lab.a) <= mtu - 90, "the smaller MTU")
    lab.a.gw.must("ip link set wan mtu 1500")
    until(lambda: device_mtu(lab.a) == mtu, "the MTU as before")
    lab.a.gw.must(f"ping -M do -s {mtu - 28} -c 2 -i 0.1 -W 2 10.255.0.2")
    for side in (lab.a, lab.b):  # less than IPv6 needs inside: the interface keeps IPv6
        side.gw.must("ip link set wan mtu 1300")
        until(lambda s=side: device_mtu(s) == 1280, "IPv6's least MTU")
    lab.a.gw.must("ping -s 1400 -c 2 -i 0.1 -W 2 10.255.0.2")


def test_reload_changes_the_interface(lab, culvert):
    """MTU, addresses and routes, while the device and its SAs stay."""
    a, b = start(lab, culvert, {"gw": {}})
    before = lab.a.gw.must("cat /sys/class/net/vti0/ifindex"), a.children()[0]["uniqueid"]

    def load(**more):
        a.load(conf.config({"gw": tunnel(lab.a, lab, **more)}))
        assert (lab.a.gw.must("cat /sys/class/net/vti0/ifindex"), a.children()[0]["uniqueid"]) == before

    def routes():
        return lab.a.gw.must("ip -br route show dev vti0 proto 203").split()

    def addrs():
        return [w for w in lab.a.gw.must("ip -br -4 addr show dev vti0").split() if "/" in w]

    load(interface_mtu=1350, interface_routes="yes", remote_ts="10.2.0.0/24,10.9.0.0/16",
         interface_addrs="10.255.0.1/30,10.77.0.1/24")
    assert device_mtu(lab.a) == 1350 and addrs() == ["10.255.0.1/30", "10.77.0.1/24"]
    assert [r for r in routes() if "/" in r] == ["10.2.0.0/24", "10.9.0.0/16"]
    load(interface_mtu=1360, interface_routes="yes", remote_ts="10.9.0.0/16", interface_addrs="10.77.0.1/24")
    assert device_mtu(lab.a) == 1360 and addrs() == ["10.77.0.1/24"]
    assert [r for r in routes() if "/" in r] == ["10.9.0.0/16"]
    load()
    assert device_mtu(lab.a) == 1446 and addrs() == ["10.255.0.1/30"] and routes() == []
    assert lab.a.gw.sh("ping -c 2 -i 0.1 -W 2 10.255.0.2").ok


def test_it_comes_and_goes_with_its_connection(lab, culvert):
    a, b = start(lab, culvert, {"gw": dict(interface_mtu=1300)})
    link = lab.a.gw.must("ip -d addr show vti0")
    assert "mtu 1300" in link and "10.255.0.1/30" in link, link
    index = link.split(":")[0]
    assert a.cli("reload").ok
    assert lab.a.gw.must("ip addr show vti0").split(":")[0] == index
    text = conf.config({"gw": tunnel(lab.a, lab, interface_mtu=1300, interface_addrs="10.255.0.5/30")})
    a.write(text)
    assert a.cli("reload").ok
    link = lab.a.gw.must("ip addr show vti0")
    assert link.split(":")[0] == index and "10.255.0.5/30" in link and "10.255.0.1/30" not in link
    a.write("")
    assert a.cli("reload").ok
    assert not lab.a.gw.sh("ip link show vti0").ok


def test_a_name_in_use_is_told(lab, culvert):
    lab.a.gw.must("ip link add vti0 type veth peer name other0")
    a = lab.daemon(culvert, lab.a).start()
    a.write(conf.config({"gw": tunnel(lab.a, lab)}))
    r = a.cli("reload")
    assert not r.ok and "vti0" in r.out and "an interface of this name and another kind exists" in r.out, r


def test_a_device_deleted_under_us(lab, culvert):
    """One line, the rest runs on."""
    a, b = start(lab, culvert, {"one": dict(outer=4, interface="vti0"), "two": dict(outer=6, interface="vti1")})
    lab.a.gw.must("ip link del vti0")
    route(lab, "vti1")
    assert lab.ping(count=5).lost == 0
    until(lambda: "the interface vti0 is gone" in a.log(), "the line in the log")
    assert a.running()


def test_redundant_tunnels_by_metric(lab, culvert):
    """The interface whose SA died has no carrier, so the route behind it takes over; and gives back."""
    a, b = start(lab, culvert, {"one": dict(outer=4, interface="vti0", start_action="start", dpd_action="restart"),
                                "two": dict(outer=6, interface="vti1", start_action="start", dpd_action="restart")},
                 "culvertd {\n retransmit_timeout = 0.5\n retransmit_tries = 2\n}\n", dpd_delay="1s")
    route(lab, "vti0", 100)
    route(lab, "vti1", 200)
    assert lab.ping(count=3).lost == 0
    v6 = lab.capture("wanB")
    lab.net.must("nft add table ip cut; nft add chain ip cut f '{ type filter hook forward priority 0; policy drop; }'")
    until(lambda: lab.ping(count=1, wait=1).got, "the second tunnel carries", 30)
    assert "NO-CARRIER" in lab.a.gw.must("ip link show vti0")
    assert "LOWER_UP" in lab.a.gw.must("ip link show vti1")
    v6.assert_no_clear(MARK)
    lab.net.must("nft delete table ip cut")
    until(lambda: "LOWER_UP" in lab.a.gw.must("ip link show vti0") and lab.ping(count=1, wait=1).got, "the first is back", 60)


def test_no_way_around(lab, culvert):
    """interface_routes: without an SA, with the device down, deleted, or the daemon killed nothing leaves in clear."""
    a, b = (lab.daemon(culvert, s).start(conf.simple(s, lab, children=dict(lan=routed(
        s, lab, interface_routes="yes", local_ts=s.net4, remote_ts=lab.other(s).net4,
        dpd_action="restart", start_action="start" if s is lab.a else "none")))) for s in (lab.a, lab.b))
    until(lambda: lab.ping(count=1, wait=1).got, "up", 10)
    lab.net.must(f"ip route add {lab.a.net4} via {lab.a.wan4}; ip route add {lab.b.net4} via {lab.b.wan4}")
    cap = lab.capture("wanA")
    lab.a.gw.must("ip link set vti0 down")
    assert lab.ping(count=2, wait=1).got == 0
    lab.a.gw.must("ip link set vti0 up")
    until(lambda: lab.ping(count=1, wait=1).got, "routes and addresses are back", 10)
    lab.a.gw.must("ip link del vti0")
    until(lambda: lab.ping(count=1, wait=1).got, "the device is back", 10)
    assert "10.255.0.1/30" in lab.a.gw.must("ip addr show vti0")
    assert a.cli("reload").ok
    assert lab.ping(count=2).lost == 0
    assert a.cli("down", "gw").ok
    until(lambda: "dead" in lab.a.gw.must("ip route show 10.2.0.0/24"), "the kernel sees that the carrier is lost", 5)
    assert lab.ping(count=2, wait=1).got == 0
    a.kill()
    assert lab.ping(count=2, wait=1).got == 0
    cap.assert_no_clear(MARK)
    assert "blackhole" in lab.a.gw.must("ip route show 10.2.0.0/24")
