"""What lies in the way of an output, or will: found before the first request, and left as it is.

Somebody else's file under the name of an unfinished one, names that are long, and files that cannot be
replaced once everything has been fetched.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import runs
from conftest import BINARY, SLOWNESS, clean_environment
from outputs import lines_of, manifest

NOBODY = 65534
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@pytest.fixture
def shared():
    """A folder like /tmp, where everybody can make files and nobody can replace those of others."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leadpipe-shared-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def as_nobody(sandbox, folder, *words):
    """The same program as a user who owns nothing."""
    copy = folder / "program"
    if not copy.exists():
        shutil.copy(BINARY, copy)  # who may not search the folders above it could not run it there
        copy.chmod(0o755)
    command = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", str(copy), "export",
               *sandbox.provider(), *words, "--id", "plain-1"]
    return subprocess.run(command, cwd=folder, env=clean_environment(sandbox.env), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60 * SLOWNESS)


def as_we_are(sandbox, folder, *words):
    return subprocess.run([str(BINARY), "export", *sandbox.provider(), *words, "--id", "plain-1"], cwd=folder, text=True,
                          env=clean_environment(sandbox.env), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60 * SLOWNESS)


def description(path):
    st = os.lstat(path)
    content = path.read_bytes() if stat.S_ISREG(st.st_mode) else None
    return st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_ino, content


OUTPUTS = [
    (["-t", "ndjson:x"], ".x.leadpipe-part"), (["-t", "csv:x"], ".x.leadpipe-wide"), (["-t", "csv:x"], ".x.leadpipe-part"),
    (["-t", "csv:out/"], "out/.documents.csv.leadpipe-part"), (["-t", "csv:ok", "--failed", "x"], ".x.leadpipe-part"),
    (["-t", "csv:ok", "--manifest", "x"], ".x.leadpipe-part"), (["-t", "csv:x", "--state", "s"], ".x.leadpipe-part"),
]


def foreign(path):
    path.write_text("theirs\n")
    os.chown(path, NOBODY, NOBODY)


def foreign_unreadable(path):
    foreign(path)
    path.chmod(0o600)


def hard_link(path):
    precious = path.parent / "precious"
    precious.write_text("precious\n")
    path.hardlink_to(precious)


def symbolic_link(path):
    (path.parent / "precious").write_text("precious\n")
    path.symlink_to("precious")


IN_THE_WAY = [
    (foreign, "it belongs to another user (65534); remove it, or choose another name or directory for the output"),
    (foreign_unreadable, "it belongs to another user (65534)"),
    (hard_link, "it has other hard links; remove it"),
    (symbolic_link, "is in the way, and is not a regular file"),
    (os.mkfifo, "is in the way, and is not a regular file"),
    (os.mkdir, "is in the way, and is not a regular file"),
]


