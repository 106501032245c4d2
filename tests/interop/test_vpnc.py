"""vpnc, an old Cisco client with ESP of its own, against culvert as gateway: aggressive mode, XAUTH, Mode Config,
Cisco Unity, native ESP and UDP. Debian's package, so only with CULVERT_LONG=1."""
import re
import shutil

import pytest

from lab import conf, long_run
from lab.topo import Lab
from lab.wait import until

if not long_run() or not shutil.which("vpnc", path="/usr/sbin:/usr/bin"):
    pytest.skip("CULVERT_LONG=1, and the package vpnc", allow_module_level=True)

CONNECT = """#!/bin/sh
case $reason in
connect) ip link set dev $TUNDEV mtu 1380 up; ip addr add $INTERNAL_IP4_ADDRESS/32 dev $TUNDEV
         ip route add 10.2.0.0/24 dev $TUNDEV src $INTERNAL_IP4_ADDRESS; env > {dir}/env; mv {dir}/env {dir}/up;;
disconnect) rm -f {dir}/up;;
esac
"""


class Vpnc:
    def __init__(self, lab):
        self.ns, self.dir, self.lab, self.proc = lab.a.gw, lab.dir / "vpnc", lab, None
        self.dir.mkdir(exist_ok=True)
        script = self.dir / "script"
        script.write_text(CONNECT.format(dir=self.dir))
        script.chmod(0o755)

    def start(self, group, natt, password="in wonderland"):
        f = self.dir / "conf"
        f.write_text(f"""IPSec gateway {self.lab.b.wan4}
IPSec ID roadies
IPSec secret {conf.PSK}
Xauth username alice
Xauth password {password}
IKE DH Group {group}
Perfect Forward Secrecy nopfs
NAT Traversal Mode {natt}
Local Addr {self.lab.a.wan4}
Local Port 500
Interface name tun0
IPSEC target network 10.2.0.0/24
Script {self.dir}/script
Pidfile {self.dir}/pid
No Detach
Noninteractive
Enable weak encryption
Enable Single DES
Enable weak authentication
DPD idle timeout (our side) 0
Debug 2
""")
        f.chmod(0o600)
        self.proc = self.ns.spawn(["/usr/sbin/vpnc", str(f)], log=self.dir / "log")

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def env(self):
        return dict(line.split("=", 1) for line in (self.dir / "up").read_text().splitlines() if "=" in line)

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.ns.stop(self.proc)


@pytest.fixture
def gateway(culvert):
    lab = Lab()
    c = dict(version=1, local_addrs=lab.b.wan4, aggressive="yes", unique="never", pools="road",
             proposals="aes128-sha1-modp2048,3des-md5-modp1024,aes256-sha1-modp1536",
             local=dict(auth="psk", id="gw.lab"), remote=dict(auth="psk", id="%any"), **{"remote-xauth": dict(auth="xauth")},
             children=dict(lan=dict(local_ts=lab.b.net4, remote_ts="dynamic", esp_proposals="aes128-sha1,3des-md5,aes256-sha1")))
    d = lab.daemon(culvert, lab.b).start(conf.config(dict(gw=c), secrets={
        "ike-1": dict(secret=f'"{conf.PSK}"'), "xauth-1": dict(id="alice", secret='"in wonderland"')}) + conf.block(
        "pools", dict(road=dict(addrs="10.9.0.0/24", dns="10.2.0.53", split_include="10.2.0.0/24",
                                **{"28672": '"Hello"', "28674": "lab.example"}))))
    v = Vpnc(lab)
    yield d, v
    v.stop()
    lab.close()


@pytest.mark.culvert_only
@pytest.mark.parametrize("group", ["dh14", "dh2", "dh5"])
@pytest.mark.parametrize("natt", ["none", "force-natt"])
def test_vpnc(gateway, group, natt):
    d, v = gateway
    v.start(group, natt)
    until((v.dir / "up").exists, f"vpnc is up\n{v.log()[-1500:]}\n{d.tail(30)}", 15)
    env = v.env()
    assert env["INTERNAL_IP4_ADDRESS"] == "10.9.0.1" and env["INTERNAL_IP4_DNS"] == "10.2.0.53"
    assert env["CISCO_BANNER"] == "Hello" and env["CISCO_DEF_DOMAIN"] == "lab.example"
    assert env["CISCO_SPLIT_INC"] == "1" and env["CISCO_SPLIT_INC_0_ADDR"] == "10.2.0.0"
    r = v.ns.exec(["ping", "-c", "3", "-i", "0.2", "-W", "2", v.lab.b.host4])
    assert " 0% packet loss" in r.out, f"{r.out}\n{d.tail(20)}"
    s = d.ikes()[0]
    assert s["remote-xauth-id"] == "alice" and s["remote-vips"] == ["10.9.0.1"]
    c = d.children()[0]
    assert c["local-ts"] == ["10.2.0.0/24"] and c["remote-ts"] == ["10.9.0.1/32"]
    v.stop()
    until(lambda: not d.sas(), "vpnc says goodbye")


@pytest.mark.culvert_only
def test_vpnc_wrong_password(gateway):
    d, v = gateway
    v.start("dh14", "none", password="in wonderlanD")
    until(lambda: re.search("user name or password is wrong", d.log()), f"named\n{d.tail(20)}", 15)
    until(lambda: not d.sas() and v.proc.poll() is not None, f"both gave up\n{v.log()[-800:]}", 15)
