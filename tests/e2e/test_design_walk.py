"""docs/design.md, "Where is it done?" and "One lead, step by step": each function is in the file that is named."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(r"^\| \d+ \| `([^`]+\.c)` `(\w+)\(\)` \|", re.M)
ROW = re.compile(r"^\| [^|]+ \| (.+) \|$", re.M)
FUNCTIONS = re.compile(r"`[^`]+\.c` `\w+\(\)`(, (`[^`]+\.c` )?`\w+\(\)`)*")


def section(title):
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    return text.split("\n## %s\n" % title, 1)[1].split("\n## ", 1)[0]


WALKS = {part.split("\n", 1)[0]: STEP.findall(part) for part in section("One lead, step by step").split("\n### ")[1:]}
INDEX = ROW.findall(section("Where is it done?"))[1:]  # without the head


def functions(row):
    """(file, function) of a row of the index: `FILE` `FUNCTION()`, `ANOTHER_OF_IT()`, `ANOTHER_FILE` `FUNCTION()`."""
    assert FUNCTIONS.fullmatch(row), row
    file, found = None, set()
    for word in re.findall(r"`([^`]+)`", row):
        if word.endswith("()"):
            found.add((file, word[:-2]))
        else:
            file = word
    return found


def test_there_are_three_walks():
    assert len(WALKS) == 3
    for title, steps in WALKS.items():
        assert len(steps) >= 10, title


def test_the_index_is_there():
    assert len(INDEX) > 20


@pytest.mark.parametrize("title", WALKS)
def test_no_file_twice_in_one_walk(title):
    files = [file for file, _ in WALKS[title]]
    assert sorted(files) == sorted(set(files))


@pytest.mark.parametrize("file,function", sorted(
    {step for steps in WALKS.values() for step in steps} | {pair for row in INDEX for pair in functions(row)}))
def test_function_is_there(file, function):
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(r"^[a-z][^;\n]*\b%s\([^;]*?\)\n\{" % function, source, re.M | re.S), function
