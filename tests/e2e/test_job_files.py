"""Job files: they are the options of export, and nothing else; what is wrong with one is said where it is."""

import json
import re
import shlex

import pytest

from outputs import ids_file
from runs import listing

WHAT_KEYS = 'the keys are the long options of "leadpipe export", and ids'
WHAT_SINKS = WHAT_KEYS + '; sinks are items of to:, such as "- csv: out/"'
UNSET = "the environment variable %s is not set"
BY_SYSTEMD = UNSET + "; systemd sets it: systemctl start leadpipe@NAME.service, or leadpipe-check@NAME.service to check the job"
SINK_FORM = 'to: must be a list of sinks, with items such as "- csv: out/" or "- csv: {target: out/, gzip: 6}"'
IN_FILE = "must not be in a job file; put it into the environment and write ${VARIABLE}"
KEY_IN_FILE = ("a secret must not be in a job file: name a file or an environment variable that holds it "
               "(api-key-file, secret-env, header-env, ...)")
SECRET = "s3cr3t-v4lue"


@pytest.fixture
def job(leadpipe):
    """job(text, options...): what `leadpipe run` says of it."""
    def run(text, *options, env=None):
        (leadpipe.folder / "job.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return leadpipe("run", "job.yaml", *options, env=env)
    return run


@pytest.fixture
def printed(job):
    """printed(text, options...): the words of the command line."""
    def run(text, *options, env=None):
        done = job(text, "--print", *options, env=env)
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode()
        words = shlex.split(text)
        assert words[:2] == ["leadpipe", "export"] and text.count("\n") == 1
        return words[2:]
    return run


BASE = "provider: omni\nto: [{csv: {target: /o/}}]\n"
BASE_WORDS = ["--provider=omni", "--to=csv:/o/"]


def yaml_text(text):
    return json.dumps(text)  # YAML 1.2 takes JSON


# --- every option ----------------------------------------------------------------------------------

def options_of(help_text):
    """[(name, what stands for its value, or None)]"""
    return re.findall(r"^  (?:-\w, |    )--([a-z][a-z0-9.-]*)(?: (\S+))?(?: |$)", help_text, re.M)


VALUES = {"N": "3", "DURATION": "5s", "SIZE": "64M", "N[/s|/m]": "1/s", "URL": "https://h.example/x", "FILE": "/f",
          "DIR": "/d", "NAME=VALUE": "agentId=A", "NAME|FILE": "omni", "N|auto": "7", "N|P%": "5%", "MIN|SIZE": "64M",
          "TIME|DURATION": "30d", "I/N|auto": "0/2"}
NEEDS = {"fresh": "state: /s\n", "changed-only": "state: /s\n", "resend": "state: /s\nchanged-only: true\n", "created-since": "all: true\n",
         "created-until": "all: true\n", "shard-run": "shard: 0/2\n"}
NO_KEYS = {"help", "save-job"}


def value_for(job, name, arg):
    """One that the option takes: what stands for it says, or the message for one that it does not take."""
    if "|" in arg and arg not in VALUES:
        return arg.split("|")[0]
    choices = re.search(r"is not one of ([^|\s]+)", job("%s: x\n" % name).stderr)
    return choices.group(1) if choices else VALUES.get(arg, "x")


def test_every_option_of_export_is_a_key(leadpipe, job, printed):
    text = leadpipe("help", "export").stdout.decode()
    options = options_of(text.split("Sinks, as KIND")[0])
    assert len(options) > 40, options
    for name, arg in options:
        if name in NO_KEYS | {"to", "provider"}:
            continue
        value = value_for(job, name, arg) if arg else None
        needs = NEEDS.get(name, "")
        line = "%s: %s\n" % (name, yaml_text(value) if arg else "true")
        want = "--%s=%s" % (name, value) if arg else "--" + name
        assert want in printed(BASE + needs + line), name


def test_what_is_no_key(job):
    for name in ("help", "save-job", "p", "target", "csv", "print", "t"):
        done = job(BASE + name + ": true\n")
        assert done.returncode == 2 and "job.yaml:3:1: " in done.stderr, (name, done.stderr)


def test_every_option_of_every_sink_is_a_key(leadpipe, job):
    """An unknown one is refused with the keys that there are: these must be the table's."""
    listed = leadpipe("sinks").stdout.decode()
    kinds = re.findall(r"^([a-z]+)$", listed, re.M)
    assert {"csv", "ndjson", "webhook", "push", "sqlite"} <= set(kinds), listed
    for kind in kinds:
        done = job("to: [{%s: {qqqqqqq: 1, target: x}}]" % kind)
        keys = re.search(r"the keys are: (.*)", done.stderr).group(1).split(", ")
        block = re.search(r"^%s$.*?(?=^\w|\Z)" % kind, listed, re.S | re.M).group(0)
        documented = re.findall(r"^  ([a-z][a-z-]*)(?:=\S+|  |$)", block.split("\n\n", 1)[1], re.M)
        assert keys == ["target", *documented], kind


# --- values ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("line, words", [
    ("expect: 0123", ["--expect=0123"]),
    ("id-column: 0123", ["--id-column=0123"]),
    ("id-column: 1.50", ["--id-column=1.50"]),
    ("id-column: yes", ["--id-column=yes"]),
    ("id-column: null", ["--id-column=null"]),
    ("id-column: ~", ["--id-column=~"]),
    ("id-column: 0x1F", ["--id-column=0x1F"]),
    ("id-column: 2020-01-01", ["--id-column=2020-01-01"]),
    ("id-column: 'true'", ["--id-column=true"]),
    ("id-column: True", ["--id-column=True"]),
    ("id-column: a b # c", ["--id-column=a b"]),
    ("id-column: \"a\\u00fcb\"", ["--id-column=a\u00fcb"]),
    ("id-column: \"it's $HOME `x`\"", ["--id-column=it's $HOME `x`"]),
    ("id-column: 'a$${B}c$$d$'", ["--id-column=a${B}c$$d$"]),
    ("id-column: >-\n  a\n  b", ["--id-column=a b"]),
    ("quiet: true", ["--quiet"]),
    ("quiet: false", []),
    ("verbose: true", ["--verbose"]),
    ("verbose: 2", ["--verbose", "--verbose"]),
    ("verbose: false", []),
    ("id: [a, 'b', 007]", ["--id=a", "--id=b", "--id=007"]),
    ("id: a", ["--id=a"]),
    ("param: [a=1, 'b=x,y']", ["--param=a=1", "--param=b=x,y"]),
    ("id-column: &x a\nid: [*x, *x]", ["--id-column=a", "--id=a", "--id=a"]),
    ("id: &l [a, b]\nparam: *l", ["--id=a", "--id=b", "--param=a", "--param=b"]),
    ("base-url: https://h.example/a@b", ["--base-url=https://h.example/a@b"]),
])
def test_values_are_the_text_as_written(printed, line, words):
    assert printed(BASE + line + "\n") == BASE_WORDS + words


