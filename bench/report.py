"""From raw results to the figures of the goals, tables and comparisons. Called by bench/run."""
import statistics

# name, what it says, goal, "min" or "max"
GOALS = [
    ("gcm_1420_share", "in memory, AES-128-GCM 1420 B, share of the bare library, worse direction", 0.97, "min"),
    ("gcm_64_share", "in memory, AES-128-GCM 64 B, share of the bare library, worse direction", 0.90, "min"),
    ("cbc_1420_share", "in memory, AES-CBC-128 + HMAC-SHA256 1420 B against multi-buffer", 0.90, "min"),
    ("sas_10000", "10,000 SAs in random order against one SA, 1420 B", 0.80, "min"),
    ("lookup_100000", "100,000 policies against one, cold flow cache", 0.25, "min"),
    ("e2e_plain", "end to end TCP, two cores, against plain veth", 0.56, "min"),
    ("e2e_memcpy", "end to end TCP against the memcpy mode", 0.85, "min"),
    ("e2e_wireguard", "end to end TCP against Debian's wireguard-go", 30, "min"),
    ("ping_extra_us", "latency of a ping beyond the plain path, us", 60, "max"),
    ("responder_x25519", "IKEv2 PSK responder x25519, times cheaper than charon", 3.3, "min"),
    ("responder_ecp256", "IKEv2 PSK responder ecp256, times cheaper than charon", 4.5, "min"),
    ("responder_modp2048", "IKEv2 PSK responder modp2048, times cheaper than charon", 5.0, "min"),
    ("initiator_x25519", "IKEv2 PSK initiator x25519, times cheaper than charon", None, "min"),
    ("initiator_ecp256", "IKEv2 PSK initiator ecp256, times cheaper than charon", None, "min"),
    ("initiator_modp2048", "IKEv2 PSK initiator modp2048, times cheaper than charon", None, "min"),
    ("growth", "cost per negotiation with all tunnels against 100", 1.10, "max"),
    ("tunnel_kib", "memory per established tunnel, KiB (RSS)", 2.5, "max"),
    ("half_open_kib", "memory per half-open SA, KiB (RSS)", 0.6, "max"),
    ("tunnel_heap_kib", "memory per established tunnel, KiB (heap of engine, SAs, policy view)", 2.5, "max"),
    ("half_open_heap_kib", "memory per half-open SA, KiB (heap of the engine)", 0.6, "max"),
    ("cookie", "cookie answer against a bare receive and send", 1.3, "max"),
    ("listing", "listing SAs, daemon side, times cheaper than charon", 8, "min"),
]


def median_ratio(rows, top, bottom, **where):
    """Median over the rounds of us(top) / us(bottom)."""
    def by_round(kind):
        return {r["round"]: r["us"] for r in rows if r["kind"] == kind and all(r[k] == v for k, v in where.items())}
    a, b = by_round(top), by_round(bottom)
    both = [a[n] / b[n] for n in a if b.get(n, 0) > 0]
    return statistics.median(both) if both else None


def share(rows, suite, size, sas=1):
    got = [r["share"] for r in rows if r["suite"] == suite and r["size"] == size and r["sas"] == sas and r.get("share")]
    return min(got) if got else None


def memory_figures(m, f):
    rows = m["packets"]
    f["gcm_1420_share"], f["gcm_64_share"] = share(rows, "aes128gcm16", 1420), share(rows, "aes128gcm16", 64)
    f["cbc_1420_share"] = share(rows, "aes128-sha256", 1420)
    at = {(r["sas"], r["way"]): r["cycles"] for r in rows if r["suite"] == "aes128gcm16" and r["size"] == 1420}
    many = max((s for s, _ in at), default=1)
    ratios = [at[1, w] / at[many, w] for s, w in at if s == 1 and (many, w) in at and many > 1]
    f["sas_10000"] = min(ratios) if ratios else None
    f["lookup_100000"] = next((r["share"] for r in m["lookup"] if r["policies"] == 100000), None)


def e2e_figures(e, f):
    lines = {(l["cores"], l["family"], l["what"], l["kind"]): l for l in e["summary"]}

    def best(base):
        got = [l[f"to_{base}"] for (c, fam, what, k), l in lines.items()
               if c == 2 and fam == 4 and what.startswith("tcp") and k == "culvert-udp" and l.get(f"to_{base}")]
        return max(got) if got else None
    f["e2e_plain"], f["e2e_memcpy"], f["e2e_wireguard"] = best("plain"), best("memcpy"), best("wireguard-go")
    ours, plain = lines.get((2, 4, "ping", "culvert-udp")), lines.get((2, 4, "ping", "plain"))
    f["ping_extra_us"] = ours["us"] - plain["us"] if ours and plain else None


def control_figures(c, f):
    for r in c.get("negotiations", []):
        f[f"{r['role']}_{r['group']}"] = median_ratio(c["negotiations"], "charon", "culvert", role=r["role"], group=r["group"])
    f["cookie"] = median_ratio(c.get("cookies", []), "culvert", "bare")
    scale = {s["kind"]: s for s in c.get("scale", [])}
    ours, charon = scale.get("culvert"), scale.get("charon")
    if ours:
        f["growth"] = ours["us_at_full"] / ours["us_at_100"]
        f["tunnel_kib"], f["half_open_kib"] = ours["tunnel_bytes"] / 1024, ours["half_open_bytes"] / 1024
    if ours and charon:
        f["listing"] = charon["list_us_per_sa"] / ours["list_us_per_sa"]
    if "engine" in c:
        m = c["engine"]["memory"]
        f["tunnel_heap_kib"] = (m["tunnel_bytes"] + m["policy_view_bytes"]) / 1024
        f["half_open_heap_kib"] = m["half_open_bytes"] / 1024


