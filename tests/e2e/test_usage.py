"""Wrong usage: one line that names it, exit status 2, and nothing touched."""

import json
import os
import re
import resource
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT

KEY = {"OMNI_API_KEY": "k3y-s3cret", "CONVOCORE_API_KEY": "k3y-s3cret"}
BASE = ["-p", "omni", "-t", "csv:out.csv", "--id", "1"]


def assert_refused(leadpipe, done, *fragments):
    """Exit status 2, one line with these fragments, no new file."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == b""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("leadpipe: "), done.stderr
    for fragment in fragments:
        assert fragment in lines[0], lines[0]
    assert "k3y-s3cret" not in done.stderr


@pytest.mark.parametrize("words, fragments", [
    (["-t", "csv:x"], ["-p PROVIDER", "leadpipe export -p omni"]),
    (["-p", "omni"], ["-t SINK", "leadpipe export -p omni"]),
    ([], ["-p PROVIDER", "-t SINK"]),
    (BASE + ["--atempts", "3"], ["--atempts", "--attempts"]),
    (BASE + ["-Z"], ["-Z"]),
    (BASE + ["--attempts", "0"], ["--attempts", "1 to 100"]),
    (BASE + ["--timeout", "5"], ["--timeout", "30s"]),
    (BASE + ["--fresh"], ["--fresh needs --state FILE"]),
    (BASE + ["--changed-only"], ["--changed-only needs --state FILE"]),
    (BASE + ["file.txt"], ["--id", "file.txt"]),
    (BASE + ["--id", ""], ["--id"]),
    (BASE + ["--id", ".."], ["--id"]),
    (BASE + ["-p", "convocore"], ["--provider", "more than once"]),
    (["-p", "convocore", "-t", "csv:x", "--id", "1", "--base-url", "http://127.0.0.1:9", "--param", "agentId=a",
      "--param", "agentId=b"], ["--param", "agentId", "more than once"]),
    (BASE + ["--failed", "a", "--failed=a"], ["--failed", "more than once"]),
    (BASE + ["--fresh", "--state", "s", "--fresh"], ["--fresh", "more than once"]),
    (BASE + ["--proxy", "http://a:pw@b", "--proxy", "http://a:pw@c"], ["--proxy: given more than once; it is not"]),
    (BASE + ["--id", "a\nb"], ["--id"]),
    (BASE + ["--id", "x" * 513], ["--id", "512"]),
    (BASE + ["--server", "eu"], ["--server", "omni", "\"eu\"", "main"]),
    (BASE + ["--param", "agentId=1"], ["--param", "omni has no parameters"]),
    (BASE + ["--base-url", "ftp://x/"], ["--base-url", "https://"]),
    (BASE + ["--base-url", "http://u:k3y-s3cret@127.0.0.1/"], ["--base-url"]),
    (BASE + ["--base-url", "http://127.0.0.1/?k=k3y-s3cret"], ["--base-url"]),
    (BASE + ["--base-url", "http://leads.example/"], ["--base-url", "--allow-http"]),
    (BASE + ["--base-url", "http://127.0.0.1.example/"], ["--base-url", "--allow-http"]),
    (BASE + ["--cacert", "absent.pem"], ["--cacert", "absent.pem"]),
    (BASE + ["--cacert", "/"], ["--cacert"]),
    (BASE + ["--cacert", "/dev/null"], ["--cacert", "PEM"]),
    (BASE + ["--proxy", "ftp://u:k3y-s3cret@h/"], ["--proxy", "socks5"]),
    (BASE + ["--api-key-file", "nowhere/key"], ["--api-key-file: nowhere/key cannot be opened: No such file"]),
    (BASE + ["--api-key-file", "sk-live-k3y-s3cret"], ["--api-key-file: the file (name not shown"]),
    (BASE + ["--api-key", "k3y-s3cret"], ["--api-key-file"]),
    (BASE + ["--manifest", "out.csv"], ["out.csv"]),
    (BASE + ["--failed", "absent/failed.ndjson"], ["--failed", "absent"]),
    (BASE + ["-t", "ndjson:out.csv"], ["out.csv"]),
    (BASE + ["-t", "ndjson:./out.csv"], ["out.csv"]),
    (BASE + ["-t", "csv:-", "-t", "ndjson:-"], ["standard output"]),
    (BASE + ["-t", "cvs:x"], ["--to", "cvs", "csv"]),
    (BASE + ["-t", "csv,gzip=10:x"], ["--to", "gzip", "9"]),
    (BASE + ["-t", "csv"], ["--to", "csv"]),
    (BASE + ["-t", "csv:absent/out.csv"], ["absent"]),
    (BASE + ["-t", "csv,table=nope:x.csv"], ["nope"]),
    (BASE + ["-t", "webhook:http://crm.example/hook"], ["--allow-http"]),
    (BASE + ["-t", "webhook:crm.example/hook"], ["webhook"]),
    *[(BASE + ["-t", "webhook,%s=%s: V:http://127.0.0.1:9/" % (option, name)], ["option %s" % option, name, "cannot be set"])
      for option in ("header", "header-env")
      for name in ("Host", "Content-Encoding", "Content-Length", "Proxy-Authorization", "HTTP2-Settings")],
    (["-p", "nope", "-t", "csv:x"], ["--provider", "nope", "omni"]),
    (["-p", "./nope.json", "-t", "csv:x"], ["--provider", "nope.json"]),
    (["-p", "convocore", "-t", "csv:x", "--param", "agent=1"], ["--param", "\"agent\"", "agentId"]),
    (["-p", "convocore", "-t", "csv:x", "--param", "agentId"], ["--param", "NAME=VALUE"]),
    (["-p", "omni", "-t", "csv:x", "absent.txt"], ["absent.txt"]),
    (["-p", "omni", "-t", "csv:x", "/"], ["/"]),
    (BASE + ["-t", "csv:x"] * 32, ["--to", "32"]),
])
def test_export_refuses(leadpipe, tmp_path, words, fragments):
    done = leadpipe("export", *words, env=KEY)
    assert_refused(leadpipe, done, *fragments)
    assert os.listdir(tmp_path) == []


def test_no_key(leadpipe):
    assert_refused(leadpipe, leadpipe("export", *BASE), "OMNI_API_KEY", "--api-key-file")
    assert_refused(leadpipe, leadpipe("export", *BASE, env={"OMNI_API_KEY": ""}), "OMNI_API_KEY")
    assert_refused(leadpipe, leadpipe("export", *BASE, env={"OMNI_API_KEY": "a\nb"}), "OMNI_API_KEY")


def test_folder_not_writable(leadpipe, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = leadpipe("export", "-p", "omni", "-t", "csv:locked/", "--id", "1", env=KEY)
    assert_refused(leadpipe, done, "locked")


def test_profile_with_unknown_member(leadpipe, tmp_path):
    profile = json.loads(leadpipe("providers", "--show", "omni").stdout)
    profile["paht"] = "/x"
    (tmp_path / "my.json").write_text(json.dumps(profile))
    done = leadpipe("export", "-p", "my.json", "-t", "csv:x.csv", "--id", "1", env=KEY)
    assert_refused(leadpipe, done, "my.json", "paht")


def test_shown_profile_works(leadpipe, sandbox, tmp_path):
    (tmp_path / "my.json").write_bytes(leadpipe("providers", "--show", "omni").stdout)
    done = leadpipe("export", "-p", "my.json", "--base-url", sandbox.omni, "-t", "ndjson:-", "--id", "plain-1",
                    env=sandbox.env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lead_id"] == "plain-1"


def test_refusals_as_json(leadpipe):
    done = leadpipe("export", *BASE, "--log-format", "json", "--attempts", "x", env=KEY)
    assert done.returncode == 2
    message = json.loads(done.stderr)
    assert message["level"] == "error" and "--attempts" in message["message"]


def test_control_characters_do_no_harm(leadpipe):
    done = leadpipe("export", *BASE, "--order", "\x1b[2J\nfake", env=KEY)
    assert_refused(leadpipe, done, "--order", "\\x1b[2J\\nfake")
    done = leadpipe("export", *BASE, os.fsdecode(b"--order=\xff"), env=KEY)
    assert_refused(leadpipe, done, "--order", "\\xff")


def test_open_files(leadpipe, sandbox, control):
    def limit(soft, hard):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    words = ["export", *sandbox.provider(), "-t", "ndjson:-", "--id", "plain-1", "-j", "500"]
    done = leadpipe(*words, env=sandbox.env, preexec_fn=limit(300, 300))
    assert_refused(leadpipe, done, "--concurrency", "500", "300")
    done = leadpipe(*words, env=sandbox.env, preexec_fn=limit(300, 1000))
    assert done.returncode == 0, done.stderr
    control.hook("many", delay_ms=1000)
    ids = [word for n in range(250) for word in ("--id", "tiny-%d" % n)]
    done = leadpipe("export", *sandbox.provider(), "-t", "webhook,concurrency=250:" + sandbox.hook("many"), *ids,
                    env=sandbox.env, preexec_fn=limit(200, 1000))
    assert done.returncode == 0 and "trying again" not in done.stderr, done.stderr
    assert control.ask("hooks")["many"]["max_in_progress"] > 200


@pytest.mark.parametrize("words", [["check", "-t", "ndjson:out", "--id", "plain-1"], ["list"],
                                   ["export", "-t", "ndjson:out", "--id", "plain-1", "-j", "1"],
                                   ["export", "-t", "ndjson:out", "--all", "--state", "state", "-j", "1"]],
                         ids=["check", "list", "export", "all"])
def test_too_few_descriptors(leadpipe, sandbox, control, words):
    """However few there are: it is said, and nothing crashes."""
    said = set()
    for most in range(4, 28):
        done = leadpipe(words[0], *sandbox.provider(), *words[1:], env=sandbox.env, timeout=20,
                        preexec_fn=lambda most=most: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
        assert done.returncode in (1, 2), (most, done)
        said.add("open files" in done.stderr + str(done.stdout))
    assert True in said


def test_nothing_at_all(leadpipe):
    done = leadpipe()
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith("usage: leadpipe export ")


@pytest.mark.parametrize("words, fragments", [
    (["exprot"], ["exprot", "export"]),
    (["frobnicate"], ["frobnicate", "leadpipe help"]),
    (["-p", "omni"], ["-p", "leadpipe export"]),
    (["--state"], ["--state"]),
    (["providers", "omni"], ["providers", "omni"]),
    (["providers", "--show"], ["--show"]),
    (["providers", "--show", "nope"], ["--show", "nope"]),
    (["providers", "--frob"], ["--frob"]),
    (["destinations", "slack"], ["destinations", "slack"]),
    (["destinations", "--show", "nope"], ["--show", "nope"]),
    (["sinks", "nope"], ["nope", "leadpipe sinks"]),
    (["sinks", "sqlit"], ["sqlit", "did you mean sqlite"]),
    (["sinks", "csv", "ndjson"], ["sinks", "ndjson"]),
    (["sinks", "--frob"], ["sinks", "--frob"]),
    (["tables"], ["tables", "PROVIDER"]),
    (["tables", "nope"], ["tables", "nope", "omni"]),
    (["tables", "omni", "convocore"], ["tables", "convocore"]),
    (["help", "nope"], ["nope"]),
    (["help", "export", "me"], ["me"]),
    (["version", "1"], ["version"]),
])
def test_commands_refuse(leadpipe, words, fragments):
    assert_refused(leadpipe, leadpipe(*words), *fragments)


@pytest.mark.parametrize("words", [["help"], ["-h"], ["--help"]])
def test_help(leadpipe, words):
    done = leadpipe(*words)
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.decode()
    for word in ("usage:", "Commands:", "Sinks", "Exit status:", "Environment:", "Examples:", "--concurrency"):
        assert word in text


@pytest.mark.parametrize("words", [["--version", "1"], ["-V", "--nonsense"], ["--help", "export", "1"], ["-h", "--nonsense"]])
def test_commands_written_like_options(leadpipe, words):
    """Their mistakes have messages, too, under the command's name."""
    done = leadpipe(*words)
    name = "version" if "v" in words[0].lower() else "help"
    assert (done.returncode, done.stdout) == (2, b"")
    assert words[-1] in done.stderr and re.search(r"leadpipe (help )?%s\b" % name, done.stderr)


