"""A disk that becomes full, and places where no file can be: nothing half-written, nothing lost."""

import json
import os
import resource
import subprocess

import pytest

import runs

EARLIER = b"what an earlier run left\n"
N_LEADS = 60


def small_files(limit):
    """No file over so many bytes: as full a disk as an ordinary user can make."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def many_ids(n=N_LEADS):
    return "\n".join("plain-%d" % i for i in range(n))


SINKS = {
    "csv": ("csv:old.csv", "old.csv"),
    "csv tables": ("csv:tables/", "tables/leads.csv"),
    "csv gzip": ("csv,gzip=1:old.csv", "old.csv"),
    "ndjson": ("ndjson:old.ndjson", "old.ndjson"),
    "ndjson raw": ("ndjson,layout=raw:old.ndjson", "old.ndjson"),
    "msgpack": ("msgpack,gzip=0:old.msgpack", "old.msgpack"),
    "msgpack gzip": ("msgpack:old.msgpack.gz", "old.msgpack.gz"),
}


@pytest.mark.parametrize("limit", [100, 5000])
@pytest.mark.parametrize("sink", SINKS)
def test_file_size_limit(leadpipe, sandbox, control, tmp_path, sink, limit):
    spec, name = SINKS[sink]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(EARLIER)
    done = leadpipe("export", *sandbox.provider(), "-t", spec, "--manifest", "manifest.json", env=sandbox.env,
                    input=many_ids(), preexec_fn=small_files(limit))
    assert done.returncode == 1, done.stderr
    first = done.stderr.splitlines()[0]
    assert name.split("/")[0] in first and "File too large" in first, done.stderr
    listing = runs.listing(tmp_path)
    reported = listing.pop("manifest.json", None)  # as small as it is, it is too large for 100 bytes
    assert listing == {name: EARLIER} and (reported is None) == (limit == 100)
    assert limit == 100 or not json.loads(reported)["published"]


def test_two_sinks_one_too_large(leadpipe, sandbox, control, tmp_path):
    """The small one is complete and is not published either: the run did not come to its end."""
    (tmp_path / "small.csv").write_bytes(EARLIER)
    done = leadpipe("export", *sandbox.provider(), "-t", "csv,table=matching_leads:small.csv", "-t", "ndjson:large",
                    env=sandbox.env, input=many_ids(), preexec_fn=small_files(20_000))
    assert done.returncode == 1 and "large" in done.stderr, done.stderr
    assert runs.listing(tmp_path) == {"small.csv": EARLIER}


def test_failed_list_too_large(leadpipe, sandbox, control, tmp_path):
    ids = "tiny-1\n" + "\n".join("bad-%d~status=400" % n for n in range(200))
    (tmp_path / "failed").write_bytes(EARLIER)
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:out", "--failed", "failed", env=sandbox.env, input=ids,
                    preexec_fn=small_files(4000))
    assert done.returncode == 1 and "failed" in done.stderr and "File too large" in done.stderr, done.stderr
    assert runs.listing(tmp_path) == {"failed": EARLIER}


def test_manifest_that_cannot_be_written(leadpipe, sandbox, control):
    """It comes last: what it would describe is there, and the exit status says that it is not."""
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--manifest", "/dev/full", "--id", "tiny-1",
                    env=sandbox.env)
    assert (done.returncode, done.stdout.count(b"\n")) == (1, 1), done.stderr
    assert "/dev/full" in done.stderr and "No space left" in done.stderr


@pytest.mark.parametrize("sink", ["csv", "ndjson", "msgpack"])
def test_full_standard_output(leadpipe, sandbox, control, sink):
    with open("/dev/full", "wb") as full:
        done = leadpipe("export", *sandbox.provider(), "-t", sink + ":-", "--id", "plain-1", env=sandbox.env, stdout=full)
    assert done.returncode == 1 and "standard output: " in done.stderr and "No space left" in done.stderr, done.stderr


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user cannot mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("spec", ["csv:disk/", "ndjson:disk/new", "msgpack:disk/new"])
def test_full_disk(leadpipe, sandbox, control, tiny_disk, spec):
    (tiny_disk / "leads.csv").write_bytes(EARLIER)
    (tiny_disk / "ballast").write_bytes(b"x" * 200_000)
    done = leadpipe("export", *sandbox.provider(), "-t", spec, env=sandbox.env, input=many_ids(400))
    assert done.returncode == 1 and "disk/" in done.stderr and "No space left on device" in done.stderr, done.stderr
    assert sorted(runs.listing(tiny_disk)) == ["ballast", "leads.csv"]
    assert (tiny_disk / "leads.csv").read_bytes() == EARLIER


@pytest.mark.parametrize("spec, name", [("parquet,row-group=1:out/", ".parquet"), ("csv:-", "standard output"), ("parquet:-", "standard output")])
def test_no_room_for_a_temporary_file(leadpipe, sandbox, tiny_disk, spec, name):
    """Not where the output is: so it is said where, what for, and what has chosen that place."""
    (tiny_disk / "ballast").write_bytes(b"x" * 200_000)
    done = leadpipe("export", *sandbox.provider(), "-t", spec, env={**sandbox.env, "TMPDIR": str(tiny_disk)}, input=many_ids(400))
    said = "%s: a temporary file in %s (TMPDIR names the directory): No space left on device" % (name, tiny_disk)
    assert done.returncode == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize("words, name", [
    (["-t", "csv:folder"], "folder"), (["-t", "ndjson:folder"], "folder"), (["-t", "msgpack:folder/."], "folder/."),
    (["-t", "csv:out", "--failed", "folder"], "folder"), (["-t", "csv:out", "--manifest", "folder"], "folder"),
    (["-t", "ndjson,layout=raw:folder/"], "folder/"), (["-t", "csv:file/"], "file"), (["-t", "csv:file/x"], "file/x"),
    (["-t", "ndjson:absent/x"], "absent"), (["-t", "csv:out", "--manifest", "absent/x"], "absent"),
    (["-t", "csv:out", "folder"], "folder"), (["-t", "csv:out", "absent.txt"], "absent.txt"),
    (["-t", "csv:out", "--cacert", "folder"], "folder"), (["-t", "ndjson:" + "x" * 300], "x" * 300),
])
def test_places_where_no_file_can_be(leadpipe, sandbox, control, tmp_path, words, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(EARLIER)
    given = [] if words[-1] in ("folder", "absent.txt") and words[-2] == "csv:out" else ["--id", "tiny-1"]
    done = leadpipe("export", *sandbox.provider(), *words, *given, env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert name in done.stderr
    assert runs.listing(tmp_path) == {"file": EARLIER} and sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert control.requests() == []


def test_unreadable_input(leadpipe, sandbox, tmp_path):
    (tmp_path / "ids").write_text("tiny-1\n")
    (tmp_path / "ids").chmod(0)
    if os.access(tmp_path / "ids", os.R_OK):
        pytest.skip("root may read everything")
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out", "ids", env=sandbox.env)
    assert done.returncode == 2 and "ids: Permission denied" in done.stderr, done.stderr


def test_damaged_compressed_input(leadpipe, sandbox, control, tmp_path):
    """Half a file of IDs must not pass for a whole one."""
    import gzip
    whole = gzip.compress("".join("tiny-%d\n" % n for n in range(2000)).encode())
    for content in (whole[:len(whole) // 2], b"tiny-1\n"):
        (tmp_path / "ids.gz").write_bytes(content)
        done = leadpipe("export", *sandbox.provider(), "-t", "csv:out", "ids.gz", env=sandbox.env)
        assert done.returncode in (1, 2) and "ids.gz" in done.stderr, done.stderr
        assert not (tmp_path / "out").exists() and runs.temporaries(tmp_path) == []
