"""NAT rules of others on the gateway: what is protected is kept out of them, and a policy may stand behind one."""
import pytest

from lab import conf
from lab.topo import MARK
from lab.wait import until

pytestmark = pytest.mark.culvert_only

MASQUERADE = """nft -f - <<'N'
table ip others {
 chain post {
  type nat hook postrouting priority srcnat
  masquerade
 }
}
table ip6 others {
 chain post {
  type nat hook postrouting priority srcnat
  masquerade
 }
}
N"""


def pair(lab, culvert, head="", before="", a_child=None, b_child=None, inner=4):
    if before:
        lab.a.gw.must(before)
    a = lab.daemon(culvert, lab.a).start(head + conf.simple(lab.a, lab, inner=inner, child_more=a_child))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, inner=inner, child_more=b_child))
    r = a.initiate()
    assert r.ok, f"{r}\n{a.tail()}"
    return a, b


def exempt(lab):
    return "exempt" in lab.a.gw.must("nft list table inet culvert")


@pytest.mark.parametrize("family", [4, 6])
def test_masquerade(lab, culvert, family):
    pair(lab, culvert, before=MASQUERADE, inner=family)
    cap = lab.capture("wanB")
    assert lab.ping(count=3, family=family).lost == 0
    assert lab.ping(lab.b, count=3, family=family).lost == 0
    sent, received = lab.transfer(1, family=family)
    assert sent == received
    cap.assert_protected(MARK)


def test_without_exemption_it_would_not_work(lab, culvert):
    """The control of the test above."""
    a, b = pair(lab, culvert, "culvertd {\n nat_exemption = no\n}\n", MASQUERADE)
    assert not exempt(lab)
    assert lab.ping(count=2).got == 0


def test_the_rule_comes_later(lab, culvert):
    """Nothing is tracked as long as nobody translates; reload looks again."""
    a, b = pair(lab, culvert)
    assert not exempt(lab)
    lab.a.gw.must(MASQUERADE)
    assert a.cli("reload").ok
    until(lambda: exempt(lab), "the exemption")
    assert lab.ping(count=3).lost == 0
    lab.a.gw.must("nft delete table ip others; nft delete table ip6 others")
    assert a.cli("reload").ok
    assert not exempt(lab)
    a.stop()
    assert "culvert" not in lab.a.gw.must("nft list tables")


def test_selectors_on_translated_addresses(lab, culvert):
    """NAT, then IPsec: our side's selector is the address that the rule gives, which the exemption leaves alone."""
    rule = """nft -f - <<'N'
table ip others {
 chain post {
  type nat hook postrouting priority srcnat
  ip saddr %s oifname "culvert0" snat to 10.77.0.1
  masquerade
 }
}
N""" % lab.a.net4
    pair(lab, culvert, before=rule, a_child=dict(local_ts="10.77.0.1/32"), b_child=dict(remote_ts="10.77.0.1/32"))
    cap = lab.capture("wanB")
    assert lab.ping(count=3).lost == 0
    sent, received = lab.transfer(1)
    assert sent == received
    cap.assert_protected(MARK)


def test_translated_into_a_policy_outside_of_the_tunnel(lab, culvert):
    """No row covers the packet when it is routed; masquerade gives it the policy's address on its way out."""
    pair(lab, culvert, "", MASQUERADE.replace("masquerade", "oifname wan masquerade"),
         dict(local_ts=f"{lab.a.wan4}/32"), dict(remote_ts=f"{lab.a.wan4}/32"))
    lab.net.must(f"ip route add {lab.b.net4} via {lab.b.wan4}")
    lab.a.gw.must(f"ping -c 2 -i 0.05 -W 2 -I {lab.a.wan4} {lab.b.host4}")
    cap = lab.capture("wanA")
    assert lab.ping(count=2, wait=1).got == 0
    assert not [p for p in cap.packets() if p.kind == "clear"]
    assert lab.a.lan.sh(f"ping -c 2 -i 0.05 -W 2 {lab.a.router4}").rc == 0, "what no policy covers is still translated"
