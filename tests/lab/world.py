"""culvertd on gateway A against peers in a guest on gateway B: one boot for many cases."""
import hashlib
import random
import re

from . import PYTHON, conf
from .topo import INSIDE, Lab
from .udp import Echo, ask
from .wait import until

SUITE = dict(proposals="aes128-sha256-modp2048", esp="aes128-sha256")


class World:
    """One guest as gateway B, culvertd on gateway A; the peer in the guest changes."""

    def __init__(self, ours):
        self.lab = Lab(guests="B")
        self.a = self.lab.daemon(ours, self.lab.a).start()
        self.b = None

    def peer(self, kind):
        if self.b is None or self.b.kind != kind:
            if self.b is not None:
                self.b.stop()
            self.b = self.lab.daemon(kind, self.lab.b).start()
        return self.b

    def down(self):
        if self.a.sas():
            self.a.terminate(ike="gw", force=True, timeout=3)
        until(lambda: not self.a.sas(), "a clean start")
        if self.b is not None and self.b.kind == "libreswan":
            self.b.terminate()
        elif self.b is not None and self.b.sas():
            self.b.terminate(ike="gw", force=True, timeout=3)

    def up(self, role):
        d = self.a if role == "initiator" else self.b
        r = d.initiate(**({} if d.kind != "libreswan" else dict(child="lab")))
        assert r.ok, f"{r}\n--- A\n{self.a.tail(30)}\n--- B\n{self.b.tail(60)}"
        until(lambda: self.a.up() and self.b.up(), f"up on both sides\n{self.a.tail(20)}", 15)
        return self.a.children()[0]

    # --- traffic ---

    def tunnel(self, family=4, large=True):
        lab = self.lab
        for frm in (lab.a, lab.b):
            p = lab.ping(frm, family, count=5, interval=0.02)
            if p.lost:  # an emulated machine on a busy one drops a packet now and then, behind the tunnel
                p = lab.ping(frm, family, count=5, interval=0.02)
            assert p.lost == 0, f"{p.out}\n{self.a.tail(10)}\n{self.b.ns.sh('ip -s xfrm state').out}"
        if family == 4 and large:  # in IPv6 the sender would have to learn the path's MTU first
            assert lab.ping(size=2000, count=3, df=False).lost == 0
        sent, got = lab.transfer(1, family=family)
        assert sent == got

    def beet(self, inner, outer):
        """As a tunnel, but the kernel's BEET forwards no fragments (XfrmOutStateModeError): large ones go one way."""
        self.tunnel(inner, large=False)
        if inner == outer == 4:
            with Echo(self.lab, 4) as host:
                ask(self.lab, 2000, count=1, timeout=0.3)
                assert host.saw(2000)

    def hosts(self, data=bytes(range(256)) * 800):
        """Between the gateways themselves, as transport mode has it: pings each way and a transfer."""
        lab, g = self.lab, self.lab.b.gw
        assert " 0% packet loss" in lab.a.gw.sh(f"ping -c 5 -i 0.05 -W 2 {lab.a.peer4}").out, self.a.tail(20)
        assert " 0% packet loss" in g.sh(f"ping -c 5 -i 0.05 -W 2 {lab.b.peer4}").out
        g.put("/tmp/data", data)
        log = lab.dir / "received"
        srv = lab.a.gw.spawn([PYTHON, INSIDE, "tcp-receive", 4, 5005, 30], log=log)
        until(lambda: b"listening" in log.read_bytes(), "the receiver listens")
        g.must(f"timeout 30 nc {lab.b.peer4} 5005 < /tmp/data", 40)
        srv.wait(30)
        lab.a.gw.stop(srv, timeout=1)
        assert hashlib.sha256(data).hexdigest() in log.read_text(), log.read_text()
        log.unlink()

    def comp(self):
        """Packets through the guest's states, by protocol and source: comp, and 4, which is what arrives as it is."""
        out = self.lab.b.gw.must("ip -s xfrm state")
        return {(m[2], m[1]): int(m[3]) for m in re.finditer(
            r"^src (\S+) dst \S+\s+proto (\S+) .*?lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", out, re.M | re.S)}

    def compressed(self, transport):
        """What shrinks is sent small and what does not as it is, each way; both ends have counted it."""
        lab = self.lab
        if transport:
            self.hosts(random.Random(1).randbytes(20000))
            for ns, to in ((lab.a.gw, lab.b), (lab.b.gw, lab.a)):
                assert " 0% packet loss" in ns.sh(f"ping -c 5 -i 0.05 -W 2 -s 1000 {to.wan4}").out
        else:
            assert lab.ping(size=1000, count=5).lost == lab.ping(lab.b, size=1000, count=5).lost == 0
            with Echo(lab, 4) as host:
                assert ask(lab, 1000, count=5) == 5 and host.saw(1000)
        ours, theirs = self.a.children()[0], self.comp()
        n = {k: int(ours[f"packets-{k}"]) for k in ("compressed", "not-compressed", "decompressed", "out", "in")}
        assert n["compressed"] >= 10 <= n["decompressed"] and n["not-compressed"] >= 5, ours
        assert n["compressed"] + n["not-compressed"] == n["out"] and n["decompressed"] < n["in"], ours
        assert theirs["comp", lab.a.wan4] == n["compressed"] and theirs["comp", lab.b.wan4] == n["in"], (theirs, ours)
        if not transport:
            assert theirs["4", lab.a.wan4] == n["not-compressed"], (theirs, ours)
        if self.b.kind == "libreswan":
            return
        kernel = self.b.children()[0]  # counts the bytes of ESP's payload, we those of the packets
        assert all(int(kernel[f"bytes-{k}"]) < int(ours[f"bytes-{w}"]) for k, w in (("in", "out"), ("out", "in"))), (kernel, ours)

    def close(self):
        self.lab.close()