def figures(out):
    f = {}
    for part, fn in (("memory", memory_figures), ("e2e", e2e_figures), ("control", control_figures)):
        if part in out:
            fn(out[part], f)
    return [dict(name=n, text=t, goal=g, way=w, got=f[n]) for n, t, g, w in GOALS if f.get(n) is not None]


def reached(x):
    return None if x["goal"] is None else x["got"] >= x["goal"] if x["way"] == "min" else x["got"] <= x["goal"]


def show(v):
    return "-" if v is None else f"{v:.3g}" if abs(v) < 1000 else f"{v:.0f}"


def goal_table(fig):
    words = {True: "yes", False: "no", None: ""}
    lines = ["| figure | goal | measured | reached |", "|---|---|---|---|"]
    for x in fig:
        goal = "-" if x["goal"] is None else f"{'at least' if x['way'] == 'min' else 'at most'} {x['goal']}"
        lines.append(f"| {x['text']} | {goal} | {show(x['got'])} | {words[reached(x)]} |")
    return lines


def e2e_table(e):
    lines = ["", "## End to end", "", f"{e['rounds']} rounds in turn, medians; suite {e['suite']}.", "",
             "| cores | family | traffic | way | Gbit/s | 1000 packets/s | us | to plain | to memcpy | to wireguard-go |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for l in e["summary"]:
        lines.append(f"| {l['cores']} | IPv{l['family']} | {l['what']} | {l['kind']} | {show(l.get('gbit'))} | "
                     f"{show(l.get('kpps'))} | {show(l.get('us'))} | {show(l['to_plain'])} | {show(l['to_memcpy'])} | "
                     f"{show(l['to_wireguard-go'])} |")
    return lines + [f"\nNot measured: {k}: {w}" for k, w in e["not_measured"].items()]


def control_table(c):
    lines = ["", "## Control plane", ""]
    if "negotiations" in c:
        lines += ["| group | role | culvertd us | charon us | ratio |", "|---|---|---|---|---|"]
        for key in dict.fromkeys((r["group"], r["role"]) for r in c["negotiations"]):
            us = {k: statistics.median(r["us"] for r in c["negotiations"] if (r["group"], r["role"], r["kind"]) == (*key, k))
                  for k in dict.fromkeys(r["kind"] for r in c["negotiations"])}
            ratio = median_ratio(c["negotiations"], "charon", "culvert", group=key[0], role=key[1])
            lines.append(f"| {key[0]} | {key[1]} | {show(us.get('culvert'))} | {show(us.get('charon'))} | {show(ratio)} |")
    if "engine" in c:
        lines += ["", "| engine alone, group | responder us | initiator us | bare key exchange us |", "|---|---|---|---|"]
        lines += [f"| {r['group']} | {r['responder_us']} | {r['initiator_us']} | {r['bare_us']} |" for r in c["engine"]["handshake"]]
    if "scale" in c:
        lines += ["", "| daemon | tunnels | us at 100 | us at all | bytes a tunnel | bytes a half-open SA | us to list one |",
                  "|---|---|---|---|---|---|---|"]
        lines += [f"| {s['kind']} | {s['tunnels']} | {show(s['us_at_100'])} | {show(s['us_at_full'])} | {show(s['tunnel_bytes'])} | "
                  f"{show(s['half_open_bytes'])} | {show(s['list_us_per_sa'])} |" for s in c["scale"]]
    if "cookies" in c:
        us = {k: statistics.median(r["us"] for r in c["cookies"] if r["kind"] == k) for k in
              dict.fromkeys(r["kind"] for r in c["cookies"])}
        lines += ["", "Cookie answers, us each: " + ", ".join(f"{k} {show(v)}" for k, v in us.items())]
    return lines


def memory_table(m):
    lines = ["", "## In memory", "", "| suite | size | way | SAs | cycles | share of bare |", "|---|---|---|---|---|---|"]
    return lines + [f"| {r['suite']} | {r['size']} | {r['way']} | {r['sas']} | {show(r['cycles'])} | {show(r.get('share'))} |"
                    for r in m["packets"]]


def markdown(out):
    lines = [f"# Results of {out['date']}", "",
             f"Commit {out['commit']}, {out['cpu']}, {out['cpus']} CPUs, Linux {out['kernel']}, load {out['load']:.1f} at the "
             f"start{', a quick pass' if out.get('quick') else ''}. The machine is shared: read the ratios.", ""]
    lines += goal_table(out["figures"])
    for part, fn in (("memory", memory_table), ("e2e", e2e_table), ("control", control_table)):
        if part in out:
            lines += fn(out[part])
    return "\n".join(lines) + "\n"


def comparison(old, new):
    before = {x["name"]: x for x in old["figures"]}
    lines = [f"{old['date']} ({old['commit']}) -> {new['date']} ({new['commit']})", ""]
    for x in new["figures"]:
        was = before.get(x["name"])
        if not was:
            lines.append(f"{x['text']:75} {'':>9} -> {show(x['got']):>9}")
            continue
        change = (x["got"] / was["got"] - 1) * 100 if was["got"] else 0
        good = change >= 0 if x["way"] == "min" else change <= 0
        mark = "" if abs(change) < 5 else "  better" if good else "  WORSE"
        lines.append(f"{x['text']:75} {show(was['got']):>9} -> {show(x['got']):>9}  {change:+6.1f} %{mark}")
    return "\n".join(lines)