@pytest.mark.parametrize("words, name", OUTPUTS, ids=str)
@pytest.mark.parametrize("put, says", IN_THE_WAY, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_in_the_way(sandbox, control, tmp_path, words, name, put, says):
    """An unfinished file is made by us, or was: it is no one else's, and no other name of something."""
    if "foreign" in put.__name__ and os.geteuid() != 0:
        pytest.skip("only root can make files of other users")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    put(path)
    before = description(path)
    done = as_we_are(sandbox, tmp_path, *words)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1 and name in done.stderr and says in done.stderr
    assert description(path) == before and control.stats()["by_id"] == {}
    assert not (tmp_path / "precious").exists() or (tmp_path / "precious").read_text() == "precious\n"


@is_root
@pytest.mark.parametrize("mode", [0o666, 0o644, 0o600])
def test_planted_by_root_for_a_user(sandbox, control, shared, mode):
    """In /tmp, whoever comes first has the name: his file is not written to, however open it is."""
    (shared / ".x.leadpipe-part").write_text("planted\n")
    (shared / ".x.leadpipe-part").chmod(mode)
    done = as_nobody(sandbox, shared, "-t", "ndjson:x")
    assert done.returncode == 2 and ".x.leadpipe-part: is in the way: it belongs to another user (0)" in done.stderr, done
    assert (shared / ".x.leadpipe-part").read_text() == "planted\n" and not (shared / "x").exists()
    (shared / ".x.leadpipe-part").unlink()
    done = as_nobody(sandbox, shared, "-t", "ndjson:x")
    assert done.returncode == 0 and (shared / "x").stat().st_uid == NOBODY, done
    assert control.stats()["by_id"]["plain-1"] == 1


def test_our_own_is_taken_over(sandbox, control, tmp_path):
    """What a run that was killed left does not keep the next one from running."""
    for name in (".x.leadpipe-part", ".x.leadpipe-wide"):
        (tmp_path / name).write_text("left\n" * 100)
    assert as_we_are(sandbox, tmp_path, "-t", "csv:x").returncode == 0
    assert len((tmp_path / "x").read_text().splitlines()) == 2 and not runs.temporaries(tmp_path)


@pytest.mark.parametrize("name", [".x.leadpipe-part", ".f.leadpipe-part"])
@pytest.mark.parametrize("what", ["removed", "renamed", "replaced"])
def test_somebody_was_at_it_meanwhile(leadpipe, sandbox, control, tmp_path, name, what):
    """Under its name there is now nothing, or what is not this run's: that is not published."""
    for earlier in "xf":
        (tmp_path / earlier).write_text("earlier\n")
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:x", "--failed", "f", env=sandbox.env, stdin=subprocess.PIPE,
                             text=True)
    process.stdin.write("plain-1\n")
    process.stdin.flush()
    runs.wait_until(lambda: control.attempts("plain-1") and (tmp_path / name).exists(), "it is written")
    if what == "removed":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).rename(tmp_path / "elsewhere")
    if what == "replaced":
        (tmp_path / name).write_text("another run's\n")
    _, reported = process.communicate("plain-2\n", 60 * SLOWNESS)
    assert process.returncode == 1 and name + " was removed, renamed or replaced while it was being written" in reported, reported
    assert (tmp_path / "x").read_text() == (tmp_path / "f").read_text() == "earlier\n"
    assert what != "replaced" or (tmp_path / name).read_text() == "another run's\n", "it is not removed, either"


# --- names and paths that are long ------------------------------------------------------------------

def long_names():
    for n in (128, 129, 130, 143, 144, 200, 240, 241, 249, 255):
        yield "n" * n
    yield "ü" * 127
    yield "x" + "ü" * 127
    yield "€" * 85
    yield "\N{GRINNING FACE}" * 63


@pytest.mark.parametrize("name", long_names(), ids=lambda name: "%s-%d" % (ascii(name[1])[1:-1], len(name.encode())))
def test_long_names(sandbox, control, tmp_path, name):
    """Whatever a file can be called, an output can be."""
    done = as_we_are(sandbox, tmp_path, "-t", "ndjson:" + name, "-t", "csv:out/" if len(name) % 2 else "csv:other",
                     "--manifest", name[:-1])
    assert done.returncode == 0, done.stderr
    assert len(lines_of(tmp_path / name)) == 1
    assert manifest(tmp_path / name[:-1])["sinks"][0]["files"][0]["path"] == name
    assert not runs.temporaries(tmp_path)


def test_long_names_that_differ_at_their_end(sandbox, control, tmp_path):
    names = ["n" * 250 + end for end in ("a", "b", "c")]
    done = as_we_are(sandbox, tmp_path, *[word for name in names for word in ("-t", "ndjson:" + name)], "--failed", "n" * 250)
    assert done.returncode == 0, done.stderr
    assert [len(lines_of(tmp_path / name)) for name in names] == [1, 1, 1]


