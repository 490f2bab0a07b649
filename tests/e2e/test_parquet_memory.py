"""What the sink parquet keeps from one lead to the next is part of --max-memory, whatever the leads are."""

import hashlib
import json
import re
import shutil
import signal

import pytest

import runs
import test_bombs
import test_parquet
from conftest import SANITIZER
from outputs import ids_file, run_for_memory, snapshot
from tiny_server import TinyServer

MIB, BESIDE, KEY = test_bombs.MIB, test_bombs.BESIDE, test_bombs.KEY
bombs = test_bombs.bombs

not_with_a_sanitizer = pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer needs memory of its own")


def wide_lead(number):
    """120 KB in 300 members, no two leads alike; every tenth has members that no other has, and one large one."""
    text = hashlib.sha512(b"%d" % number).hexdigest().encode() * 3
    members = [b'"m%d":"%d-%s"' % (n, n, text) for n in range(300)]
    if number % 10 == 0:
        members += [b'"only-%d-%d":"%s"' % (number, n, text) for n in range(20)]
        members.append(b'"large":"%s"' % (text * 2000))
    return b'{"lead":{%s}}' % b",".join(members)


@pytest.fixture
def wide():
    server = TinyServer(lambda path, _: (200, {"Content-Type": "application/json"}, wide_lead(int(path.rsplit("/", 1)[1]))))
    yield server
    server.close()


def words_of(server, sinks, ceiling):
    return ["export", "-p", "omni", "--base-url", server.url, "--max-memory", ceiling, "-j", "16",
            *[word for sink in sinks for word in ("-t", sink)]]


@not_with_a_sanitizer
@pytest.mark.parametrize("sinks", [("parquet:out/",), ("parquet,compression=none:a/", "parquet,row-group=100000:b.parquet"),
                                   ("parquet,row-group=8M,types=text:a/",), ("parquet,row-group=1:a.parquet",)])
def test_row_groups(leadpipe, wide, sinks):
    ids = ids_file(leadpipe.folder, [str(n) for n in range(400)])
    status, errors, peak = run_for_memory(leadpipe, *words_of(wide, sinks, "64M"), ids, env=KEY)
    print("%.1f MiB" % (peak / MIB))
    assert status == 0, errors
    assert peak < 64 * MIB + BESIDE, "%.1f MiB" % (peak / MIB)


@not_with_a_sanitizer
@pytest.mark.parametrize("kind", test_bombs.QUICK)
def test_large_leads(leadpipe, bombs, kind):
    """As test_bombs.py has them for other sinks: what is exported and what is not is balanced, in any case."""
    large = ["%s.%d.%d" % (kind, size << 20, n) for n in range(2) for size in (1, 2, 6)]
    ids = ["small.0.%d" % n for n in range(100)]
    for n, one in enumerate(large):
        ids.insert(n * 15 + 5, one)
    status, errors, peak, failed = test_bombs.export(leadpipe, bombs, ids, "--max-memory", "64M", "--attempts", "2", "-j", "32",
                                                     sinks=("parquet:out/", "ndjson:out.ndjson"))
    out = test_bombs.assert_balanced(leadpipe.folder, ids, failed, status)
    assert out == [one for one in ids if one not in failed] and set(failed) <= set(large)
    assert peak < 64 * MIB + BESIDE, "%.1f MiB" % (peak / MIB)


@pytest.mark.parametrize("sinks, ceiling", [
    (["parquet:%d/" % n for n in range(3)], "64M"), (["parquet,row-group=512M:x.parquet"], "512M"),
    (["parquet:%d/" % n for n in range(20)], "2G"), (["parquet,row-group=64M:x/", "csv:y/"], "64M")])
def test_outputs_that_keep_too_much(leadpipe, wide, sinks, ceiling):
    """They are refused before anything is done; what the message names is enough, and a MiB less is not."""
    def refused(ceiling):
        done = leadpipe(*words_of(wide, sinks, ceiling), "--id", "1", env=KEY)
        assert done.returncode == 2 and not wide.requests and not any(leadpipe.folder.iterdir()), done.stderr
        return int(re.search(r"--max-memory: \d+ MiB is not enough: .* give at least --max-memory (\d+)M,", done.stderr).group(1))

    enough = refused(ceiling)
    assert refused("%dM" % (enough - 1)) == enough
    done = leadpipe(*words_of(wide, sinks, "%dM" % enough), "--id", "1", env=KEY)
    assert done.returncode == 0, done.stderr


def test_outputs_and_a_list_that_keep_too_much(leadpipe, wide):
    """The eighth that is for pages of the list is not what leads need: with too little there would be no limit at all."""
    def enough(*words):
        done = leadpipe(*words_of(wide, ["parquet:%d/" % n for n in range(8)], words[0]), *words[1:], env=KEY)
        assert done.returncode == 2 and not wide.requests, done.stderr
        assert ("the outputs and the list of leads keep" in done.stderr) == ("--all" in words), done.stderr
        return int(re.search(r"--max-memory: \d+ MiB is not enough: .* give at least --max-memory (\d+)M,", done.stderr).group(1))

    alone, both = enough("64M", "--id", "1"), enough("64M", "--all")
    assert both - both // 8 >= alone and enough("%dM" % (both - 1), "--all") == both


