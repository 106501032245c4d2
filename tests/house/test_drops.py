"""Each reason for which the data plane drops a packet is given somewhere, and some test holds its counter: the name stands
in a test that reads verdicts or counters, in C or over VICI."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


# no test makes the kernel lie about an offload: split_test.c holds what refuses such a header, not its counter
UNMOVED = {"DP_GSO"}


def reasons():
    text = (ROOT / "src" / "base" / "reason.def").read_text()
    part = text.split("/* data plane drops */")[1].split("/*")[0]
    return re.findall(r"^R\((DP_\w+),", part, re.M)


def texts(*globs):
    return [p.read_text() for g in globs for p in ROOT.glob(g)]


def test_there_are_reasons():
    assert len(reasons()) > 20


def test_each_is_given():
    code = "\n".join(p.read_text() for p in (ROOT / "src").rglob("*.[ch]") if not p.name.endswith("_test.c"))
    assert [r for r in reasons() if not re.search(rf"\bR_{r}\b", code)] == []


def test_each_is_tested():
    """drops_test.c and drops_modes_test.c move one counter each and look at all others; what is not in them needs more
    than one packet, or other rooms, and is asserted where that is tested."""
    tests = "\n".join(texts("src/**/*_test.c"))
    live = "\n".join(texts("tests/e2e/*.py", "tests/interop/*.py", "tests/codec/*.py"))
    missing = [r for r in reasons()
               if not re.search(rf"(R_{r}\b[^;]*(?:true|false)}}|drops\[R_{r}\]|kit_drops\([^;]*R_{r}\b|reason[^;]*R_{r}\b|"
                                rf"DP_DROP, R_{r}\b)", tests)
               and f'"{r.lower().replace("_", "-")}"' not in live]
    assert set(missing) == UNMOVED


def test_each_is_in_the_manual():
    """culvert(8) names every reason, with the text of reason.def."""
    text = (ROOT / "src" / "base" / "reason.def").read_text()
    manual = (ROOT / "docs" / "culvert.8").read_text()
    said = dict(re.findall(r"^\.It Li (dp-[a-z-]+)\n(.*)\.$", manual, re.M))
    want = {r.lower().replace("_", "-"): re.search(rf'^R\({r}, \d+, "(.*)"\)', text, re.M)[1] for r in reasons()}
    assert {k: v[0].lower() + v[1:] for k, v in said.items()} == {k: v[0].lower() + v[1:] for k, v in want.items()}
