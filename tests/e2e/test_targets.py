"""Where sinks write: standard output, pipes, devices, links; and targets that are refused."""

import json
import os
import stat
import threading

import pytest

from outputs import ids_file, lines_of, manifest, unpacked


def run(leadpipe, sandbox, *words, ids=("plain-1", "plain-2"), **more):
    given = [word for one in ids for word in ("--id", one)]
    return leadpipe("export", *sandbox.provider(), *given, *words, env=sandbox.env, **more)


@pytest.mark.parametrize("sink", ["csv", "csv,gzip=6", "csv,table=documents", "ndjson", "ndjson,layout=raw", "msgpack",
                                  "msgpack,gzip=0"])
def test_standard_output(leadpipe, sandbox, control, sink):
    """The same bytes as in a file; messages stay on standard error."""
    control.set(nonce="0")
    done = run(leadpipe, sandbox, "-t", sink + ":-", "-t", sink + ":file")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (leadpipe.folder / "file").read_bytes() != b""
    assert "2 exported" in done.stderr


def test_standard_output_that_is_a_file(leadpipe, sandbox, control):
    with open(leadpipe.folder / "redirected", "wb") as file:
        done = run(leadpipe, sandbox, "-t", "ndjson:-", stdout=file)
    assert done.returncode == 0, done.stderr
    assert [line["lead_id"] for line in lines_of(leadpipe.folder / "redirected")] == ["plain-1", "plain-2"]


def test_devices(leadpipe, sandbox, control):
    """Written to, never replaced."""
    for sink in ("csv", "ndjson", "msgpack", "csv,gzip=1"):
        done = run(leadpipe, sandbox, "-t", sink + ":/dev/null", "-t", "csv:leads.csv")
        assert done.returncode == 0, done.stderr
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert len((leadpipe.folder / "leads.csv").read_text().splitlines()) == 3


def test_full_device(leadpipe, sandbox, control):
    """A disk that is full ends the run with 1, and nothing appears under a final name."""
    done = run(leadpipe, sandbox, "-t", "ndjson:/dev/full", "-t", "csv:leads.csv", "--manifest", "manifest.json")
    assert done.returncode == 1, done.stderr
    assert "/dev/full" in done.stderr and "No space left" in done.stderr
    assert os.listdir(leadpipe.folder) == ["manifest.json"]
    assert not manifest(leadpipe.folder / "manifest.json")["published"]


@pytest.mark.parametrize("sink", ["ndjson", "csv", "msgpack,gzip=0"])
def test_named_pipe(leadpipe, sandbox, control, sink):
    control.set(nonce="0")
    pipe = leadpipe.folder / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    done = run(leadpipe, sandbox, "-t", sink + ":pipe", "-t", sink + ":file")
    assert done.returncode == 0, done.stderr
    reader.join(10)
    assert got == [(leadpipe.folder / "file").read_bytes()]
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_a_link_stays_a_link(leadpipe, sandbox, control):
    """What a name points to is replaced, not the name."""
    folder = leadpipe.folder
    (folder / "data").mkdir()
    (folder / "data" / "real.ndjson").write_text("old\n")
    (folder / "link.ndjson").symlink_to("data/real.ndjson")
    done = run(leadpipe, sandbox, "-t", "ndjson:link.ndjson")
    assert done.returncode == 0, done.stderr
    assert (folder / "link.ndjson").is_symlink()
    assert len(lines_of(folder / "data" / "real.ndjson")) == 2


def test_replaced_files_and_their_permissions(leadpipe, sandbox, control):
    folder = leadpipe.folder
    (folder / "old.csv").write_text("old")
    (folder / "old.csv").chmod(0o640)
    done = run(leadpipe, sandbox, "-t", "csv:old.csv", "-t", "csv:new.csv")
    assert done.returncode == 0, done.stderr
    assert (folder / "old.csv").read_bytes() == (folder / "new.csv").read_bytes()
    assert stat.S_IMODE((folder / "old.csv").stat().st_mode) == 0o640
    assert sorted(os.listdir(folder)) == ["new.csv", "old.csv"]


def test_folders_are_made(leadpipe, sandbox, control):
    done = run(leadpipe, sandbox, "-t", "csv:a/b/c/")
    assert done.returncode == 0, done.stderr
    assert (leadpipe.folder / "a" / "b" / "c" / "leads.csv").exists()


