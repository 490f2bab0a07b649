"""docs/design.md: in "Where is it done?" and "One lead, step by step" each function is in the file that is named;
elsewhere what is named exists."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["check", "cmake", "cmd", "core", "docs", "merge", "monitor", "scripts", "sinks", "tests"]
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


def test_what_is_named_exists():
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix]
    names = {file.name for file in files}
    source = "".join(file.read_text(encoding="utf-8") for file in files if file.suffix in (".c", ".h", ".cmake"))
    called = set(re.findall(r"\w+(?=\()", source))
    words = set(re.findall(r"`([^`\n]+)`", text))
    paths = {word for word in words if re.fullmatch(r"[\w./-]+\.(c|h|py|sh|cmake)", word)}
    functions_named = {word[:-2] for word in words if re.fullmatch(r"\w+\(\)", word)}
    assert len(paths) > 100 and len(functions_named) > 50
    assert [path for path in sorted(paths) if "/" in path and not path.startswith("./") and not (ROOT / path).is_file()] == []
    assert [path for path in sorted(paths) if "/" not in path and path not in names] == []
    assert sorted(functions_named - called) == []


def test_what_all_stages_know():
    """A stage knows what it is given: the struct that connects them stays small, and three files see it."""
    header = (ROOT / "core/run/run_internal.h").read_text()
    body = re.search(r"^struct run \{$(.*?)^\};$", header, re.M | re.S).group(1)
    members = re.findall(r";", re.sub(r"/\*.*?\*/", "", body, flags=re.S))
    assert 0 < len(members) <= 20, body
    users = sorted(path.name for path in (ROOT / "core").rglob("*.[ch]")
                   if '#include "core/run/run_internal.h"' in path.read_text())
    assert users == ["run.c", "run_open.c", "run_publish.c"], users
