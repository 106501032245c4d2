#!/usr/bin/python3
"""Makes tests/vectors/esp/kernel.txt and kernel-modes.txt: packets that the Linux kernel made, with keys.

  tools/esp_vectors.py DIR > tests/vectors/esp/kernel.txt
  tools/esp_vectors.py DIR modes > tests/vectors/esp/kernel-modes.txt

DIR holds index.json (per case: SPI, algorithms, keys, sequence numbers, the packets sent into the
kernel) and a capture per case. Output, one record a line:

  plain N HEX                        an inner packet
  case NAME ENCR INTEG ESN UDP SPI KEY AUTHKEY FIRST_SEQ SEQ_HI INNER_FAMILY
  esp N HEX                          a packet of the case from its SPI on; it protects plain N

That is ESP in tunnel mode. All else, AH, transport mode, both SAs of a bundle, is in the other file:

  case NAME PROTO MODE ENCR INTEG ESN UDP SPI KEY AUTHKEY FIRST_SEQ SEQ_HI AH_SPI AH_INTEG AH_KEY
  ip NEXT HEX PLAIN                  a datagram from its IP header on; the payload that it protects
"""
import json
import os
import struct
import sys

ENCR = {"null", "des", "3des", "aes128", "aes192", "aes256", "aes128ctr", "aes256ctr", "aes128ccm16",
        "aes128gcm16", "aes256gcm16", "aes128gmac", "aes256gmac", "chacha20poly1305", "blowfish128", "camellia256"}
INTEG = {None, "md5", "sha1", "sha256", "sha256_96", "sha384", "sha512", "aesxcbc", "aescmac"}


def frames(path):
    b = open(path, "rb").read()
    e = "<" if b[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at = 24
    while at < len(b):
        n = struct.unpack(e + "I", b[at + 8:at + 12])[0]
        yield b[at + 16:at + 16 + n]
        at += 16 + n


def whole(header, body):
    """An IPv4 datagram as its fragments' header has it."""
    h = bytearray(header)
    h[2:4] = struct.pack(">H", len(h) + len(body))
    h[6:8] = b"\0\0"
    return bytes(h) + body


def datagrams(path):
    """(header, payload) of the outer IP packets, IPv4 fragments put together."""
    parts = {}
    for f in frames(path):
        ip = f[14:]
        if ip[0] >> 4 == 6:
            yield ip[:40], ip[40:40 + struct.unpack(">H", ip[4:6])[0]]
            continue
        total, ident, frag = struct.unpack(">HHH", ip[2:8])
        hlen = (ip[0] & 15) * 4
        body = ip[hlen:total]
        if not frag & 0x3fff:
            yield ip[:hlen], body
            continue
        parts.setdefault(ident, {})[(frag & 0x1fff) * 8] = body
        if not frag & 0x2000:
            body = b"".join(v for _, v in sorted(parts.pop(ident).items()))
            yield whole(ip[:hlen], body)[:hlen], body


def wanted(c):
    return (c["proto"] == "esp" and c.get("mode") == "tunnel" and c["enc"] in ENCR
            and c.get("integ") in INTEG and "outer_sa" not in c)


def other(c):
    return not wanted(c) and c.get("enc", "null") in ENCR and c.get("integ") in INTEG


def forwarded(sent, plain):
    """The kernel lowered the TTL or hop limit on the way into the tunnel; nothing else."""
    a, b = bytearray(sent), bytearray(plain)
    for x in (a, b):
        if x[0] >> 4 == 4:
            x[8] = 0
            x[10:12] = b"\0\0"
        else:
            x[7] = 0
    return a == b


def modes(folder):
    print("# made by tools/esp_vectors.py from packets of Linux 6.1")
    for c in json.load(open(os.path.join(folder, "index.json"))):
        if not other(c):
            continue
        ah = c.get("outer_sa", {})
        print("case %s %s %s %s %s %d %d %u %s %s %u %u %u %s %s" % (
            c["name"], c["proto"], c["mode"], c.get("enc", "-"), c.get("integ") or "-", c["esn"],
            bool(c["encap"]), c["spi"], c.get("enc_key", "") + c.get("salt", "") or "-", c.get("auth_key") or "-",
            c["first_seq"], c["seq_hi"], ah.get("spi", 0), ah.get("integ", "-"), ah.get("auth_key", "-")))
        got = list(datagrams(os.path.join(folder, c["pcap"])))
        assert len(got) == len(c["packets"]), c["name"]
        for (header, body), made in zip(got, c["packets"]):
            print("ip %u %s %s" % (made["next"], (header + body).hex(), made["plain"]))


def main(folder):
    known, lines = {}, []
    for c in json.load(open(os.path.join(folder, "index.json"))):
        if not wanted(c):
            continue
        esp = [p[8:] if c["encap"] else p for _, p in datagrams(os.path.join(folder, c["pcap"]))]
        assert len(esp) == len(c["sent"]) == len(c["packets"]), c["name"]
        lines.append("case %s %s %s %d %d %u %s %s %u %u %d" % (
            c["name"], c["enc"], c.get("integ") or "-", c["esn"], bool(c["encap"]), c["spi"],
            c["enc_key"] + c["salt"] or "-", c.get("auth_key") or "-", c["first_seq"], c["seq_hi"],
            c["inner"]))
        for packet, sent, made in zip(esp, c["sent"], c["packets"]):
            assert forwarded(bytes.fromhex(sent), bytes.fromhex(made["plain"])), c["name"]
            n = known.get(made["plain"])
            if n is None:
                n = known[made["plain"]] = len(known)
                lines.append("plain %d %s" % (n, made["plain"]))
            lines.append("esp %d %s" % (n, packet.hex()))
    print("# made by tools/esp_vectors.py from packets of Linux 6.1")
    print("\n".join(lines))


(modes if sys.argv[2:] == ["modes"] else main)(sys.argv[1])