def test_long_name_that_is_resumed(leadpipe, sandbox, control, tmp_path):
    """The shortened name is the same for the run that resumes."""
    name = "ü" * 126
    words = ["export", *sandbox.provider(), "-t", "ndjson:" + name, "--state", "s", "-j", "4", "ids"]
    (tmp_path / "ids").write_text("".join("plain-%d\n" % n for n in range(200)))
    control.set(latency_ms=50, nonce="0")
    process = leadpipe.start(*words, env=sandbox.env)
    runs.wait_until(lambda: control.stats()["requests"] > 40, "some are done")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30 * SLOWNESS) == 143
    part, = runs.temporaries(tmp_path)
    part = os.path.basename(part)
    assert part.startswith(".ü") and part.endswith(".leadpipe-part") and len(part.encode()) <= 143
    control.set(latency_ms=0)
    done = leadpipe(*words, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    assert [row["lead_id"] for row in lines_of(tmp_path / name)] == ["plain-%d" % n for n in range(200)]
    assert not runs.temporaries(tmp_path)
    assert all(n == 1 for n in control.stats()["by_id"].values())


def test_names_that_are_too_long(sandbox, control, tmp_path):
    for words in (["-t", "ndjson:" + "n" * 256], ["-t", "csv:x", "--failed", "ü" * 128], ["-t", "csv:x", "--state", "s" * 252],
                  ["-t", "csv:" + "d" * 256 + "/"]):
        done = as_we_are(sandbox, tmp_path, *words)
        assert done.returncode == 2 and "too long" in done.stderr, done
    assert os.listdir(tmp_path) == [] and control.stats()["by_id"] == {}
    assert as_we_are(sandbox, tmp_path, "-t", "csv:x", "--state", "s" * 251).returncode == 0


def test_path_as_long_as_can_be(sandbox, control, tmp_path):
    """Nobody gave the path that does not fit: so the message says what it is for."""
    deep = tmp_path
    while len(str(deep)) < 3850:
        deep = deep / ("d" * 200)
        deep.mkdir()
    deep = deep / ("e" * (4060 - len(str(deep)) - 1))
    deep.mkdir()
    done = as_we_are(sandbox, tmp_path, "-t", "ndjson:%s/%s" % (deep, "n" * 15))
    assert done.returncode == 0 and len(lines_of(deep / ("n" * 15))) == 1, done.stderr
    done = as_we_are(sandbox, tmp_path, "-t", "ndjson:%s/%s" % (deep, "n" * 25))
    assert done.returncode == 2 and "the path is too long: that of the unfinished file beside it" in done.stderr, done
    assert len(control.stats()["by_id"]) == 1


# --- what cannot be replaced ------------------------------------------------------------------------

@contextlib.contextmanager
def attribute(path, flag):
    """Sets one with chattr, where there is that and the file system has it."""
    if not shutil.which("chattr") or subprocess.run(["chattr", "+" + flag, path], capture_output=True).returncode:
        pytest.skip("chattr +%s does not work here" % flag)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-" + flag, path], check=True)


REPLACING = [["-t", "ndjson:old"], ["-t", "csv:old"], ["-t", "csv:ok", "--failed", "old"], ["-t", "csv:ok", "--manifest", "old"]]


@is_root
@pytest.mark.parametrize("words", REPLACING, ids=" ".join)
@pytest.mark.parametrize("flag", "ia")
def test_immutable_file(sandbox, control, tmp_path, words, flag):
    (tmp_path / "old").write_text("old\n")
    with attribute(tmp_path / "old", flag):
        done = as_we_are(sandbox, tmp_path, *words)
    assert done.returncode == 2 and "old: cannot be replaced, because it is immutable or append-only" in done.stderr, done
    assert os.listdir(tmp_path) == ["old"] and control.stats()["by_id"] == {}


@is_root
@pytest.mark.parametrize("flag", "ia")
def test_immutable_folder(sandbox, control, tmp_path, flag):
    (tmp_path / "out").mkdir()
    for words in (["-t", "ndjson:out/x"], ["-t", "csv:out/"], ["-t", "csv:x", "--failed", "out/f"]):
        with attribute(tmp_path / "out", flag):
            done = as_we_are(sandbox, tmp_path, *words)
        assert done.returncode == 2 and "out" in done.stderr, done
        assert os.listdir(tmp_path / "out") == []
    assert os.listdir(tmp_path) == ["out"] and control.stats()["by_id"] == {}


@is_root
@pytest.mark.parametrize("words", REPLACING, ids=" ".join)
def test_file_of_another_in_a_sticky_folder(sandbox, control, shared, words):
    """A rename over it would be refused when everything has been fetched."""
    (shared / "old").write_text("old\n")
    for mode in (0o666, 0o600):
        (shared / "old").chmod(mode)
        done = as_nobody(sandbox, shared, *words)
        assert done.returncode == 2 and "it belongs to another user in a directory with the sticky bit" in done.stderr, done
    assert sorted(os.listdir(shared)) == ["old", "program"] and control.stats()["by_id"] == {}
    assert as_we_are(sandbox, shared, *words).returncode == 0  # root may
    os.chown(shared / "old", NOBODY, NOBODY)
    assert as_nobody(sandbox, shared, *[word.replace("ok", "theirs") for word in words]).returncode == 0  # so may its owner


@is_root
@pytest.mark.parametrize("how, says", [
    ("touch old other; mount --bind other old", "old: cannot be replaced, because it is a mount point"),
    ("touch other; mkdir f; mount -t tmpfs none f; touch f/old old; mount --bind f/old old", "because it is a mount point"),
    ("mkdir ro; mount --bind ro ro; mount -o remount,ro,bind ro; cd ro", "Read-only file system"),
    ("mkdir old", "is a "),
    ("mkdir closed; cd closed; chmod 555 .", "cannot write to the directory"),
    ("mkdir blind; cd blind; chmod 333 .", "cannot read the directory"),
], ids=["mounted file", "mounted file of another disk", "read-only", "folder", "closed folder", "folder that cannot be read"])
def test_places(sandbox, control, shared, how, says):
    """Told apart by the system: in a namespace of mounts of its own."""
    shutil.copy(BINARY, shared / "program")
    shared.chmod(0o777)
    os.chown(shared, NOBODY, NOBODY)
    if "mount" in how:
        begin = ["unshare", "-m", "sh", "-c"]
    else:
        begin = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "sh", "-c"]
    for words in REPLACING:
        line = '%s && exec "$PROGRAM" "$@"' % how.replace("mkdir ", "mkdir -p ")
        done = subprocess.run([*begin, line, "sh", "export", *sandbox.provider(), *words, "--id", "plain-1"], cwd=shared,
                              env=clean_environment({**sandbox.env, "PROGRAM": str(shared / "program")}), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOWNESS)
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 2 and says in done.stderr, done
    assert control.stats()["by_id"] == {} and not runs.temporaries(shared)


@is_root
def test_overlay_of_two_disks(sandbox, control, tmp_path):
    """There a file is on another device than its folder, and is no mount point for that."""
    begin = ("mkdir low disk over; echo old >low/old; mount -t tmpfs none disk; mkdir disk/up disk/work; "
             "mount -t overlay none over -o lowerdir=low,upperdir=disk/up,workdir=disk/work; cd over; stat -c %d . old")
    for words in REPLACING:
        line = 'set -e; %s; for n in 1 2; do "$PROGRAM" "$@"; done; cat old' % begin
        folder = tmp_path / str(len(os.listdir(tmp_path)))
        folder.mkdir()
        done = subprocess.run(["unshare", "-m", "sh", "-c", line, "sh", "export", *sandbox.provider(), *words, "--id", "plain-1"],
                              cwd=folder, env=clean_environment({**sandbox.env, "PROGRAM": str(BINARY)}), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOWNESS)
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        at, of_file, content = done.stdout.split("\n", 2)
        assert at != of_file, "this system gives the files of an overlay the folder's device"
        assert content != "old\n"
