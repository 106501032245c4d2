"""tools/layercheck against made-up trees: each rule once broken, once kept."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "layercheck"


def check(tmp_path, files):
    (tmp_path / "src").mkdir(exist_ok=True)
    for name, text in files.items():
        f = tmp_path / name
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_text(text)
    p = subprocess.run(["/usr/bin/python3", TOOL, tmp_path], text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    return p.returncode, p.stdout


HEADERS = {f"src/{d}/x.h": "" for d in ("base", "model", "crypto", "wire", "pki", "ike", "ike/v1", "ike/v2",
                                        "dataplane", "io", "vici", "config", "cli", "diag", "daemon")}
HEADERS.update({f"include/culvert/{n}.h": "" for n in ("ike", "dataplane", "vici")})

# file, what it includes, what the message must hold
BROKEN = [
    ("src/base/a.c", '"model/x.h"', "base must not include model"),
    ("src/model/a.c", '"crypto/x.h"', "model must not include crypto"),
    ("src/crypto/a.c", '"wire/x.h"', "crypto must not include wire"),
    ("src/wire/a.c", '"crypto/x.h"', "wire must not include crypto"),
    ("src/wire/a.h", '"crypto/x.h"', "wire must not include crypto"),
    ("src/pki/a.c", '"wire/x.h"', "pki must not include wire"),
    ("src/ike/a.c", '"ike/v2/x.h"', "ike must not include ike/v2"),
    ("src/ike/a.c", '"ike/v1/x.h"', "ike must not include ike/v1"),
    ("src/ike/a.c", '"v2/x.h"', "ike must not include ike/v2"),
    ("src/ike/v2/a.c", '"ike/v1/x.h"', "ike/v2 must not include ike/v1"),
    ("src/ike/v1/a.c", '"ike/v2/x.h"', "ike/v1 must not include ike/v2"),
    ("src/ike/a.c", '<culvert/dataplane.h>', "ike must not include dataplane"),
    ("src/ike/v2/a.c", '"dataplane/x.h"', "ike/v2 must not include dataplane"),
    ("src/dataplane/a.c", '<culvert/ike.h>', "dataplane must not include ike"),
    ("src/dataplane/a.c", '"wire/x.h"', "dataplane must not include wire"),
    ("src/io/a.c", '"model/x.h"', "io must not include model"),
    ("src/vici/a.c", '"config/x.h"', "vici must not include config"),
    ("src/config/a.c", '"daemon/x.h"', "config must not include daemon"),
    ("src/cli/a.c", '<culvert/ike.h>', "cli must not include ike"),
    ("src/diag/a.c", '"io/x.h"', "diag must not include io"),
    ("src/diag/a.c", '"daemon/x.h"', "diag must not include daemon"),
    ("include/culvert/ike.h", '"crypto/x.h"', "public must not include crypto"),
    ("include/culvert/ike.h", '<culvert/dataplane.h>', "public must not include dataplane"),
    ("src/crypto/suite.c", "<openssl/evp.h>", "crypto/ossl_"),
    ("src/ike/a.c", "<openssl/rand.h>", "crypto/ossl_"),
    ("src/crypto/ossl_aead.c", "<intel-ipsec-mb.h>", "crypto/imb"),
    ("src/io/a.c", "<uv.h>", "daemon/"),
    ("src/daemon/a.c", "<libmnl/libmnl.h>", "io/"),
    ("src/daemon/a.c", "<nftables/libnftables.h>", "io/"),
    ("src/dataplane/a.c", "<sys/socket.h>", "system calls"),
    ("src/ike/a.c", "<unistd.h>", "system calls"),
    ("src/wire/a.c", "<netinet/in.h>", "system calls"),
    ("src/config/a.c", "<sys/socket.h>", "system calls"),
    ("src/base/a.c", '"base/gone.h"', "no such header"),
    ("src/base/a.c", '<culvert/gone.h>', "no such header"),
    ("src/ike/a.c", '"b.c"', "includes a source file"),
    ("src/misc/a.c", '"base/x.h"', "no room of the house"),
    ("src/a.c", '"base/x.h"', "no room of the house"),
]

KEPT = [
    ("src/model/a.c", '"base/x.h"'), ("src/wire/a.c", '"model/x.h"'), ("src/pki/a.c", "<openssl/x509.h>"),
    ("src/pki/a.c", '"crypto/x.h"'), ("src/ike/a.c", '"wire/x.h"'), ("src/ike/v2/a.c", '"ike/x.h"'),
    ("src/ike/v2/a.c", '"ike/v2/x.h"'), ("src/ike/v2/a.c", '"x.h"'), ("src/ike/a.c", "<culvert/ike.h>"),
    ("src/dataplane/a.c", "<culvert/dataplane.h>"), ("src/config/a.c", "<culvert/vici.h>"),
    ("src/config/a.c", "<fcntl.h>"), ("src/cli/a.c", "<sys/socket.h>"), ("src/io/a.c", "<libmnl/libmnl.h>"),
    ("src/daemon/a.c", "<uv.h>"), ("src/daemon/a.c", '"ike/v2/x.h"'), ("src/crypto/ossl_dh.c", "<openssl/ec.h>"),
    ("src/crypto/imb_gcm.c", "<intel-ipsec-mb.h>"), ("src/diag/a.c", '"dataplane/x.h"'),
    ("src/base/a_test.c", "<unistd.h>"), ("include/culvert/ike.h", '"model/x.h"'), ("src/base/a.c", "<sys/types.h>"),
    ("src/base/a.c", "<string.h>"),
]


@pytest.mark.parametrize("path,inc,says", BROKEN, ids=[f"{p}-{i}" for p, i, _ in BROKEN])
def test_broken(tmp_path, path, inc, says):
    rc, out = check(tmp_path, {**HEADERS, "src/ike/b.c": "", path: f"/* a\n b */\n#include {inc}\n"})
    assert rc == 1
    want = path + (":1:" if "no room" in says else ":3:")
    assert any(l.startswith(want) and says in l for l in out.splitlines()), out


@pytest.mark.parametrize("path,inc", KEPT, ids=[f"{p}-{i}" for p, i in KEPT])
def test_kept(tmp_path, path, inc):
    rc, out = check(tmp_path, {**HEADERS, path: f"#include {inc}\n"})
    assert (rc, out) == (0, "")


@pytest.mark.parametrize("text", ['/* #include "model/x.h" */', '// #include "model/x.h"',
                                  '/*\n#include "model/x.h"\n*/'])
def test_comments_are_no_includes(tmp_path, text):
    assert check(tmp_path, {**HEADERS, "src/base/a.c": text + "\n"}) == (0, "")


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_ring(tmp_path, n):
    files = {f"src/base/r{i}.h": f'#pragma once\n#include "base/r{(i + 1) % n}.h"\n' for i in range(n)}
    rc, out = check(tmp_path, files)
    assert rc == 1 and out.count("ring of includes") == 1 and out.startswith("src/base/r0.h:2:"), out


def test_diamond_is_no_ring(tmp_path):
    files = {"src/base/a.h": '#include "base/b.h"\n#include "base/c.h"\n',
             "src/base/b.h": '#include "base/d.h"\n', "src/base/c.h": '#include "base/d.h"\n', "src/base/d.h": ""}
    assert check(tmp_path, files) == (0, "")


def test_no_tree(tmp_path):
    p = subprocess.run(["/usr/bin/python3", TOOL, tmp_path], stderr=subprocess.PIPE, text=True)
    assert p.returncode == 2 and "no src/" in p.stderr


def test_this_tree():
    p = subprocess.run(["/usr/bin/python3", TOOL, ROOT], stdout=subprocess.PIPE, text=True)
    assert p.returncode == 0, p.stdout
