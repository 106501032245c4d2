"""culvert and strongSwan between two networks, kept over many proposals."""
from lab import conf
from lab.topo import Lab
from lab.wait import until

IKE_KEYS = ("encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group", "initiator-spi", "responder-spi", "version")
ESP_KEYS = ("encr-alg", "encr-keysize", "integ-alg", "mode", "protocol", "encap")


class Pair:
    """The two daemons, kept over all cases: configurations come and go."""

    def __init__(self, ours, role):
        self.lab = Lab()
        kinds = (ours, "strongswan") if role == "initiator" else ("strongswan", ours)
        self.a = self.lab.daemon(kinds[0], self.lab.a).start()
        self.b = self.lab.daemon(kinds[1], self.lab.b).start()

    def case(self, ike_a, ike_b, esp_a, esp_b, **more):
        """Brings the tunnel up with these proposals, holds what both say of it side by side, and pings."""
        lab, a, b = self.lab, self.a, self.b
        for d in (a, b):
            if d.sas():
                d.terminate(ike="gw", force=True, timeout=2)
        until(lambda: not a.sas() and not b.sas(), "a clean start")
        a.load(conf.simple(lab.a, lab, proposals=ike_a, esp=esp_a, **more))
        b.load(conf.simple(lab.b, lab, proposals=ike_b, esp=esp_b, **more))
        r = a.initiate()
        assert r.ok, f"{r}\n--- A\n{a.tail(25)}\n--- B\n{b.tail(25)}"
        until(lambda: a.up() and b.up(), "up on both sides")
        sa, sb = a.ikes()[0], b.ikes()[0]
        assert {k: sa.get(k) for k in IKE_KEYS} == {k: sb.get(k) for k in IKE_KEYS}
        ca, cb = a.children()[0], b.children()[0]
        assert {k: ca.get(k) for k in ESP_KEYS} == {k: cb.get(k) for k in ESP_KEYS}
        assert (ca["spi-in"], ca["spi-out"]) == (cb["spi-out"], cb["spi-in"])
        for frm in (lab.a, lab.b):
            assert lab.ping(frm, count=2, interval=0.01).lost == 0, f"{a.tail(10)}\n{b.tail(10)}"
        return sa, ca
