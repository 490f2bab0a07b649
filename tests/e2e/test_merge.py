"""What shards have written becomes one set: byte for byte what one run would have written."""

import csv
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal

import pytest

import resumes
from conftest import Leadpipe
from outputs import manifest, omni_payloads, provider_of, unpacked
from runs import temporaries, wait_until
from test_shards import shard_of

KEY = {"OMNI_API_KEY": "k"}
RECORDS = ["csv:{o}/csv/", "csv,excel-safe:{o}/one.csv.gz", "ndjson:{o}/lead.ndjson", "ndjson,layout=rows:{o}/rows.ndjson.gz",
           "ndjson:{o}/nd/", "ndjson,layout=raw:{o}/raw.ndjson", "msgpack:{o}/lead.msgpack", "msgpack,gzip=0:{o}/mp/",
           "msgpack,layout=rows:{o}/rows.msgpack"]
LISTS = ("failed", "missing")


class Shards:
    """One run in `all/`, the same in shards `s0/`, `s1/` ..., and what merge makes of them in `got/`."""

    def __init__(self, leadpipe, of, sinks=RECORDS, lists=True):
        self.leadpipe, self.of, self.sinks, self.lists, self.folder = leadpipe, of, sinks, lists, leadpipe.folder

    def words(self, out):
        os.makedirs(self.folder / out.replace("{shard}", "0"), exist_ok=True)
        words = [word for one in self.sinks for word in ("-t", one.replace("{o}", out))]
        for name in LISTS if self.lists else ():
            words += ["--" + name, "%s/%s" % (out, name)]
        return [*words, "--manifest", out + "/m.json"]

    def export(self, provider, listed, *more, env=None, statuses=(0, 3)):
        done = self.leadpipe("export", *provider, *self.words("all"), *more, input=listed, env=env)
        assert done.returncode in statuses, done.stderr
        self.status = done.returncode
        for index in range(self.of):
            self.shard(index, provider, listed, *more, env=env)

    def shard(self, index, provider, listed, *more, env=None, of=None):
        os.makedirs(self.folder / ("s%d" % index), exist_ok=True)
        done = self.leadpipe("export", *provider, "--shard", "%d/%d" % (index, of or self.of), *self.words("s{shard}"), *more,
                             input=listed, env=env)
        assert done.returncode in (0, 3), done.stderr

    def manifests(self):
        return ["s%d/m.json" % index for index in range(self.of)]

    def merge(self, manifests=None, status=None, **named):
        done = self.leadpipe("merge", *self.words("got"), *(self.manifests() if manifests is None else manifests), **named)
        assert done.returncode == (self.status if status is None else status), done.stderr
        return done

    def refused(self, *says, manifests=None):
        """Exit status 2, one message, and nothing is left."""
        shutil.rmtree(self.folder / "got", ignore_errors=True)
        done = self.merge(manifests, status=2)
        for one in says:
            assert one in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert [path for path in (self.folder / "got").rglob("*") if path.is_file()] == []

    def check(self):
        """All files are the same; the manifest's counts are those of the one run."""
        names = [path.relative_to(self.folder / "all") for path in (self.folder / "all").rglob("*") if path.is_file()]
        assert len(names) > len(self.sinks)
        for name in names:
            mine, whole = (unpacked(self.folder / out / name) for out in ("got", "all"))
            if str(name) in LISTS:
                mine, whole = (sorted(map(without_time, data.splitlines())) for data in (mine, whole))
            if str(name) != "m.json":
                assert mine == whole, name
        mine, whole = (manifest(self.folder / out / "m.json") for out in ("got", "all"))
        for name in ("exit_status", "published", "ids", "ledger", "provider", "server", "version"):
            assert mine[name] == whole[name], name
        assert mine["merged_from"] == self.of and mine["requests"]["statuses"] == whole["requests"]["statuses"]
        for one, other in zip(mine["sinks"], whole["sinks"]):
            assert one.get("misfits") == other.get("misfits")
            for file, twin in zip(one["files"], other["files"]):
                assert [file[name] for name in ("table", "rows", "columns")] == [twin[name] for name in ("table", "rows", "columns")]
                assert (self.folder / "got" / file["path"]).stat().st_size == file["bytes"]
        assert temporaries(self.folder) == []


