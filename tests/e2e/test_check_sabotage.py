"""leadpipe check: one job with every kind of sink, and one thing wrong with it at a time. Each is found in its line, and in
no other; nothing is posted, and nothing is left."""

import ctypes
import datetime
import email.utils
import os
import resource
import socket
import subprocess
import sys

import pytest

import databases
import kafka_wire as wire
import pushes
import runs
from certificates import ELSEWHERE, EXPIRED, GOOD, STRANGER, make_certificates  # noqa: F401
from checks import KEY, Night, Secure, free_port, good
from conftest import ROOT
from kafka_exports import broker  # noqa: F401
from tiny_server import TinyServer

sys.path.insert(0, str(ROOT / "tests" / "sandbox"))
from s3 import S3Server  # noqa: E402

HOOK, PING = "sabotage", "4711aaaa-bbbb-cccc"
cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


class Whole(Night):
    """A job that goes well, with all that it talks to."""

    def __init__(self, leadpipe, sandbox, control, crm, database, certificates, s3, broker):
        super().__init__(leadpipe, sandbox)
        self.control, self.crm, self.database, self.certificates, self.s3 = control, crm, database, certificates, s3
        self.broker = broker
        self.servers, self.secured, self.started, self.listening = [], [], [], []
        self.pinged = self.serve(lambda path, headers: (200, {}, b"OK"))
        self.crm.behave(**pushes.MAKERS["zoho-leads"].behave)
        self.env = {**s3.env, **pushes.MAKERS["zoho-leads"].env, "HOOK_SECRET": "whsec_" + "QUJD" * 8}
        self.secrets += [s3.secret_key, PING, self.env["HOOK_SECRET"]]
        self.popen = {}
        self.job.update({
            "to": [{"csv": {"target": "out/"}}, {"ndjson": {"target": "s3://leads/night.ndjson"}},
                   {"postgres": {"target": self.database.conninfo()}},
                   {"kafka": {"target": broker.address + "/leads"}},
                   {"webhook": {"target": sandbox.hook(HOOK), "secret-env": "HOOK_SECRET"}},
                   {"push": {"target": "zoho-leads", "base-url": crm.url, "param": "accounts=accounts.zoho.eu"}}],
            "metrics": "night.prom", "ping": self.pinged.url + "/" + PING, "s3-endpoint": s3.url,
            "on-success": "true --of PATH", "on-failure": "'%s' a b" % self.script("notify"),
            "cacert": str(certificates / "authority.pem")})

    def sink(self, name):
        return next(options for one in self.job["to"] for kind, options in one.items() if kind == name)

    def script(self, name, text="#!/bin/sh\ntouch started\n", mode=0o755):
        """The path of a command that would leave something behind."""
        self.write(name, text, mode)
        return str(self.folder / name)

    def serve(self, answer):
        self.servers.append(TinyServer(answer))
        return self.servers[-1]

    def secure(self, name):
        """The URL of a server with that certificate."""
        one = Secure(self.certificates, name)
        self.secured.append(one.server)
        return one.url

    def silent(self):
        """The URL of a server that accepts connections and says nothing."""
        self.listening.append(socket.create_server(("127.0.0.1", 0)))
        return "http://127.0.0.1:%d" % self.listening[-1].getsockname()[1]

    def close(self):
        for listener in self.listening:
            listener.close()
        for server in self.servers:
            server.close()
        for server in self.secured:
            server.shutdown()
            server.server_close()
        for process in self.started:
            process.communicate(timeout=60)


def catalog(database):
    return database.run("select relname, relnamespace::regnamespace from pg_class order by 1, 2;"
                        "select nspname from pg_namespace order by 1")


@pytest.fixture(scope="module")
def database(cluster):
    """Nothing is left in it, whatever was checked."""
    made = databases.Database(cluster)
    made.run("create role narrow_%s login; create schema closed" % made.name)
    before = catalog(made)
    yield made
    assert catalog(made) == before


@pytest.fixture(scope="module")
def s3():
    with S3Server(buckets=["leads"]) as server:
        yield server


@pytest.fixture
def night(leadpipe, sandbox, control, crm, database, certificates, s3, broker):  # noqa: F811
    one = Whole(leadpipe, sandbox, control, crm, database, certificates, s3, broker)
    yield one
    one.close()


# --- sabotages ----------------------------------------------------------------------------------------

def clock(night, hours):
    date = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours), usegmt=True)
    night.job["base-url"] = night.serve(lambda path, headers: good(path, headers, Date=date)).url