@pytest.mark.parametrize("words", [
    ["-t", "csv:x", "-t", "ndjson:x"],
    ["-t", "csv:x", "-t", "msgpack:./x"],
    ["-t", "csv:dir/", "-t", "csv:dir/leads.csv"],
    ["-t", "csv:dir/", "-t", "csv:dir//"],
    ["-t", "csv:./a/b/", "-t", "csv,table=documents:a//b/./documents.csv"],
    ["-t", "csv:x", "--failed", "x"],
    ["-t", "csv:x", "--manifest", "x"],
    ["-t", "csv:x", "--manifest", "m", "--failed", "m"],
    ["-t", "csv:-", "-t", "ndjson:-"],
    ["-t", "csv,table=leads:dir/"],
    ["-t", "csv:x", "-t", "ndjson:link"],
])
def test_refused(leadpipe, sandbox, control, words):
    """Two outputs into one file, whatever it is called; and nothing is touched."""
    (leadpipe.folder / "link").symlink_to("x")
    done = run(leadpipe, sandbox, *words)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(leadpipe.folder) == ["link"]
    assert control.stats()["by_id"] == {}


@pytest.mark.parametrize("words, says", [
    (["--failed", "o", "-t", "csv:o/"], "--failed and csv:o/: o cannot"),
    (["--manifest", "./o", "-t", "csv:o/"], "--manifest and csv:o/: ./o cannot"),
    (["--state", "o", "-t", "csv:o/"], "--state and csv:o/: o cannot"),
    (["-t", "csv:o", "-t", "csv:o/"], "csv:o and csv:o/: o cannot"),
    (["-t", "csv:o/", "-t", "ndjson:o"], "ndjson:o and csv:o/: o cannot"),
    (["-t", "csv:o/a/b/", "--failed", "o"], "--failed and csv:o/a/b/: o cannot"),
    (["-t", "csv:o/a/", "-t", "csv:new//../o"], "csv:new//../o and csv:o/a/: new//../o cannot"),
    (["-t", "csv:o/leads.csv/", "-t", "csv:o/"], "csv:o/ and csv:o/leads.csv/: o/leads.csv cannot"),
    (["-t", "csv:new/leads.csv/", "--failed", "new/leads.csv"], "new/leads.csv cannot"),
    (["-t", "csv:o", "-t", "ndjson:o/b"], "the directory o does not exist"),
    (["-t", "csv:o", "--failed", "o/b"], "the directory o does not exist"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_file_and_folder(leadpipe, sandbox, control, words, says):
    """Of one name there is only one of them; that is found out before the leads are fetched."""
    (leadpipe.folder / "new").mkdir()
    done = run(leadpipe, sandbox, *words)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr
    assert "be both a file and a directory" in done.stderr or "does not exist" in done.stderr
    assert os.listdir(leadpipe.folder) == ["new"] and os.listdir(leadpipe.folder / "new") == []
    assert control.stats()["by_id"] == {}


@pytest.mark.parametrize("folder", ["o", "./o", "o/", "new/../o", "a/b/c"])
def test_reports_in_a_folder_that_the_run_makes(leadpipe, sandbox, control, folder):
    """Also those that are begun before the outputs are."""
    (leadpipe.folder / "new").mkdir()
    done = run(leadpipe, sandbox, "-t", "csv:%s/" % folder, "--manifest", folder + "/m.json", "--failed", folder + "/f.ndjson",
               "--missing", folder + "/missing.ndjson")
    assert done.returncode == 0, done.stderr
    names = os.listdir(leadpipe.folder / folder)
    assert {"m.json", "f.ndjson", "missing.ndjson", "leads.csv"} <= set(names), names


@pytest.mark.parametrize("path", ["o/logs/m.json", "other/m.json", "o2/m.json"])
def test_reports_in_a_folder_that_nobody_makes(leadpipe, sandbox, control, path):
    for option in "--manifest", "--failed":
        done = run(leadpipe, sandbox, "-t", "csv:o/", option, path)
        assert done.returncode == 2 and "the directory %s does not exist" % os.path.dirname(path) in done.stderr, done
    assert os.listdir(leadpipe.folder) == [] and control.stats()["by_id"] == {}


def test_names_that_begin_alike(leadpipe, sandbox, control):
    """A name is below another one only behind a slash."""
    done = run(leadpipe, sandbox, "-t", "csv:o/", "-t", "csv:o.csv", "--failed", "o-failed", "--state", "o.state")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(leadpipe.folder)) == ["o", "o-failed", "o.csv", "o.state"]


@pytest.mark.parametrize("option", ["--failed", "--manifest"])
@pytest.mark.parametrize("sink", ["ndjson", "csv", "csv,table=documents", "msgpack,gzip=0"])
def test_standard_output_twice(leadpipe, sandbox, control, option, sink):
    """Rows and a list or manifest would be mixed."""
    done = run(leadpipe, sandbox, option, "-", "-t", "csv:out/", "-t", sink + ":-")
    assert (done.returncode, done.stdout) == (2, b""), done
    assert "%s:- and %s would both write -" % (sink.split(",")[0], option) in done.stderr, done.stderr
    assert os.listdir(leadpipe.folder) == []
    assert control.stats()["by_id"] == {}


def test_standard_output_and_a_file_called_so(leadpipe, sandbox, control):
    done = run(leadpipe, sandbox, "--manifest", "-", "-t", "ndjson:./-")
    assert done.returncode == 0, done.stderr
    assert len(lines_of(leadpipe.folder / "-")) == 2
    assert json.loads(done.stdout)["ledger"]["exported"] == 2


def test_a_reader_that_went_away(leadpipe, sandbox, control):
    """`leadpipe … | head -1`: the run ends, with a message that says so."""
    read, write = os.pipe()
    os.close(read)
    ids = ids_file(leadpipe.folder, ["plain-%d" % n for n in range(200)])
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", ids, env=sandbox.env, stdout=write)
    os.close(write)
    assert done.returncode == 1, done.stderr
    assert "standard output was closed" in done.stderr


def test_names_with_commas_and_colons(leadpipe, sandbox, control):
    """The first colon ends the options; the rest is the target, as it is."""
    done = run(leadpipe, sandbox, "-t", "ndjson:a,b:c d.ndjson", "-t", "msgpack,gzip=0:ü,gzip=9.mp")
    assert done.returncode == 0, done.stderr
    assert len(lines_of(leadpipe.folder / "a,b:c d.ndjson")) == 2
    assert unpacked(leadpipe.folder / "ü,gzip=9.mp")[:1] == b"\xde"


@pytest.mark.parametrize("words", [
    ["-t", "csv:ids.txt"], ["-t", "ndjson:./ids.txt"], ["-t", "csv:out/", "-t", "ndjson,gzip=1:link"],
    ["-t", "csv:out/", "--failed", "ids.txt"], ["-t", "csv:out/", "--manifest", "ids.txt"],
    ["-t", "csv:out/", "--state", "ids.txt"],
], ids=" ".join)
@pytest.mark.parametrize("content", ["plain-1\n", ""], ids=["with IDs", "empty"])
def test_input_is_no_target(leadpipe, sandbox, words, content):
    """What takes the place of the IDs would take those that are still to do with it."""
    (leadpipe.folder / "ids.txt").write_text(content)
    os.symlink("ids.txt", leadpipe.folder / "link")
    done = leadpipe("export", *sandbox.provider(), *words, "other.txt", "ids.txt", env=sandbox.env)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert "would overwrite the input ids.txt" in done.stderr, done.stderr
    assert sorted(os.listdir(leadpipe.folder)) == ["ids.txt", "link"]
    assert (leadpipe.folder / "ids.txt").read_text() == content


@pytest.mark.parametrize("words, says", [
    (["-t", "csv:in/out.csv", "in/"], "the input in/ is a directory; only files can be read"),
    (["-t", "csv:in/", "in"], "the input in is a directory; only files can be read"),
    (["-t", "csv:o", "--state", "in/s", "in"], "the input in is a directory; only files can be read"),
    (["-t", "csv:o", "--failed", "in/f", "ids", "in/"], "the input in/ is a directory; only files can be read"),
    (["-t", "csv:o", "."], "the input . is a directory; only files can be read"),
    (["-t", "csv:o", "in"], "in: Is a directory"),
    (["-t", "ndjson:new", "new/ids"], "ndjson:new and the input new/ids: new cannot be both a file and a directory"),
    (["-t", "csv:in", "ids"], "csv:in: is a directory; write csv:in/ for one file per table in it"),
    (["-t", "csv:ids/x", "other"], "ids/x: Not a directory"),
    (["-t", "csv:ids/", "other"], "ids/: Not a directory"),
    (["-t", "csv:new/x", "ids"], "new/x: the directory new does not exist; create it: mkdir -p new"),
    (["-t", "csv:https://crm/x", "ids"], "https://crm/x: is a URL, but only local files and directories, and s3://BUCKET/KEY, can be "
     "written; for a file of that name write ./https://crm/x"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_directories_and_files(leadpipe, sandbox, words, says):
    """Who it is about comes first, and once."""
    (leadpipe.folder / "in").mkdir()
    for name in ("ids", "other"):
        (leadpipe.folder / name).write_text("plain-1\n")
    done = leadpipe("export", *sandbox.provider(), *words, env=sandbox.env)
    assert (done.returncode, done.stderr) == (2, "leadpipe: %s\n" % says), done
    assert sorted(os.listdir(leadpipe.folder)) == ["ids", "in", "other"]


DATED = [["-t", "%s:%s" % (kind, path)] for kind in ("csv", "ndjson", "msgpack", "parquet") for path in ("run={run_id}/x", "a/dt={date}/{run_id}/x")] + [
    ["-t", "ndjson:y", "--" + option, "{run_id}/about"] for option in ("failed", "missing", "schema", "manifest", "summary-file", "report", "metrics")]


@pytest.mark.parametrize("state", [[], ["--state", "s"]], ids=["", "state"])
@pytest.mark.parametrize("words", DATED, ids=lambda words: " ".join(words[-2:]))
def test_a_folder_of_the_run_is_made(leadpipe, sandbox, words, state):
    """Nobody else can: each run has another one."""
    command = ["export", *sandbox.provider(), *words, *state]
    for n in (1, 2):
        before = sorted(leadpipe.folder.rglob("*"))
        checked = leadpipe("check", *command[1:], "--id", "plain-1", env=sandbox.env)
        assert "the directory" not in checked.stdout.decode() + checked.stderr and checked.returncode == 0, checked
        assert sorted(leadpipe.folder.rglob("*")) == before
        done = leadpipe(*command, input="plain-%d\n" % n, env=sandbox.env)
        assert done.returncode == 0, done.stderr
        assert len([path for path in leadpipe.folder.rglob("*") if path.name in ("x", "about") and path.is_file()]) == n


def test_a_folder_of_the_run_that_cannot_be_made(leadpipe, sandbox):
    (leadpipe.folder / "file").write_text("")
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:file/{run_id}/x", input="plain-1\n", env=sandbox.env)
    assert done.returncode == 2 and "Not a directory" in done.stderr, done.stderr
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:new/{run_id}.ndjson", input="plain-1\n", env=sandbox.env)
    assert done.returncode == 2 and "create it: mkdir -p new" in done.stderr and os.listdir(leadpipe.folder) == ["file"], done.stderr


SECRET = "whsec_" + "c2VjcmV0LW9mLTI0LWJ5dGVzLi4u"

READ = {
    "key": "would overwrite the file of --api-key-file;",
    "my.json": "would overwrite the file of --provider;",
    "secret": "would overwrite the secret-file of webhook:http",
}


@pytest.mark.parametrize("words", [
    ["-t", "ndjson:FILE"], ["-t", "csv:out/", "-t", "csv:./out/../FILE"], ["-t", "ndjson:link"], ["--failed", "FILE"],
    ["--manifest", "FILE"], ["--state", "FILE"],
], ids=" ".join)
@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_no_target(leadpipe, sandbox, control, name, words):
    """Nor are the files of options, whose content nobody has twice."""
    folder = leadpipe.folder
    (folder / "out").mkdir()
    (folder / "link").symlink_to(name)
    (folder / "key").write_text(sandbox.key + "\n")
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "my.json").write_bytes(leadpipe("providers", "--show", "omni").stdout)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done = leadpipe("export", "-p", "my.json", "--base-url", sandbox.omni, "--api-key-file", "key", "--id", "plain-1",
                    "-t", "webhook,secret-file=secret:" + sandbox.hook("unsent"),
                    *[word.replace("FILE", name) for word in words])
    assert (done.returncode, done.stdout) == (2, b""), done
    assert len(done.stderr.splitlines()) == 1 and READ[name] in done.stderr, done.stderr
    assert sandbox.key not in done.stderr and SECRET not in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert os.listdir(folder / "out") == []
    assert control.stats()["by_id"] == {} and control.deliveries("unsent") == []


def test_names_of_options_that_are_no_files(leadpipe, sandbox, control):
    """A built-in profile is no file, whatever is called like it."""
    done = run(leadpipe, sandbox, "-t", "ndjson:omni", "-t", "csv:main/")
    assert done.returncode == 0, done.stderr
    assert len(lines_of(leadpipe.folder / "omni")) == 2