def test_json_is_yaml_too(printed):
    text = {"provider": "omni", "to": [{"csv": {"target": "/o/", "gzip": 6, "bom": True}}], "ids": ["/a", "/b"]}
    words = ["--provider=omni", "--to=csv,gzip=6,bom:/o/", "--", "/a", "/b"]
    assert printed(json.dumps(text)) == words
    assert printed(json.dumps(text, indent=2).replace("\n", "\r\n")) == words
    assert printed("\ufeff" + json.dumps(text)) == words


@pytest.mark.parametrize("value", ["X-A: b,c", "X-A:b", "X-A: b\\", "X-A: \\,", "X-A: http://h:80/,x:y", "X-A: a:b\\:c",
                                   "X-A: ,", "X:", "a://[::1]:80:x", "X-A: \\\\:"])
def test_options_of_sinks_hold_any_text(leadpipe, printed, job, value):
    """Commas, colons and backslashes; the command line that it stands for is printed the same again."""
    text = "provider: omni\nto: [{webhook: {header: %s, batch: 2, target: 'https://h.example/'}}]\n" % yaml_text(value)
    words = printed(text)
    again = leadpipe("run", "job.yaml", "--print", words[1])  # the option of the command line instead
    assert shlex.split(again.stdout.decode())[2:] == words
    assert words[1].endswith(",batch=2:https://h.example/"), words
    header = words[1][len("--to=webhook,header="):-len(",batch=2:https://h.example/")]
    assert re.sub(r"\\([,:\\])", r"\1", header) == value


def test_a_sink_without_options_is_its_target(printed, tmp_path):
    """`- csv: out/` is `- csv: {target: out/}`, with all that is done to a target."""
    short = """
provider: omni
to:
  - csv: out/
  - ndjson: "-"
  - parquet: s3://bucket/key/
  - postgres: service=dw
  - webhook: https://${HOST}/x
  - sqlite: 0123
  - push: hubspot-contacts
"""
    env = {"HOST": "h.example"}
    long = re.sub(r"(?m)^(  - \w+: )(.*)$", r"\1{target: \2}", short.replace("${HOST}", "h.example"))
    here = str(tmp_path)
    want = ["csv:%s/out/" % here, "ndjson:-", "parquet:s3://bucket/key/", "postgres:service=dw", "webhook:https://h.example/x",
            "sqlite:%s/0123" % here, "push:hubspot-contacts"]
    assert printed(short, env=env) == printed(long) == ["--provider=omni", *("--to=" + sink for sink in want)]
    assert printed('{"provider": "omni", "to": [{"csv": "/o/"}]}') == BASE_WORDS


def test_the_name_of_a_variable_is_no_secret(printed, job):
    """It says where one is; what cannot be a variable may be the secret itself."""
    text = "provider: omni\nto: [{kafka: {target: 'h:9092/leads', property-env: ['sasl.password=%s']}}]\n"
    assert printed(text % "KAFKA_PASSWORD")[1] == "--to=kafka,property-env=sasl.password=KAFKA_PASSWORD:h:9092/leads"
    for wrong in "two words", "s3cr3t-v4lue", "3X", "Zq8fT3xLw9KpR2mVb7Nc41", "":
        done = job(text % wrong)
        assert done.returncode == 2 and "property-env: what is named like a secret " + IN_FILE in done.stderr, done.stderr
        assert not wrong or wrong not in done.stderr


