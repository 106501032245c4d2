"""Third parties look at the packets: scapy decrypts ESP of ours and makes some that we must accept;
tshark decodes the negotiation. Keys come from VICI's export-keys (a daemon started with --allow-key-export) or from
the log of a charon, never from a log of ours."""
import re
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw

from lab import PYTHON, conf, ikekeys
from lab.ns import tool
from lab.wait import until

PATTERN = b"decrypted by somebody else"
INTEG = {"HMAC_MD5_96": "HMAC-MD5-96", "HMAC_SHA1_96": "HMAC-SHA1-96", "HMAC_SHA2_256_128": "SHA2-256-128",
         "HMAC_SHA2_384_192": "SHA2-384-192", "HMAC_SHA2_512_256": "SHA2-512-256", "": "NULL", None: "NULL",
         "md5": "HMAC-MD5-96", "sha1": "HMAC-SHA1-96", "sha256": "SHA2-256-128", "sha384": "SHA2-384-192",
         "sha512": "SHA2-512-256"}
SUITES = ["aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256", "aes256-sha512", "aes192-sha384", "aes128-sha1",
          "3des-sha1", "null-sha256"]


def crypt(encr):
    encr = encr.upper()
    if "GCM" in encr:
        return "AES-GCM"
    if "CHACHA" in encr:
        return "CHACHA20-POLY1305"
    return "3DES" if "3DES" in encr else "AES-CBC" if "AES" in encr else "NULL"


def hexkey(text):
    return bytes.fromhex(text or "")


def our_sas(d):
    """spi -> what scapy needs, of a culvertd (VICI command export-keys, culvert's own)."""
    return {int(k["spi"], 16): dict(encr=k["encr"], encr_key=hexkey(k["encr_key"]), integ=k["integ"],
                                    integ_key=hexkey(k["integ_key"]), src=k["src"], dst=k["dst"])
            for k in d.ask("export-keys")["esp"].values()}


def their_sas(d, initiator):
    """The same out of a charon's log. Its inbound SA has the other side's sending keys."""
    out = {}
    for k in ikekeys.esp_keys(d.log()):
        me, peer = ("initiator", "responder") if initiator else ("responder", "initiator")
        for spi, who in ((k["spi_in"], peer), (k["spi_out"], me)):
            out[int(spi, 16)] = dict(encr=k["encr"], encr_key=hexkey(k["keys"][who]), integ=k["integ"],
                                     integ_key=hexkey(k["integ_keys"][who]))
    return out


def association(spi, s, seq=1, tunnel=None):
    return SecurityAssociation(ESP, spi=spi, seq_num=seq, crypt_algo=crypt(s["encr"]), crypt_key=s["encr_key"] or None,
                               auth_algo=INTEG[s["integ"]] if crypt(s["encr"]) not in ("AES-GCM", "CHACHA20-POLY1305")
                               else "NULL", auth_key=s["integ_key"] or None, tunnel_header=tunnel)


def decrypted(packets, sas):
    """Inner packets of captured ESP, all of which must be decrypted."""
    out = []
    for p in packets:
        data = bytes(p.payload)
        spi = int.from_bytes(data[:4], "big")
        assert spi in sas, f"no keys for SPI {spi:08x}"
        outer = (IP if "." in p.src else IPv6)(src=p.src, dst=p.dst, **({"proto": 50} if "." in p.src else {"nh": 50}))
        esp = type(outer)(bytes(outer / Raw(data)))
        tunnel = type(outer)(src=p.src, dst=p.dst)
        out.append(association(spi, sas[spi], tunnel=tunnel).decrypt(esp))
    return out


def check_pings(inner, lab, n):
    got = [i for i in inner if PATTERN[:16] in bytes(i)]
    assert len(got) >= 2 * n, f"{len(got)} of {2 * n} packets hold the pattern"
    ends = {(i.src, i.dst) for i in got}
    assert ends == {(lab.a.host4, lab.b.host4), (lab.b.host4, lab.a.host4)}


@pytest.mark.parametrize("suite", SUITES)
def test_esp_in_udp_with_strongswans_keys(lab, culvert, suite):
    """What we send in UDP, decrypted with the keys that the peer derived."""
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab, esp=suite))
    b = lab.daemon("strongswan", lab.b, keys=True).start(conf.simple(lab.b, lab, esp=suite))
    assert a.initiate().ok, f"{a.tail()}\n{b.tail()}"
    cap = lab.capture("wanB")
    assert lab.ping(count=4, size=100, pattern=PATTERN[:16].hex()).lost == 0
    check_pings(decrypted(cap.of("esp-udp"), their_sas(b, initiator=False)), lab, 4)


