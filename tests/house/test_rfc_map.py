"""docs/rfc-map.md names files; each of them exists, and each row names one."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "docs" / "rfc-map.md"


def rows():
    for line in MAP.read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| clause", "| RFC |")):
            yield [c.strip() for c in line.strip("|").split("|")]


def test_rows_are_whole():
    assert len(list(rows())) > 40
    for r in rows():
        assert len(r) == 3, r
        assert re.fullmatch(r"(\[[A-Z-]+\] )?[\dA-F., ;]+", r[0]), r
        assert re.fullmatch(r"(`[\w/]+\.[ch]` ?)+", r[2]), r


def test_files_exist():
    missing = [f for r in rows() for f in re.findall(r"`([^`]+)`", r[2]) if not (ROOT / "src" / f).is_file()]
    assert not missing