def answers(night, status, body=b"{\"message\": \"no\"}", **fields):
    night.job["base-url"] = night.serve(lambda path, headers: (status, fields, body)).url


def lists(night, status):
    night.control.lists(leads={"": ["plain-1"]}, answers={"1": {"status": status, "body": {"message": "no"}}})
    del night.job["ids"], night.job["state"]
    night.job["all"] = True


def closed_folder(night):
    """Also for root, who has no such right then."""
    (night.folder / "out").chmod(0o555)
    night.job["failed"] = "failed.ndjson"
    night.job["to"] = [{"csv": {"target": "out/"}}]
    if os.geteuid() == 0:
        night.popen["preexec_fn"] = lambda: [ctypes.CDLL(None).prctl(24, right, 0, 0, 0) for right in (1, 2)]  # CAP_DAC_*


def silent_bucket(night):
    """A bucket's parts may take minutes, but not the few bytes of a check."""
    night.job.update({"to": [{"csv": "out/"}, {"ndjson": "s3://leads/night.ndjson"}], "timeout": "1s", "s3-endpoint": night.silent()})


def full_disk(night):
    """Of the size of the last run, of which there is not as much left."""
    with open(night.folder / "out" / "leads.csv", "wb") as file:
        file.truncate(1 << 42)


def run_of_another(night):
    """An unfinished one: its output is a pipe that nobody reads to its end."""
    words = [*night.sandbox.provider("omni"), "--state", "job.state", "-t", "ndjson:elsewhere.ndjson"]
    process = night.leadpipe.start("export", *words, env=night.sandbox.env, stdin=subprocess.PIPE)
    before = night.control.attempts("plain-3")
    process.stdin.write(b"plain-3\n")
    process.stdin.flush()
    runs.wait_until(lambda: night.control.attempts("plain-3") > before, "the lead is asked for")
    process.terminate()
    process.communicate(timeout=60)


