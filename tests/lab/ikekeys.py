"""Keys out of charon's log (levels ike = 4, chd = 4), so that scapy and tshark can look at what went over the wire."""
import re

HEAD = re.compile(r"\[(IKE|CHD)\] (?:<[^>]*> )?(.+?) => (\d+) bytes @")
LINE = re.compile(r"\[(?:IKE|CHD)\] (?:<[^>]*> )?\s*\d+: ((?:[0-9A-F]{2} ?)+)")
TSHARK_ENCR = {"AES_CBC_128": "AES-CBC-128 [RFC3602]", "AES_CBC_192": "AES-CBC-192 [RFC3602]",
               "AES_CBC_256": "AES-CBC-256 [RFC3602]",
               "AES_GCM_16_128": "AES-GCM-128 with 16 octet ICV [RFC5282]",
               "AES_GCM_16_256": "AES-GCM-256 with 16 octet ICV [RFC5282]"}
TSHARK_INTEG = {"HMAC_SHA1_96": "HMAC_SHA1_96 [RFC2404]", "HMAC_SHA2_256_128": "HMAC_SHA2_256_128 [RFC4868]",
                "HMAC_SHA2_512_256": "HMAC_SHA2_512_256 [RFC4868]", None: "NONE [RFC4306]"}


def dumps(log):
    """(name, bytes) of every hex dump, in order; ("event", text) of the lines between."""
    out, lines, i = [], log.splitlines(), 0
    while i < len(lines):
        m = HEAD.search(lines[i])
        i += 1
        if not m:
            out.append(("event", lines[i - 1]))
            continue
        data = b""
        while i < len(lines) and len(data) < int(m[3]):
            n = LINE.search(lines[i])
            if not n:
                break
            data += bytes.fromhex(n[1])[:16]
            i += 1
        out.append((m[2], data))
    return out


def esp_keys(log):
    """CHILD SAs of a charon: two objects each."""
    out, prop, keys = [], None, {}
    for name, value in dumps(log):
        if name != "event":
            keys[name] = value
            continue
        m = re.search(r"selected proposal: ESP:(\S+)", value)
        if m:
            prop = m[1].split("/")
        m = re.search(r"CHILD_SA (\S+?)\{\d+\} established with SPIs (\w+)_i (\w+)_o", value)
        if m and prop:
            integ = next((t for t in prop if t.startswith("HMAC")), "")
            out.append(dict(child=m[1], spi_in=m[2], spi_out=m[3], encr=prop[0], integ=integ,
                            keys={k: keys.get(f"{a} {k} key", b"").hex() for k in ("initiator", "responder")
                                  for a in ("encryption",)},
                            integ_keys={k: keys.get(f"integrity {k} key", b"").hex()
                                        for k in ("initiator", "responder")}))
    return out


def tshark_options(log, ispi, rspi):
    """tshark's table for the (first) IKE SA of a charon's log."""
    sk, prop = {}, None
    for name, value in dumps(log):
        m = re.match(r"(Sk_[ae][ir]) (?:secret|key)", name)
        if m:
            sk.setdefault(m[1], value.hex())
        elif name == "event" and prop is None:
            m = re.search(r"selected proposal: IKE:(\S+)", value)
            prop = m[1].split("/") if m else None
    integ = next((t for t in prop if t.startswith("HMAC")), None)
    return ["-o", "uat:ikev2_decryption_table:" + ",".join(
        [ispi, rspi, sk["Sk_ei"], sk["Sk_er"], f'"{TSHARK_ENCR[prop[0]]}"',
         sk.get("Sk_ai", '""'), sk.get("Sk_ar", '""'), f'"{TSHARK_INTEG[integ]}"'])]
