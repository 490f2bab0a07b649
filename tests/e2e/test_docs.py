"""What documents name is there: options of commands and sinks, tests, files, links; and what they list is complete."""

import re
import shlex

import pytest

from conftest import ROOT
from test_manpage import items, options_in_help, options_in_manpage, section, sinks_in_help

PAGES = ["README.md", "CHANGELOG.md", *sorted("docs/" + path.name for path in (ROOT / "docs").glob("*.md"))]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def commands_of(text):
    """The words of every indented command of leadpipe, without what the shell makes of them."""
    joined = re.sub(r"\\\n\s+", " ", text)
    for line in re.findall(r"^(?:    |\s+)(?:.*[|&;(] *)?(leadpipe (?:export|tables|providers|sinks|help)\b[^|&\n]*)", joined, re.M):
        line = re.split(r"\s# |\s{5,}\S|\s+…", line)[0]
        try:
            yield shlex.split(line)
        except ValueError:
            yield shlex.split(line + '"')


def commands():
    found = [(page, words) for page in PAGES for words in commands_of(text_of(page))]
    return found + [("leadpipe.1", words) for words in commands_of(
        re.sub(r"^(?=leadpipe )", "    ", section("EXAMPLES").replace("\\e", "\\").replace("\\(aq", "'"), flags=re.M))]


def test_commands_are_found():
    assert len(commands()) > 30
    assert {page for page, _ in commands()} > {"README.md", "docs/webhooks.md", "docs/types.md", "leadpipe.1"}


@pytest.mark.parametrize("page, words", commands(), ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60])
def test_commands_have_options_that_are_there(leadpipe, page, words):
    """And their sinks, too."""
    known = options_in_help(leadpipe("help", words[1]).stdout.decode())
    letters = {letter for letter, _, _ in known.values() if letter}
    sinks = sinks_in_help(leadpipe("sinks").stdout.decode())
    for word, after in zip(words[2:], [*words[3:], ""]):
        if word.startswith("--"):
            assert word[2:].split("=")[0] in known, word
        elif re.match(r"-[a-z]", word):
            assert word[1] in letters, word
        if word in ("-t", "--to"):
            head = re.match(r"(?:[^:\\]|\\.|: )*", after).group()
            kind, *options = re.split(r"(?<!\\),", head)
            assert kind in sinks, after
            for option in options:
                name, equals, value = option.partition("=")
                form = sinks[kind][name][0]
                assert bool(equals) == (form is not None), option
                if re.fullmatch(r"[a-z0-9-]+(\|[a-z0-9-]+)+", form or ""):
                    assert value in form.split("|"), option


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    for link in re.findall(r"\[[^\]]*\]\((?!https?:)([^)\s]+)\)", text_of(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads], link


@pytest.mark.parametrize("page", PAGES)
def test_tests_and_files_that_are_named(page):
    text = text_of(page)
    for path in re.findall(r"`((?:core|sinks|cmd|tests|cmake|scripts|docs)/[\w./*-]+)`", text):
        assert list(ROOT.glob(path.rstrip("/"))), path
    sources = None
    for name, suffix in re.findall(r"`(test_[a-z0-9_]+\*?)(\.py|\.c|)`", text):
        if suffix:
            assert list(ROOT.glob("tests/*/%s%s" % (name, suffix))), name + suffix
            continue
        sources = sources or "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "e2e").glob("test_*.py"))
        assert "\ndef %s(" % name in sources, name


@pytest.mark.parametrize("page, kinds", [
    ("docs/webhooks.md", ["webhook"]), ("docs/kafka.md", ["kafka"]), ("docs/parquet.md", ["parquet"]), ("docs/warehouses.md", ["postgres", "sqlite"])])
def test_pages_name_all_options_of_their_sinks(leadpipe, page, kinds):
    sinks = sinks_in_help(leadpipe("sinks").stdout.decode())
    text = text_of(page)
    for option in {option for kind in kinds for option in sinks[kind]}:
        assert re.search(r"[`,(]%s[`=]" % option, text), option


def test_what_makes_another_run():
    """The man page's list is of the options that are not marked as free to change."""
    table = "".join((ROOT / name).read_text(encoding="utf-8")
                    for name in ("cmd/options_export.inc", "cmd/options_provider.inc", "cmd/options_fetching.inc",
                                 "core/run/run_options.inc"))
    rows = re.findall(r'^    \.name = "([^"]+)",(.*?)\)$', table, re.S | re.M)
    fixed = {name for name, row in rows if "OPTION_MAY_CHANGE" not in row}
    assert len(rows) == len(options_in_manpage())
    listed = re.search(r"^A run is different if any of these differs:(.*?)^Relative targets", section("STATE"), re.S | re.M).group(1)
    named = {"provider": "provider", "server": "server", "base-url": "server", "param": "parameters", "to": "sinks"}
    assert set(re.findall(r"^\.Fl -([a-z0-9.-]+)", listed, re.M)) == fixed - set(named)
    assert all(re.search(r"\b%s\b" % word, listed) for word in named.values())


def environment_in_manpage():
    return [name for head, _ in items(section("ENVIRONMENT")) for name in re.findall(r"[A-Za-z0-9_]{4,}", head.replace("Ev", ""))]


def test_environment(leadpipe):
    """Help and man page name the same variables, and all that the program reads."""
    shown = leadpipe("help", "export").stdout.decode().split("\nEnvironment:\n")[1].split("\n\n")[0]
    names = [name for line in re.findall(r"^  (?! )(.*)$", shown, re.M) for name in re.findall(r"\w+", line)]
    assert names == environment_in_manpage()
    sources = "".join(path.read_text(encoding="utf-8") for room in ("core", "sinks", "cmd") for path in (ROOT / room).rglob("*.c"))
    read = set(re.findall(r'"((?:AWS|PG|SLURM|JOB|LEADPIPE_SHARD)_?[A-Z0-9_]+|TMPDIR|[a-z]+_proxy)"', sources))
    assert read == set(names) - {"OMNI_API_KEY", "CONVOCORE_API_KEY"}  # which profiles name