def test_options_beat_the_file(printed):
    text = BASE + "ids: [/a, /b]\nrate: 1/s\nparam: [a=1, b=2]\nserver: x\nquiet: true\n"
    whole = ["--provider=omni", "--to=csv:/o/", "--rate=1/s", "--param=a=1", "--param=b=2", "--server=x", "--quiet"]
    files = ["--", "/a", "/b"]

    def without(*names):
        return [word for word in whole if not word.startswith(names)]
    assert printed(text) == whole + files
    assert printed(text, "--rate", "2/s") == without("--rate") + ["--rate=2/s"] + files
    assert printed(text, "--param=c=3") == without("--param") + ["--param=c=3"] + files
    assert printed(text, "-tcsv:x", "-t", "ndjson:y") == without("--to") + ["--to=csv:x", "--to=ndjson:y"] + files
    assert printed(text, "-vv") == without("--quiet") + ["--verbose", "--verbose"] + files
    assert printed(text, "--base-url=https://h") == without("--server") + ["--base-url=https://h"] + files
    assert printed(text, "--id", "--print") == whole + ["--id=--print"]
    listed = "provider: omni\nall: true\ncreated-since: 30d\nto: [csv: /o/]\n"
    assert printed(listed, "--id", "a") == BASE_WORDS + ["--id=a"]  # a filter of the list goes with the list
    assert printed(listed, "--all") == ["--provider=omni", "--created-since=30d", "--to=csv:/o/", "--all"]


# --- paths, variables ------------------------------------------------------------------------------

def test_paths_are_relative_to_the_file(leadpipe, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "job.yaml").write_text("""
provider: own/profile.json
api-key-file: keys/omni.key
cacert: ./ca.pem
ids: [ids.txt, ../b.txt, /abs, '-']
failed: f
missing: m
schema: s
manifest: "-"
state: st
spool-dir: sp
to:
  - csv: {target: out/}
  - ndjson: {target: ./leads.ndjson.gz}
  - msgpack: {target: "-"}
  - sqlite: {target: ../x.db}
  - parquet: {target: s3://bucket/key/}
  - postgres: {target: service=dw, schema: leads}
  - webhook: {target: https://h.example/x, secret-file: hook}
  - push: {target: own.json, preview: p}
  - push: {target: hubspot-contacts}
""")
    here = str(folder)
    want = ["--provider=%s/own/profile.json", "--api-key-file=%s/keys/omni.key", "--cacert=%s/ca.pem", "--failed=%s/f",
            "--missing=%s/m", "--schema=%s/s", "--manifest=-", "--state=%s/st", "--spool-dir=%s/sp",
            "--to=csv:%s/out/", "--to=ndjson:%s/leads.ndjson.gz", "--to=msgpack:-", "--to=sqlite:%s/../x.db",
            "--to=parquet:s3://bucket/key/", "--to=postgres,schema=leads:service=dw",
            "--to=webhook,secret-file=%s/hook:https://h.example/x", "--to=push,preview=%s/p:%s/own.json",
            "--to=push:hubspot-contacts", "--", "%s/ids.txt", "%s/../b.txt", "/abs", "-"]
    want = [word.replace("%s", here) for word in want]
    for path, cwd in ((folder / "job.yaml", "/"), ("etc/job.yaml", tmp_path), ("job.yaml", folder)):
        done = leadpipe("run", "--print", str(path), cwd=cwd)
        assert done.returncode == 0, done.stderr
        assert sorted(shlex.split(done.stdout.decode())[2:]) == sorted(want)


def test_variables(printed, job):
    env = {"AB_1": "x", "EMPTY": "", "CD": "1/s", "EVIL": "a\x1b[2Jb"}
    assert printed(BASE + "failed: /${AB_1}/${EMPTY}${AB_1}\nrate: ${CD}\n", env=env)[2:] == ["--failed=/x/x", "--rate=1/s"]
    assert printed(BASE + "id-column: $AB_1 $${AB_1}\n", env=env)[2:] == ["--id-column=$AB_1 ${AB_1}"]
    for text, said in (("failed: /${MISSING_1}/x", "failed: the environment variable MISSING_1 is not set"),
                       ("rate: ${AB_1}", "rate: the value is not a rate such as 10, 10/s or 600/m"),
                       ("failed: ${EVIL}", "failed: the environment variable EVIL has a control character"),
                       ("failed: ${EMPTY}", "failed: FILE must not be empty"),
                       ("ids: ${EMPTY}", "ids: FILE must not be empty")):
        done = job(text, env=env)
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == "leadpipe: job.yaml:1:%d: %s" % (text.index(":") + 3, said)


