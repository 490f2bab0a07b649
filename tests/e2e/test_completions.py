"""Completions: what the program offers is what its tables have, and bash, zsh and fish put it into the line."""

import os
import pathlib
import re
import shutil

import pytest

from installs import installed
from shells import Fish, Terminal
from test_manpage import options_in_help, sinks_in_help

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "core" / "provider" / "profiles"
BUILTINS = {path.stem for path in PROFILES.glob("*.json")}

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def offered(leadpipe):
    """What may stand in the place of the last word: {candidate: description}, what comes before it, flags."""

    def ask(*words, cwd=None):
        done = leadpipe("__complete", *words, cwd=cwd)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.decode().splitlines()
        if not lines:
            return {}, None, set()
        return dict(line.partition("\t")[::2] for line in lines[2:]), lines[0], set(lines[1].split())

    return ask


# ---- what the program says ---------------------------------------------------------------------


def commands_of(leadpipe):
    """{name: the first line of what the help says of it}"""
    text = leadpipe("help").stdout.decode().split("\nCommands:\n")[1].split("\n\n")[0]
    return dict(re.findall(r"^  ([a-z]+) +(\S.*)$", text, re.M))


def test_commands(leadpipe, offered):
    listed = commands_of(leadpipe)
    assert len(listed) >= 8
    found, before, flags = offered("")
    assert (before, flags) == ("", set())
    assert set(found) == {*listed, "--help", "--version"}
    for name, text in listed.items():
        first = text.split(";")[0]
        assert found[name] == first or found[name].startswith(first) and text == first  # which goes on
    assert set(offered("help", "")[0]) == set(listed)


def test_every_option_of_every_command(leadpipe, offered):
    of_export = options_in_help(leadpipe("help", "export").stdout.decode())
    for command in commands_of(leadpipe):
        text = leadpipe("help", command).stdout.decode()
        options = options_in_help(text)
        if "[OPTIONS]" in text:  # those of export, too
            options = {**of_export, **options}
        found, _, flags = offered(command, "--")
        assert flags == set()
        assert set(found) == {"--" + name for name in options} | {"--help"}, command
        assert "" not in found.values()
        letters = {"-" + letter for letter, _, _ in options.values() if letter}
        assert set(offered(command, "-")[0]) == set(found) | letters


def test_values_of_options(leadpipe, offered):
    """Of every option the words to choose from, or names of files."""
    checked = 0
    for command in ("export", "tables"):
        for name, (_, arg, _) in options_in_help(leadpipe("help", command).stdout.decode()).items():
            found, before, flags = offered(command, "--" + name, "")
            assert offered(command, "--%s=" % name)[0] == (found if arg else {})
            if arg and "FILE" in arg.split("|"):
                assert "files" in flags, name
                checked += 1
            elif arg == "DIR":
                assert "folders" in flags, name
                checked += 1
            elif arg and "|" in arg and arg.islower():
                assert set(found) == set(arg.split("|")), name
                checked += 1
    assert checked > 8
    assert set(offered("export", "--order", "")[0]) == {"input", "any"}
    assert set(offered("export", "-j", "")[0]) == {"auto"}


def test_every_option_of_every_sink(leadpipe, offered):
    sinks = sinks_in_help(leadpipe("sinks").stdout.decode())
    found, before, flags = offered("export", "-t", "")
    assert (list(found), flags) == (list(sinks), {"nospace"})
    for kind, options in ((kind, options) for kind, options in sinks.items() if options):
        for words, start in ((["-t", ""], ""), (["--to="], "--to="), (["-t"], "-t")):
            spec = words[-1] + kind + ","
            found, before, flags = offered("export", *words[:-1], spec)
            assert (before, flags) == (start + kind + ",", {"nospace"})
            assert set(found) == {name + ("=" if value else "") for name, (value, _) in options.items()}
        for name, (value, _) in options.items():
            found, before, flags = offered("export", "-t", "%s,%s=" % (kind, name))
            if value and "|" in value and value.islower():
                assert set(found) == set(value.split("|")), (kind, name)
            assert ("files" in flags) == (value == "FILE"), (kind, name)


