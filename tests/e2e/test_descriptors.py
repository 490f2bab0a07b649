"""Outputs and inputs that are names of open descriptors, and outputs that a standard descriptor is open on."""

import json
import os
import pty
import re
import subprocess

import pytest

from conftest import BINARY, SLOWNESS, clean_environment
from outputs import lines_of

STANDARD_OUTPUT = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/proc/$$/fd/1",
                   "//dev/./stdout", "link", "link-to-link", "folder/1", "loop/../link"]


def shell(leadpipe, sandbox, line, **more):
    """A line of a shell, where $LEADPIPE is the beginning of an export."""
    words = [str(BINARY), "export", "-q", *sandbox.provider()]
    env = {**clean_environment(sandbox.env), "LEADPIPE": " ".join(words), "ROW": " --id plain-1"}
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(["bash", "-c", line], env=env, cwd=leadpipe.folder, text=True, timeout=60 * SLOWNESS,
                          capture_output=True, **more)


@pytest.fixture
def links(leadpipe):
    (leadpipe.folder / "link").symlink_to("/dev/stdout")
    (leadpipe.folder / "link-to-link").symlink_to("link")
    (leadpipe.folder / "folder").symlink_to("/dev/fd")
    (leadpipe.folder / "loop").mkdir()


@pytest.mark.parametrize("sink", ["csv,header=no", "ndjson", "msgpack,gzip=0"])
@pytest.mark.parametrize("name", STANDARD_OUTPUT)
def test_standard_output_by_another_name(leadpipe, sandbox, control, links, name, sink):
    """Appended to, at the place where it stands: never truncated, replaced or written from the beginning."""
    control.set(nonce="0")
    folder = leadpipe.folder
    (folder / "all").write_text("last week\n")
    alone = shell(leadpipe, sandbox, "$LEADPIPE -t %s:alone $ROW" % sink)
    assert alone.returncode == 0, alone.stderr
    rows = (folder / "alone").read_bytes()
    assert rows
    inode = (folder / "all").stat().st_ino
    for line, before, after in (
            ("exec $LEADPIPE -t %s:%s $ROW >> all", b"last week\n", b""),
            ("echo begin > all; (exec $LEADPIPE -t %s:%s $ROW; ) >> all; echo end >> all", b"begin\n", b"end\n"),
            ("(echo begin; $LEADPIPE -t %s:%s $ROW; echo end) > all", b"begin\n", b"end\n"),
            ("(echo begin; $LEADPIPE -t %s:%s $ROW; echo end) | cat > all", b"begin\n", b"end\n")):
        if "$$" in name and not line.startswith("exec"):
            continue  # $$ is the shell there
        done = shell(leadpipe, sandbox, line % (sink, name))
        assert (done.returncode, done.stderr) == (0, ""), done
        assert (folder / "all").read_bytes() == before + rows + after, line
        assert (folder / "all").stat().st_ino == inode
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"])
def test_failed_list_on_standard_error(leadpipe, sandbox, control, name):
    """What is in the log stays, and the rows come as a block of whole lines."""
    (leadpipe.folder / "log").write_text("last week\n")
    ids = " ".join("--id bad-%d~status=400" % n for n in range(2000))
    done = shell(leadpipe, sandbox, "$LEADPIPE -t csv:out.csv --failed %s --id plain-1 %s 2>> log" % (name, ids))
    assert done.returncode == 3
    lines = (leadpipe.folder / "log").read_text().splitlines()
    assert lines[0] == "last week"
    rows = [n for n, line in enumerate(lines) if line.startswith("{")]
    assert len(rows) == 2000 and rows == list(range(rows[0], rows[0] + 2000))
    assert {json.loads(lines[n])["stage"] for n in rows} == {"fetch"}


def test_any_descriptor(leadpipe, sandbox, control):
    folder = leadpipe.folder
    (folder / "three").write_text("before\n")
    done = shell(leadpipe, sandbox, "$LEADPIPE -t ndjson:/dev/fd/3 -t csv:/dev/fd/4 --manifest /dev/fd/17 $ROW "
                                    "3>> three 4> >(cat > four) 17> m.json; wait $!")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "three").read_text().startswith("before\n{") and len((folder / "four").read_text().splitlines()) == 2
    assert json.loads((folder / "m.json").read_text())["ledger"]["exported"] == 1