def test_a_secret_in_a_variable_is_not_printed(job):
    text = BASE.replace("/o/}}", "/o/}}, {webhook: {target: 'https://h/', header: 'Authorization: Bearer ${TOK}'}}")
    done = job(text + "proxy: http://u:${TOK}@h/\n", "--print", env={"TOK": SECRET})
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert SECRET not in text + done.stderr
    assert '\'--to=webhook,header=Authorization: Bearer \'"${TOK}":https://h/' in text
    assert '--proxy=http://u:"${TOK}"@h/' in text


def test_what_may_be_a_secret_is_not_printed(job):
    """URLs, as a part of their path may be one, commands, and variables with such names; all else is."""
    env = {"HOOK": "https://h.example/T0/" + SECRET, "PROXY": "u:%s@h" % SECRET, "DSN": "host=h password=" + SECRET,
           "A_TOKEN": SECRET, "CMD": "notify " + SECRET, "DIR": "/d", "RATE": "3", "PARAM": "agentId=A1"}
    text = ("provider: omni\nto: [webhook: '${HOOK}', postgres: '${DSN}', postgres: 'user=${A_TOKEN}', csv: '${DIR}/o/']\n"
            "ping: https://h/${A_TOKEN}\nproxy: ${PROXY}\non-failure: ${CMD}\nfailed: ${DIR}/f\nrate: ${RATE}\nparam: ${PARAM}\n")
    done = job(text, "--print", env=env)
    assert done.returncode == 0 and SECRET not in done.stdout.decode(), done.stderr
    assert done.stdout.decode().split()[2:] == [
        "--provider=omni", '--to=webhook:"${HOOK}"', '--to=postgres:"${DSN}"', "--to=postgres:user=\"${A_TOKEN}\"", "--to=csv:/d/o/",
        '--ping=https://h/"${A_TOKEN}"', '--proxy="${PROXY}"', '--on-failure="${CMD}"', "--failed=/d/f", "--rate=3", "--param=agentId=A1"]
    wrong = job(text, "--print", env={**env, "CMD": "'" + SECRET})
    assert wrong.returncode == 2 and "--on-failure: a quote" in wrong.stderr and SECRET not in wrong.stderr


def test_what_only_looks_like_a_secret(printed):
    """The name of a variable, of a file, and words that say nothing of a secret."""
    for line in ("ids: kafka://h/t?group=g&property-env=sasl.password=KAFKA_PASSWORD", "on-failure: mail -s 'token: refused' ops",
                 "on-failure: notify --token-file /t --author me -H 'X-A: b' --password", "base-url: https://h/key/token",
                 "on-success: curl --header 'Authorization: Bearer ${A_B}' https://h/", "on-success: curl -H Authorization: https://h/",
                 "on-success: notify --token='${A_B}' ops", 'on-failure: env API_TOKEN="${A_B}" notify', "ids: kafka://h/t?group=g"):
        key, value = line.split(": ", 1)
        assert printed(BASE + key + ": " + yaml_text(value) + "\n", env={"A_B": "x"})


# --- what is refused -------------------------------------------------------------------------------

