"""The data plane (codec.c, a filter) against scapy in both directions, in every mode; scapy knows neither
BEET nor IPComp nor ESN of ESP with an HMAC, so those few lines are here. And packets that Linux made, which
tests/vectors/esp/kernel-modes.txt has.

A cell is (proto, mode, outer family, inner family, algorithms, ESN, UDP). Without CULVERT_LONG each algorithm
meets each mode once; with it every cell is run."""
import itertools
import os
import struct
import subprocess
import zlib

import pytest
from scapy.config import conf
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, fragment
from scapy.layers.inet6 import (ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                HBHOptUnknown, fragment6)
from scapy.layers.ipsec import AH, ESP, SecurityAssociation, zero_mutable_fields
from scapy.packet import Raw, raw

from lab import ROOT, build_dir

LONG = bool(os.environ.get("CULVERT_LONG"))
conf.verb = 0
HI = 7  # upper half of the sequence number with ESN
SPI, AHSPI = 0x4c7a11, 0x4c7b12

# swanctl.conf's words, scapy's names, bytes of key
CIPHERS = {
    "aes128": ("AES-CBC", 16), "aes256": ("AES-CBC", 32), "3des": ("3DES", 24), "null": ("NULL", 0),
    "aes128gcm16": ("AES-GCM", 20), "aes256gcm16": ("AES-GCM", 36), "chacha20poly1305": ("CHACHA20-POLY1305", 36),
    "aes128ctr": ("AES-CTR", 20), "aes128ccm16": ("AES-CCM", 19),
    "aes192": ("AES-CBC", 24), "aes192gcm16": ("AES-GCM", 28), "aes192ctr": ("AES-CTR", 28), "aes256ctr": ("AES-CTR", 36),
    "aes192ccm16": ("AES-CCM", 27), "aes256ccm16": ("AES-CCM", 35), "des": ("DES", 8), "cast128": ("CAST", 16),
    "blowfish128": ("Blowfish", 16), "blowfish192": ("Blowfish", 24), "blowfish256": ("Blowfish", 32),
}
INTEGS = {"sha256": ("SHA2-256-128", 32), "sha384": ("SHA2-384-192", 48), "sha512": ("SHA2-512-256", 64),
          "sha1": ("HMAC-SHA1-96", 20), "md5": ("HMAC-MD5-96", 16), "aescmac": ("AES-CMAC-96", 16)}
SUITES = [("aes128", "sha256"), ("aes128gcm16", None), ("null", "sha1"), ("3des", "md5"), ("chacha20poly1305", None),
          ("aes256", "sha512"), ("aes256gcm16", None), ("aes128ctr", "sha384"), ("aes128ccm16", None)]
HOSTS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("10.1.2.3", "10.2.2.3"), 6: ("fd01::5", "fd02::5")}
NUMBER = {IP: 4, IPv6: 41}


def key(n):
    return bytes((i * 37 + n) & 0xff for i in range(n))


class Mac:
    """scapy's, and for ESP with the upper half of the sequence number (RFC 4303 2.2.1), for AH also with ESP in it."""

    def __init__(self, algo, proto, hi):
        self.algo, self.proto, self.hi = algo, proto, struct.pack(">I", hi) if hi else b""

    def __getattr__(self, name):
        return getattr(self.algo, name)

    def icv(self, data, auth_key):
        mac = self.algo.new_mac(auth_key)
        mac.update(data + self.hi)
        return mac.finalize()[:self.algo.icv_size]

    def ah(self, pkt, auth_key, sending):
        return self.icv(raw(zero_mutable_fields(pkt.copy(), sending=sending)), auth_key)

    def sign(self, pkt, auth_key, **kw):
        if self.proto is ESP:
            pkt[ESP].data += self.icv(raw(pkt[ESP]), auth_key)
        else:
            pkt[AH].icv = self.ah(pkt, auth_key, True)
        return pkt

    def verify(self, pkt, auth_key, **kw):
        n = self.algo.icv_size
        if self.proto is ESP:
            whole = raw(pkt[ESP])
            assert self.icv(whole[:-n], auth_key) == whole[-n:]
        else:
            assert self.ah(pkt, auth_key, False) == pkt[AH].icv[:n]


