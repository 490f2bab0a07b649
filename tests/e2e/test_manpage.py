"""The man page documents exactly what the program has: options, sinks' options, defaults."""

import re
import subprocess

import pytest

from conftest import BINARY, ROOT

MANPAGE = ROOT / "docs" / "leadpipe.1"
PAGES = BINARY.parent / "man"  # one for each command, made with the program


def section(title, page=MANPAGE):
    """The lines of one .Sh section."""
    text = page.read_text()
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


def options_in_manpage(page=MANPAGE):
    found = {}
    for head, text in items(section("OPTIONS", page)):
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


@pytest.mark.parametrize("command, options", [("providers", {"show"}),
                                              ("destinations", {"show", "check", "provider", "param"})])
def test_options_of_lists(leadpipe, command, options):
    shown = options_in_help(leadpipe("help", command).stdout.decode())
    text = dict(items(section("COMMANDS")))["Cm " + command]
    assert set(shown) == set(re.findall(r"^\.Fl -([a-z][a-z0-9.-]*)", text, re.M)) == options
    for name, (_, arg, _) in shown.items():
        assert ".Fl -%s Ar %s ,\n" % (name, arg) in text


def sinks_in_manpage(page=MANPAGE):
    found = {}
    for part in re.split(r"^\.Ss ", section("SINKS", page), flags=re.M)[1:]:
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
    documented = sinks_in_manpage()
    assert "csv" in shown and (list(documented), documented) == (list(shown), shown)


def test_one_sink(leadpipe):
    everything = leadpipe("sinks").stdout.decode()
    for sink in sinks_in_help(everything):
        text = leadpipe("sinks", sink).stdout.decode()
        assert text.startswith(sink + "\n") and "\n" + text in everything and list(sinks_in_help(text)) == [sink]


def test_commands(leadpipe):
    shown = commands_in_help(leadpipe)
    documented = [head.split()[1] for head, _ in items(section("COMMANDS")) if head.split()[1] in shown]
    assert documented == shown


def test_exit_statuses(leadpipe):
    shown = re.findall(r"^  (\d\S*)  ", leadpipe("help").stdout.decode(), re.M)
    assert shown == [head for head, _ in items(section("EXIT STATUS"))]


# ---- the page of each command -------------------------------------------------------------------


def commands_in_help(leadpipe):
    return re.findall(r"^(?:usage:|      ) leadpipe ([a-z]+)", leadpipe("help").stdout.decode(), re.M)


def page_of(command):
    return PAGES / ("leadpipe-%s.1" % command)


def words_of(text):
    return re.findall(r"[A-Za-z]+", text)


def test_every_command_has_a_page(leadpipe):
    pages = {path.name for path in PAGES.glob("*.1")}
    assert pages == {page_of(command).name for command in commands_in_help(leadpipe)}


def test_pages_say_what_help_says(leadpipe):
    for command in commands_in_help(leadpipe):
        page = page_of(command)
        shown = leadpipe("help", command).stdout.decode()
        usage = shown.split("\n\n")[0].replace("usage: ", "")
        synopsis = section("SYNOPSIS", page).replace(".Nm", "").replace("leadpipe\n", "leadpipe ")
        plain = re.sub(r"\b(?:Cm|Fl|Ar|Op|Nm) |^\.", "", synopsis, flags=re.M)
        assert words_of(plain) == words_of(usage), command
        text = page.read_text()
        for name in options_in_help(shown):
            if command != "export" and name in options_in_manpage():
                continue  # an option of export, too, whose page has it
            assert re.search(r"Fl -%s\b| , -%s\b" % (re.escape(name), re.escape(name)), text), (command, name)
    assert options_in_manpage(page_of("export")) == options_in_help(leadpipe("export", "--help").stdout.decode())
    assert sinks_in_manpage(page_of("sinks")) == sinks_in_help(leadpipe("sinks").stdout.decode())


def test_pages_name_no_section_that_they_lack(leadpipe):
    for command in commands_in_help(leadpipe):
        text = page_of(command).read_text()
        titles = set(re.findall(r"^\.Sh (.*)$", text, re.M))
        for reference in re.findall(r"^\.Sx ([A-Z]+(?: [A-Z]+)*)", text, re.M):
            assert reference in titles, (command, reference)
        assert "\n.Nm\n" not in text  # the name of the page is not that of the program


def test_lints():
    pages = [MANPAGE, *sorted(PAGES.glob("*.1"))]
    assert len(pages) > 8
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *map(str, pages)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("command, summary", [("export", "fetch leads and write them to sinks"),
                                              ("destinations", "list the built-in destinations of the sink push")])
def test_page_can_be_read(command, summary):
    done = subprocess.run(["mandoc", "-Tutf8", str(page_of(command))], capture_output=True, text=True)
    text = re.sub(r".\x08", "", done.stdout)
    assert "leadpipe-%s \u2013 %s\n" % (command, summary) in text
    assert "\n     leadpipe %s " % command in text


@pytest.mark.parametrize("words", [["help"], ["help", "export"], ["help", "list"], ["sinks"], ["tables", "omni"], []])
def test_fits_a_terminal(leadpipe, words):
    done = leadpipe(*words)
    too_wide = [line for line in (done.stdout.decode() + done.stderr).splitlines() if len(line) > 80]
    assert too_wide == []