def damage(night):
    done = night.leadpipe("export", *night.sandbox.provider("omni"), "--state", "job.state", "-t", "ndjson:elsewhere.ndjson", "--id",
                          "plain-3", env=night.sandbox.env)
    assert done.returncode == 0
    data = bytearray((night.folder / "job.state").read_bytes())
    data[len(data) // 2:len(data) // 2 + 512] = b"\xff" * 512
    (night.folder / "job.state").write_bytes(data)


LOCK = "import fcntl, sys; file = open(sys.argv[1], 'wb'); fcntl.lockf(file, fcntl.LOCK_EX, 512, 1 << 30); print(flush=True); sys.stdin.read()"


def lock(night):
    """As SQLite does it."""
    words = [sys.executable, "-c", LOCK, str(night.folder / "job.state")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    night.started.append(process)
    assert process.stdout.readline() == b"\n"


def limit(night):
    night.job["concurrency"] = "1000"
    night.popen["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def refuse_token(night):
    night.env["ZOHO_CLIENT_SECRET"] = "n0t-the-secret"


def put(night, *path, value):
    """In the job; a path that begins with a sink's name is within that sink."""
    options = night.sink(path[0]) if len(path) > 1 else night.job
    options[path[-1]] = value


def command(night, name, text="#!/bin/sh\n", mode=0o755):
    night.job["on-failure"] = "'%s' -s night" % night.script(name, text, mode)


# what is done -> the line, and what is in it
SABOTAGES = {
    "unknown option": (lambda n: put(n, "nonsense", value="1"), "FAIL", "job", "nonsense"),
    "two outputs that are one": (lambda n: put(n, "missing", value="out/failed.ndjson"), "FAIL", "output", "--missing"),
    "key missing": (lambda n: (n.folder / "omni.key").unlink(), "FAIL", "key", "omni.key"),
    "key of two lines": (lambda n: n.write("omni.key", "a\nb\n", 0o600), "FAIL", "key", "ASCII"),
    "key refused": (lambda n: n.write("omni.key", KEY, 0o600), "FAIL", "key", "401"),
    "key that others read": (lambda n: n.write("omni.key", n.sandbox.key, 0o644), "warn", "key", "chmod g-w,o="),
    "provider unknown": (lambda n: put(n, "base-url", value="https://provider.invalid"), "FAIL", "provider", "DNS"),
    "provider down": (lambda n: put(n, "base-url", value="http://127.0.0.1:%d" % free_port()), "FAIL", "provider", "is the server running"),
    "certificate expired": (lambda n: put(n, "base-url", value=n.secure(EXPIRED)), "FAIL", "provider", "expired"),
    "certificate of a stranger": (lambda n: put(n, "base-url", value=n.secure(STRANGER)), "FAIL", "provider", "--cacert"),
    "certificate that ends soon": (lambda n: put(n, "base-url", value=n.secure(GOOD)), "warn", "provider", "expires in"),
    "clock behind": (lambda n: clock(n, 1), "FAIL", "clock", "behind"),
    "clock ahead": (lambda n: clock(n, -1), "FAIL", "clock", "ahead"),
    "provider fails": (lambda n: answers(n, 500), "FAIL", "lead", "500"),
    "redirected": (lambda n: answers(n, 302, Location="https://elsewhere.example/"), "FAIL", "lead", "--base-url"),
    "no JSON": (lambda n: answers(n, 200, b"<html>"), "FAIL", "lead", "--base-url"),
    "no such leads": (lambda n: answers(n, 404), "warn", "lead", "none of the IDs"),
    "list not there": (lambda n: lists(n, 404), "FAIL", "list", "404"),
    "list refused": (lambda n: lists(n, 401), "FAIL", "key", "401"),
    "input missing": (lambda n: put(n, "ids", value="nowhere.txt"), "FAIL", "ids", "nowhere.txt"),
    "metrics in no folder": (lambda n: put(n, "metrics", value="nowhere/night.prom"), "FAIL", "output", "--metrics"),
    "list of failed leads is a folder": (lambda n: (n.folder / "out" / "failed.ndjson").mkdir(), "FAIL", "output", "--failed"),
    "folder closed": (closed_folder, "FAIL", "csv", "out"),
    "disk full": (full_disk, "FAIL", "disk", "have 4.0 TiB, and new ones are written beside them (warns below 8.0 TiB, fails below 4.0 TiB)"),
    "state damaged": (damage, "FAIL", "state", "damaged"),
    "state of another program": (lambda n: n.write("job.state", "text\n"), "FAIL", "state", "not a leadpipe state"),
    "state that others write": (lambda n: n.write("job.state", "", 0o666), "FAIL", "state", "chmod 600"),
    "state locked": (lock, "FAIL", "state", "in use by process"),
    "state with another run": (run_of_another, "FAIL", "state", "unfinished run of another command"),
    "database down": (lambda n: put(n, "postgres", "target", value="host=127.0.0.1 port=%d user=etl dbname=x" % free_port()),
                      "FAIL", "postgres", "is the server running"),
    "database unknown": (lambda n: put(n, "postgres", "target", value=n.database.conninfo().replace(n.database.name, "nosuch")),
                         "FAIL", "postgres", "nosuch"),
    "database closed": (lambda n: n.sink("postgres").update(target=n.database.conninfo("narrow_" + n.database.name), schema="closed"),
                        "FAIL", "postgres", "grant "),
    "bucket missing": (lambda n: put(n, "ndjson", "target", value="s3://nosuch/x.ndjson"), "FAIL", "ndjson", "NoSuchBucket"),
    "bucket refuses": (lambda n: n.env.update(AWS_SECRET_ACCESS_KEY=KEY), "FAIL", "ndjson", "SignatureDoesNotMatch"),
    "bucket down": (lambda n: put(n, "s3-endpoint", value="http://127.0.0.1:%d" % free_port()), "FAIL", "ndjson", "no object can be written"),
    "bucket silent": (silent_bucket, "FAIL", "ndjson", "no object can be written"),
    "webhook unknown": (lambda n: put(n, "webhook", "target", value="https://hooks.invalid/x"), "FAIL", "webhook", "DNS"),
    "webhook's certificate": (lambda n: put(n, "webhook", "target", value=n.secure(ELSEWHERE)), "FAIL", "webhook", "certificate"),
    "webhook's secret missing": (lambda n: n.env.pop("HOOK_SECRET"), "FAIL", "webhook", "HOOK_SECRET"),
    "webhook in clear text": (lambda n: put(n, "webhook", "target", value="http://hooks.example/x"), "FAIL", "webhook", "--allow-http"),
    "token refused": (refuse_token, "FAIL", "push", "no access token"),
    "CRM unknown": (lambda n: put(n, "push", "base-url", value="https://crm.invalid"), "FAIL", "push", "DNS"),
    "no destination": (lambda n: put(n, "push", "target", value="nosuch"), "FAIL", "push", "nosuch"),
    "ping unknown": (lambda n: put(n, "ping", value="https://hc.invalid/" + PING), "FAIL", "ping", "DNS"),
    "broker down": (lambda n: n.broker.down() or put(n, "retry-max-time", value="1s"), "FAIL", "kafka", "refused"),
    "broker unknown": (lambda n: n.job.update({"retry-max-time": "1s"}) or put(n, "kafka", "target", value="kafka.invalid:9092/leads"),
                       "FAIL", "kafka", "kafka.invalid"),
    "topic unknown": (lambda n: put(n, "kafka", "target", value=n.broker.address + "/nowhere"), "FAIL", "kafka", "no topic nowhere"),
    "property unknown": (lambda n: put(n, "kafka", "property", value="no.such=1"), "FAIL", "kafka", "no.such"),
    "property's value": (lambda n: put(n, "kafka", "property", value="security.protocol=tls"), "FAIL", "kafka", "security.protocol"),
    "property that is not the user's": (lambda n: put(n, "kafka", "property", value="acks=1"), "FAIL", "kafka", "acks cannot be set"),
    "property's variable": (lambda n: put(n, "kafka", "property-env", value="sasl.password=NOT_THERE"), "FAIL", "kafka", "NOT_THERE"),
    "command unknown": (lambda n: put(n, "on-failure", value="mial -s night"), "FAIL", "command", "no program mial in the directories of PATH"),
    "command not there": (lambda n: put(n, "on-success", value="/no/such/mail x"), "FAIL", "command",
                          "--on-success: /no/such/mail: No such file or directory"),
    "command that is not executable": (lambda n: command(n, "te ll", mode=0o644), "FAIL", "command", "/te ll'"),
    "command that is a folder": (lambda n: put(n, "on-failure", value=str(n.folder / "out")), "FAIL", "command", "/out is a directory"),
    "command without its program": (lambda n: command(n, "tell", "#!/no/such/sh -e\n"), "FAIL", "command", "names /no/such/sh"),
    "command from Windows": (lambda n: command(n, "tell", "#!/bin/sh\r\nexit 0\r\n"), "FAIL", "command", "(CR LF)"),
    "command without a first line": (lambda n: command(n, "tell", "mail -s night ops\n"), "FAIL", "command", "begin with #!/bin/sh"),
    "command that is empty": (lambda n: command(n, "tell", ""), "FAIL", "command", "/tell is an empty file"),
    "command whose first line is empty": (lambda n: command(n, "tell", "#! \necho\n"), "FAIL", "command", "begin with #!/bin/sh"),
    "command for a shell": (lambda n: put(n, "on-failure", value="TO=ops mail"), "FAIL", "command", "env NAME=value"),
    "command with a relative path": (lambda n: put(n, "on-failure", value="./notify"), "warn", "command", "./notify can be started from"),
    "too few open files": (limit, "FAIL", "files", "ulimit -n"),
    "too little memory": (lambda n: put(n, "max-memory", value="1024G"), "warn", "memory", "--max-memory"),
}
assert sum(level == "FAIL" for _, level, _, _ in SABOTAGES.values()) >= 20


def untouched(night):
    """What no check may do."""
    assert night.control.deliveries(HOOK) == [] and night.pinged.requests == []
    assert night.crm.summary()["requests"] == 0 and night.crm.summary()["token_requests"] <= 1
    posted = [request["path"] for request in night.control.requests() if request["method"] != "GET"]
    assert len(posted) <= 1 and all(path.endswith("/oauth/v2/token") for path in posted)
    assert night.broker.messages() == [] and wire.INIT_PRODUCER_ID not in night.broker.requests
    assert not (night.folder / "started").exists()
    assert night.s3.objects == {"leads": {}} and night.s3.uploads == {}


def test_nothing_is_wrong(night):
    points = night.check(env=night.env)
    assert {level for level, _, _ in points} == {"ok"}, points
    assert {"job", "key", "provider", "lead", "state", "output", "disk", "csv", "ndjson", "postgres", "kafka", "webhook", "push", "ping",
            "command", "files", "memory"} <= {subject for _, subject, _ in points}
    untouched(night)


@pytest.mark.parametrize("what", SABOTAGES)
def test_sabotage(night, what):
    sabotage, level, subject, says = SABOTAGES[what]
    sabotage(night)
    points = night.check(status=1 if level == "FAIL" else 0, env=night.env, **night.popen)
    bad = [point for point in points if point[0] != "ok"]
    assert [point[:2] for point in bad] == [(level, subject)] and says in bad[0][2], bad
    untouched(night)