class Codec:
    def __init__(self):
        self.p = subprocess.Popen([build_dir() / "tests" / "codec" / "codec"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def sa(self, **words):
        got = self.ask("sa " + " ".join(f"{k}={v}" for k, v in words.items() if v not in (None, "")))
        assert got == ["ok"], (got, words)

    def out(self, pkt):
        word, data = self.ask("out " + raw(pkt).hex())
        assert word == "net", (word, data)
        return bytes.fromhex(data)

    def into(self, data):
        word, *rest = self.ask("in " + data.hex())
        return bytes.fromhex(rest[0]) if word == "host" else rest[0]

    def more(self):
        """What was held, until there is no more."""
        got = []
        while True:
            word, data = self.ask("more")
            if word == "drop":
                return got
            got.append(bytes.fromhex(data))

    def stats(self):
        return dict((k, int(v)) for k, v in (x.split("=") for x in self.ask("stats")))


@pytest.fixture(scope="module")
def codec():
    c = Codec()
    yield c
    c.p.stdin.close()
    assert c.p.wait(10) == 0


def ip(family, src, dst, **fields):
    return IP(src=src, dst=dst, **fields) if family == 4 else IPv6(src=src, dst=dst, **fields)


class Cell:
    def __init__(self, codec, proto, mode, outer, inner, suite, esn, udp, cpi=0, **ports):
        self.codec, self.proto, self.mode, self.outer, self.inner = codec, proto, mode, outer, inner
        self.us, self.peer = HOSTS[outer]
        self.a, self.b = (self.us, self.peer) if mode == "transport" else INNER[inner]
        self.udp = udp
        encr, integ = suite
        self.seq = 0x1234
        start = ((HI << 32) if esn else 0) + self.seq
        words = dict(proto="ah" if proto == "ah" else "esp", mode=mode, spi=SPI, esn=int(esn), udp=int(udp), cpi=cpi,
                     local=self.us, remote=self.peer, lts=self.a, rts=self.b, seqin=start, seqout=start)
        ah_integ = integ or "sha256"
        if proto != "ah":
            words.update(encr=encr, integ=integ, key=key(CIPHERS[encr][1]).hex(), auth=integ and key(INTEGS[integ][1]).hex())
        if proto == "ah":
            words.update(integ=ah_integ, auth=key(INTEGS[ah_integ][1]).hex())
        if proto == "ahesp":
            words.update(ahinteg=ah_integ, ahkey=key(INTEGS[ah_integ][1]).hex(), ahspi=AHSPI, seqout=start)
        codec.sa(**words, **ports)
        tunnel = mode == "tunnel"
        self.sas = []
        if proto != "ah":
            self.sas.append(self.scapy_sa(ESP, SPI, encr, integ, esn, tunnel, udp))
        if proto != "esp":
            self.sas.append(self.scapy_sa(AH, SPI if proto == "ah" else AHSPI, None, ah_integ, esn, tunnel and proto == "ah", False))

    def scapy_sa(self, proto, spi, encr, integ, esn, tunnel, udp):
        more = {}
        if encr:
            more.update(crypt_algo=CIPHERS[encr][0], crypt_key=key(CIPHERS[encr][1]))
        if integ:
            more.update(auth_algo=INTEGS[integ][0], auth_key=key(INTEGS[integ][1]))
        if tunnel:
            more.update(tunnel_header=ip(self.outer, self.peer, self.us))
        if udp:
            more.update(nat_t_header=UDP(sport=4500, dport=4500))
        sa = SecurityAssociation(proto, spi=spi, esn_en=esn, esn=HI if esn else 0, **more)
        if integ:
            sa.auth_algo = Mac(sa.auth_algo, proto, HI if esn else 0)
        return sa

    def plain(self, ours, size, extra=None):
        src, dst = (self.a, self.b) if ours else (self.b, self.a)
        p = ip(self.inner, src, dst, **(extra or {}))
        if self.inner == 4:
            p.id, p.ttl = 0x5511, 61
        else:
            p.hlim, p.fl = 61, 0
        return p

    def whole(self, ours, size, extra=None, exts=None):
        p = self.plain(ours, size, extra)
        for e in exts or []:
            p = p / e
        return p.__class__(raw(p / UDP(sport=4000, dport=4001) / Raw(bytes(i * 5 & 0xff for i in range(size)))))

    def to_us(self, pkt):
        """As scapy would send it to us."""
        self.seq += 1
        if self.mode == "beet":
            pkt = self.beet(pkt)
        for sa in self.sas:
            pkt = sa.encrypt(pkt, seq_num=self.seq)
            pkt = pkt.__class__(raw(pkt))
        return raw(pkt)

    def beet(self, pkt):
        """The outer pair of addresses instead of the inner one: the draft, 5.2."""
        proto, rest = (pkt.proto, raw(pkt)[pkt.ihl * 4:]) if pkt.version == 4 else (pkt.nh, raw(pkt)[40:])
        ttl = pkt.ttl if pkt.version == 4 else pkt.hlim
        if self.outer == 4:
            return IP(raw(IP(src=self.peer, dst=self.us, proto=proto, ttl=ttl, id=0x5511) / Raw(rest)))
        return IPv6(raw(IPv6(src=self.peer, dst=self.us, nh=proto, hlim=ttl) / Raw(rest)))

    def from_us(self, data):
        """What scapy decrypts of ours; for BEET with the outer addresses."""
        if self.udp and self.outer == 6:  # which scapy would leave where it is
            assert data[6] == 17 and data[40:44] == struct.pack(">HH", 4500, 4500)
            data = data[:6] + bytes([50]) + data[7:40] + data[48:]
        pkt = IP(data) if data[0] >> 4 == 4 else IPv6(data)
        for sa in reversed(self.sas):
            pkt = sa.decrypt(pkt)
            pkt = (IP if raw(pkt)[0] >> 4 == 4 else IPv6)(raw(pkt))
        return pkt

    def check_out(self, size, **more):
        mine = self.whole(True, size, **more)
        wire = self.codec.out(mine)
        got = self.from_us(wire)
        if self.mode == "tunnel":
            assert raw(got) == raw(mine)
            return
        if self.mode == "beet":
            n = mine.ihl * 4 if self.inner == 4 else 40
            m = got.ihl * 4 if self.outer == 4 else 40
            assert raw(got)[m:] == raw(mine)[n:]
            assert (got.src, got.dst) == (self.us, self.peer)
            assert (got.ttl if self.outer == 4 else got.hlim) == 61
            return
        if self.inner == 4 and self.proto == "esp" and mine.ihl == 5:
            got.id, got.chksum = mine.id, mine.chksum  # the kernel's business
        assert raw(got) == raw(mine)

    def check_in(self, size, **more):
        theirs = self.whole(False, size, **more)
        wire = self.to_us(theirs)
        got = self.codec.into(wire)
        assert isinstance(got, bytes), got
        want = theirs
        if self.inner == 4 and self.mode != "tunnel" and (self.udp or (self.mode == "beet" and self.outer == 6)):
            got = IP(got)
            got.id, got.chksum = want.id, want.chksum  # did not travel
            if self.udp:
                got.ttl = want.ttl
            got = raw(got)
        elif self.udp and self.inner == 4:
            pass
        if self.udp and self.inner == 6 and self.mode != "tunnel":
            got = bytearray(got)
            got[7] = 61
        assert bytes(got) == raw(want)
        assert self.codec.into(wire) == "dp-replay"


def cells():
    every = [c for c in itertools.product(("esp", "ah", "ahesp"), ("tunnel", "transport", "beet"), (4, 6), (4, 6), SUITES,
                                          (False, True), (False, True))
             if not (c[1] == "transport" and c[2] != c[3]) and not (c[6] and c[0] != "esp")
             and not (c[0] == "ah" and not c[4][1])]
    return every if LONG else every[::7] + every[3::29]


@pytest.mark.seconds(600)
@pytest.mark.parametrize("mode", ["tunnel", "transport", "beet"])
@pytest.mark.parametrize("proto", ["esp", "ah", "ahesp"])
def test_scapy(codec, proto, mode):
    sizes = list(range(0, 18)) + [31, 32, 100, 255, 1000, 8900] if LONG else (0, 1, 3, 14, 1300)
    for c in cells():
        if c[:2] != (proto, mode):
            continue
        cell = Cell(codec, *c)
        try:
            for size in sizes:
                cell.check_out(size)
                cell.check_in(size)
        except Exception as e:
            raise AssertionError(f"{c}, {size} bytes: {e!r}") from e


EVERY = [(e, None if e.endswith("16") or e.startswith("chacha") else "sha1") for e in CIPHERS] + \
    [(e, i) for e in ("aes128", "null", "aes256ctr", "3des") for i in INTEGS if i != "sha1"]


@pytest.mark.seconds(600)
@pytest.mark.parametrize("suite", EVERY, ids=lambda s: "-".join(filter(None, s)))
def test_every_length(codec, suite):
    """All that scapy has, each length from 0 to 300 in turn (a few without CULVERT_LONG), and longer ones."""
    cell = Cell(codec, "esp", "tunnel", 4, 4, suite, False, False)
    for size in [*range(0, 301, 1 if LONG else 43), 1372, 1373, 8900]:
        cell.check_out(size)
        cell.check_in(size)


OPTIONS = {
    "router alert": dict(extra=dict(options=[IPOption(b"\x94\x04\x00\x00")])),
    "record route": dict(extra=dict(options=[IPOption(b"\x07\x07\x04\x00\x00\x00\x00"), IPOption(b"\x00")])),
    "security": dict(extra=dict(options=[IPOption(b"\x82\x0b\x01\x02\x03\x04\x05\x06\x07\x08\x09"), IPOption(b"\x01")])),
    "timestamp": dict(extra=dict(options=[IPOption(b"\x44\x08\x05\x00\x00\x00\x00\x00")])),
}
EXTENSIONS = {
    "hop-by-hop": [IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=0x1e, optdata=b"\1\2\3\4")])],
    "hop-by-hop that may change": [IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=0x3e, optdata=b"\1\2\3\4")])],
    "destination options": [IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1e, optdata=b"\1\2\3\4")])],
}


