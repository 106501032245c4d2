"""From raw results to the figures of the goals and to comparisons; tables.py prints the rest. Called by bench/run."""
import statistics

# name, what it says, goal, "min" or "max". What the issue asks for has a goal; the others are told beside.
GOALS = [
    ("gcm_1420_share", "in memory, AES-128-GCM 1420 B, share of the bare library, worse direction", 0.97, "min"),
    ("gcm_64_share", "in memory, AES-128-GCM 64 B, share of the bare library, worse direction", 0.90, "min"),
    ("cbc_1420_share", "in memory, AES-CBC-128 + HMAC-SHA256 1420 B against multi-buffer, worse direction", 0.90, "min"),
    ("onecore_enc", "one core encapsulating through TUN and UDP, against the bare library", 0.45, "min"),
    ("onecore_dec", "one core decapsulating through UDP and TUN, against the bare library", 0.48, "min"),
    ("e2e_plain_tcp1", "end to end TCP, two cores, one stream, against plain veth", 0.56, "min"),
    ("e2e_plain_tcp4", "end to end TCP, two cores, four streams, an SA per CPU, against plain veth", 0.56, "min"),
    ("e2e_memcpy_tcp1", "end to end TCP, one stream, against the memcpy mode", 0.85, "min"),
    ("e2e_memcpy_tcp4", "end to end TCP, four streams, against the memcpy mode", 0.85, "min"),
    ("e2e_wireguard-go_tcp1", "end to end TCP, one stream, against Debian's wireguard-go", 30, "min"),
    ("e2e_wireguard-go_tcp4", "end to end TCP, four streams, an SA per CPU, against Debian's wireguard-go", 30, "min"),
    ("sas_10000", "10,000 SAs in random order against one SA, in memory, 1420 B", 0.80, "min"),
    ("lookup_100000", "100,000 policies against one, look-up with a cold flow cache", 0.25, "min"),
    ("responder_x25519", "IKEv2 PSK responder x25519, times cheaper than charon", 3.3, "min"),
    ("responder_ecp256", "IKEv2 PSK responder ecp256, times cheaper than charon", 4.5, "min"),
    ("responder_modp2048", "IKEv2 PSK responder modp2048, times cheaper than charon", 5.0, "min"),
    ("initiator_x25519", "IKEv2 PSK initiator x25519, times cheaper than charon", None, "min"),
    ("initiator_ecp256", "IKEv2 PSK initiator ecp256, times cheaper than charon", None, "min"),
    ("initiator_modp2048", "IKEv2 PSK initiator modp2048, times cheaper than charon", None, "min"),
    *((f"{role}_{auth}_{group}", f"IKEv2 {auth.upper()} {role} {group}, times cheaper than charon", None, "min")
      for role in ("responder", "initiator") for auth in ("rsa", "ecdsa") for group in ("x25519", "ecp256", "modp2048")),
    ("growth", "cost per negotiation at 20,000 tunnels against 100", 1.10, "max"),
    ("tunnel_kib", "memory per established tunnel, KiB (resident set of the daemon)", 2.5, "max"),
    ("tunnel_heap_kib", "memory per established tunnel, KiB (heap: engine, SAs, policy view)", 2.5, "max"),
    ("half_open_kib", "memory per half-open SA, KiB (resident set of the daemon)", 0.6, "max"),
    ("half_open_heap_kib", "memory per half-open SA, KiB (heap of the engine)", 0.6, "max"),
    ("cookie", "cookie answer against a bare receive and send", 1.3, "max"),
    ("listing", "listing 20,000 SAs, daemon side, times cheaper than charon", 8, "min"),
    ("lost", "packets lost at half of the highest UDP rate, median round", 0, "max"),
    ("late", "packets reordered within a flow at half of the highest UDP rate", 0, "max"),
    ("ping_extra_us", "latency of a ping through both gateways beyond the plain path, us", 60, "max"),
    ("idle_us", "idle daemon with 1,000 tunnels, us of CPU a second", 0, "max"),
    ("idle_wakeups", "idle daemon with 1,000 tunnels, wake-ups a second", 0, "max"),
]


def round_ratio(rows, key, top, bottom, **where):
    """Median over the rounds of key(top) / key(bottom); top and bottom are kinds."""
    def by_round(kind):
        return {r["round"]: r[key] for r in rows if r["kind"] == kind and all(r[k] == v for k, v in where.items())}
    a, b = by_round(top), by_round(bottom)
    both = [a[n] / b[n] for n in a if b.get(n, 0) > 0]
    return statistics.median(both) if both else None


def middle(values):
    values = list(values)
    return statistics.median(values) if values else None


def worse(rows, suite, size):
    got = [r["share"] for r in rows if r["suite"] == suite and r["size"] == size]
    return min(got, default=None)


def memory_figures(m, f):
    for name, suite, size in (("gcm_1420_share", "aes128gcm16", 1420), ("gcm_64_share", "aes128gcm16", 64),
                              ("cbc_1420_share", "aes128-sha256", 1420)):
        f[name] = worse(m["packets"], suite, size)
    most = max((r["sas"] for r in m["sas"]), default=1)
    ways = []
    for way in ("enc", "dec"):
        at = {(r["round"], r["sas"]): r["cycles"] for r in m["sas"] if r["way"] == way}
        ways.append(middle(at[n, 1] / at[n, most] for n, s in at if s == most and most > 1))
    f["sas_10000"] = min((w for w in ways if w is not None), default=None)
    f["lookup_100000"] = next((r["share"] for r in m["lookup"] if r["policies"] == 100000), None)


