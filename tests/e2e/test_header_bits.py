"""DSCP, ECN and DF between inner and outer header, on a live path whose router marks and rewrites (RFC 4301 5.1.2, RFC 6040)."""
import pytest

from lab import conf, long_only

EF, CS1, ECT0, ECT1, CE = 0xb8, 0x20, 2, 1, 3
# keys of the child; what the outer header has of inner TOS and DF; what a packet has after the router made
# its outer TOS CS1 and CE, None: it is dropped
RULES = {
    "default": ({}, lambda tos: tos, lambda df: df, lambda tos: (tos & 0xfc | CE) if tos & 3 else None),
    "all": (dict(copy_dscp="yes", copy_df="set"), lambda tos: tos, lambda df: True, lambda tos: CS1 | CE if tos & 3 else None),
    "none": (dict(copy_dscp="no", copy_ecn="no", copy_df="no"), lambda tos: 0, lambda df: False, lambda tos: tos),
    "in": (dict(copy_dscp="in", copy_ecn="no"), lambda tos: 0, lambda df: df, lambda tos: CS1 | tos & 3),
}
CELLS = [(outer, inner, name) if (outer, inner, name) == (4, 6, "default") else long_only(outer, inner, name)
         for outer in (4, 6) for inner in (4, 6) for name in RULES]


def tos_of(p):
    ip = p.raw[14:]
    return ip[1] if ip[0] >> 4 == 4 else (ip[0] << 4 | ip[1] >> 4) & 0xff


def df_of(p):
    return bool(p.raw[14 + 6] & 0x40)


@pytest.mark.parametrize("outer,inner,name", CELLS)
def test_bits(lab, outer, inner, name):
    keys, outer_tos, outer_df, after = RULES[name]
    for side in (lab.a, lab.b):
        lab.daemon("culvert", side).start(conf.simple(side, lab, outer=outer, inner=inner, child_more=keys))
    a, b = lab.daemons
    assert a.initiate().ok
    host = lab.b.host(inner)

    def send(tos, df=True, wait=1):
        wan, lan = lab.capture("wanA"), lab.capture("lan", lab.b.lan)
        lab.a.lan.exec(["ping", f"-{inner}", "-c", 2, "-i", "0.05", "-W", wait, "-Q", tos, "-s", 100,
                        *(["-M", "do" if df else "dont"] if inner == 4 else []), host])
        return ([p for p in wan.of("esp") if p.src == lab.a.wan(outer)],
                [p for p in lan.packets() if p.dst == host and p.src == lab.a.host(inner) and p.proto in (1, 58)
                 and len(p.raw) >= 128])

    for tos, df in ((0, True), (EF, False), (ECT0, True), (0x28 | ECT1, False), (EF | CE, True)):
        wan, lan = send(tos, df)
        assert len(wan) == 2 and len(lan) == 2
        assert {tos_of(p) for p in wan} == {outer_tos(tos)}
        # the router has not touched anything: the DSCP of the outer header comes back where it is copied in
        assert {tos_of(p) for p in lan} == {tos if name != "in" else tos & 3}
        if outer == 4:  # the inner IPv6 packet is never to be cut
            assert {df_of(p) for p in wan} == {outer_df(df or inner == 6)}

    ip = "ip" if outer == 4 else "ip6"
    lab.net.must("nft add table inet marks; nft 'add chain inet marks c { type filter hook forward priority 0; }'; "
                 f"nft 'add rule inet marks c {ip} saddr {lab.a.wan(outer)} meta l4proto esp {ip} dscp set cs1 {ip} ecn set ce'")
    drops = 0
    for tos in (0, EF, EF | ECT0, ECT1, CE):
        _, lan = send(tos, wait="0.3")
        want = after(tos)
        drops += 2 * (want is None)
        assert [tos_of(p) for p in lan] == ([] if want is None else [want, want]), hex(tos)
    assert int(b.children()[0].get("drops", {}).get("dp-ecn", 0)) == drops