@pytest.mark.parametrize("proto", ["esp", "ah", "ahesp"])
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_options_and_extension_headers(codec, proto, mode):
    for more in OPTIONS.values():
        cell = Cell(codec, proto, mode, 4, 4, ("aes128", "sha256"), False, False)
        cell.check_out(100, **more)
        cell.check_in(100, **more)
    for exts in EXTENSIONS.values():
        cell = Cell(codec, proto, mode, 6, 6, ("aes128", "sha256"), False, False)
        cell.check_out(100, exts=exts)
        cell.check_in(100, exts=exts)


def test_options_in_udp(codec):
    """RFC 3948 2.1: options stay in front of the UDP header; here the whole datagram is ours."""
    cell = Cell(codec, "esp", "transport", 4, 4, ("aes128", "sha256"), False, True)
    mine = cell.whole(True, 100, **OPTIONS["router alert"])
    got = IP(codec.out(mine))
    assert got.ihl == 6 and got.proto == 17 and got[UDP].dport == 4500 and got[UDP].len == len(got) - 24
    plain = cell.sas[0].decrypt(IP(raw(got)))
    assert raw(plain)[24:] == raw(mine)[24:]


def zipped(data, level=6):
    z = zlib.compressobj(level, zlib.DEFLATED, -15)
    return z.compress(data) + z.flush()