@pytest.mark.parametrize("words, expected", [
    (["export", "-p", ""], BUILTINS),
    (["export", "-pom"], BUILTINS),
    (["tables", ""], BUILTINS),
    (["providers", "--show", ""], BUILTINS),
    (["destinations", "--show", ""], {"close-lead", "dynamics-lead", "hubspot-companies", "hubspot-contacts",
                                      "pipedrive-person", "salesforce-lead", "slack", "zoho-leads"}),
    (["export", "--provider=convocore", "--param", ""], {"agentId="}),
    (["export", "-p", "omni", "--param", ""], set()),
    (["export", "-p", "omni", "--server", ""], {"main"}),
    (["export", "-qp", "convocore", "-t", "csv,table="], {"leads", "crm_activities", "crm_activity_notes"}),
    (["export", "-p", "omni", "-p", "convocore", "-t", "parquet,table="],
     {"leads", "crm_activities", "crm_activity_notes"}),
    (["completion", ""], set(SHELLS)),
    (["sinks", "csv", ""], set()),
    (["tables", "omni", ""], set()),  # there is no second argument
    (["tables", "omni", "--ddl", "duckdb", "--"], {"--help"}),  # given, and excluded by it
    (["export", "--order", "--quiet", "--pro"], None),  # "--quiet" is the value of the option before it
    (["export", "-t", "csv"], None),
    (["nonsense", ""], set()),
    (["export", "--nonsense=", ""], set()),
    (["export", "--nonsense="], set()),
    (["export", "-t", "nonsense,"], set()),
    (["export", "-t", "nonsense:"], set()),
    (["export", "-t", "postgres,mode=upsert:"], set()),
    (["export", "-t", "webhook:"], set()),
    (["export", "-t", "csv,bom\n"], set()),
    ([], set()),
])
def test_names(offered, words, expected):
    found, _, _ = offered(*words)
    if expected is not None:
        assert set(found) == expected
    elif words[-1] == "csv":
        assert {"csv:", "csv,", "ndjson"} <= set(found)
    else:
        assert {"--quiet", "--progress"} <= set(found)


def test_argument_of_sinks(offered, leadpipe):
    assert offered("sinks", "")[0].keys() == sinks_in_help(leadpipe("sinks").stdout.decode()).keys()


@pytest.mark.parametrize("words, flags", [
    (["export", ""], {"files"}),
    (["export", "a", "b", ""], {"files"}),
    (["export", "--", "-"], {"files"}),
    (["export", "-t", "csv:"], {"files"}),
    (["export", "-t", "csv,gzip=6,bom:"], {"files"}),
    (["export", "-t", "sqlite:"], {"files"}),
    (["export", "-t", "webhook,header=X: y,secret-file="], {"files", "nospace"}),
    (["tables", ""], {"files"}),
    (["sinks", ""], set()),
    (["providers", ""], set()),
    (["version", ""], set()),
])
def test_files(offered, words, flags):
    assert offered(*words)[2] == flags


def test_given_options_of_sinks_are_not_offered_again(offered):
    found = offered("export", "-t", r"webhook,batch=50,header=X: a\,batch,")[0]
    assert "batch=" not in found and {"header=", "rate="} <= set(found)


def test_names_in_a_profile_that_a_shell_would_run(leadpipe, offered):
    """A profile comes from somebody else; nothing in it becomes a command by pressing a key."""
    text = leadpipe("providers", "--show", "omni").stdout.decode()
    assert text.count('"name": "main"') == 1
    profile = leadpipe.folder / "other.json"
    profile.write_text(text.replace('"name": "main"', '"name": "$(touch ran)"'))
    assert offered("export", "-p", "other.json", "--server", "")[0] == {}
    profile.write_text(text.replace('"name": "main"', '"name": "mine"'))
    assert set(offered("export", "-p", "other.json", "--server", "")[0]) == {"mine"}
    profile.write_text("{")
    assert offered("export", "-p", "other.json", "--server", "") == ({}, None, set())


def test_pipe_is_not_read(leadpipe, offered):
    os.mkfifo(leadpipe.folder / "pipe.json")
    assert offered("export", "-p", "pipe.json", "--server", "") == ({}, None, set())


def test_unknown_shell(leadpipe):
    for words, message in ((["completion", "tcsh"], "unknown shell tcsh"), (["completion"], "missing argument")):
        done = leadpipe(*words)
        assert (done.returncode, done.stdout) == (2, b"")
        assert message in done.stderr and "bash|zsh|fish" in done.stderr


# ---- what shells make of it --------------------------------------------------------------------


