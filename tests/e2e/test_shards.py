"""Runs that do a part of the leads each: together they do every lead once, whatever the list looks like."""

import csv
import datetime
import hashlib
import os
import re
import shutil
import sqlite3
import struct
import subprocess

import pytest

import recipes
import resumes
from conftest import BINARY, ROOT, clean_environment
from outputs import lines_of, manifest

IDS = ["plain-%d" % i for i in range(24)]


def shard_of(lead_id, params, of):
    """As docs/scale.md describes it."""
    text = b"".join(struct.pack("<I", len(part.encode())) + part.encode() for part in (lead_id, *params))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % of


def export(leadpipe, sandbox, shard, *more, ids=None, listed=None, provider="omni", env=None, status=0):
    words = ["--shard", shard, "-t", "ndjson:out-{shard}.ndjson", "--manifest", "manifest-{shard}.json",
             "--failed", "failed-{shard}.ndjson", "--missing", "missing-{shard}.ndjson", *more]
    if listed is None:
        listed = "".join(one + "\n" for one in ids)
    done = leadpipe("export", *sandbox.provider(provider), *words, input=listed, env={**sandbox.env, **(env or {})})
    assert done.returncode == status, done.stderr
    return done


def got(leadpipe, index):
    path = leadpipe.folder / ("out-%d.ndjson" % index)
    return [line["lead_id"] for line in lines_of(path)] if path.exists() else []


def report(leadpipe, index):
    return manifest(leadpipe.folder / ("manifest-%d.json" % index))


def totals(leadpipe, of):
    """The counts of all shards, added up; the books of each balance."""
    sums = {}
    for index in range(of):
        one = report(leadpipe, index)
        assert one["shard"]["index"] == index and one["shard"]["of"] == of
        assert one["ids"]["unique"] == sum(one["ledger"].values())
        for name, n in {**one["ids"], **one["ledger"]}.items():
            sums[name] = sums.get(name, 0) + n
    return sums


@pytest.mark.parametrize("of", [1, 2, 5, 40])
def test_every_lead_once(leadpipe, sandbox, control, of):
    """Each is in the shard that the published hash names; with 40 some have none, which is a success."""
    for index in range(of):
        export(leadpipe, sandbox, "%d/%d" % (index, of), ids=IDS)
        want = [one for one in IDS if shard_of(one, [], of) == index]
        assert got(leadpipe, index) == want
        assert report(leadpipe, index)["shard"]["other_ids"] == len(IDS) - len(want)
    assert totals(leadpipe, of)["exported"] == len(IDS)
    assert all(control.attempts(one) == 1 for one in IDS)


def test_repeats_bad_lines_missing_and_failed(leadpipe, sandbox, control):
    """Each line is counted by one shard, each lead is in one list."""
    listed = "plain-1\nplain-2\nplain-1\n..\na~missing\n\n# note\nb~status=400\nplain-3\n..\nplain-2\n%s\n" % ("x" * 600)
    of = 3
    alone = leadpipe("export", *sandbox.provider(), "-t", "ndjson:alone.ndjson", "--manifest", "alone.json", "--failed",
                     "failed.ndjson", "--missing", "missing.ndjson", input=listed, env=sandbox.env)
    assert alone.returncode == 3, alone.stderr
    for index in range(of):
        words = ["--shard", "%d/%d" % (index, of), "-t", "ndjson:out-{shard}.ndjson", "--manifest", "manifest-{shard}.json",
                 "--failed", "failed-{shard}.ndjson", "--missing", "missing-{shard}.ndjson"]
        done = leadpipe("export", *sandbox.provider(), *words, input=listed, env=sandbox.env)
        assert done.returncode in (0, 3), done.stderr
    whole = manifest(leadpipe.folder / "alone.json")
    assert totals(leadpipe, of) == {**whole["ids"], **whole["ledger"]}
    assert whole["ids"]["duplicates"] == 2 and whole["ledger"]["failed"] == 4 and whole["ledger"]["missing"] == 1
    for name in ("failed", "missing"):
        rows = [(row["id"], row["error"]) for index in range(of)
                for row in lines_of(leadpipe.folder / ("%s-%d.ndjson" % (name, index)))]
        want = [(row["id"], row["error"]) for row in lines_of(leadpipe.folder / (name + ".ndjson"))]
        key = str
        assert sorted(rows, key=key) == sorted(want, key=key)


def test_parameters_count(leadpipe, sandbox, control):
    """The same ID under two parameters is two leads, which may be in two shards."""
    pairs = [("lead-%d" % i, "agent-%d" % k) for i in range(6) for k in range(3)]
    listed = "id,agentId\n" + "".join("%s,%s\n" % pair for pair in pairs)
    for index in range(2):
        export(leadpipe, sandbox, "%d/2" % index, listed=listed, provider="convocore")
        rows = [(line["lead_id"], line["agent_id"]) for line in lines_of(leadpipe.folder / ("out-%d.ndjson" % index))]
        assert rows == [pair for pair in pairs if shard_of(pair[0], [pair[1]], 2) == index]