WRONG = [
    # text, line:column, message, the line that is shown (None: not compared)
    ("", "1:1", "is empty; a job file has at least provider and to", ""),
    ("# nothing\n", "1:1", "is empty; a job file has at least provider and to", "# nothing"),
    ("omni", "1:1", 'a job file must be a map of options, such as "provider: omni"', "omni"),
    ("- a\n", "1:1", 'a job file must be a map of options, such as "provider: omni"', "- a"),
    ("provider: a\nprovider: b\n", "2:1", "this key is given twice", "provider: b"),
    ('provider: a\n"provider": b\n', "2:1", "this key is given twice", '"provider": b'),
    ("to: [{csv: {eol: lf, target: a, eol: lf}}]", "1:33", "this key is given twice", None),
    ("concurency: 3", "1:1", 'unknown option "concurency"; did you mean concurrency?', "concurency: 3"),
    ("zzzzzz: 3", "1:1", 'unknown option "zzzzzz"; ' + WHAT_KEYS, "zzzzzz: 3"),
    ("csv: out/", "1:1", 'unknown option "csv"; ' + WHAT_SINKS, "csv: out/"),
    ("push: {target: slack}", "1:1", 'unknown option "push"; ' + WHAT_SINKS, "push: {target: slack}"),
    ("sinks:\n  - csv: out/", "1:1", 'unknown option "sinks"; ' + WHAT_SINKS, "sinks:"),
    ("<<: {rate: 3}", "1:1", "this is not a key of a job file; " + WHAT_KEYS, None),
    ("\u00e9: x", "1:1", "this is not a key of a job file; " + WHAT_KEYS, "\u00e9: x"),
    ("? [a]\n: b", "1:3", "a key must be a text", None),
    ("rate: fast", "1:7", 'rate: "fast" is not a rate such as 10, 10/s or 600/m', "rate: fast"),
    ("attempts: 0", "1:11", 'attempts: "0" is not a whole number from 1 to 100', "attempts: 0"),
    ("order: up", "1:8", 'order: "up" is not one of input|any', "order: up"),
    ("rate: [1]", "1:7", "rate: takes one value (N[/s|/m]), not a list", "rate: [1]"),
    ("rate: {a: 1}", "1:7", "rate: takes one value (N[/s|/m]), not a map", None),
    ("id: [[a]]", "1:6", "id: takes one value (ID), not a list", None),
    ("failed: true", "1:9", "failed: takes one value (FILE), not true or false; quote what is meant as text", None),
    ("failed:\nrate: 1", "1:1", "failed: FILE must not be empty", "failed:"),
    ("failed: ''", "1:9", "failed: FILE must not be empty", None),
    ("quiet: yes", "1:8", "quiet: must be true or false", "quiet: yes"),
    ("quiet: 'true'", "1:8", "quiet: must be true or false", None),
    ("quiet: [true]", "1:8", "quiet: must be true or false", None),
    ("quiet:", "1:1", "quiet: must be true or false", None),
    ("verbose: 10", "1:10", "verbose: must be true, false or a number from 0 to 9", None),
    ("param: []", "1:8", "param: the list must not be empty", None),
    ("ids: []", "1:6", "ids: the list must not be empty", None),
    ("ids: {a: b}", "1:6", "ids: must be a FILE, or a list of files", None),
    ("ids: true", "1:6", "ids: must be a FILE, or a list of files", None),
    ("ids: ['']", "1:7", "ids: FILE must not be empty", None),
    ("to: csv:out/", "1:5", SINK_FORM, None),
    ("to: {csv: {target: a}}", "1:5", SINK_FORM, None),
    ("to: []", "1:5", "to: the list must not be empty", None),
    ("to: ['csv:out/']", "1:6", SINK_FORM, None),
    ("to: [{}]", "1:6", SINK_FORM, None),
    ("to: [{csv: {target: a}, ndjson: {target: b}}]", "1:6", SINK_FORM, None),
    ("to: [csv]", "1:6", SINK_FORM, None),
    ("to:\n  - csv,gzip=6: out/", "2:5",
     'the options of a sink are keys beside its target, such as "- csv: {target: out/, gzip: 6}"', None),
    ("to: [{csv: ~/out/}]", "1:12", "target: ~ is not expanded; write ${HOME}, or the whole path", None),
    ("failed: ~/failed", "1:9", "failed: ~ is not expanded; write ${HOME}, or the whole path", None),
    ("ids: ['~/ids']", "1:7", "ids: ~ is not expanded; write ${HOME}, or the whole path", None),
    ("to: [{csv: [out/]}]", "1:12", "csv: must be its target, or a map of its options and its target", None),
    ("to: [{csv: ''}]", "1:12", "target: must not be empty", None),
    ("to:\n  - csv:\n", "2:5", "target: must not be empty", None),
    ("to: [{csv: true}]", "1:12", "target: must be a text", None),
    ("to: [{csv: 's3://b/${NO_SUCH_VARIABLE}/'}]", "1:12", "target: the environment variable NO_SUCH_VARIABLE is not set", None),
    ("api-key-file: ${CREDENTIALS_DIRECTORY}/keys_omni.key", "1:15",
     "api-key-file: " + BY_SYSTEMD % "CREDENTIALS_DIRECTORY", "api-key-file: ${CREDENTIALS_DIRECTORY}/keys_omni.key"),
    ("failed: ${STATE_DIRECTORY}/f", "1:9", "failed: " + BY_SYSTEMD % "STATE_DIRECTORY", "failed: ${STATE_DIRECTORY}/f"),
    ("failed: ${STATE_DIRECTORY}/f\ntoken: " + SECRET, "1:9", "failed: " + BY_SYSTEMD % "STATE_DIRECTORY", "failed: ***"),
    ("failed: CREDENTIALS_DIRECTORY=${NO_SUCH_VARIABLE}", "1:9", "failed: " + UNSET % "NO_SUCH_VARIABLE", "failed: ***"),
    ("failed: ${NO_SUCH_TOKEN}/f", "1:9", "failed: " + UNSET % "NO_SUCH_TOKEN", "failed: ***"),
    ("to: [{csv: {eol: lf}}]", "1:12", "csv: target is missing", None),
    ("to: [{csv: {target: ''}}]", "1:21", "target: must not be empty", None),
    ("to: [{csv: {target: [a]}}]", "1:21", "target: must be a text", None),
    ("to: [{csv: {target: a, eol: cr}}]", "1:29", 'eol: "cr" is not one of lf|crlf', None),
    ("to: [{csv: {target: a, eoll: lf}}]", "1:24", 'unknown option "eoll"; did you mean eol?', None),
    ("to: [{webhook: {secret-env: A, secret-file: B, target: 'http://h'}}]", "1:16",
     "webhook: secret-env and secret-file cannot be used together", None),
    ("a: *b", "1:4", "an alias without an anchor of its name before it", "a: *b"),
    ("a: &b {c: *b}", "1:11", "an alias inside of what it stands for", None),
    ("rate: !!str 3", "1:13", "tags are not allowed: a value is the text as written", None),
    ("rate: 3\n---\nrate: 4\n", "2:1", "a second document; a job file is one", "---"),
    ("rate:\t3", "1:6", "a tab; indent and separate with spaces", "rate:?3"),
    ("to:\n\t- csv", "2:1", "a tab; indent and separate with spaces", None),
    (b"rate: \xff3", "1:7", "is not UTF-8 from here on", None),
    (b"rate: 1\xc3", "1:8", "is not UTF-8 from here on", None),
    ("rate: 3".encode("utf-16"), "1:1", "is not UTF-8 from here on", None),
    (b"rate: 3\0", "1:8", "a NUL byte; a job file is text", None),
    ("rate: \x1b[2J", "1:7", "a control character (0x1b); a job file is text", "rate: ?[2J"),
    ('failed: "a\\0b"', "1:9", "failed: the value has a control character", None),
    ('failed: "a\\nb"', "1:9", "failed: the value has a control character", None),
    ("failed: ${", "1:9",
     "failed: ${ must be followed by the name of a variable and }; write $${ for a literal ${", None),
    ("failed: ${a-b}", "1:9",
     "failed: ${ must be followed by the name of a variable and }; write $${ for a literal ${", None),
    ("failed: " + "[" * 17 + "]" * 17, "1:24", "lists and maps are nested too deeply", None),
    # secrets
    ("api-key: " + SECRET, "1:1", "api-key: " + KEY_IN_FILE, "api-key: ***"),
    ("api_key: " + SECRET, "1:1", "api_key: " + KEY_IN_FILE, "api_key: ***"),
    ("apiKey: " + SECRET, "1:1", "apiKey: " + KEY_IN_FILE, "apiKey: ***"),
    ("secret: " + SECRET, "1:1", "secret: " + KEY_IN_FILE, "secret: ***"),
    ("token: " + SECRET, "1:1", "token: " + KEY_IN_FILE, "token: ***"),
    ("Password: " + SECRET, "1:1", "Password: " + KEY_IN_FILE, "Password: ***"),
    ("db-password: " + SECRET, "1:1", "db-password: " + KEY_IN_FILE, "db-password: ***"),
    ("api-key:%s: x" % SECRET, "1:1", "api-key: " + KEY_IN_FILE, "***"),
    ("to: [{webhook: {secret: %s, target: x}}]" % SECRET, "1:17", "secret: " + KEY_IN_FILE, "to: ***"),
    ("to:\n  - webhook:\n      password: %s" % SECRET, "3:7", "password: " + KEY_IN_FILE, "      password: ***"),
    ("proxy: http://u:%s@h/" % SECRET, "1:8", "proxy: user and password of a URL " + IN_FILE, "proxy: ***"),
    ("base-url: https://%s@h/" % SECRET, "1:11", "base-url: user and password of a URL " + IN_FILE, "base-url: ***"),
    ("proxy: http://u:%s${X}@h/" % SECRET, "1:8", "proxy: user and password of a URL " + IN_FILE, "proxy: ***"),
    ("failed: https://h/?a=b&token=%s" % SECRET, "1:9", "failed: what is named like a secret " + IN_FILE, None),
    ("proxy: u:%s@h:3128" % SECRET, "1:8", "proxy: user and password of a URL " + IN_FILE, "proxy: ***"),
    ("to: [postgres: 'host=h password = %s user=etl']" % SECRET, "1:16", "target: what is named like a secret " + IN_FILE, None),
    ("to: [postgres: 'password=%s application_name=http://x']" % SECRET, "1:16", "target: what is named like a secret " + IN_FILE, None),
    ("to: [webhook: 'https://h/?a=b&key=%s']" % SECRET, "1:15", "target: what is named like a secret " + IN_FILE, None),
    ("to: [kafka: {target: h/t, property: ssl.key.pem=%s}]" % SECRET, "1:37", "property: what is named like a secret " + IN_FILE, None),
    ("ids: kafka://h/t?group=g&property=sasl.password=" + SECRET, "1:6", "ids: what is named like a secret " + IN_FILE, None),
    ("on-failure: \"curl -H 'Authorization: Bearer %s' https://h/\"" % SECRET, "1:13", "on-failure: the value of this header " + IN_FILE, None),
    ("on-failure: wget --header=Cookie:%s https://h/" % SECRET, "1:13", "on-failure: the value of this header " + IN_FILE, None),
    ("on-success: notify --api-token %s ops" % SECRET, "1:13", "on-success: what is named like a secret " + IN_FILE, None),
    ("param: apiKey=" + SECRET, "1:8", "param: what is named like a secret " + IN_FILE, None),
    ("to: [{postgres: {target: 'postgresql://u:%s@h/d'}}]" % SECRET, "1:26",
     "target: user and password of a URL " + IN_FILE, "to: ***"),
    ("to: [{postgres: 'postgresql://u:%s@h/d'}]" % SECRET, "1:17",
     "target: user and password of a URL " + IN_FILE, "to: ***"),
    ("to: [{postgres: {target: 'host=h password=%s'}}]" % SECRET, "1:26",
     "target: what is named like a secret " + IN_FILE, "to: ***"),
    ("to: [{webhook: {header: 'Authorization: Bearer %s'}}]" % SECRET, "1:25",
     "header: the value of this header " + IN_FILE, "to: ***"),
    ("to: [{webhook: {header: 'cookie:%s'}}]" % SECRET, "1:25", "header: the value of this header " + IN_FILE, None),
    ("to: [{webhook: {header: 'Proxy-Authorization: %s'}}]" % SECRET, "1:25",
     "header: the value of this header " + IN_FILE, None),
    ("to: [{webhook: {header: ['X-A: b', 'X-Api-Key: %s']}}]" % SECRET, "1:36",
     "header: the value of this header " + IN_FILE, None),
]


