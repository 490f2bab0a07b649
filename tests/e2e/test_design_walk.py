"""docs/design.md, "One lead, step by step": each function is in the file that the walk names."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(r"^\| \d+ \| `([^`]+\.c)` `(\w+)\(\)` \|", re.M)


def walks():
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    section = text.split("## One lead, step by step", 1)[1].split("\n## ", 1)[0]
    return {part.split("\n", 1)[0]: STEP.findall(part) for part in section.split("\n### ")[1:]}


WALKS = walks()


def test_there_are_three_walks():
    assert len(WALKS) == 3
    for title, steps in WALKS.items():
        assert len(steps) >= 10, title


@pytest.mark.parametrize("title", WALKS)
def test_no_file_twice_in_one_walk(title):
    files = [file for file, _ in WALKS[title]]
    assert sorted(files) == sorted(set(files))


@pytest.mark.parametrize("file,function", sorted({step for steps in WALKS.values() for step in steps}))
def test_function_is_there(file, function):
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(r"^[a-z][^;\n]*\b%s\([^;]*?\)\n\{" % function, source, re.M | re.S), function