@pytest.mark.culvert_only
@pytest.mark.parametrize("suite", SUITES)
def test_native_esp_is_decrypted(lab, culvert, suite):
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, esp=suite))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, esp=suite))
    assert a.initiate().ok, a.tail()
    cap = lab.capture("wanB")
    assert lab.ping(count=4, size=100, pattern=PATTERN[:16].hex()).lost == 0
    packets = cap.of("esp")
    assert len(packets) >= 8
    check_pings(decrypted(packets, our_sas(a)), lab, 4)
    seqs = [int.from_bytes(p.payload[4:8], "big") for p in packets if p.src == lab.a.wan4]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "sequence numbers go up by one (RFC 4303 2.2)"


@pytest.mark.culvert_only
@pytest.mark.parametrize("suite", SUITES)
def test_scapys_esp_is_accepted(lab, culvert, suite):
    """A packet that scapy encrypted, seen coming from gateway A, arrives in LAN B; a damaged one does not, and
    neither does one with addresses that the SA's selectors do not cover."""
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, esp=suite))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, esp=suite))
    assert a.initiate().ok, a.tail()
    assert lab.ping(count=2).lost == 0
    sas = our_sas(a)
    spi = int(a.children()[0]["spi-out"], 16)
    tunnel = IP(src=lab.a.wan4, dst=lab.b.wan4)

    def make(seq, src=lab.a.host4, ident=0x7777):
        sa = association(spi, sas[spi], seq, tunnel)
        return bytes(sa.encrypt(IP(bytes(IP(src=src, dst=lab.b.host4) / ICMP(id=ident, seq=seq) / Raw(PATTERN)))))
    # not far ahead: A's own next packets must still lie in the replay window of 32
    good, bad, foreign = make(20), bytearray(make(21, ident=0x6666)), make(22, "10.9.9.9", 0x5555)
    bad[-1] ^= 1
    inside = lab.capture("lan", ns=lab.b.lan)
    before = int(b.children()[0]["packets-in"])
    send = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_RAW)\n"
            "for h in sys.argv[1:]:\n d=bytes.fromhex(h)\n s.sendto(d,('%s',0))" % lab.b.wan4)
    r = lab.net.exec([PYTHON, "-c", send, bad.hex(), foreign.hex(), good.hex(), good.hex()])
    assert r.ok, r
    until(lambda: int(b.children()[0]["packets-in"]) > before, "the packet was accepted", 5)
    seen = [p for p in inside.packets() if PATTERN in p.raw and p.dst == lab.b.host4]
    idents = [int.from_bytes(p.payload[4:6], "big") for p in seen]
    assert idents == [0x7777], f"once the good one, nothing else: {[hex(i) for i in idents]}"
    assert lab.ping(lab.b, count=2).lost == 0


@pytest.mark.culvert_only
def test_ipv6_in_native_esp(lab, culvert):
    kw = dict(outer=6, inner=6)
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, **kw))
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, **kw))
    assert a.initiate().ok, a.tail()
    cap = lab.capture("wanB")
    assert lab.ping(count=4, size=100, family=6, pattern=PATTERN[:16].hex()).lost == 0
    inner = decrypted(cap.of("esp"), our_sas(a))
    assert [i for i in inner if ICMPv6EchoRequest in i and i[IPv6].dst == lab.b.host6]


@pytest.mark.culvert_only
def test_keys_are_not_exported_by_default(lab, culvert):
    a = lab.daemon(culvert, lab.a).start(conf.simple(lab.a, lab))
    r = a.ask("export-keys", check=False)
    assert r["success"] == "no" and "allow-key-export" in r["errmsg"] and "esp" not in r


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("ike", ["aes128-sha256-x25519", "aes256gcm16-prfsha384-ecp384", "aes256-sha1-modp2048"])
def test_tshark_decodes_the_negotiation(lab, culvert, role, ike):
    """With the peer's keys tshark decrypts both sides' messages and finds nothing malformed in them."""
    kinds = (culvert, "strongswan") if role == "initiator" else ("strongswan", culvert)
    cap = lab.capture("wanB")
    d = []
    for kind, side in zip(kinds, (lab.a, lab.b)):
        x = lab.daemon(kind, side, **(dict(keys=True) if kind == "strongswan" else {}))
        d.append(x.start(conf.simple(side, lab, proposals=ike)))
    a, b = d
    assert a.initiate().ok, f"{a.tail()}\n{b.tail()}"
    until(lambda: a.up() and b.up(), "up")
    sa = a.ikes()[0]
    a.rekey(child="lan")
    until(lambda: b.children() and a.up() and b.up(), "rekeyed")
    a.terminate(ike="gw")
    cap.stop()
    charon = b if role == "initiator" else a
    opts = ikekeys.tshark_options(charon.log(), sa["initiator-spi"], sa["responder-spi"])
    p = subprocess.run([tool("/usr/bin/tshark"), "-r", cap.path, "-Y", "isakmp", "-O", "isakmp", *opts], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=40)
    text = p.stdout
    assert p.returncode == 0 and "Malformed" not in text
    for words in ("Exchange type: IKE_SA_INIT", "Exchange type: IKE_AUTH", "Exchange type: CREATE_CHILD_SA",
                  "Exchange type: INFORMATIONAL", "Payload: Authentication (39)", "Payload: Traffic Selector - Initiator (44)",
                  "Payload: Identification - Initiator (35)", "Payload: Identification - Responder (36)",
                  "Payload: Delete (42)", r"Ending Addr: 10.2.0.255"):
        assert words in text, f"{words} is not in tshark's decoding"
    assert "incorrect" not in text, "tshark found an ICV wrong"