def stop_in_the_middle(leadpipe, wide, words):
    wide.requests.clear()
    process = leadpipe.start(*words, "--state", "s", env=KEY)
    runs.wait_until(lambda: len(wide.requests) >= 150, "half of the leads are asked for")
    process.send_signal(signal.SIGTERM)
    process.stdout.read(), process.stderr.read()
    assert process.wait(60) == 128 + signal.SIGTERM


def test_another_ceiling_in_mid_run(leadpipe, wide):
    """Row groups end where they would have ended: with more memory too, and less is refused."""
    ids = ids_file(leadpipe.folder, [str(n) for n in range(300)])
    small, large = ([*words_of(wide, ["parquet:out/"], ceiling), ids] for ceiling in ("64M", "128M"))
    whole = {}
    for words in (small, large):
        assert leadpipe(*words, env=KEY).returncode == 0
        whole[words[6]] = snapshot(leadpipe.folder / "out")
        shutil.rmtree(leadpipe.folder / "out")
    assert whole["64M"] != whole["128M"]
    stop_in_the_middle(leadpipe, wide, small)
    assert leadpipe(*large, "--state", "s", env=KEY).returncode == 0
    assert snapshot(leadpipe.folder / "out") == whole["64M"]
    stop_in_the_middle(leadpipe, wide, large)
    done = leadpipe(*small, "--state", "s", env=KEY)
    assert done.returncode == 2 and "the unfinished run began with more --max-memory" in done.stderr, done.stderr
    assert leadpipe(*large, "--state", "s", env=KEY).returncode == 0
    assert snapshot(leadpipe.folder / "out") == whole["128M"]


NAMES = ["m%d_%s" % (n, "x" * 100) for n in range(300)]


def narrow_lead(number):
    """Of each value the footer says more than the value is."""
    return json.dumps({"lead": {name: "%d-%d" % (n, number) for n, name in enumerate(NAMES)}}).encode()


@pytest.fixture
def narrow():
    server = TinyServer(lambda path, _: (200, {"Content-Type": "application/json"}, narrow_lead(int(path.rsplit("/", 1)[1]))))
    yield server
    server.close()


def words_for_small_groups(narrow):
    return words_of(narrow, ["parquet,row-group=1,compression=none:a.parquet"], "64M")


@not_with_a_sanitizer
def test_many_row_groups_of_many_columns(leadpipe, narrow):
    """What the footer will say of them does not wait in memory: that alone would be over 50 MiB."""
    ids = ids_file(leadpipe.folder, [str(n) for n in range(1000)])
    status, errors, peak = run_for_memory(leadpipe, *words_for_small_groups(narrow), ids, env=KEY)
    print("%.1f MiB" % (peak / MIB))
    assert status == 0, errors
    assert peak < 64 * MIB, "%.1f MiB" % (peak / MIB)


def test_many_row_groups_in_a_run_that_is_resumed(leadpipe, narrow):
    ids = ids_file(leadpipe.folder, [str(n) for n in range(300)])
    words = [*words_for_small_groups(narrow), ids]
    assert leadpipe(*words, env=KEY).returncode == 0
    whole = (leadpipe.folder / "a.parquet").read_bytes()
    (leadpipe.folder / "a.parquet").unlink()
    stop_in_the_middle(leadpipe, narrow, words)
    assert leadpipe(*words, "--state", "s", env=KEY).returncode == 0
    assert (leadpipe.folder / "a.parquet").read_bytes() == whole


def test_many_row_groups_are_read(leadpipe, narrow):
    ids = ids_file(leadpipe.folder, [str(n) for n in range(100)])
    assert leadpipe(*words_for_small_groups(narrow), ids, env=KEY).returncode == 0
    (_, rows), = test_parquet.read("pyarrow", leadpipe.folder / "a.parquet")
    wanted = [{"lead_id": str(n), **{name: "%d-%d" % (k, n) for k, name in enumerate(NAMES)}} for n in range(100)]
    assert [{name: row[name] for name in wanted[0]} for row in rows] == wanted


def test_no_room_for_the_footer(leadpipe, narrow):
    """Its folder is named, and nothing is published."""
    ids = ids_file(leadpipe.folder, [str(n) for n in range(30)])
    done = leadpipe(*words_for_small_groups(narrow), ids, env={**KEY, "TMPDIR": "/nowhere/at/all"})
    assert done.returncode not in (0, 3) and "a.parquet: /nowhere/at/all: cannot create a temporary file (TMPDIR names the directory)" in done.stderr, done.stderr
    assert not (leadpipe.folder / "a.parquet").exists()
