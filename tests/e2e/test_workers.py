"""Any number of workers, also more than CPUs, on either side: traffic goes, figures add up, an idle daemon sleeps, and
SAs of workers' own (RFC 9611) are negotiated where both sides want them."""
import time
from pathlib import Path

import pytest

from lab import conf
from lab.wait import until

pytestmark = pytest.mark.culvert_only


def workers(n):
    return f"culvertd {{\n  workers = {n}\n}}\n"


def pair(lab, n, m, **kw):
    """Both daemons; `kw` are both connections' keys."""
    a = lab.daemon("culvert", lab.a).start(conf.simple(lab.a, lab, **kw) + workers(n))
    b = lab.daemon("culvert", lab.b).start(conf.simple(lab.b, lab, **kw) + workers(m))
    assert a.initiate().ok, a.tail()
    until(lambda: a.up() and b.up(), "one IKE SA and one CHILD SA on both sides")
    return a, b


def figures(d):
    dp = d.ask("stats")["dataplane"]
    return dp, dp["workers"]


def check_no_drops(d):
    """But for the router solicitations and the like that the kernel sends on every device."""
    drops = figures(d)[0].get("drops", {})
    assert set(drops) <= {"dp-no-policy"}, drops


def flows(lab, ports, mbytes=1):
    for port in ports:
        sent, received = lab.transfer(mbytes, port=port)
        assert sent == received


@pytest.mark.parametrize("n, m", [(1, 1), (2, 1), (2, 2), (4, 3)])
def test_counts(lab, n, m):
    a, b = pair(lab, n, m, encap="yes")
    assert lab.ping(count=20).lost == 0 and lab.ping(lab.b, count=20).lost == 0
    flows(lab, [5001, 5002], 4)
    for d, count in ((a, n), (b, m)):
        total, each = figures(d)
        assert sorted(each) == [str(i) for i in range(count)]
        for key in ("packets-in", "packets-out", "bytes-in", "bytes-out", "sas"):
            assert int(total[key]) == sum(int(w[key]) for w in each.values()), key
        check_no_drops(d)


def test_several_tunnels(lab):
    """Children of both address families and a second pair of networks: each worker has some."""
    def children(s):
        return dict(one=conf.child(s, lab), two=conf.child(s, lab, second=True), six=conf.child(s, lab, 6))
    a = lab.daemon("culvert", lab.a).start(conf.simple(lab.a, lab, children=children(lab.a)) + workers(2))
    b = lab.daemon("culvert", lab.b).start(conf.simple(lab.b, lab, children=children(lab.b)) + workers(2))
    for name in ("one", "two", "six"):
        assert a.initiate(name).ok, a.tail()
    until(lambda: a.up(3) and b.up(3), "three CHILD SAs on both sides")
    for kw in (dict(), dict(second=True), dict(family=6)):
        assert lab.ping(count=10, **kw).lost == 0
    for d in (a, b):
        total, each = figures(d)
        assert sorted(int(w["sas"]) for w in each.values()) == [1, 2]
        assert int(total["handed"]) == 0, total


@pytest.mark.parametrize("n, m", [(2, 2), (4, 2)])
def test_own_sas(lab, n, m):
    """Each worker of A gets an SA of its own as soon as a flow comes to it."""
    a, b = pair(lab, n, m, encap="yes", child_more=dict(per_cpu_sas="yes"))

    def all_there():
        flows(lab, range(5100, 5104))
        return len(a.children()) >= n  # B's workers ask too
    until(all_there, f"{n} CHILD SAs", 30)
    until(lambda: len(b.children()) == len(a.children()), "as many on the other side")
    flows(lab, range(5200, 5206), 2)
    assert lab.ping(count=20).lost == 0
    for d in (a, b):
        check_no_drops(d)
    assert sum(int(w["packets-out"]) > 0 for w in figures(a)[1].values()) > 1


def cpu_ms(pid):
    """CPU time of all threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e6


def test_idle(lab):
    a, b = pair(lab, 4, 2, dpd_delay="0")
    assert lab.ping(count=5).lost == 0
    time.sleep(0.5)  # what followed the traffic has ended
    before = [cpu_ms(d.pid) for d in (a, b)]
    time.sleep(3)    # the measured time
    used = [cpu_ms(d.pid) - x for d, x in zip((a, b), before)]
    assert max(used) < 1, used


def test_device_taken_away(lab):
    """Every worker meets it, the daemon says it once and ends."""
    a, _ = pair(lab, 4, 1)
    a.ns.must("ip link del culvert0")
    r = a.wait_end(15)
    assert r.rc == 1 and r.out.count("the TUN device is gone") >= 1, r