def without_time(line):
    row = json.loads(line)
    assert row.pop("at") and "number" not in row
    return json.dumps(row)


# ---- the same bytes ---------------------------------------------------------------------------

@pytest.mark.parametrize("provider, of", [("omni", 3), ("convocore", 5)])
def test_odd_leads_of_a_long_list(leadpipe, sandbox, control, provider, of):
    """Repeats, bad lines, missing and failed leads; every sink of records, folders and gzip."""
    control.set(nonce="same")
    ids = ["lead-%d" % n for n in range(40)] + ["newcode-%d" % n for n in range(20)] + ["tiny-%d" % n for n in range(20)]
    ids += ["gone-%d~missing" % n for n in range(6)] + ["bad-%d~status=400" % n for n in range(6)] + ["..", "x" * 600, "..", ""]
    random.Random(7).shuffle(ids)
    listed = "".join(one + "\n" for one in ids + ids[:30])
    shards = Shards(leadpipe, of, [*RECORDS, *PARQUET])
    shards.export(sandbox.provider(provider), listed, env=sandbox.env)
    assert shards.status == 3
    shards.merge(manifests=shards.manifests()[::-1])
    shards.check()
    order = [json.loads(line)["lead_id"] for line in (leadpipe.folder / "got" / "lead.ndjson").read_bytes().splitlines()]
    assert order == [one for one in ids if one in set(order)]
    if provider == "omni":
        for name in LISTS:
            rows = [json.loads(line)["id"] for line in (leadpipe.folder / "got" / name).read_bytes().splitlines()]
            assert [one for one in rows if one] == [one for one in ids if one in rows]


PARQUET = ["parquet,row-group=7:{o}/pq/", "parquet,compression=gzip,row-group=16:{o}/gzip.parquet",
           "parquet,types=text,compression=none:{o}/text.parquet", "parquet,json=string:{o}/all/"]


def lead(items=(), **members):
    return json.dumps({"lead": members, "checklistItems": [{"items": list(items)}]}).encode()


def item(code, value):
    return {"checklistItem": {"code": code, "label": "L"}, "value": value}


def late_payloads(n=60):
    """Columns that shards meet in different orders, names that several members want, cells that are hard to take apart."""
    chance = random.Random(5)
    values = ['plain', '', 'a,b;c\td', 'say "no"', 'two\nlines', '\r\n', '=1+1', '"', '""', ',', None, 1.5, True, [1, {"a": "x\n"}],
              {"k": 'v"'}, " ", "\u2028", "naïve"]
    names = ["fooBar", "foo_bar", "Foo Bar", "zeta", "alpha", "x\"y", "a\nb"] + ["late%d" % i for i in range(12)]
    return {"id-%d" % i: lead([item("code %d" % chance.randrange(9), chance.choice(values)) for _ in range(chance.randrange(3))],
                              **{name: chance.choice(values) for name in chance.sample(names, chance.randrange(6))})
            for i in range(n)}


DIALECTS = ["csv:{o}/plain/", "csv,delimiter=semicolon,eol=crlf,bom:{o}/semi/", "csv,header=no,delimiter=tab:{o}/bare.csv",
            "csv,excel-safe,table=checklist_items:{o}/items.csv.gz"]


@pytest.mark.parametrize("of", [4])
def test_columns_in_another_order(leadpipe, of):
    """The header and the names are those of one run; cells move, and are never decoded."""
    payloads = late_payloads()
    shards = Shards(leadpipe, of, [*DIALECTS, *RECORDS, *PARQUET])
    with provider_of(omni_payloads(payloads)) as server:
        shards.export(["-p", "omni", "--base-url", server.url], "".join(one + "\n" for one in payloads), env=KEY)
    headers = {next(csv.reader(io.StringIO((leadpipe.folder / one / "plain" / "leads.csv").read_text()))).__repr__()
               for one in ["all"] + ["s%d" % i for i in range(of)]}
    assert len(headers) > 2
    shards.merge()
    shards.check()


