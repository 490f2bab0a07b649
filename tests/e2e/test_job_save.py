"""--save-job: the job file of a command line stands for that command line."""

import json
import os
import shlex
import stat

import pytest

from runs import listing

SECRET = "s3cr3t-v4lue"

ROUNDS = [
    "--provider=omni --to=csv:/o/",
    "--provider=omni --to=csv:- --id=a --id=true --id=007 --id='a: b' --id='#x' --id='${HOME}' --id='$${X}' --id='- a'",
    "--provider=/p.json --to=csv:/o/ --param=agentId=A --param='b=x,y z' --verbose --verbose -- /ids.txt - /b",
    "--provider=omni --to='csv,gzip=6,bom,delimiter=tab:/o/x, y:z' --to=ndjson:s3://b/k --state=/s --changed-only --resend",
    r"--provider=omni --to='webhook,header=X-A: b\,c,header=X-B\:c\\,batch=2,secret-file=/k:https://h.example:8080/a?b=c' --expect=0123",
    "--provider=omni --to=postgres,schema=leads,deletes=mark:service=dw --to=push,param=a=1,param=b=2:hubspot-contacts",
    "--provider=omni --to=sqlite:/x.db --rate=600/m --timeout=1500ms --max-body=64M --max-missing=5% --order=any --http2",
    "--provider=omni --to=csv:/o/ --failed=/f --missing=/m --manifest=- --spool-dir=/d --id-column='\u00fc \"q\" \\' --quiet",
]


@pytest.mark.parametrize("line", ROUNDS)
def test_round_trip(leadpipe, line):
    words = shlex.split(line)
    saved = leadpipe("export", "--save-job=job.yaml", *words)
    assert (saved.returncode, saved.stdout, saved.stderr) == (0, b"", "")
    done = leadpipe("run", "job.yaml", "--print")
    assert done.returncode == 0, done.stderr + (leadpipe.folder / "job.yaml").read_text()
    says_ids = "--" in words or "--id=" in line
    assert shlex.split(done.stdout.decode()) == ["leadpipe", "export", *words, *([] if says_ids else ["--", "-"])]
    again = leadpipe("run", "job.yaml", "--save-job", "-")
    assert again.stdout == (leadpipe.folder / "job.yaml").read_bytes(), again.stderr
    assert listing(leadpipe.folder).keys() == {"job.yaml"}


def test_paths_become_absolute(leadpipe, tmp_path):
    here = os.path.realpath(leadpipe.folder)
    (leadpipe.folder / "etc").mkdir()
    done = leadpipe("export", "-p", "./p.json", "-tcsv,gzip=1:out/", "-t", "push,preview=p:own.json", "-t", "csv:-", "--failed",
                    "f", "ids.txt", "--save-job", "etc/job.yaml")
    assert done.returncode == 0, done.stderr
    done = leadpipe("run", "--print", "etc/job.yaml", cwd="/" if here == "/" else None)
    want = ["--provider=%s/./p.json", "--to=csv,gzip=1:%s/out/", "--to=push,preview=%s/p:%s/own.json", "--to=csv:-",
            "--failed=%s/f", "--", "%s/ids.txt"]
    assert shlex.split(done.stdout.decode())[2:] == [word.replace("%s", here) for word in want]


@pytest.mark.parametrize("words", [
    ["--proxy=http://u:%s@h/" % SECRET], ["-t", "webhook,header=Authorization: Bearer %s:https://h/" % SECRET],
    ["-t", "postgres:postgresql://u:%s@h/d" % SECRET], ["--param=token=" + SECRET],
    ["--id=a\x1b[2J" + SECRET], [b"--id=\xff" + SECRET.encode()],
])
def test_what_is_refused(leadpipe, words):
    words = [os.fsdecode(word) if isinstance(word, bytes) else word for word in words]
    done = leadpipe.run("export", "-p", "omni", "-t", "csv:/o/", *words, "--save-job", "job.yaml")
    assert done.returncode == 2 and done.stderr.startswith("leadpipe: --save-job: "), done.stderr
    assert SECRET not in done.stderr and done.stderr.count("\n") == 1
    assert listing(leadpipe.folder) == {}


def test_the_file(leadpipe):
    """Whole or not at all, for all to read, and never in the place of another."""
    base = ["export", "-p", "omni", "-t", "csv:/o/"]
    assert leadpipe(*base, "--save-job", "job.yaml").returncode == 0
    path = leadpipe.folder / "job.yaml"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    before = listing(leadpipe.folder)
    done = leadpipe(*base, "--save-job", "job.yaml", "--log-format", "json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["message"] == "--save-job: job.yaml exists already, and is not replaced"
    assert leadpipe(*base, "--save-job", "none/job.yaml").returncode == 2
    assert leadpipe(*base, "--save-job", "").returncode == 2
    assert leadpipe("export", "-p", "omni", "--save-job", "b.yaml").returncode == 2
    assert listing(leadpipe.folder) == before
