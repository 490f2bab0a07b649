"""Names that the program makes itself, beside those that it is given: none of them may be another file of the run.

And targets that look like URLs, which once became folders called "s3:".
"""

import os
import subprocess

import pytest

from outputs import lines_of

def every_file(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(leadpipe, sandbox, control, *words, says, ids=("--id", "plain-1")):
    """Exit status 2 with one line, and nothing has changed."""
    before = every_file(leadpipe.folder)
    folders = sorted(path for path in leadpipe.folder.rglob("*") if path.is_dir())
    done = leadpipe("export", *sandbox.provider(), *words, *ids, env=sandbox.env)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr
    assert every_file(leadpipe.folder) == before
    assert sorted(path for path in leadpipe.folder.rglob("*") if path.is_dir()) == folders
    assert control.stats()["by_id"] == {}


WRITERS = [
    (["-t", "ndjson:out", "--failed", "f"], [".f.leadpipe-part", ".f.leadpipe-wide", ".out.leadpipe-part"]),
    (["-t", "csv:out"], [".out.leadpipe-part", ".out.leadpipe-wide"]),
    (["-t", "csv:out/"], ["out/.leads.csv.leadpipe-part", "out/.documents.csv.leadpipe-wide"]),
    (["-t", "csv,gzip=6:out/"], ["out/.leads.csv.gz.leadpipe-part"]),
    (["-t", "csv:sub/../out"], [".out.leadpipe-part"]),
    (["-t", "csv:linked/out"], ["sub/.out.leadpipe-part"]),
    (["-t", "ndjson:link"], ["sub/.real.leadpipe-part"]),
    (["-t", "ndjson:out", "--manifest", "m"], [".m.leadpipe-part"]),
    (["-t", "ndjson:out", "--state", "s"], ["s-wal", "s-journal", "s-shm"]),
    (["-t", "ndjson:out", "--state", "linked/s"], ["sub/s-wal"]),
]
CASES = [(words, name) for words, names in WRITERS for name in names]


@pytest.fixture
def folders(leadpipe):
    (leadpipe.folder / "sub").mkdir()
    (leadpipe.folder / "linked").symlink_to("sub")
    (leadpipe.folder / "sub" / "real").write_text("")
    (leadpipe.folder / "link").symlink_to("sub/real")
    (leadpipe.folder / "out").parent.mkdir(exist_ok=True)


def make(folder, name, content):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)


@pytest.mark.parametrize("words, name", CASES, ids=str)
@pytest.mark.parametrize("way", ["", "./", "sub/../", "hard", "symbolic"])
def test_input(leadpipe, sandbox, control, folders, words, name, way):
    """IDs that lie under a derived name are neither emptied nor replaced."""
    make(leadpipe.folder, name, "plain-1\n")
    given = way + name
    if way == "hard":
        given = "other"
        (leadpipe.folder / "other").hardlink_to(leadpipe.folder / name)
    elif way == "symbolic":
        given = "other"
        (leadpipe.folder / "other").symlink_to(name)
    unfinished = "leadpipe-" in name
    says = "is in the way: it has other hard links" if way == "hard" and unfinished else "would overwrite the input %s" % given
    refused(leadpipe, sandbox, control, *words, ids=[given], says=says)


SECRET = "whsec_" + "c2VjcmV0LW9mLTI0LWJ5dGVzLi4u"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                    "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    return (folder / "cert").read_text()


@pytest.mark.parametrize("option", ["--api-key-file", "--cacert", "--provider", "secret-file"])
@pytest.mark.parametrize("words, name", CASES, ids=str)
def test_what_options_read(leadpipe, sandbox, control, folders, certificate, words, name, option):
    content = {"--api-key-file": sandbox.key + "\n", "secret-file": SECRET + "\n", "--cacert": certificate,
               "--provider": leadpipe("providers", "--show", "omni").stdout.decode()}
    make(leadpipe.folder, name, content[option])
    given = [option, name]
    if option == "secret-file":
        given = ["-t", "webhook,secret-file=%s:%s" % (name, sandbox.hook("unsent"))]
    elif option == "--provider":
        given = ["--provider", name, "--base-url", sandbox.omni]
    before = every_file(leadpipe.folder)
    done = leadpipe("export", *(() if option == "--provider" else sandbox.provider()), *given, *words, "--id", "plain-1",
                    env=sandbox.env)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert "would overwrite the %s" % ("secret-file of webhook" if option == "secret-file" else "file of " + option) in done.stderr
    assert sandbox.key not in done.stderr and SECRET not in done.stderr
    assert every_file(leadpipe.folder) == before and control.deliveries("unsent") == []


