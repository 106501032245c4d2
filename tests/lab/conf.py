"""Configurations in swanctl.conf's grammar, which both kinds of daemon read."""

PSK = "a shared secret of the lab, 42 bytes long"


def block(name, members, indent=0):
    pad = "  " * indent
    lines = [f"{pad}{name} {{"]
    for k, v in members.items():
        if v is None:
            continue
        if isinstance(v, dict):
            lines += block(k, v, indent + 1).splitlines()
        else:
            lines.append(f"{pad}  {k} = {v}")
    return "\n".join(lines + [pad + "}"]) + "\n"


def child(side, lab, inner=4, second=False, **more):
    o = lab.other(side)
    return dict(dict(local_ts=side.net(inner, second), remote_ts=o.net(inner, second)), **more)


def conn(side, lab, outer=4, inner=4, children=None, local=None, remote=None, any_peer=False,
         esp=None, child_more=None, **more):
    """One connection of this side. `more` overrides or adds keys; None removes one."""
    c = dict(version=2, local_addrs=side.wan(outer),
             remote_addrs="%any" if any_peer else side.peer(outer),
             local=dict(dict(auth="psk"), **(local or {})),
             remote=dict(dict(auth="psk"), **(remote or {})))
    c.update(more)
    if children is None:
        children = dict(lan=child(side, lab, inner, esp_proposals=esp, **(child_more or {})))
    c["children"] = children
    return c


def config(conns, psk=PSK, secrets=None):
    """The text of a whole file. conns: name -> conn()."""
    sec = secrets or {"ike-1": dict(secret=f'"{psk}"')}
    return block("connections", conns) + block("secrets", sec)


def simple(side, lab, name="gw", psk=PSK, secrets=None, **kw):
    """A file with one connection."""
    return config({name: conn(side, lab, **kw)}, psk, secrets)