@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_ipcomp(codec, mode):
    """RFC 3173: next header, flags, CPI, a raw stream; what would not shrink goes as it is."""
    for size in (20, 400, 1300):
        cell = Cell(codec, "esp", mode, 4, 4, ("null", "sha256"), False, False, cpi=0x2b1)
        mine = cell.whole(True, size)
        body = raw(mine) if mode == "tunnel" else raw(mine)[20:]
        got = IP(codec.out(mine))
        esp = cell.sas[0].crypt_algo.decrypt(cell.sas[0], ESP(raw(got[ESP])[:-16]), b"")
        if size == 20:
            assert esp.nh == (4 if mode == "tunnel" else 17)
        else:
            assert esp.nh == 108 and esp.data[:4] == bytes([4 if mode == "tunnel" else 17, 0, 2, 0xb1])
            assert zlib.decompress(esp.data[4:], -15) == body and len(esp.data) < len(body)
        theirs = cell.whole(False, size)
        inner = raw(theirs) if mode == "tunnel" else raw(theirs)[20:]
        sent = bytes([4 if mode == "tunnel" else 17, 0, 2, 0xb1]) + zipped(inner)
        carrier = cell.scapy_sa(ESP, SPI, "null", "sha256", False, False, False)
        head = IP(src=cell.peer, dst=cell.us, proto=108, id=0x5511, ttl=61)
        wire = raw(carrier.encrypt(IP(raw(head / Raw(sent))), seq_num=cell.seq + 1))
        assert codec.into(wire) == raw(theirs)
        bad = bytes([17, 0, 2, 0xb2]) + zipped(inner)
        wire = raw(carrier.encrypt(IP(raw(head / Raw(bad))), seq_num=cell.seq + 2))
        assert codec.into(wire) == "dp-ipcomp"
        wire = raw(carrier.encrypt(IP(raw(head / Raw(sent[:-3]))), seq_num=cell.seq + 3))
        assert codec.into(wire) == "dp-ipcomp"


def test_flipped(codec):
    """Every byte of an AH datagram: what a router may change does no harm, all else is dropped and counted."""
    for family in (4, 6):
        cell = Cell(codec, "ah", "transport", family, family, ("null", "sha256"), False, False)
        wire = cell.to_us(cell.whole(False, 40))
        may = {1, 6, 7, 8, 10, 11} if family == 4 else {1, 2, 3, 7}
        hlen = 20 if family == 4 else 40
        before = sum(codec.stats().values())
        dropped = 0
        for i in range(1, len(wire)):
            if i in (may | {9 if family == 4 else 6, hlen + 1}) or i == 0:
                continue
            bad = bytearray(wire)
            bad[i] ^= 1
            why = codec.into(bytes(bad))
            dropped += 1
            want = "dp-no-sa" if hlen + 4 <= i < hlen + 8 else "dp-icv-failed"
            assert why in (want, "dp-icv", "dp-replay"), (i, why)
        assert sum(codec.stats().values()) == before + dropped
        changed = bytearray(wire)
        for i in may:
            changed[i] ^= 0x55 if i != 6 else 0x40
        assert isinstance(codec.into(bytes(changed)), bytes)