@pytest.mark.parametrize("words, says", [
    (["-t", "ndjson:s-wal", "--state", "s"], "ndjson:s-wal would write s-wal, a name that --state needs for its database"),
    (["-t", "ndjson:s-journal", "--state", "s"], "a name that --state needs for its database"),
    (["-t", "csv:./s-shm", "--state", "sub/../s"], "a name that --state needs for its database"),
    (["-t", "ndjson:x", "--state", ".x.leadpipe-part"], "--state would write .x.leadpipe-part, a name that ndjson:x needs"),
    (["-t", "ndjson:x", "--failed", ".x.leadpipe-wide"], "--failed would write .x.leadpipe-wide, a name that ndjson:x needs"),
    (["-t", "ndjson:.f.leadpipe-part", "--failed", "f"], "ndjson:.f.leadpipe-part would write"),
    (["-t", "ndjson:x", "-t", "csv:.x.leadpipe-part"], "csv:.x.leadpipe-part would write"),
    (["-t", "csv:.x.leadpipe-part", "-t", "ndjson:x"], "csv:.x.leadpipe-part would write"),
    (["-t", "ndjson:x", "--manifest", "sub/../.x.leadpipe-part"], "--manifest would write"),
    (["-t", "ndjson:linked/x", "--manifest", "sub/.x.leadpipe-part"], "--manifest would write"),
    (["-t", "ndjson:link", "--manifest", "sub/.real.leadpipe-part"], "--manifest would write"),
    (["-t", "csv:new/", "-t", "ndjson:x", "--failed", ".x.leadpipe-part"], "--failed would write"),
    (["-t", "ndjson:x", "-t", "csv:.x.leadpipe-part/"], ".x.leadpipe-part cannot be both a file and a directory"),
    (["-t", "ndjson:x", "-t", "csv:s-wal/", "--state", "s"], "s-wal cannot be both a file and a directory"),
    (["-t", "csv:new/a/../", "-t", "csv:new/"], "would both write"),
    (["-t", "csv:new/a/b/../../", "-t", "csv:sub/../new/"], "would both write"),
    (["-t", "csv:one", "-t", "ndjson:two"], "csv:one and ndjson:two would both write two"),
    (["-t", "csv:one", "--failed", "two"], "csv:one and --failed would both write two"),
    (["-t", "csv:x", "--state", "one", "--failed", "two"], "--failed and --state would both write one"),
    (["-t", "ndjson:out", "--failed", "f", "--manifest", "f"], "--failed and --manifest would both write f"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_outputs(leadpipe, sandbox, control, folders, words, says):
    (leadpipe.folder / "one").write_text("")
    (leadpipe.folder / "two").hardlink_to(leadpipe.folder / "one")
    refused(leadpipe, sandbox, control, *words, says=says)


def test_neighbours(leadpipe, sandbox, control, folders):
    """Names that only look alike are fine, and so are several outputs in a folder that one of them makes."""
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:x", "-t", "csv:x.leadpipe-part", "-t", "csv:new/",
                    "-t", "csv:new/sub/", "-t", "csv:X", "--state", "s", "--failed", "swal", "--manifest", "s-wal2",
                    "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    assert len(lines_of(leadpipe.folder / "x")) == 1


# --- URLs -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, says", [
    (["-t", "csv:gs://bucket/x/"], "is a URL"),
    (["-t", "csv:gs://bucket/x.csv"], "gs://bucket/x.csv: is a URL"),
    (["-t", "ndjson,gzip=6:gs://bucket/x.gz"], "gs://bucket/x.gz: is a URL"),
    (["-t", "msgpack:az+blob.v2://bucket/x"], "az+blob.v2://bucket/x: is a URL"),
    (["-t", "csv:file:///tmp/x"], "file:///tmp/x: is a URL"),
    (["-t", "ndjson:https://example.invalid/x"], "https://example.invalid/x: is a URL"),
    (["-t", "csv:x", "--failed", "gs://bucket/f"], "--failed: gs://bucket/f: is a URL"),
    (["-t", "csv:x", "--manifest", "gs://bucket/f"], "--manifest: gs://bucket/f: is a URL"),
    (["-t", "csv:x", "--state", "s3://bucket/f"], "s3://bucket/f: is a URL"),
    (["-t", "csv:x", "s3://bucket/ids.txt"], "the input s3://bucket/ids.txt: is a URL"),
    (["-t", "csv:x", "--cacert", "s3://bucket/x"], "--cacert: s3://bucket/x cannot be read"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
@pytest.mark.parametrize("there", [False, True])
def test_urls_are_no_paths(leadpipe, sandbox, control, words, says, there):
    """Also where a folder is called so."""
    if there and "--cacert" not in words:
        for scheme in ("s3:", "gs:", "az+blob.v2:", "file:", "https:"):
            (leadpipe.folder / scheme / "bucket").mkdir(parents=True)
        (leadpipe.folder / "s3:" / "bucket" / "ids.txt").write_text("plain-1\n")
    refused(leadpipe, sandbox, control, *words, says=says, ids=() if "ids.txt" in words[-1] else ("--id", "plain-1"))


def test_folder_that_is_called_like_a_url(leadpipe, sandbox, control):
    """There is a way out; and what only looks a little like a URL is a path."""
    (leadpipe.folder / "s3:" / "bucket").mkdir(parents=True)
    (leadpipe.folder / "s3:" / "bucket" / "ids.txt").write_text("plain-1\n")
    (leadpipe.folder / "1:").mkdir()
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:./s3://bucket/x/", "-t", "ndjson:a:b", "-t", "ndjson:1://c",
                    "--failed", "./s3://bucket/f", "./s3://bucket/ids.txt", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    assert (leadpipe.folder / "s3:" / "bucket" / "x" / "leads.csv").exists()
    assert sorted(os.listdir(leadpipe.folder)) == ["1:", "a:b", "s3:"]