def test_order_of_the_list_changes_nothing(leadpipe, sandbox, control):
    export(leadpipe, sandbox, "1/3", ids=IDS)
    first = set(got(leadpipe, 1))
    export(leadpipe, sandbox, "1/3", ids=IDS[::-1] + ["plain-more"])
    assert set(got(leadpipe, 1)) - {"plain-more"} == first


@pytest.mark.parametrize("expected, status", [(24, 0), (23, 3), (12, 3)])
def test_expect_is_of_the_whole_list(leadpipe, sandbox, control, expected, status):
    """Repeats are found among the IDs of other shards, too."""
    for index in range(2):
        done = export(leadpipe, sandbox, "%d/2" % index, "--expect", str(expected), ids=IDS + IDS[:5], status=status)
        assert status == 0 or "but 24 were read" in done.stderr


def test_expect_and_no_lead_of_the_shard(leadpipe, sandbox, control):
    of, index = 40, next(i for i in range(40) if shard_of("plain-1", [], 40) != i)
    export(leadpipe, sandbox, "%d/%d" % (index, of), "--expect", "1", ids=["plain-1"])
    assert got(leadpipe, index) == [] and report(leadpipe, index)["published"]
    export(leadpipe, sandbox, "%d/%d" % (index, of), "--expect", "1", ids=[], status=3)
    assert not report(leadpipe, index)["published"]


# ---- auto -------------------------------------------------------------------------------------

KUBERNETES = {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "5"}
SLURM = {"SLURM_ARRAY_TASK_ID": "12", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "14",
         "SLURM_ARRAY_TASK_COUNT": "5", "SLURM_ARRAY_TASK_STEP": "1"}
AWS = {"AWS_BATCH_JOB_ARRAY_INDEX": "2", "AWS_BATCH_JOB_ARRAY_SIZE": "5"}


@pytest.mark.parametrize("env", [KUBERNETES, SLURM, AWS, {**SLURM, "SLURM_ARRAY_TASK_STEP": ""}],
                         ids=["kubernetes", "slurm", "aws", "slurm without a step"])
def test_auto(leadpipe, sandbox, control, env):
    export(leadpipe, sandbox, "auto", ids=IDS, env=env)
    assert report(leadpipe, 2)["shard"]["of"] == 5
    assert got(leadpipe, 2) == [one for one in IDS if shard_of(one, [], 5) == 2]