def test_help_of_every_command(leadpipe):
    commands = re.findall(r"^(?:usage:|      ) leadpipe ([a-z]+)", leadpipe("help").stdout.decode(), re.M)
    assert len(commands) >= 8
    for command in commands:
        asked = [leadpipe("help", command), leadpipe(command, "--help"), leadpipe(command, "-h")]
        assert {done.returncode for done in asked} == {0}, command
        assert {done.stderr for done in asked} == {""}, command
        assert len({done.stdout for done in asked}) == 1, command
        assert asked[0].stdout.decode().startswith("usage: leadpipe " + command)
        assert not re.search(r"^\w[^\n]*:\n(\n|\Z)", asked[0].stdout.decode(), re.M), "%s: a heading without options" % command


# What the dynamic linker loads, and what it is called there.
LIBRARIES = {"libcurl": "libcurl/", "libuv": "libuv/", "libsqlite3": "SQLite/", "libcjson": "cJSON/", "libmsgpackc": "msgpack-c/",
             "libmsgpack-c": "msgpack-c/", "libz": "zlib/", "libdeflate": "libdeflate/", "libcrypto": "OpenSSL/", "libzstd": "zstd/",
             "libxxhash": "xxHash/", "libpq": "libpq/", "librdkafka": "librdkafka/", "libexpat": "expat/", "libfyaml": "libfyaml/"}