def test_run_columns(leadpipe, sandbox, control):
    """They are those of the run that wrote the row."""
    shards = Shards(leadpipe, 3, ["csv,run-columns:{o}/leads.csv", "ndjson,run-columns:{o}/leads.ndjson"])
    ids = ["newcode-%d" % n for n in range(20)]
    shards.export(sandbox.provider(), "".join(one + "\n" for one in ids), env=sandbox.env)
    shards.merge()
    with open(leadpipe.folder / "got" / "leads.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    runs = [manifest(leadpipe.folder / one)["run_id"] for one in shards.manifests()]
    assert [row["lead_id"] for row in rows] == ids
    assert [row["_run_id"] for row in rows] == [runs[shard_of(one, [], 3)] for one in ids]
    for line, row in zip((leadpipe.folder / "got" / "leads.ndjson").read_bytes().splitlines(), rows):
        assert [json.loads(line)[name] for name in ("lead_id", "_run_id")] == [row["lead_id"], row["_run_id"]]


@pytest.mark.parametrize("ids", [["plain-1"], []], ids=["one lead", "no lead"])
def test_shards_without_leads(leadpipe, sandbox, control, ids):
    shards = Shards(leadpipe, 3, lists=False)
    control.set(nonce="same")
    shards.export(sandbox.provider(), "".join(one + "\n" for one in ids), env=sandbox.env)
    assert shards.status == 0
    shards.merge()
    shards.check()


def test_any_order(leadpipe, sandbox, control):
    """Each shard's rows stay in the order that they have; nothing is lost."""
    shards = Shards(leadpipe, 2, ["csv:{o}/leads.csv"], lists=False)
    ids = ["newcode-%d" % n for n in range(30)]
    shards.export(sandbox.provider(), "".join(one + "\n" for one in ids), "--order", "any", "-j", "8", env=sandbox.env)
    shards.merge()
    with open(leadpipe.folder / "got" / "leads.csv", encoding="utf-8", newline="") as file:
        assert sorted(row["lead_id"] for row in csv.DictReader(file)) == sorted(ids)


def test_resumed_shard(leadpipe, sandbox, control):
    """A shard that was stopped and resumed is as good as one that was not, also where its lists are in a state."""
    ids = resumes.IDS
    shards = Shards(leadpipe, 2, ["csv:{o}/csv/", "ndjson:{o}/lead.ndjson"])
    control.set(nonce="same")
    shards.export(sandbox.provider(), resumes.lines(ids), env=sandbox.env)
    os.makedirs(leadpipe.folder / "s0", exist_ok=True)
    words = ["export", *sandbox.provider(), "--shard", "0/2", *shards.words("s{shard}"), "--state", "s0.state"]
    mine = [one for one in ids[:40] if shard_of(one, [], 2) == 0 and "~" not in one]
    before = control.attempts(mine[-1])
    process = leadpipe.start(*words, env=sandbox.env, stdin=-1)
    process.stdin.write(resumes.lines(ids[:40]).encode())
    process.stdin.flush()
    wait_until(lambda: control.attempts(mine[-1]) > before, "%s is asked for" % mine[-1])
    process.send_signal(signal.SIGTERM)
    process.stdin.close()
    assert process.wait(60) == 128 + signal.SIGTERM
    shards.refused("s0/m.json", "shard 0/2 has published nothing")
    done = leadpipe(*words, input=resumes.lines(ids), env=sandbox.env)
    assert done.returncode in (0, 3), done.stderr
    shards.merge()
    shards.check()


def test_moved_together(leadpipe, sandbox, control):
    """Paths in a manifest are seen from it."""
    shards = Shards(leadpipe, 2, ["csv:{o}/csv/"])
    shards.export(sandbox.provider(), "plain-1\nplain-2\nplain-3\n", env=sandbox.env)
    for index in range(2):
        files = [file["path"] for sink in manifest(leadpipe.folder / ("s%d" % index) / "m.json")["sinks"] for file in sink["files"]]
        assert "csv/leads.csv" in files
        os.makedirs(leadpipe.folder / "away")
        os.rename(leadpipe.folder / ("s%d" % index), leadpipe.folder / "away" / "x")
        os.rename(leadpipe.folder / "away", leadpipe.folder / ("away%d" % index))
    shards.merge(["away0/x/m.json", str(leadpipe.folder / "away1" / "x" / "m.json")])
    shards.check()


def test_to_standard_output(leadpipe, sandbox, control):
    shards = Shards(leadpipe, 2, ["csv:{o}/leads.csv"], lists=False)
    shards.export(sandbox.provider(), "plain-1\nplain-2\nplain-3\n", env=sandbox.env)
    done = leadpipe("merge", "-q", "-t", "csv:-", *shards.manifests())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (leadpipe.folder / "all" / "leads.csv").read_bytes()


def test_max_missing_is_of_the_whole(leadpipe, sandbox, control):
    """Each shard may have had no more than allowed, and all together more."""
    shards = Shards(leadpipe, 2, ["csv:{o}/leads.csv"])
    ids = ["gone-%d~missing" % n for n in range(8)] + ["plain-%d" % n for n in range(12)]
    most = max(sum(shard_of(one, [], 2) == index for one in ids[:8]) for index in range(2))
    shards.export(sandbox.provider(), "".join(one + "\n" for one in ids), "--max-missing", str(most), env=sandbox.env)
    assert shards.status == 3 and most < 8
    done = shards.merge()
    assert "8 of 20 leads are missing" in done.stderr and "at most %d" % most in done.stderr
    got = leadpipe.folder / "got"
    assert sorted(path.name for path in got.iterdir()) == ["failed", "m.json", "missing"]
    assert len((got / "missing").read_bytes().splitlines()) == 8 and not manifest(got / "m.json")["published"]


def test_a_shard_that_finds_no_lead(leadpipe, sandbox, control):
    """It may happen to have none: it publishes all the same, and together they are one run."""
    shards = Shards(leadpipe, 2, ["csv:{o}/csv/", "ndjson:{o}/lead.ndjson"])
    control.set(nonce="same")
    ids = [one + ("~missing" if shard_of(one + "~missing", [], 2) == 0 else "") for one in ("plain-%d" % n for n in range(20))]
    ids = [one for one in ids if one.endswith("~missing") or shard_of(one, [], 2) == 1]
    assert {shard_of(one, [], 2) for one in ids} == {0, 1}
    shards.export(sandbox.provider(), "".join(one + "\n" for one in ids), env=sandbox.env, statuses=(0,))
    assert manifest(leadpipe.folder / "s0" / "m.json")["published"]
    shards.merge()
    shards.check()


def test_no_shard_finds_a_lead(leadpipe, sandbox, control):
    shards = Shards(leadpipe, 2, ["csv:{o}/leads.csv"])
    shards.export(sandbox.provider(), "".join("gone-%d~missing\n" % n for n in range(8)), env=sandbox.env, statuses=(3,))
    done = shards.merge()
    assert "no shard has found a lead: 8 missing, 0 failed; nothing was published" in done.stderr
    assert not (leadpipe.folder / "got" / "leads.csv").exists() and not manifest(leadpipe.folder / "got" / "m.json")["published"]


# ---- refused ----------------------------------------------------------------------------------

THREE = ["csv:{o}/leads.csv", "ndjson:{o}/nd/"]
LISTED = "".join("newcode-%d\n" % n for n in range(30))


@pytest.fixture(scope="module")
def made(tmp_path_factory, sandbox):
    """Three shards of a small run, whose status is 0."""
    shards = Shards(Leadpipe(tmp_path_factory.mktemp("made")), 3, THREE, lists=False)
    shards.export(sandbox.provider(), LISTED, env=sandbox.env, statuses=(0,))
    return shards.folder


@pytest.fixture
def three(made, leadpipe, sandbox, control):
    """A copy of them."""
    shutil.copytree(made, leadpipe.folder, dirs_exist_ok=True)
    shards = Shards(leadpipe, 3, THREE, lists=False)
    shards.status, shards.listed, shards.provider, shards.env = 0, LISTED, sandbox.provider(), sandbox.env
    return shards


def test_not_all_or_not_once(three):
    three.refused("the manifest of shard 1/3 is missing", manifests=["s0/m.json", "s2/m.json"])
    three.refused("the manifest of shard 2/3 is missing", manifests=["s0/m.json", "s1/m.json"])
    shutil.copytree(three.folder / "s1", three.folder / "copy")
    three.refused("copy/m.json", "s1/m.json", "of shard 1/3", manifests=["s0/m.json", "s1/m.json", "copy/m.json", "s2/m.json"])
    three.refused("s1/m.json", "of shard 1/3", manifests=["s0/m.json", "s1/m.json", "s1/m.json", "s2/m.json"])
    three.refused("absent/m.json", manifests=["s0/m.json", "absent/m.json"])
    three.merge()
    three.check()


@pytest.mark.parametrize("more, says", [
    (["--signed-urls", "keep"], "--signed-urls was keep, but strip"),
    (["--max-columns", "1000"], "--max-columns was 1000, but 2000"),
    (["-t", "ndjson,layout=rows:s{shard}/rows.ndjson"], "--to ndjson,layout=rows"),
], ids=["option", "columns", "sink"])
def test_another_run(three, more, says):
    three.shard(1, three.provider, three.listed, *more, env=three.env)
    three.refused("s1/m.json", "of another run", says, "s0/m.json")


def test_another_list(three):
    for listed in (three.listed + "newcode-99\n", "".join(reversed(three.listed.splitlines(True)))):
        three.shard(2, three.provider, listed, env=three.env)
        three.refused("s2/m.json", "another list of IDs", "s0/m.json")


def test_another_number_of_shards(three):
    three.shard(2, three.provider, three.listed, env=three.env, of=4)
    three.refused("s2/m.json", "of shard 2/4", "of shard 0/3")


def test_paths_rates_and_states_may_differ(three):
    three.shard(1, three.provider, three.listed, "--rate", "1000/s", "-j", "3", "--state", "s1.state", env=three.env)
    three.merge()
    three.check()


def test_no_manifest_of_a_shard(three):
    three.refused("all/m.json", "is not the manifest of a shard", manifests=["all/m.json"])
    three.refused("s0/leads.csv", "is not a manifest", manifests=["s0/leads.csv"])
    (three.folder / "x.json").write_text("[]")
    three.refused("x.json", "is not the manifest of a shard", manifests=["x.json"])
    three.refused("s0: is not a manifest", manifests=["s0"])


@pytest.mark.parametrize("name", ["leads.csv", "nd/documents.ndjson", "m.json.rows.gz"])
@pytest.mark.parametrize("how", ["changed", "shorter", "gone", "a folder"])
def test_files_that_are_not_what_they_were(three, name, how):
    path = three.folder / "s1" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    if how == "changed":
        path.write_bytes(bytes(data))
    elif how == "shorter":
        path.write_bytes(bytes(data[:-1]))
    elif how == "a folder":
        path.mkdir()
    three.refused("s1/" + name, "s1/m.json")


@pytest.mark.parametrize("change, says", [
    (lambda m: m["shard"].pop("list"), '"list"'),
    (lambda m: m["shard"].pop("leads"), "names no MANIFEST.rows.gz"),
    (lambda m: m["shard"].update(index=-1), "not the manifest of a shard"),
    (lambda m: m["shard"].update(of=10**9), "not the manifest of a shard"),
    (lambda m: m["ids"].update(read=2**65), '"read"'),
    (lambda m: m["ids"].update(read="7"), '"read"'),
    (lambda m: m.pop("ledger"), '"exported"'),
    (lambda m: m.pop("sinks"), '"sinks"'),
    (lambda m: m["sinks"].pop(), "other sinks"),
    (lambda m: m["sinks"][0]["files"].pop(), "does not name the files"),
    (lambda m: m["sinks"][0]["files"][0].update(sha256="x"), '"sha256"'),
    (lambda m: m["sinks"][0]["files"][0].update(path="s3://bucket/leads.csv"), "only local files"),
    (lambda m: m["sinks"][0]["files"][0].update(path="-"), "-"),
    (lambda m: m["shard"]["leads"].update(rows=1), "m.json.rows.gz"),
    (lambda m: m["ledger"].update(pending=1), '"pending"'),
    (lambda m: m["ledger"].update(missing=1), '"ledger"'),
    (lambda m: m["requests"]["latency_ms"].update(max=10**400), '"latency_ms"'),
    (lambda m: m["requests"]["latency_ms"].update(max=-1), '"latency_ms"'),
    (lambda m: m.update(exit_status=1), '"exit_status"'),
    (lambda m: m.update(published=False), "has published nothing"),
])
def test_damaged_manifests(three, change, says):
    path = three.folder / "s1" / "m.json"
    members = manifest(path)
    change(members)
    path.write_text(json.dumps(members))
    three.refused("s1/", says)


def number_at(data, at):
    """An ULEB128, and what is behind it."""
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return n, at


@pytest.mark.parametrize("more", [-1, 1])
def test_other_leads_than_rows(leadpipe, sandbox, control, more):
    """Each file is the one that the manifest describes, but the companion lacks a lead, or has one too many."""
    shards = Shards(leadpipe, 2, ["csv:{o}/csv/", "ndjson:{o}/lead.ndjson", "msgpack:{o}/mp/", "parquet:{o}/pq/"], lists=False)
    for index in range(2):
        shards.shard(index, sandbox.provider(), LISTED, env=sandbox.env)
    path = leadpipe.folder / "s1" / "m.json.rows.gz"
    data = gzip.decompress(path.read_bytes())
    at = 20 + int.from_bytes(data[16:20], "little")
    while at < len(data):
        last = at
        n, at = number_at(data, at)
        at += n
    packed = gzip.compress(data[:last] if more < 0 else data + data[last:])
    path.write_bytes(packed)
    members = manifest(leadpipe.folder / "s1" / "m.json")
    leads = members["shard"]["leads"]
    leads.update(rows=leads["rows"] + more, bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
    (leadpipe.folder / "s1" / "m.json").write_text(json.dumps(members))
    sinks = shards.sinks
    for shards.sinks in ([one] for one in sinks):
        shards.refused("s1/", "is not the file that s1/m.json describes")


def test_more_columns_than_allowed(leadpipe):
    """Rows of one run would be others: neither one shard nor all together may have more."""
    for n, says in ((60, "shards together have more columns"), (400, "had more columns")):
        payloads = {"id-%d" % i: lead(**{"m%d_%d" % (i, k): "x" for k in range(n)}) for i in range(8)}
        shards = Shards(leadpipe, 2, ["ndjson:{o}/lead.ndjson"], lists=False)
        with provider_of(omni_payloads(payloads)) as server:
            shards.export(["-p", "omni", "--base-url", server.url], "".join(one + "\n" for one in payloads), "--max-columns",
                          str(columns_of_omni(leadpipe) + 8 * 60 - 20), env=KEY)
        shards.refused(says, "--max-columns")


def columns_of_omni(leadpipe):
    tables = json.loads(leadpipe("tables", "omni", "--json").stdout)["tables"]
    return len(tables[0]["columns"])


@pytest.mark.parametrize("sink, says", [
    ("csv:got/", "no such output"), ("csv,delimiter=tab:got.csv", "no such output"), ("msgpack:got/x", "no such output"),
    ("webhook:http://127.0.0.1:1/", "cannot be merged"), ("csv:s0/leads.csv", "would overwrite the input s0/leads.csv"),
    ("csv,table=nonsense:got.csv", "no such output")])
def test_wrong_outputs(three, sink, says):
    before = {path: path.read_bytes() for path in three.folder.rglob("*") if path.is_file()}
    done = three.leadpipe("merge", "-t", sink, *three.manifests())
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert {path: path.read_bytes() for path in three.folder.rglob("*") if path.is_file()} == before


def test_usage(leadpipe):
    for words, says in ((["-t", "csv:x"], "manifests of all shards are required"), (["m.json"], "-t SINK is required"),
                        (["-t", "csv:x", "--nonsense", "m.json"], "--nonsense")):
        done = leadpipe("merge", *words)
        assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_no_list_of_what_failed(leadpipe, sandbox, control):
    shards = Shards(leadpipe, 2, ["csv:{o}/leads.csv"], lists=False)
    shards.export(sandbox.provider(), "plain-1\nplain-2\nplain-3\nbad~status=400\n", env=sandbox.env)
    shards.merge()
    shards.lists = True
    shards.refused("--failed", "/m.json: 1 leads are failed", "had no --failed")


# ---- killed -----------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_before_the_end(three, number):
    """It waits for the reader of a pipe, which comes first: of the rest nothing is visible; and again, all of it."""
    os.makedirs(three.folder / "got", exist_ok=True)
    os.mkfifo(three.folder / "got" / "leads.csv")
    process = three.leadpipe.start("merge", *three.words("got"), *three.manifests())
    wait_until(lambda: any(".m.json." in one for one in temporaries(three.folder / "got")), "all is written")
    process.send_signal(number)
    status = process.wait(60)
    assert status in (-number, 128 + number), process.stderr.read()
    visible = [path.name for path in (three.folder / "got").rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert visible == []
    if number == signal.SIGTERM:
        assert temporaries(three.folder) == []
    os.unlink(three.folder / "got" / "leads.csv")
    three.merge()
    three.check()
