"""The rigs' own tests: what a careless program loses, what a careful one keeps, what fails when it must.

The programs under test here are a few lines of Python, so that nothing is proven by what the rigs are for.
"""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import powercut

BINARY = pathlib.Path(os.environ.get("LEADPIPE_BIN") or
                      pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "leadpipe")
LIBRARY = powercut.library(BINARY.parent)

pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="faultfs.so is built on Linux only")

PROGRAM_START = """
import os, sys
def write(name, data, flags=os.O_WRONLY | os.O_CREAT, sync=False):
    fd = os.open(name, flags, 0o644)
    while data:
        data = data[os.write(fd, data):]
    if sync:
        os.fsync(fd)
    os.close(fd)
def sync_folder(name="."):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
"""
KILL = "\nos.kill(os.getpid(), 9)\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "disk"
    made.mkdir()
    return made


def run(folder, program, journal=True, **more):
    env = powercut.environment(folder, LIBRARY, PATH=os.environ["PATH"], **more)
    if not journal:
        del env["FAULTFS_JOURNAL"]
    return subprocess.run([sys.executable, "-c", PROGRAM_START + program], cwd=folder, env=env, capture_output=True,
                          text=True)


def cut(folder, program, variant="drop", seed=0, before=None):
    """The program is killed at its end, and then the power goes off; {name: content} of what is left."""
    for name, content in (before or {}).items():
        (folder / name).write_bytes(content)
    powercut.begin(folder)
    done = run(folder, program + KILL)
    assert done.returncode == -signal.SIGKILL, done.stderr
    powercut.apply(folder, variant, seed)
    return left(folder)


def left(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RENAME_WITHOUT_SYNC = "write('.new', b'n' * 10000); os.rename('.new', 'file'); sync_folder()"
RENAME_WITHOUT_FOLDER = "write('.new', b'n' * 10000, sync=True); os.rename('.new', 'file')"
RENAME_RIGHT = "write('.new', b'n' * 10000, sync=True); os.rename('.new', 'file'); sync_folder()"


@pytest.mark.parametrize("variant", powercut.VARIANTS)
def test_done_right(folder, variant):
    """Content synced, renamed, folder synced: whatever the disk makes of the rest, it is there."""
    for seed in range(5):
        assert cut(folder, RENAME_RIGHT, variant, seed, {"file": b"old"}) == {"file": b"n" * 10000}


def test_rename_without_sync(folder):
    assert cut(folder, RENAME_WITHOUT_SYNC, "drop", before={"file": b"old"}) == {"file": b""}
    assert cut(folder, RENAME_WITHOUT_SYNC, "keep", before={"file": b"old"}) == {"file": b"n" * 10000}
    torn = {cut(folder, RENAME_WITHOUT_SYNC, "blocks", seed, {"file": b"old"})["file"] for seed in range(8)}
    assert len(torn) > 2 and any(b"\0" * 512 in one and b"n" * 512 in one for one in torn)


def test_rename_without_folder_sync(folder):
    assert cut(folder, RENAME_WITHOUT_FOLDER, "drop", before={"file": b"old"}) == {"file": b"old"}
    assert cut(folder, RENAME_WITHOUT_FOLDER, "names", before={"file": b"old"}) == {"file": b"n" * 10000}
    found = {cut(folder, RENAME_WITHOUT_FOLDER, "mixed", seed, {"file": b"old"})["file"] for seed in range(20)}
    assert found == {b"old", b"n" * 10000}, "a rename is one step: there is always one of the two"


def test_new_file_whose_folder_was_not_synced(folder):
    assert cut(folder, "write('new', b'x', sync=True)") == {}
    assert cut(folder, "write('new', b'x', sync=True); sync_folder()") == {"new": b"x"}
    assert cut(folder, "write('newer', b'x'); sync_folder()") == {"new": b"x", "newer": b""}


def test_removed_file(folder):
    assert cut(folder, "os.unlink('file')", before={"file": b"old"}) == {"file": b"old"}
    assert cut(folder, "os.unlink('file'); sync_folder()", before={"file": b"old"}) == {}


def test_inode_used_again(folder):
    """A new file may get the number of one that was removed; each comes back as itself."""
    program = "os.unlink('file'); write('other', b'new', sync=True); os.unlink('other'); write('file', b'x')"
    assert cut(folder, program, before={"file": b"old"}) == {"file": b"old"}
    assert cut(folder, program, "names", before={"file": b"old"}) == {"file": b""}


def test_sync_that_failed(folder):
    """The one after it succeeds, and what was written before both is lost all the same."""
    program = """
fd = os.open('file', os.O_WRONLY)
os.write(fd, b'first')
try:
    os.fsync(fd)
    print('synced')
except OSError:
    os.write(fd, b'more')
    os.fsync(fd)
""" + KILL
    (folder / "file").write_bytes(b"-" * 9)
    powercut.begin(folder)
    done = run(folder, program, FAULTFS_RULES="op=sync to=1 fail=EIO")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, ""), done.stderr
    powercut.apply(folder)
    assert left(folder) == {"file": b"-----more"}