PLACES = {"bash": "bash-completion/completions/leadpipe", "zsh": "zsh/site-functions/_leadpipe",
          "fish": "fish/vendor_completions.d/leadpipe.fish"}


def test_installed_files(leadpipe):
    share = installed(leadpipe.folder / "prefix") / "share"
    for shell, place in PLACES.items():
        assert (share / place).read_bytes() == leadpipe("completion", shell).stdout, shell


@pytest.fixture(params=SHELLS + ["bash-words", "zsh-installed"])
def shell(request, tmp_path):
    name = request.param.split("-")[0]
    if not shutil.which(name):
        pytest.skip(name + " is not installed")
    setup = {"bash": "source <(leadpipe completion bash)\n", "zsh": "source <(leadpipe completion zsh)\n",
             "fish": "leadpipe completion fish | source"}[name]
    if request.param == "bash-words":  # which some have set, as "=" and ":" within words annoy them
        setup += "COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]/}\n"
    if request.param == "zsh-installed":
        folder = installed(tmp_path / "prefix") / "share" / "zsh" / "site-functions"
        setup = ("fpath=(%s $fpath)\n" % folder, "")
    for path in ("ids file.txt", "spare-file"):
        (tmp_path / path).write_text("")
    for path in ("out-dir", "spare-dir"):
        (tmp_path / path).mkdir()
    shell = Fish(tmp_path, setup) if name == "fish" else Terminal(name, tmp_path, setup)
    shell.name = name
    yield shell
    shell.close()


COMPLETED = [
    ("leadpipe exp", "export"),
    ("leadpipe export --ord", "--order"),
    ("leadpipe export --order a", "any"),
    ("leadpipe export --order=a", "--order=any"),
    ("leadpipe export -p om", "omni"),
    ("leadpipe export -pom", "-pomni"),
    ("leadpipe export -p convocore --param a", "agentId="),
    ("leadpipe export -t nd", "ndjson"),
    ("leadpipe export -t csv,del", "csv,delimiter="),
    ("leadpipe export -t csv,delimiter=s", "csv,delimiter=semicolon"),
    ("leadpipe export --to=csv,delimiter=tab,ex", "--to=csv,delimiter=tab,excel-safe"),
    ("leadpipe export -p omni -t csv,table=checklist_items,b", "csv,table=checklist_items,bom"),
    ("leadpipe export -t push:sla", "push:slack"),
    ("leadpipe export -t csv:out", "csv:out-dir/"),
    ("leadpipe export -t csv,gzip=6:out", "csv,gzip=6:out-dir/"),
    ("leadpipe export -t ndjson:ids", "ndjson:ids\\ file.txt"),
    ("leadpipe export --failed ids", "ids\\ file.txt"),
    ("leadpipe export --failed=ids", "--failed=ids\\ file.txt"),
    ("leadpipe export --spool-dir spare", "spare-dir/"),
    ("leadpipe export -q ids", "ids\\ file.txt"),
    ("leadpipe providers --show c", "convocore"),
    ("leadpipe tables om", "omni"),
    ("leadpipe help ta", "tables"),
    ("leadpipe completion f", "fish"),
]


def test_one_candidate_is_completed(shell):
    for text, word in COMPLETED:
        if shell.name == "fish":  # it escapes when it puts a candidate into the line, and not before
            word = word.replace("\\", "")
        assert shell.completed(text) == text[:text.rfind(" ") + 1] + word


def test_all_candidates(shell, leadpipe, offered):
    options = options_in_help(leadpipe("help", "export").stdout.decode())
    assert shell.candidates("leadpipe export --") == sorted("--" + name for name in options)
    assert shell.candidates("leadpipe export -t p") == ["parquet", "postgres", "push"]
    kinds = sinks_in_help(leadpipe("sinks").stdout.decode())
    assert shell.candidates("leadpipe export -t ") == sorted(kinds)


def test_quoted_and_continued_words(shell):
    if shell.name == "fish":
        pytest.skip("fish offers whole words, quoted or not")
    for text, word in (("'csv,delimiter=s", "'csv,delimiter=semicolon"), ('"push:sla', '"push:slack')):
        whole = "leadpipe export -t " + word
        assert shell.completed("leadpipe export -t " + text) in (whole, whole + word[0])  # some close the quote
    # a key that completes changes nothing where nothing is known
    assert shell.completed("leadpipe export --expect 1") == "leadpipe export --expect 1"
