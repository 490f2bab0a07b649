"""The man page documents exactly what the program has: options, sinks' options, defaults."""

import re
import shutil
import subprocess

import pytest

from conftest import ROOT

MANPAGE = ROOT / "docs" / "leadpipe.1"


def section(title):
    """The lines of one .Sh section."""
    text = MANPAGE.read_text()
    return re.search(r'^\.Sh %s\n(.*?)(?=^\.Sh |\Z)' % title, text, re.S | re.M).group(1)


def items(text):
    """[(words of an .It line, its text)]"""
    parts = re.split(r"^\.It (.*)$", text, flags=re.M)[1:]
    return list(zip(parts[0::2], parts[1::2]))


def default_of(text):
    """The last sentence of an item, "Default: X." """
    text = re.split(r"^\.(?:El|Ss|Sh)\b", text, flags=re.M)[0]
    found = re.search(r"^Default: (.*)\.$", text, re.M)
    if found:
        return found.group(1)
    return "required" if re.search(r"^Required\.$", text, re.M) else None


def options_in_manpage():
    found = {}
    for head, text in items(section("OPTIONS")):
        letter, name, arg = re.fullmatch(r"Fl (?:(\w) , )?-([a-z][a-z0-9.-]*)(?: Ar (.+))?", head).groups()
        found[name] = (letter, arg, default_of(text))
    return found


def unwrapped(text):
    """Help texts with each option on one line."""
    return re.sub(r"\n {20,}", " ", text)


def options_in_help(text):
    found = {}
    pattern = r"^  (?:-(\w), |    )--([a-z][a-z0-9.-]*)(?: (\S+))?  +(.*)$|^  (?:-(\w), |    )--([a-z][a-z0-9.-]*)(?: (\S+))? (.*)$"
    for line in unwrapped(text).splitlines():
        match = re.match(pattern, line)
        if not match:
            continue
        letter, name, arg, rest = match.group(1, 2, 3, 4) if match.group(2) else match.group(5, 6, 7, 8)
        default = re.search(r"\(default: (.*)\)$", rest)
        required = rest.endswith("(required)")
        found[name] = (letter, arg, default.group(1) if default else "required" if required else None)
    return found


def test_options(leadpipe):
    shown = options_in_help(leadpipe("export", "--help").stdout.decode())
    assert len(shown) > 25
    assert options_in_manpage() == shown


def test_help_of_all_is_help_of_export(leadpipe):
    everything = options_in_help(leadpipe("help").stdout.decode())
    assert everything == options_in_help(leadpipe("help", "export").stdout.decode())


@pytest.mark.parametrize("command", ["providers", "destinations"])
def test_options_of_lists(leadpipe, command):
    shown = options_in_help(leadpipe("help", command).stdout.decode())
    text = dict(items(section("COMMANDS")))["Cm " + command]
    assert set(shown) == set(re.findall(r"^\.Fl -([a-z][a-z0-9.-]*)", text, re.M)) == {"show"}
    for name, (_, arg, _) in shown.items():
        assert ".Fl -%s Ar %s ,\n" % (name, arg) in text


def sinks_in_manpage():
    found = {}
    for part in re.split(r"^\.Ss ", section("SINKS"), flags=re.M)[1:]:
        name, text = part.split("\n", 1)
        found[name] = {}
        for head, description in items(text):
            option, value = re.fullmatch(r"Cm ([a-z-]+)(?: Ns = Ns (?:Cm|Ar) (.+))?", head).groups()
            found[name][option] = (value, default_of(description))
    return found


def sinks_in_help(text):
    found, sink = {}, None
    for line in unwrapped(text).splitlines():
        title = re.fullmatch(r"[a-z]+", line)
        option = re.match(r"  ([a-z0-9-]+)(?:=(\S+) +|  +)(.*)", line)
        if title:
            sink = found[line] = {}
        elif option and sink is not None:
            default = re.search(r"\(default: (.*)\)$", option.group(3))
            sink[option.group(1)] = (option.group(2), default and default.group(1))
    return found


def test_sinks(leadpipe):
    shown = sinks_in_help(leadpipe("sinks").stdout.decode())
    assert list(shown) == ["csv", "ndjson", "msgpack", "parquet", "postgres", "sqlite", "webhook", "push"]
    assert sinks_in_manpage() == shown


def test_commands(leadpipe):
    shown = re.findall(r"^(?:usage:|      ) leadpipe ([a-z]+)", leadpipe("help").stdout.decode(), re.M)
    documented = [head.split()[1] for head, _ in items(section("COMMANDS")) if head.split()[1] in shown]
    assert documented == shown


def test_exit_statuses(leadpipe):
    shown = re.findall(r"^  (\d\S*)  ", leadpipe("help").stdout.decode(), re.M)
    assert shown == [head for head, _ in items(section("EXIT STATUS"))]


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_lints():
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(MANPAGE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("words", [["help"], ["help", "export"], ["sinks"], ["tables", "omni"], []])
def test_fits_a_terminal(leadpipe, words):
    done = leadpipe(*words)
    too_wide = [line for line in (done.stdout.decode() + done.stderr).splitlines() if len(line) > 80]
    assert too_wide == []