def test_written_over(folder):
    program = "write('file', b'N' * 8192)"
    assert cut(folder, program, before={"file": b"o" * 8192}) == {"file": b"o" * 8192}
    found = {cut(folder, program, "prefix", seed, {"file": b"o" * 8192})["file"] for seed in range(20)}
    assert all(one == one[:one.count(b"N")].ljust(8192, b"o") for one in found), "the beginning is new"
    assert len(found) > 2


def test_appended_after_a_sync(folder):
    program = """
fd = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sync_folder()
os.write(fd, b'a' * 5000)
os.fdatasync(fd)
os.write(fd, b'b' * 5000)
"""
    assert cut(folder, program) == {"log": b"a" * 5000}
    for seed in range(10):
        log = cut(folder, "os.path.exists('log') and os.unlink('log')\n" + program, "prefix", seed)["log"]
        assert log == b"a" * 5000 + b"b" * (len(log) - 5000)


def test_all_kinds_of_writes(folder):
    """What each of them wrote is lost without a sync, and kept with one."""
    program = """
fd = os.open('file', os.O_RDWR)
os.pwrite(fd, b'P', 0)
os.writev(fd, [b'W', b'V'])
os.pwritev(fd, [b'X', b'Y'], 2)
os.lseek(fd, 4, 0)
source = os.open('/proc/self/exe', os.O_RDONLY)
other = os.open('file', os.O_RDONLY)
os.copy_file_range(other, fd, 2, 0, 4)
os.ftruncate(fd, 7)
os.posix_fallocate(fd, 0, 9)
"""
    new = b"WVXY" + b"WV" + b"o\0\0"
    assert cut(folder, program, before={"file": b"o" * 20}) == {"file": b"o" * 20}
    assert cut(folder, program + "os.fsync(fd)", before={"file": b"o" * 20}) == {"file": new}


def test_folders(folder):
    program = "os.mkdir('sub'); write('sub/file', b'x', sync=True); sync_folder('sub')"
    assert cut(folder, program) == {} and not (folder / "sub").exists()
    assert cut(folder, program + "; sync_folder()") == {"sub/file": b"x"}


def test_second_process(folder):
    """What an earlier process left unsynced is synced by the fsync of a later one."""
    powercut.begin(folder)
    assert run(folder, "write('file', b'early'); sync_folder()" + KILL).returncode == -signal.SIGKILL
    assert run(folder, "write('file', b'L', os.O_WRONLY, sync=True)").returncode == 0
    powercut.apply(folder)
    assert left(folder) == {"file": b"Larly"}


def test_stdio(folder):
    """Its writes are not seen, but its files are."""
    program = """
import ctypes
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(c.fopen(b'part', b'w'))
c.fputs(b'text', file)
c.fflush(file)
SYNC
os.rename('part', 'file')
sync_folder()
"""
    assert cut(folder, program.replace("SYNC", "c.fsync(c.fileno(file))")) == {"file": b"text"}
    assert cut(folder, program.replace("SYNC", ""), before={"file": b"old"}) == {"file": b""}


SQLITE = """
import sqlite3
db = sqlite3.connect('db', isolation_level=None)
db.execute('PRAGMA journal_mode=WAL')
db.execute('PRAGMA synchronous=%s')
db.execute('CREATE TABLE IF NOT EXISTS t (n INTEGER)')
for n in range(50):
    db.execute('INSERT INTO t VALUES (?)', (n,))
"""