def test_linux(codec):
    """Packets that the Linux kernel made."""
    n = 0
    for line in open(ROOT / "tests" / "vectors" / "esp" / "kernel-modes.txt"):
        word, *f = line.split()
        if word == "case":
            name, proto, mode, encr, integ, esn, udp, spi, ckey, akey, first, hi, ahspi, ahinteg, ahkey = \
                ["" if x == "-" else x for x in f]
            fresh = True
        elif word == "ip":
            wire, plain = bytes.fromhex(f[1]), bytes.fromhex(f[2])
            family = wire[0] >> 4
            outer = IP(wire) if family == 4 else IPv6(wire)
            if fresh:
                inner = outer if mode == "transport" else IP(plain) if plain[0] >> 4 == 4 else IPv6(plain)
                codec.sa(proto=proto, mode=mode, encr=encr, integ=integ, esn=esn, udp=udp, spi=spi, key=ckey, auth=akey,
                         seqin=(int(hi) << 32) + int(first) - 1, local=outer.dst, remote=outer.src, ahspi=ahspi, ahinteg=ahinteg,
                         ahkey=ahkey, lts=inner.dst, rts=inner.src)
                fresh = False
            got = codec.into(wire)
            assert isinstance(got, bytes), (name, got)
            if mode == "transport":
                hlen = (got[0] & 15) * 4 if family == 4 else 40
                assert got[9 if family == 4 else 6] == int(f[0]), name
                got = got[hlen:]
            assert got == plain, name
            n += 1
    assert n > 200


def pieces(cell, ours):
    """A datagram for a selector's port, whole and in fragments."""
    whole = cell.whole(ours, 4000)
    if cell.inner == 4:
        return whole, [IP(raw(p)) for p in fragment(whole, 1000)]
    p = IPv6(src=whole.src, dst=whole.dst, hlim=61, fl=0) / IPv6ExtHdrFragment(id=0x77) / raw(whole)[40:]
    p[IPv6ExtHdrFragment].nh = 17
    return whole, [IPv6(raw(x)) for x in fragment6(p, 1000)]


@pytest.mark.parametrize("udp", [False, True])
@pytest.mark.parametrize("inner", [4, 6])
def test_ports_in_fragments(codec, inner, udp):
    """RFC 4301 7.3, both ways, in order and not; and with a peer that has not agreed to later fragments."""
    def cell(proto="esp", **ports):
        return Cell(codec, proto, "tunnel", 4, inner, SUITES[1] if proto == "esp" else SUITES[0], False, udp and proto == "esp",
                    **ports)
    for proto in ("esp", "ah"):
        c = cell(proto, rport=4001, frags=1)
        whole, parts = pieces(c, True)
        assert len(parts) > 4
        for p in parts:
            assert raw(c.from_us(codec.out(p))) == raw(p)
        c = cell(proto, rport=4001)
        assert [codec.ask("out " + raw(p).hex()) for p in parts[:-1]] == [["held"]] * (len(parts) - 1)
        assert raw(c.from_us(codec.out(parts[-1]))) == raw(whole)
        c = cell(proto, lport=4001, frags=1)
        whole, parts = pieces(c, False)
        for p in parts:
            assert codec.into(c.to_us(p)) == raw(p)
        c = cell(proto, lport=4001)
        assert codec.into(c.to_us(parts[0])) == raw(parts[0])
        assert {codec.into(c.to_us(p)) for p in parts[1:]} == {"dp-frag-ports"}
        c = cell(proto, lport=4002, frags=1)
        assert {codec.into(c.to_us(p)) for p in parts} == {"dp-selector"}


def test_fragments_backwards(codec):
    c = Cell(codec, "esp", "tunnel", 4, 4, SUITES[1], False, False, lport=4001, frags=1)
    _, parts = pieces(c, False)
    for p in parts:
        p.id = 0x99
        del p.chksum
    parts = [IP(raw(p)) for p in parts]
    for p in parts[:0:-1]:
        assert codec.ask("in " + c.to_us(p).hex()) == ["held"]
    assert codec.into(c.to_us(parts[0])) == raw(parts[0])
    assert codec.more() == [raw(p) for p in parts[:0:-1]]