CLOSED = [
    ("-t csv:/dev/fd/9", "/dev/fd/9 is closed"),
    ("-t ndjson:/proc/self/fd/9", "/proc/self/fd/9 is closed"),
    ("-t csv:out.csv --failed /dev/fd/9", "--failed: /dev/fd/9 is closed"),
    ("-t csv:out.csv --manifest /dev/fd/3", "--manifest: /dev/fd/3 is closed"),
    ("-t csv:/dev/stdout >&-", "standard output is closed"),
    ("-t csv:- >&-", "standard output is closed"),
    ("-t csv:/dev/stderr 2>&-", None),
    ("-t csv:/dev/stdin <&-", "standard input is closed"),
    ("-t csv:/dev/stdin < /dev/null", "standard input is open for reading only"),
    ("-t csv:/dev/fd/9 9< precious", "/dev/fd/9 is open for reading only"),
    ("-t ndjson:/proc/self/fd/9 9< precious", "/proc/self/fd/9 is open for reading only"),
    ("-t csv:- 1< precious", "standard output is open for reading only"),
    ("-t csv:out.csv --failed /dev/stdout 1< precious", "--failed: standard output is open for reading only"),
]


@pytest.mark.parametrize("words, says", CLOSED, ids=[words for words, _ in CLOSED])
def test_descriptor_that_cannot_be_written(leadpipe, sandbox, control, words, says):
    """Not even where the program itself, by chance, has something open under that number."""
    (leadpipe.folder / "precious").write_text("precious\n")
    done = shell(leadpipe, sandbox, "$LEADPIPE $ROW " + words)
    assert done.returncode == 2, done
    assert says is None or done.stderr.endswith(": %s\n" % says)
    assert os.listdir(leadpipe.folder) == ["precious"] and (leadpipe.folder / "precious").read_text() == "precious\n"
    assert control.stats()["by_id"] == {}


REFUSED = [
    ("-t ndjson:- -t csv:both > both", "csv:both would overwrite both, which standard output is open on"),
    ("-t ndjson:- -t csv:both >> both", "both"),
    ("-t csv:both > both", "csv:both would overwrite both, which standard output is open on"),
    ("-t csv:./both 2> both", "standard error is open on"),
    ("-t csv:both < both", "which standard input is open on"),
    ("-t csv:other > both", "csv:other would overwrite other, which standard output"),
    ("-t csv:hard > both", "csv:hard would overwrite hard, which standard output"),
    ("-t csv:out/ > out/leads.csv", "csv:out/ would overwrite out/leads.csv, which"),
    ("-t csv:out/x.csv --failed both 2>> both", "--failed would overwrite both, which standard error is open on"),
    ("-t csv:out/x.csv --manifest both > both", "--manifest would overwrite both, which standard output is open on"),
    ("-t csv:out/x.csv --state both 2>> both", "--state would overwrite both, which standard error is open on"),
    ("-t csv:out/x.csv --state both 2>> both-wal", "--state would overwrite the file that standard error is open on"),
    ("-t csv:both > .both.leadpipe-part", "csv:both would overwrite the file that standard output is open on"),
    ("-t csv:both 2>> .both.leadpipe-wide", "csv:both would overwrite the file that standard error is open on"),
    ("-t csv:- -t ndjson:/dev/stdout", "csv:- and ndjson:/dev/stdout: only one sink can write to standard output"),
    ("-t csv:/dev/fd/1 -t ndjson:/proc/self/fd/1", "only one sink can write to standard output"),
    ("-t csv:- --failed /dev/stdout", "csv:- and --failed would both write /dev/stdout"),
    ("-t csv:- --failed /dev/stderr > both 2>&1", "csv:- and --failed would both write /dev/stderr"),
    ("-t csv:- --manifest /dev/fd/3 3>&1 > both 3>> both", "csv:- and --manifest would both write /dev/fd/3"),
    ("-t csv:/dev/fd/3 -t ndjson:/dev/fd/3 3> both", "would both write /dev/fd/3"),
    ("-t csv:/dev/stdout --state s > both", "with --state, output cannot go to standard output, a pipe or a device"),
    ("-t csv:out/x.csv --state /dev/fd/3 3<> both", "is not a regular file, as a state file must be"),
]