@pytest.mark.parametrize("text, place, message, line", WRONG)
def test_wrong_files(job, leadpipe, text, place, message, line):
    done = job(text)
    lines = done.stderr.split("\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert lines[0] == "leadpipe: job.yaml:%s: %s" % (place, message)
    assert len(lines) == 4 and lines[3] == "", done.stderr
    if line is not None:
        assert lines[1] == "    " + line
    if line is None or "***" not in line:
        assert re.fullmatch(r" +\^", lines[2]) and "***" in lines[1] or lines[2] == " " * (3 + int(place.split(":")[1])) + "^"
    assert SECRET not in done.stderr
    assert listing(leadpipe.folder).keys() == {"job.yaml"}
    as_json = job(text, "--log-format", "json")
    assert json.loads(as_json.stderr)["message"].startswith("job.yaml:%s: " % place)


@pytest.mark.parametrize("text", [
    "provider: [a", "provider: 'a", "rate: 1\n  attempts: 2", "a: b: c", "{a: b", "a: 'b' c", "--- a: 1", "a: @b", "a: `b",
    "&a &b c: d", "a:\n- b\n c", "%FOO\n%YAML 9.9\n---\na: b", 'a: "\\q"', "a: [b}", "]",
    "failed: |\n  a\n",
])
def test_what_is_not_yaml(job, text):
    """The text is the library's; where it is, and that nothing is done, is ours."""
    done = job(text)
    lines = done.stderr.split("\n")
    assert done.returncode == 2 and re.match(r"leadpipe: job\.yaml:\d+:\d+: ", lines[0]), done.stderr
    assert len(lines) == 4 and re.fullmatch(r" +\^", lines[2]), done.stderr


def test_a_variable_in_braces_without_quotes(job):
    done = job("to: [{csv: {target: ${HOME}/out/}}]")
    assert done.returncode == 2 and "; within { } and [ ], a value with ${NAME} needs quotes\n" in done.stderr, done.stderr
    assert "${NAME}" not in job("to: [{csv: {target: $ {HOME}/out/}}]").stderr


@pytest.mark.parametrize("text", ['token: "%s', "a: [%s\npassword: x", "rate: 1\n  api-key: %s", "proxy: 'http://u:%s@h",
                                  'header: "%s\n %s', "a: &x %s\nsecret: !!t *y"])
def test_wrong_syntax_shows_no_secret(job, text):
    done = job(text.replace("%s", SECRET))
    assert done.returncode == 2 and SECRET not in done.stderr, done.stderr


def test_aliases_do_not_multiply(job):
    """A billion laughs: refused by their number, in no time and memory."""
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 10):
        text += "a%d: &a%d [%s]\n" % (i, i, ", ".join(["*a%d" % (i - 1)] * 10))
    done = job(text)
    assert done.returncode == 2
    assert "too many values, with aliases expanded: a job file may have 10000" in done.stderr