@pytest.mark.parametrize("env, says", [
    ({}, "none of JOB_COMPLETION_INDEX"),
    ({**KUBERNETES, "JOB_COMPLETIONS": ""}, "JOB_COMPLETIONS is not set"),
    ({**KUBERNETES, "JOB_COMPLETIONS": "2"}, "JOB_COMPLETION_INDEX is 2: it must be from 0 to 1"),
    ({**KUBERNETES, "JOB_COMPLETIONS": "0"}, "JOB_COMPLETIONS is 0"),
    ({**KUBERNETES, "JOB_COMPLETIONS": "5x"}, 'JOB_COMPLETIONS is "5x"'),
    ({**KUBERNETES, "JOB_COMPLETION_INDEX": "-1"}, 'JOB_COMPLETION_INDEX is "-1"'),
    ({**KUBERNETES, "JOB_COMPLETION_INDEX": "99999999999999999999"}, "JOB_COMPLETION_INDEX"),
    ({**SLURM, "SLURM_ARRAY_TASK_STEP": "2"}, "steps of 1"),
    ({**SLURM, "SLURM_ARRAY_TASK_COUNT": "3"}, "no gaps"),
    ({**SLURM, "SLURM_ARRAY_TASK_MIN": ""}, "SLURM_ARRAY_TASK_MIN is not set"),
    ({**SLURM, "SLURM_ARRAY_TASK_ID": "9"}, "it must be from 10 to 14"),
    ({**SLURM, "SLURM_ARRAY_TASK_ID": "15"}, "it must be from 10 to 14"),
    ({**AWS, "AWS_BATCH_JOB_ARRAY_SIZE": ""}, "AWS_BATCH_JOB_ARRAY_SIZE is not set"),
    ({**AWS, "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, "it must be from 0 to 1"),
    ({**AWS, **KUBERNETES}, "both JOB_COMPLETION_INDEX"),
])
def test_auto_refused(leadpipe, sandbox, control, env, says):
    done = export(leadpipe, sandbox, "auto", ids=IDS, env=env, status=2)
    assert "--shard auto: " in done.stderr and says in done.stderr
    assert list(leadpipe.folder.iterdir()) == [] and control.stats()["requests"] == 0


# ---- refused ----------------------------------------------------------------------------------

@pytest.mark.parametrize("value", ["", "3", "3/", "/3", "3/3", "4/3", "-1/3", "0/0", "1/1000001", "1/2/3", " 1/2", "1/2 ",
                                   "1 /2", "+1/2", "0x1/2", "1.0/2", "Auto", "99999999999999999999/2", "1/18446744073709551617"])
def test_wrong_values(leadpipe, sandbox, control, value):
    done = leadpipe("export", *sandbox.provider(), "--shard=" + value, "-t", "ndjson:out", "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2, done.stderr
    assert "--shard" in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(leadpipe.folder.iterdir()) == []


@pytest.mark.parametrize("words", [
    ["-t", "csv:out-{shard}/"], ["-t", "csv:http-{shard}.csv"], ["-t", "ndjson:x", "--manifest", "m-{shard}"], ["-t", "ndjson:x", "--state", "s-{shard}"],
    ["-t", "ndjson:x", "--failed", "f-{shard}"], ["-t", "ndjson:x", "--missing", "f-{shard}"],
    ["-t", "ndjson:x", "--schema", "f-{shard}"]])
def test_placeholder_needs_shard(leadpipe, sandbox, control, words):
    done = leadpipe("export", *sandbox.provider(), *words, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and "needs --shard" in done.stderr, done.stderr
    assert list(leadpipe.folder.iterdir()) == []


def test_all_is_refused(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), "--shard", "0/2", "--all", "-t", "ndjson:x", env=sandbox.env)
    assert done.returncode == 2 and "--shard" in done.stderr and "--all" in done.stderr, done.stderr
    assert list(leadpipe.folder.iterdir()) == []


# ---- state ------------------------------------------------------------------------------------

def stopped(resumed, of, index):
    """A run of the shard, stopped half-way; the IDs that the list has by then."""
    ids = resumes.IDS[:40]
    last = next(one for one in reversed(ids) if shard_of(one, [], of) == index and "~" not in one)
    resumed.part(ids, "--shard", "%d/%d" % (index, of), until=last)
    return ids


def refused(resumed, ids, *more, **popen):
    done = resumed.leadpipe(*resumed.words(*more), input=resumes.lines(ids), env={**resumed.sandbox.env, **popen})
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_resumed_shard(resumed):
    """As if never interrupted; nothing that was done is fetched again."""
    ids = stopped(resumed, 2, 0)
    done = {one: resumed.control.attempts(one) for one in ids}
    run = resumed.resume(resumes.IDS, "--shard", "0/2")
    mine = [one for one in resumes.IDS if shard_of(one, [], 2) == 0]
    assert run.summary["ids"]["unique"] == len(mine)
    assert all(resumed.control.attempts(one) == 1 for one in ids if shard_of(one, [], 2) == 0 and done[one])
    outputs = resumed.outputs()
    for path in list(resumed.folder.iterdir()):
        if path.is_file():
            path.unlink()
    resumed.resume(resumes.IDS, "--shard", "0/2")
    assert resumed.outputs() == outputs


def test_state_of_another_shard(resumed):
    """It is as if another command had been given; also where both say auto."""
    stopped(resumed, 2, 1)
    assert "--shard was 1/2 and is now 0/2" in refused(resumed, resumes.IDS, "--shard", "0/2")
    assert "--shard was 1/2 and is now 1/3" in refused(resumed, resumes.IDS, "--shard", "1/3")
    says = refused(resumed, resumes.IDS, "--shard", "auto", JOB_COMPLETIONS="2", JOB_COMPLETION_INDEX="0")
    assert "--shard was 1/2 and is now 0/2" in says
    assert "--shard 1/2 was given then but is not given now" in refused(resumed, resumes.IDS)


def test_another_list(resumed):
    """Also where only the IDs of other shards differ: the leads would have other places in the whole."""
    stopped(resumed, 2, 0)
    other = next(one for one in ("plain-%d" % i for i in range(99)) if shard_of(one, [], 2) == 1)
    assert "the IDs are not those" in refused(resumed, [other, *resumes.IDS], "--shard", "0/2")
    resumed.resume(resumes.IDS, "--shard", "0/2")


def test_state_named_by_shard(leadpipe, sandbox, control):
    for index in range(2):
        export(leadpipe, sandbox, "%d/2" % index, "--state", "run-{shard}.state", ids=IDS)
    assert (leadpipe.folder / "run-0.state").exists() and (leadpipe.folder / "run-1.state").exists()


# ---- rate -------------------------------------------------------------------------------------

def test_rate_is_that_of_all(leadpipe, sandbox, control):
    """Half of 40 a second for one of two shards: n leads take (n - 1) / 20 seconds at least."""
    n = sum(shard_of(one, [], 2) == 0 for one in IDS)
    export(leadpipe, sandbox, "0/2", "--rate", "40/s", "-j", "8", ids=IDS)
    started, ended = (datetime.datetime.fromisoformat(report(leadpipe, 0)[name].rstrip("Z")) for name in ("started_at", "ended_at"))
    assert n > 5 and (ended - started).total_seconds() >= (n - 1) / 20 - 0.01


# ---- the examples of docs/scale.md ------------------------------------------------------------

EXAMPLES = ROOT / "docs" / "examples"


def example_environment(sandbox, tmp_path, base_url):
    """`leadpipe` on the PATH, which talks to the sandbox."""
    script = tmp_path / "bin" / "leadpipe"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\nword=$1; shift\nexec "%s" "$word" --base-url "%s" "$@"\n' % (BINARY, base_url))
    script.chmod(0o755)
    return {**clean_environment(sandbox.env), "PATH": "%s:%s" % (script.parent, os.environ["PATH"])}


def everything(folder, of):
    """The lead IDs in the CSV files of all shards, in the order of the list."""
    rows = []
    for index in range(of):
        with open(folder / "out" / ("shard-%d" % index) / "leads.csv", encoding="utf-8", newline="") as file:
            rows += [row["lead_id"] for row in csv.DictReader(file)]
    return sorted(rows, key=IDS.index)


def test_slurm_script(leadpipe, sandbox, control, tmp_path):
    env = example_environment(sandbox, tmp_path, sandbox.omni)
    script = str(EXAMPLES / "slurm-array.sh")
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n")
    for index in range(16):
        more = {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "15",
                "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_TASK_STEP": "1", "SLURM_ARRAY_JOB_ID": "4711"} if index else {
                        "SHARD": "0", "RUN": "4711"}
        done = subprocess.run([script], cwd=tmp_path, env={**env, **more}, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert everything(tmp_path, 16) == IDS
    one = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_COUNT": "1"}
    done = subprocess.run([script], cwd=tmp_path, env={**env, **one}, capture_output=True, timeout=60)
    assert done.returncode == 2 and b"array of 16 tasks" in done.stderr


def run_parallel(sandbox, folder, target):
    """The command of docs/scale.md with that target, as it stands there."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    command, = re.findall(r"^    (seq 0 3 .*\n.* -t %s.*)$" % target, text, re.M)
    (folder / "ids.txt").write_text("\n".join(IDS) + "\n")
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, timeout=60,
                          env={**example_environment(sandbox, folder, sandbox.omni), "HOME": str(folder)})
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("parallel"), reason="GNU parallel is not installed")
def test_gnu_parallel(leadpipe, sandbox, control, tmp_path):
    run_parallel(sandbox, tmp_path, "csv")
    assert everything(tmp_path, 4) == IDS


@pytest.mark.skipif(not shutil.which("parallel"), reason="GNU parallel is not installed")
def test_gnu_parallel_with_one_database(leadpipe, sandbox, control, tmp_path):
    run_parallel(sandbox, tmp_path, "sqlite")
    database = sqlite3.connect(tmp_path / "leads.db")
    assert sorted(one for one, in database.execute("select lead_id from leads")) == sorted(IDS)
    database.close()


def test_kubernetes_job(leadpipe, sandbox, control, tmp_path):
    """Its arguments do what it is for, and completions are where leadpipe looks for them."""
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((EXAMPLES / "kubernetes-job.yaml").read_text())["spec"]
    container = job["template"]["spec"]["containers"][0]
    completions = {one["name"]: one.get("value") for one in container["env"]}["JOB_COMPLETIONS"]
    assert (job["completionMode"], str(job["completions"])) == ("Indexed", completions)
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n")
    words = [word.replace("/data/", str(tmp_path) + "/").replace("/ids/", str(tmp_path) + "/") for word in container["args"]]
    env = example_environment(sandbox, tmp_path, sandbox.omni)
    for index in range(job["completions"]):
        done = subprocess.run(["leadpipe", *words], env={**env, "JOB_COMPLETIONS": completions, "JOB_COMPLETION_INDEX": str(index)},
                              cwd=tmp_path, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert everything(tmp_path, job["completions"]) == IDS


def test_kubernetes_job_fits_the_schema():
    """That which Kubernetes publishes, as the package kubernetes-validate has it."""
    code = ("import sys, yaml, kubernetes_validate as k; "
            "k.validate(yaml.safe_load(open(sys.argv[1])), k.latest_version(), strict=True)")
    subprocess.run([recipes.python_with("kubernetes_validate"), "-c", code, EXAMPLES / "kubernetes-job.yaml"], check=True,
                   timeout=60)