@pytest.mark.parametrize("words, says", REFUSED, ids=[words for words, _ in REFUSED])
def test_outputs_that_standard_descriptors_are_open_on(leadpipe, sandbox, control, words, says):
    """One file under two names; nothing is fetched, and what the shell left in the files is there."""
    folder = leadpipe.folder
    (folder / "out").mkdir()
    (folder / "both").write_text("kept\n")
    (folder / "other").symlink_to("both")
    (folder / "hard").hardlink_to(folder / "both")
    shell_makes = {word.split("/")[-1] for word in words.split() if "both-" in word or ".both" in word}
    done = shell(leadpipe, sandbox, "$LEADPIPE $ROW " + words)
    texts = {path.name: path.read_text() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    messages = [line for text in (done.stderr, *texts.values()) for line in text.splitlines() if line.startswith("leadpipe: ")]
    assert done.returncode == 2 and len(set(messages)) == 1, done
    assert says in messages[0]
    assert {"both", "hard"} <= set(texts) <= {"both", "hard", "leads.csv"} | shell_makes
    truncated = re.search("[ 0-9]> both( |$)", words)
    assert [line for line in texts["both"].splitlines() if line not in messages] == ([] if truncated else ["kept"])
    assert control.stats()["by_id"] == {}


def test_input_that_is_written_to(leadpipe, sandbox, control):
    """Rows behind the IDs would be read as IDs."""
    ids = leadpipe.folder / "ids.txt"
    for line in ("$LEADPIPE -t ndjson:- < ids.txt >> ids.txt", "$LEADPIPE -t ndjson:- ids.txt >> ids.txt",
                 "$LEADPIPE -t ndjson:/dev/fd/3 ids.txt 3>> ids.txt", "$LEADPIPE -t ndjson:ids.txt < ids.txt",
                 "$LEADPIPE -t ndjson:out --failed ids.txt < ids.txt", "$LEADPIPE -t ndjson:hard ids.txt"):
        ids.write_text("plain-1\n")
        if not (leadpipe.folder / "hard").exists():
            (leadpipe.folder / "hard").hardlink_to(ids)
        done = shell(leadpipe, sandbox, line)
        assert done.returncode == 2 and "would " in done.stderr, (line, done)
        assert ids.read_text() == "plain-1\n"
    done = shell(leadpipe, sandbox, "$LEADPIPE -t ndjson:out ids.txt 2>> ids.txt")
    assert done.returncode == 2 and "standard error is open on the input ids.txt" in ids.read_text()
    assert control.stats()["by_id"] == {}


def test_harmless_neighbours(leadpipe, sandbox, control):
    """What keeps nothing can be named as often as one likes, and who joins two descriptors means it."""
    for words in ("-t csv:/dev/null -t ndjson:/dev/null --failed /dev/null --manifest /dev/null < /dev/null > /dev/null",
                  "-t csv:- 2>&1", "-t csv:- > both 2>&1", "-t csv:/dev/fd/3 3>&1 > /dev/null",
                  "-t ndjson:new < both", "-t csv:a.csv -t ndjson:/dev/stdout --failed /dev/stderr"):
        done = shell(leadpipe, sandbox, "touch both; $LEADPIPE $ROW " + words)
        assert done.returncode == 0, (words, done)


def test_terminal(leadpipe, sandbox, control):
    """Standard output and standard error are one terminal, whose name may be given, too."""
    primary, secondary = pty.openpty()
    name = os.ttyname(secondary)
    for words in ("-t ndjson:- --failed /dev/stderr", "-t ndjson:" + name, "-t ndjson:/dev/stdout"):
        done = leadpipe.start("export", "-q", *sandbox.provider(), "--id", "plain-1", *words.split(), env=sandbox.env,
                              stdin=secondary, stdout=secondary, stderr=secondary)
        got = b""
        while not got.endswith(b"\n"):
            got += os.read(primary, 1 << 16)
        assert done.wait(30 * SLOWNESS) == 0
        assert json.loads(got)["lead_id"] == "plain-1"
    os.close(secondary)
    os.close(primary)


# --- inputs -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_input_from_where_it_stands(leadpipe, sandbox, control, name):
    """Who read a line of it before us has it: opened by its name, a file would begin anew."""
    (leadpipe.folder / "ids.txt").write_text("taken-1\nplain-2\nplain-3\n")
    done = shell(leadpipe, sandbox, "{ read line; $LEADPIPE -t ndjson:out %s; } < ids.txt" % name)
    assert done.returncode == 0, done.stderr
    assert [row["lead_id"] for row in lines_of(leadpipe.folder / "out")] == ["plain-2", "plain-3"]


def test_inputs_through_descriptors(leadpipe, sandbox, control):
    done = shell(leadpipe, sandbox, "$LEADPIPE -t ndjson:out <(echo plain-1) /dev/fd/7 7<<< plain-2")
    assert done.returncode == 0, done.stderr
    assert [row["lead_id"] for row in lines_of(leadpipe.folder / "out")] == ["plain-1", "plain-2"]


@pytest.mark.parametrize("words, says", [
    ("/dev/fd/9", "/dev/fd/9 is closed"),
    ("- <&-", "standard input is closed"),
    ("/dev/fd/9 9> x", "/dev/fd/9 is open for writing only"),
    ("- /dev/stdin", "standard input can be read only once"),
    ("/dev/fd/7 /dev/fd/7 7<<< plain-1", "can be read only once"),
    ("--api-key-file /dev/stdin - < key", "standard input can be read only once"),
])
def test_input_that_cannot_be_read(leadpipe, sandbox, control, words, says):
    (leadpipe.folder / "key").write_text(sandbox.key)
    done = shell(leadpipe, sandbox, "$LEADPIPE -t ndjson:out " + words)
    assert done.returncode == 2 and says in done.stderr, done
    assert not (leadpipe.folder / "out").exists()
    assert control.stats()["by_id"] == {}