def test_size(job, printed):
    line = "rate: 3 # " + "x" * 50
    fits = BASE + line + "y" * ((1 << 20) - len(BASE) - len(line))
    assert len(fits) == 1 << 20 and printed(fits)[2:] == ["--rate=3"]
    done = job(fits + "y")
    assert (done.returncode, done.stderr) == (
        2, "leadpipe: job.yaml: is larger than 1 MiB, the most that a job file may have\n")


def test_files_that_cannot_be_read(leadpipe):
    for path, said in (("none.yaml", "none.yaml: No such file or directory"), (".", ".: Is a directory")):
        done = leadpipe("run", path)
        assert (done.returncode, done.stderr) == (2, "leadpipe: %s\n" % said)


def test_what_is_missing_is_said(job):
    """And in which file: there may be several jobs in a night."""
    for options in [], ["--print"]:
        done = job("rate: 3", *options)
        assert done.returncode == 2 and done.stderr.startswith("leadpipe: job.yaml: -p PROVIDER and -t SINK are required")
    done = job(BASE + "ids: a\nall: true\n")
    assert done.returncode == 2 and done.stderr.startswith("leadpipe: job.yaml: --all and FILE ("), done.stderr


def test_wrong_command_lines(leadpipe):
    for words, said in (([], "run: missing argument"), (["a", "b"], "run: unexpected argument b"),
                        (["a", "--prnt"], "unknown option --prnt; did you mean --print?"),
                        (["a", "--dry-run"], 'unknown option --dry-run; "leadpipe help export" lists them all'),
                        (["a", "-Z"], 'unknown option -Z; "leadpipe help export" lists them all')):
        done = leadpipe("run", *words)
        assert done.returncode == 2 and done.stderr.startswith("leadpipe: " + said), done.stderr