def rows_left(folder):
    import sqlite3
    database = sqlite3.connect(folder / "db")
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute("SELECT count(*) FROM t").fetchone()[0]
    except sqlite3.OperationalError as error:
        assert "no such table" in str(error)
        return 0
    finally:
        database.close()


@pytest.mark.parametrize("variant", powercut.VARIANTS)
def test_sqlite(folder, variant):
    """The one program of which everybody knows what it keeps: all with FULL, some of the last with OFF."""
    for seed in range(4):
        for path in folder.iterdir():
            path.unlink()
        cut(folder, SQLITE % "FULL", variant, seed)
        assert rows_left(folder) == 50, (variant, seed)


def test_sqlite_that_does_not_sync(folder):
    cut(folder, SQLITE % "NORMAL", "drop")
    assert rows_left(folder) < 50


# --- rules -----------------------------------------------------------------------------------------

def test_disk_full(folder, tmp_path):
    """A short write, then the error, and nothing about other files."""
    program = """
write('other', b'x' * 100)
fd = os.open('file', os.O_WRONLY | os.O_CREAT)
print(os.write(fd, b'x' * 60), os.write(fd, b'x' * 60))
for _ in range(2):
    try:
        os.write(fd, b'x')
    except OSError as error:
        print(error.strerror)
"""
    done = run(folder, program, journal=False, FAULTFS_RULES="op=write path=fil* after_bytes=100 fail=ENOSPC",
               FAULTFS_LOG=str(tmp_path / "log"))
    assert done.stdout.splitlines() == ["60 40", "No space left on device", "No space left on device"], done.stderr
    assert {name: len(content) for name, content in left(folder).items()} == {"file": 100, "other": 100}
    assert (tmp_path / "log").read_text() == "short write 60 file\nfail write 1 file\nfail write 1 file\n"


@pytest.mark.parametrize("rules, error", [
    ("op=sync fail=EIO", "Input/output error"), ("op=sync path=file from=2 fail=EIO", None),
    ("op=rename path=final fail=ENOSPC", "No space left on device"), ("op=rename path=fin fail=ENOSPC", None),
    ("op=create fail=EROFS", "Read-only file system"), ("op=create path=sub/* fail=EROFS", None),
    ("op=unlink fail=EACCES", "Permission denied"), ("op=truncate fail=ENOSPC", "No space left on device"),
    ("op=write to=0 fail=ENOSPC; op=any from=6 to=6 fail=EDQUOT", "Disk quota exceeded"),
])
def test_failing_calls(folder, rules, error):
    """create, write, sync, truncate, rename, unlink: six calls."""
    program = """
write('file', b'x', sync=True)
os.truncate(os.open('file', os.O_WRONLY), 0)
os.rename('file', 'final')
os.unlink('final')
"""
    done = run(folder, program, journal=False, FAULTFS_RULES=rules)
    assert (error or "") in done.stderr and bool(done.stderr) == bool(error), done.stderr


@pytest.mark.parametrize("kill, content", [("before", b"a"), ("mid", b"abb"), ("after", b"abbbb")])
def test_kill_at_a_call(folder, kill, content):
    program = "write('file', b'a'); write('file', b'bbbb', os.O_WRONLY | os.O_APPEND); write('file', b'z')"
    done = run(folder, program, journal=False, FAULTFS_RULES="op=write from=2 kill=" + kill)
    assert done.returncode == -signal.SIGKILL and left(folder) == {"file": content}, done.stderr


@pytest.mark.parametrize("rules", ["op=write", "op=fly fail=EIO", "op=write fail=EXYZ", "write", "op=write from=x fail=EIO",
                                   "op=write fail=EIO colour=red"])
def test_wrong_rules(folder, rules):
    done = run(folder, "write('file', b'x')", journal=False, FAULTFS_RULES=rules)
    assert done.returncode == 99 and "FAULTFS_RULES" in done.stderr


def test_what_is_not_known_is_refused(folder):
    done = run(folder, "os.open('file', os.O_WRONLY | os.O_CREAT | os.O_DSYNC)", journal=False)
    assert done.returncode == 99 and "O_DSYNC" in done.stderr


def test_other_folders_are_left_alone(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    done = run(folder, "write('../elsewhere/file', b'x', sync=True)", journal=False, FAULTFS_RULES="op=any fail=EIO")
    assert done.returncode == 0, done.stderr