OF_THE_SYSTEM = ("libc.", "libm.", "libdl.", "libpthread.", "ld-linux", "libasan", "libubsan", "libtsan", "libgcc_s")


def test_version_names_every_library(leadpipe):
    """Those that the program itself asks for, whatever this build has."""
    first, curl, others = leadpipe("version").stdout.decode().splitlines()
    head = subprocess.run(["readelf", "-d", BINARY], stdout=subprocess.PIPE, check=True).stdout.decode()
    needed = [name.replace("-gnutls", "") for name in re.findall(r"\(NEEDED\).*\[([^\]]+?\.)so", head)]
    needed = [name for name in needed if not name.startswith(OF_THE_SYSTEM)]
    assert "libcurl." in needed and "libsqlite3." in needed, head
    for name in needed:
        text = curl if name == "libcurl." else others
        assert re.search(re.escape(LIBRARIES[name.rstrip(".")]) + r"\d", text), (name, text)


@pytest.mark.parametrize("words", [["version"], ["--version"], ["-V"]])
def test_version(leadpipe, words):
    done = leadpipe(*words)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "leadpipe 0.1.0"
    assert "libcurl/" in lines[1] and "libuv/" in lines[2]


def test_version_as_json(leadpipe):
    """What the other commands say, for programs."""
    done = leadpipe("version", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    built = json.loads(done.stdout)
    first, curl, others = leadpipe("version").stdout.decode().splitlines()
    assert first == "leadpipe " + built["version"]
    assert {"%s/%s" % library for library in built["libraries"].items()} == {curl.split()[0], *others.split()}
    assert built["sinks"] == re.findall(r"^([a-z]+)$", leadpipe("sinks").stdout.decode(), re.M)
    assert built["providers"] == re.findall(r"^([a-z]+): ", leadpipe("providers").stdout.decode(), re.M)
    assert built["destinations"] == re.findall(r"^(\S+)$", leadpipe("destinations").stdout.decode(), re.M)
    assert built["object_storage"] == ("expat" in built["libraries"])


def test_destinations(leadpipe):
    done = leadpipe("destinations")
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.decode()
    names = re.findall(r"^\S+$", text, re.M)
    assert names == sorted(names) and len(names) == 8 and max(map(len, text.splitlines())) <= 100
    for name in names:
        shown = json.loads(leadpipe("destinations", "--show", name).stdout)
        assert shown["destination"] == 1 and " ".join(shown["about"].split()) in " ".join(text.split())


GOOD = {"destination": 1, "method": "POST", "url": "https://{team}.crm.example/leads", "auth": {"bearer_env": "NOT_SET"},
        "item": {"id": {"$field": "lead_id"}, "text": {"$param": "word"}}, "answer": {"ok": [200], "unaccounted": "ok"}}
PARAMS = ["--param", "team=north", "--param", "word=a b"]


@pytest.mark.parametrize("changes, words, said", [
    ({}, ["-p", "omni", *PARAMS], None),
    ({}, ["-p", "convocore", *PARAMS], None),
    ({}, PARAMS, ["--check", "--provider"]),
    ({}, ["-p", "nope", *PARAMS], ["nope", "omni"]),
    ({}, ["-p", "omni", *PARAMS[:2]], ["d.json", "/item/text", "word"]),
    ({}, ["-p", "omni", *PARAMS, "--param", "x=1"], ["d.json", '"x"']),
    ({"item": {"id": {"$field": "first_nam"}}}, ["-p", "omni", *PARAMS], ["d.json", "/item/id/$field", "first_name"]),
    ({"item": {"id": {"$field": "first_name"}}}, ["-p", "convocore", *PARAMS], ["d.json", "/item/id/$field", "convocore"]),
    ({"url": "http://crm.example/"}, ["-p", "omni", *PARAMS[2:]], ["d.json", "https://"]),
    ({"url": "crm.example"}, ["-p", "omni", *PARAMS[2:]], ["d.json", "/url", "https://"]),
    ({"answer": {}}, ["-p", "omni", *PARAMS], ["d.json", "/answer/ok"]),
])
def test_destinations_check(leadpipe, changes, words, said):
    """Without credentials, which a run reads later, and without a connection."""
    (leadpipe.folder / "d.json").write_text(json.dumps({**GOOD, **changes}))
    done = leadpipe("destinations", "--check", "d.json", *words)
    if said is None:
        assert (done.returncode, done.stderr) == (0, "") and b"d.json: valid" in done.stdout
        return
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count("\n") == 1 and all(one in done.stderr for one in said), done.stderr


@pytest.mark.parametrize("words", [["--check"], ["--check", "nope.json", "-p", "omni"], ["--check", "slack", "--show", "slack"],
                                   ["-p", "omni"], ["--param", "a=b"]])
def test_destinations_check_refuses(leadpipe, words):
    done = leadpipe("destinations", *words)
    assert done.returncode == 2 and done.stdout == b"" and "--" in done.stderr + "--" * ("nope.json" in done.stderr)


def test_providers(leadpipe):
    done = leadpipe("providers")
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.decode()
    for word in ("omni", "OMNI_API_KEY", "convocore", "CONVOCORE_API_KEY", "agentId", "eu", "na"):
        assert word in text
    for name in ("omni", "convocore"):
        assert json.loads(leadpipe("providers", "--show", name).stdout)["name"] == name


def test_tables(leadpipe):
    text = leadpipe("tables", "omni").stdout.decode()
    for word in ("leads:", "matching_leads:", "lead_id", "checklist_item_documents:", "position", "checklist_..."):
        assert word in text


def test_stdout_that_cannot_be_written(leadpipe):
    with open("/dev/full", "wb") as full:
        done = leadpipe("help", stdout=full)
    assert done.returncode == 1
    assert done.stderr == "leadpipe: standard output: No space left on device\n"


def test_stdout_that_nobody_reads(leadpipe):
    reader, writer = os.pipe()
    os.close(reader)
    done = leadpipe("help", stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert "Broken pipe" in done.stderr


def test_closed_standard_files(leadpipe, sandbox, tmp_path):
    """Their numbers must not be given to other files."""
    def close(*numbers):
        return lambda: [os.close(number) for number in numbers]

    words = ["export", *sandbox.provider(), "--id", "plain-1"]
    done = leadpipe(*words, "-t", "ndjson:a.ndjson", env=sandbox.env, preexec_fn=close(0, 1, 2))
    assert done.returncode == 0
    assert json.loads((tmp_path / "a.ndjson").read_text())["lead_id"] == "plain-1"
    done = leadpipe(*words, "-t", "ndjson:-", "-t", "csv:b/", env=sandbox.env, preexec_fn=close(1))
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr
    assert not (tmp_path / "b").exists()
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:a.ndjson", env=sandbox.env, preexec_fn=close(0))
    assert done.returncode in (1, 2)
    assert "standard input" in done.stderr


def test_key_leaves_the_environment(leadpipe, sandbox, control):
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc")
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", stdin=-1,
                             env={"OMNI_API_KEY": sandbox.key})
    process.stdin.write(b"plain-1\n")
    process.stdin.flush()
    for _ in range(600):
        if control.attempts("plain-1"):
            break
    with open("/proc/%d/environ" % process.pid, "rb") as environ:
        assert sandbox.key.encode() not in environ.read()
    process.stdin.close()
    process.stdin = None
    assert process.wait(60) == 0


@pytest.mark.parametrize("words", [
    ["--api-key-file", "nowhere/x"], ["--cacert", "nowhere/x"], ["-p", "nowhere/x"], ["--state", "nowhere/x"],
    ["--failed", "nowhere/x"], ["--manifest", "nowhere/x"], ["nowhere/x"], ["-t", "csv:nowhere/y/x"],
    ["-t", "webhook,secret-file=nowhere/x:http://127.0.0.1:9/"]])
def test_files_that_are_not_there(leadpipe, sandbox, words):
    """The message names the file and says what is wrong with it."""
    given = {"-p": [], "-t": sandbox.provider()}.get(words[0], [*sandbox.provider(), "-t", "ndjson:rows"])
    given = given + (["-t", "ndjson:rows"] if words[0] == "-p" else []) + (["--id", "1"] if words[0] != "nowhere/x" else [])
    done = leadpipe("export", *given, *words, env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "nowhere/" in done.stderr
    assert "No such file or directory" in done.stderr or "does not exist" in done.stderr, done.stderr


@pytest.mark.parametrize("words, says", [
    (["install", "--help"], "expected at most one directory"), (["install", "--prefix=/x"], "expected at most one directory"),
    (["install", "a", "b"], "expected at most one directory"), (["build", "--help"], "build: takes no arguments"),
    (["clean", "--help"], "clean: takes no arguments"), (["lint", "cmd"], "lint: takes no arguments"),
    (["format", "cmd"], "format: takes no arguments")], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_arguments_of_build_sh(tmp_path, words, says):
    """A wrong one is refused before anything is done: it is no name of a directory, and is not ignored."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "build/kept").write_text("")
    for name in ("build.sh", "scripts/packages.sh", "scripts/install.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run([tmp_path / "build.sh", *words], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1) and says in done.stderr, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["build", "build.sh", "scripts"] and os.listdir(tmp_path / "build") == ["kept"]