# --- runs ------------------------------------------------------------------------------------------

def without_times(files):
    """When a lead failed is no property of the job."""
    return {name: re.sub(rb'"at":"[^"]*"', b"", data) if name in ("failed.ndjson", "missing.ndjson") else data
            for name, data in files.items()}


def test_a_run_writes_the_same_bytes(leadpipe, sandbox, control):
    """From another folder, too."""
    control.set(nonce="0")
    for name in "ab":
        (leadpipe.folder / name).mkdir()
    ids_file(leadpipe.folder, ["example", "plain-1", "rich-2", "plain-3~missing", "plain-4~status=400"])
    words = sandbox.provider()
    common = ["--attempts", "1", "--log-format", "json"]
    done = leadpipe("export", *words, *common, "-t", "csv,gzip=6:a/csv/", "-t", "ndjson:a/leads.ndjson", "--failed",
                    "a/failed.ndjson", "--missing", "a/missing.ndjson", "ids.txt", env=sandbox.env)
    assert done.returncode == 3, done.stderr
    base_url = words[words.index("--base-url") + 1]
    (leadpipe.folder / "night.yaml").write_text("""
provider: omni
base-url: %s
attempts: 1
ids: ids.txt
to:
  - csv: {target: b/csv/, gzip: 6}
  - ndjson: {target: b/leads.ndjson}
failed: b/failed.ndjson
missing: b/missing.ndjson
log-format: json
""" % base_url)
    done = leadpipe("run", str(leadpipe.folder / "night.yaml"), env=sandbox.env, cwd="/")
    assert done.returncode == 3, done.stderr
    a, b = (without_times(listing(leadpipe.folder / name)) for name in "ab")
    assert a == b and len(a) > 8 and a["failed.ndjson"] and a["missing.ndjson"]


def test_a_job_says_where_its_ids_come_from(leadpipe, sandbox):
    """A service's standard input is empty: what is there must not become empty, too."""
    (leadpipe.folder / "out").mkdir()
    (leadpipe.folder / "out/leads.csv").write_text("last night's\n")
    words = sandbox.provider()
    text = "provider: omni\nbase-url: %s\nto: [{csv: {target: out/}}]\n" % words[words.index("--base-url") + 1]
    (leadpipe.folder / "night.yaml").write_text(text)
    for given in (None, b"", b"plain-1\n"):
        done = leadpipe("run", "night.yaml", env=sandbox.env, input=given)
        assert done.returncode == 2 and 'night.yaml: does not say where the IDs come from: add ids (' in done.stderr, done.stderr
    assert (leadpipe.folder / "out/leads.csv").read_text() == "last night's\n"
    done = leadpipe("check", "night.yaml", env=sandbox.env)
    assert done.returncode == 1 and b"FAIL  job" in done.stdout and b"where the IDs come from" in done.stdout, done.stdout
    assert b"FAIL  ids" not in done.stdout and b"  lead  " not in done.stdout, done.stdout  # which says nothing of a pipe
    for more in ("ids: '-'\n", "id: plain-1\n"):
        (leadpipe.folder / "night.yaml").write_text(text + more)
        done = leadpipe("run", "night.yaml", env=sandbox.env, input=b"plain-1\n")
        assert done.returncode == 0 and "1 exported" in done.stderr, done.stderr
    (leadpipe.folder / "night.yaml").write_text(text)
    assert leadpipe("run", "night.yaml", "--id", "plain-1", env=sandbox.env).returncode == 0
    assert leadpipe("run", "night.yaml", "--all", env=sandbox.env).returncode == 0


def test_a_command_line_without_ids(leadpipe, sandbox):
    words = ["export", *sandbox.provider(), "-t", "csv:out.csv"]
    done = leadpipe(*words, env=sandbox.env)
    assert done.returncode == 2 and "standard input is /dev/null: name the source of the IDs" in done.stderr, done.stderr
    assert not (leadpipe.folder / "out.csv").exists()
    assert leadpipe(*words, "-", env=sandbox.env).returncode == 0
    assert leadpipe(*words, env=sandbox.env, input=b"").returncode == 0


def test_help(leadpipe, printed):
    done = leadpipe("run", "--help")
    text = done.stdout.decode()
    assert done.returncode == 0 and "usage: leadpipe run JOB.yaml [OPTIONS]" in text and "--print" in text
    assert "leadpipe-run" in text and "\nExit status:\n  0 " in text and "\n  128+n " in text
    example = re.search(r"\n\n((?:  \w+: .*\n)+)\n", text).group(1)
    folder = str(leadpipe.folder)
    assert printed(example.replace("\n  ", "\n")[2:]) == [
        "--provider=omni", "--to=csv:%s/out/" % folder, "--", folder + "/ids.txt"]