def e2e_figures(e, f):
    """Four streams with an SA for each worker; memcpy has a single one."""
    rows = {(l["what"], l["kind"]): l for l in e["summary"] if (l["cores"], l["family"]) == (2, 4)}
    for what, kind in (("tcp1", "culvert-udp"), ("tcp4", "culvert-percpu")):
        for base in ("plain", "memcpy", "wireguard-go"):
            line = rows.get((what, "culvert-udp" if base == "memcpy" else kind))
            if line:
                f[f"e2e_{base}_{what}"] = line[f"to_{base}"]


def onecore_figures(rows, f):
    for way in ("enc", "dec"):
        f[f"onecore_{way}"] = middle(r["share"] for r in rows if r["way"] == way)


def latency_figures(rows, f):
    plain = {r["round"]: r["us"] for r in rows if r["kind"] == "plain"}
    f["ping_extra_us"] = middle(r["us"] - plain[r["round"]] for r in rows if r["kind"] == "culvert-udp" and r["round"] in plain)


def order_figures(rows, f):
    """Lost: the median round of each way and size, for the machine itself may stop for longer than queues are; late: all."""
    ours = [r for r in rows if r["kind"] != "plain"]
    f["lost"] = sum(middle(r["lost"] for r in ours if (r["kind"], r["size"]) == key)
                    for key in dict.fromkeys((r["kind"], r["size"]) for r in ours))
    f["late"] = sum(r["late"] for r in ours)


def negotiation_figures(rows, f):
    for role, auth, group in dict.fromkeys((r["role"], r["auth"], r["group"]) for r in rows):
        name = f"{role}_{group}" if auth == "psk" else f"{role}_{auth}_{group}"
        f[name] = round_ratio(rows, "us", "charon", "culvert", role=role, auth=auth, group=group)


def cookie_figures(rows, f):
    f["cookie"] = round_ratio(rows, "us", "culvert", "bare")


def halfopen_figures(rows, f):
    f["half_open_kib"] = middle(r["half_open_bytes"] / 1024 for r in rows if r["kind"] == "culvert")


def heap_figures(m, f):
    f["tunnel_heap_kib"] = (m["tunnel_bytes"] + m["policy_view_bytes"]) / 1024
    f["half_open_heap_kib"] = m["half_open_bytes"] / 1024


def idle_figures(rows, f):
    for r in rows:
        if r["kind"] == "culvert":
            f["idle_us"], f["idle_wakeups"] = r["cpu_us_per_s"], r["wakeups_per_s"]


def scale_figures(s, f):
    f["growth"] = middle(r["us_at_all"] / r["us_at_100"] for r in s["rows"] if r["kind"] == "culvert")
    f["listing"] = round_ratio(s["rows"], "list_us", "charon", "culvert")
    f["tunnel_kib"] = middle(m["tunnel_bytes"] / 1024 for m in s["memory"] if m["kind"] == "culvert")


FIGURES = dict(memory=memory_figures, onecore=onecore_figures, e2e=e2e_figures, latency=latency_figures, order=order_figures,
               negotiations=negotiation_figures, cookies=cookie_figures, halfopen=halfopen_figures, heap=heap_figures,
               idle=idle_figures, scale=scale_figures)


def figures(out):
    """One for each goal; got is None where it was not measured."""
    f = {}
    for section, fn in FIGURES.items():
        if section in out:
            fn(out[section], f)
    return [dict(name=n, text=t, goal=g, way=w, got=f.get(n), reached=reached(g, w, f.get(n))) for n, t, g, w in GOALS]


def reached(goal, way, got):
    if goal is None or got is None:
        return None
    return got >= goal if way == "min" else got <= goal


def show(v):
    return "-" if v is None else f"{v:.3g}" if abs(v) < 1000 else f"{v:.0f}"


def comparison(earlier, new):
    """Each figure beside the latest earlier result that has it, for a run may be of some sections only."""
    lines = [f"{new['date']} ({new['commit']}) beside what was measured before"]
    for x in new["figures"]:
        if x["got"] is None:
            continue
        was, date = last_of(earlier, x["name"])
        text = f"{x['text']:84} {show(was):>7} -> {show(x['got']):>7}"
        if was:
            change = (x["got"] / was - 1) * 100
            good = change >= 0 if x["way"] == "min" else change <= 0
            text += f"  {change:+6.1f} %  {'' if abs(change) < 5 else 'better' if good else 'WORSE':6}"
        lines.append(f"{text}  ({date})" if date else text)
    return "\n".join(lines)


def last_of(results, name):
    for out in sorted(results, key=lambda r: r["date"], reverse=True):
        for x in out["figures"]:
            if x["name"] == name and x.get("got") is not None:
                return x["got"], out["date"] + (", quick" if out.get("quick") else "")
    return None, None