@pytest.mark.culvert_only
@pytest.mark.parametrize("ike", ["aes128-sha256-x25519", "aes256gcm16-prfsha384-ecp384"])
def test_tshark_takes_our_ike_keys(lab, culvert, ike):
    """The exported table itself is what tshark wants."""
    cap = lab.capture("wanB")
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, proposals=ike))
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, proposals=ike))
    assert a.initiate().ok, a.tail()
    rows = a.ask("export-keys")["ike"]
    assert len(rows) == 1
    cap.stop()
    p = subprocess.run([tool("/usr/bin/tshark"), "-r", cap.path, "-Y", "isakmp", "-O", "isakmp", "-o",
                        f"uat:ikev2_decryption_table:{rows[0]}"], text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=40)
    assert p.returncode == 0, p.stderr
    assert "Payload: Authentication (39)" in p.stdout and "incorrect" not in p.stdout and "Malformed" not in p.stdout


@pytest.mark.culvert_only
@pytest.mark.parametrize("ike", ["aes128-sha256-modp2048", "3des-sha1-modp1536"])
@pytest.mark.parametrize("mode", ["main", "aggressive"])
def test_tshark_takes_our_ikev1_keys(lab, culvert, ike, mode):
    """IKEv1: one row, cookie and key of the cipher; the whole chain of IVs follows from the capture."""
    cap = lab.capture("wanB")
    kw = dict(version=1, proposals=ike, aggressive="yes" if mode == "aggressive" else "no")
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, **kw))
    lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, **kw))
    assert a.initiate().ok, a.tail()
    rows = a.ask("export-keys")["ike-v1"]
    assert len(rows) == 1
    cap.stop()
    p = subprocess.run([tool("/usr/bin/tshark"), "-r", cap.path, "-Y", "isakmp", "-O", "isakmp", "-o",
                        f"uat:ikev1_decryption_table:{rows[0]}"], text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=40)
    assert p.returncode == 0, p.stderr
    assert p.stdout.count("Frame ") == (9 if mode == "main" else 6)
    assert p.stdout.count("Exchange type: Quick Mode (32)") == 3 and "Malformed" not in p.stdout
    # two of phase 1, which main mode encrypts, and twice two of quick mode
    assert p.stdout.count("Payload: Identification (5)") == 6


@pytest.mark.culvert_only
def test_tshark_reads_a_bundle(lab, culvert):
    """AH and ESP in proposals of one number (RFC 2408 4.2), offered and returned, and a Delete for each."""
    cap = lab.capture("wanB")
    kw = dict(version=1, proposals="aes128-sha256-modp2048", esp="aes128-sha1", child_more=dict(ah_proposals="sha256, sha1"))
    a = lab.daemon(culvert, lab.a, args=["--allow-key-export"]).start(conf.simple(lab.a, lab, **kw))
    b = lab.daemon(culvert, lab.b).start(conf.simple(lab.b, lab, **kw))
    assert a.initiate().ok, a.tail()
    rows = a.ask("export-keys")["ike-v1"]
    assert a.terminate(child="lan").ok
    until(lambda: not b.children(), "deleted")
    cap.stop()
    p = subprocess.run([tool("/usr/bin/tshark"), "-r", cap.path, "-Y", "isakmp", "-O", "isakmp", "-o",
                        f"uat:ikev1_decryption_table:{rows[0]}"], text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=40)
    assert p.returncode == 0 and "Malformed" not in p.stdout, p.stderr
    said = re.findall(r"Proposal number: (\d+)\n.*?Protocol ID: (\w+)", p.stdout.split("Quick Mode", 1)[1], re.S)
    assert said == [("1", "IPSEC_ESP"), ("1", "IPSEC_AH"), ("2", "IPSEC_ESP"), ("2", "IPSEC_AH"),  # the offer
                    ("1", "IPSEC_ESP"), ("1", "IPSEC_AH")], said  # the answer
    assert "Transform ID: SHA2-256" in p.stdout and "Transform ID: SHA " in p.stdout.replace("\n", " ")
    deleted = re.findall(r"Payload: Delete \(12\).*?Protocol ID: (\w+)", p.stdout, re.S)
    assert sorted(deleted) == ["IPSEC_AH", "IPSEC_ESP"], deleted