def swan_conf(lab, side, role, version, transport=False, beet=False, aggressive=False, inner=4, outer=4, more=None, child=None, esp=None,
              proposals=None):
    ids = dict(local=dict(id=f"{side.name.lower()}.lab"), remote=dict(id=f"{lab.other(side).name.lower()}.lab")) \
        if aggressive or version == 2 else {}
    ch = dict(esp_proposals=esp or SUITE["esp"], **(child or {}))
    if "ah_proposals" in ch:
        ch.pop("esp_proposals")
    if transport:
        ch["mode"] = "transport"
        children = dict(lan=ch)
    elif beet:
        children = dict(lan=dict(ch, mode="beet", local_ts=side.host(inner), remote_ts=lab.other(side).host(inner)))
    else:
        children = dict(lan=conf.child(side, lab, inner, **ch))
    return conf.simple(side, lab, version=version, proposals=proposals or SUITE["proposals"], outer=outer, children=children,
                       aggressive="yes" if aggressive else None, **ids, **(more or {}))


def swan(world, role, version, check_ah=False, **kw):
    """One case with strongSwan: up, traffic, protected on the wire."""
    b = world.peer("kernel-swan")
    world.down()
    for d in (world.a, b):
        d.load(swan_conf(world.lab, d.side, role, version, **kw))
    cap = world.lab.capture("wanB")
    c = world.up(role)
    if kw.get("transport"):
        world.hosts()
    elif kw.get("beet"):
        world.beet(kw.get("inner", 4), kw.get("outer", 4))
    else:
        world.tunnel(kw.get("inner", 4))
    if "ipcomp" in (kw.get("child") or {}):
        world.compressed(kw.get("transport"))
    cap.assert_protected(want=("ah",) if "ah_proposals" in (kw.get("child") or {}) else ("esp", "esp-udp"), at_least=10)
    theirs = b.children()[0]
    for k in ("mode", "protocol", "encap", "esn", "encr-alg", "encr-keysize", "integ-alg"):
        assert c.get(k) == theirs.get(k), f"{k}: {c} {theirs}"
    return c


def libreswan(world, role, version, words, transport=False, more=None, child=None, esp="aes128-sha256",
              proposals="aes128-sha256-modp2048", their_psk=conf.PSK):
    b = world.peer("libreswan")
    world.down()
    lab = world.lab
    ch = dict(esp_proposals=esp, **(child or {}))
    if "ah_proposals" in ch:
        ch.pop("esp_proposals")
    nets = {} if transport else dict(leftsubnet=lab.b.net4, rightsubnet=lab.a.net4)
    children = dict(lan=dict(ch, mode="transport") if transport else conf.child(lab.a, lab, **ch))
    world.a.load(conf.simple(lab.a, lab, version=version, proposals=proposals, children=children, **(more or {})))
    b.load(dict(dict(ikev2="insist" if version == 2 else "no", ike="aes128-sha2_256;dh14", esp="aes128-sha2_256",
                     pfs="no", type="transport" if transport else "tunnel", **nets), **words), their_psk)
    cap = lab.capture("wanB")
    c = world.up(role)
    if transport:
        world.hosts()
    else:
        world.tunnel()
    if "ipcomp" in (child or {}):
        world.compressed(transport)
    cap.assert_protected(want=("ah",) if "ah_proposals" in (child or {}) else ("esp", "esp-udp"), at_least=10)
    return c
