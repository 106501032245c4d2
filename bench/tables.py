"""Tables of a result, as Markdown that a terminal shows well: columns have one width. Called by bench/run."""
from report import middle, round_ratio, show


def table(head, rows):
    cells = [[str(c) if isinstance(c, (str, int)) else show(c) for c in r] for r in [head, *rows]]
    width = [min(max(len(r[i]) for r in cells), 90) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, width)) + " |" for r in cells]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in width) + "|", *lines[1:], ""]


def memory(m):
    rows = [(r["suite"], r["size"], r["way"], r["cycles"], r["ns"], r["bare_cycles"], r["share"]) for r in m["packets"]]
    out = ["Cycles and ns a packet, 64 packets a batch, one SA; share: of the bare library's packet rate.", ""]
    out += table(("suite", "bytes", "way", "cycles", "ns", "bare cycles", "share"), rows)
    out += table(("suite", "bytes", "way", "batch", "cycles", "ns", "bare cycles", "share"),
                 [(r["suite"], r["size"], r["way"], r["batch"], r["cycles"], r["ns"], r["bare_cycles"], r["share"])
                  for r in m["batches"]])
    keys = dict.fromkeys((r["sas"], r["way"]) for r in m["sas"])
    at = {k: middle(r["cycles"] for r in m["sas"] if (r["sas"], r["way"]) == k) for k in keys}
    out += table(("SAs in random order", "way", "cycles", "rate against one"),
                 [(s, w, c, at[1, w] / c) for (s, w), c in at.items()])
    return out + table(("policies", "cycles a look-up", "rate against one"),
                       [(r["policies"], r["cycles"], r["share"]) for r in m["lookup"]])


def onecore(rows):
    out = ["CPU time of a lane from device to device for each TCP segment of 1400 bytes, one thread on one core; medians.", ""]
    got = []
    for way in ("enc", "dec"):
        mine = [r for r in rows if r["way"] == way]
        got.append((way, *(middle(r[k] for r in mine) for k in ("ns", "memory", "bare", "share"))))
    return out + table(("way", "chain ns", "in memory ns", "bare ns", "share"), got)


def e2e(e):
    out = [f"Medians of {e['rounds']} rounds at most; ratios are medians of the rounds' ratios. UDP: thousands of packets a "
           "second, at the highest rate of which less than 1 % is lost; flat out: what arrives when the sender never waits.", ""]
    head = ("cores", "IP", "traffic", "way", "Gbit/s", "kpps", "flat out", "to plain", "to plain-off", "to memcpy",
            "to wireguard-go")
    rows = [(l["cores"], l["family"], l["what"], l["kind"], l.get("gbit"), l.get("kpps"), l.get("flat_kpps"), l["to_plain"],
             l["to_plain-off"], l["to_memcpy"], l["to_wireguard-go"]) for l in e["summary"]]
    broken = dict.fromkeys((r["kind"], r["error"].strip().splitlines()[0]) for r in e["rows"] if r.get("error", "").strip())
    return out + table(head, rows) + [f"Failed: {k}: {w}\n" for k, w in broken]


def latency(rows):
    kinds = dict.fromkeys(r["kind"] for r in rows)
    return table(("way", "median us", "99 % below us"),
                 [(k, middle(r["us"] for r in rows if r["kind"] == k), middle(r["p99"] for r in rows if r["kind"] == k))
                  for k in kinds])


def order(rows):
    return table(("way", "bytes", "highest kpps", "sent at kpps", "packets", "lost", "late"),
                 [(r["kind"], r["size"], r["saturated_kpps"], r["kpps"], r["sent"], r["lost"], r["late"]) for r in rows])


def negotiations(rows):
    out = ["CPU time of one side for one negotiation with one CHILD SA, us; engine: ours without sockets and threads; bare: "
           "the cryptography alone.", ""]
    got = []
    for auth, group, role in dict.fromkeys((r["auth"], r["group"], r["role"]) for r in rows):
        us = {k: middle(r["us"] for r in rows if (r["auth"], r["group"], r["role"], r["kind"]) == (auth, group, role, k))
              for k in ("culvert", "charon", "engine", "bare")}
        ratio = {k: round_ratio(rows, "us", *k, auth=auth, group=group, role=role) for k in (("charon", "culvert"), ("culvert", "bare"))}
        got.append((auth, group, role, *us.values(), *ratio.values()))
    return out + table(("by", "group", "role", "culvertd", "charon", "engine", "bare", "charon / ours", "ours / bare"), got)


def cookies(rows):
    kinds = dict.fromkeys(r["kind"] for r in rows)
    return table(("", "us a cookie answer", "to bare"),
                 [(k, middle(r["us"] for r in rows if r["kind"] == k), round_ratio(rows, "us", k, "bare")) for k in kinds])


def halfopen(rows):
    return table(("", "half-open SAs", "bytes each"), [(r["kind"], r["count"], r["half_open_bytes"]) for r in rows])


def heap(m):
    return table(("bytes of culvertd's heap for each", ""),
                 [("tunnel: IKE SA and pair of IPsec SAs", m["tunnel_bytes"]), ("of these the pair of SAs", m["of_these_sa_pair"]),
                  ("its policies in the view", m["policy_view_bytes"]), ("half-open SA", m["half_open_bytes"])])


def idle(rows):
    return table(("", "tunnels", "us of CPU a second", "wake-ups a second"),
                 [(r["kind"], r["tunnels"], r["cpu_us_per_s"], r["wakeups_per_s"]) for r in rows])


def scale(s):
    rows = []
    for m in s["memory"]:
        mine = [r for r in s["rows"] if r["kind"] == m["kind"]]
        few, full, listing = (middle(r[k] for r in mine) for k in ("us_at_100", "us_at_all", "list_us"))
        rows.append((m["kind"], m["tunnels"], few, full, middle(r["us_at_all"] / r["us_at_100"] for r in mine),
                     m["tunnel_bytes"], listing))
    return table(("", "tunnels", "us at 100", "us at all", "growth", "bytes a tunnel", "us to list one SA"), rows)


SECTIONS = dict(memory=("In memory", memory), onecore=("One core against the bare library", onecore), e2e=("End to end", e2e),
                latency=("Latency of a ping", latency), order=("Loss and order at half of the highest rate", order),
                negotiations=("Negotiations", negotiations), cookies=("Cookie answers", cookies),
                halfopen=("Memory of half-open SAs", halfopen), heap=("Heap", heap), idle=("Idle", idle),
                scale=("Growth, memory and listing", scale))


def goals(fig):
    words = {True: "yes", False: "no", None: ""}
    rows = [(x["text"], "-" if x["goal"] is None else f"{'at least' if x['way'] == 'min' else 'at most'} {x['goal']:g}",
             "not measured" if x["got"] is None else show(x["got"]), words[x["reached"]]) for x in fig]
    return ["## Goals", "", *table(("figure", "goal", "measured", "reached"), rows)]


def markdown(out):
    lines = [f"# Results of {out['date']}", "",
             f"Commit {out['commit']}, {out['cpu']}, {out['cpus']} CPUs, Linux {out['kernel']}, load {out['load']:.1f} at the "
             f"start{', a quick pass' if out.get('quick') else ''}. The machine is shared: read the ratios.", ""]
    for name, (title, fn) in SECTIONS.items():
        if name in out:
            lines += [f"## {title}", "", *fn(out[name])]
    for what, why in {**out.get("not_measured", {}), **out.get("failed", {})}.items():
        lines += [f"Not measured: {what}: {why}", ""]
    return "\n".join(lines + goals(out["figures"]))
