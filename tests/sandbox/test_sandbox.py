"""The sandbox itself: what it promises to the tests that lean on it."""

import asyncio
import base64
import errno
import gzip
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zlib

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import bodies  # noqa: E402
import faults  # noqa: E402
import hooks  # noqa: E402
import jsontext  # noqa: E402
import leads  # noqa: E402
import oddities  # noqa: E402
from jsontext import Raw  # noqa: E402
from recent import Recent  # noqa: E402

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes, yes").decode()


def start(*arguments):
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "sandbox.py"), "--stdin-watch", *arguments],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return process, json.loads(process.stdout.readline())


def stop(process):
    process.stdin.close()
    assert process.wait(5) == 0
    errors = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    return errors


class Client:
    """Asks the sandbox, one connection a request."""

    def __init__(self, info):
        self.info = info
        self.port = int(info["url"].rsplit(":", 1)[1])

    def ask(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def lead(self, lead_id, provider="omni", agent="agent-1", key="sandbox-key", headers=()):
        if provider == "omni":
            return self.ask("GET", "/omni/api/v1/leads/" + lead_id, headers=[("x-api-key", key), *headers])
        query = "" if agent is None else "?agentId=" + agent
        return self.ask("GET", "/convocore/v3/leads/" + lead_id + query,
                        headers=[("Authorization", "Bearer " + key), *headers])

    def raw_lead(self, lead_id):
        """All bytes until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(b"GET /omni/api/v1/leads/%b HTTP/1.1\r\nHost: x\r\nx-api-key: sandbox-key\r\n\r\n"
                         % lead_id.encode())
            received = b""
            while True:
                data = sock.recv(65536)
                if not data:
                    return received
                received += data

    def control(self, what, wanted=None):
        method = "GET" if wanted is None else "POST"
        status, _, body = self.ask(method, "/_control/" + what, None if wanted is None else json.dumps(wanted))
        assert status == 200, body
        return json.loads(body)

    def set(self, **wanted):
        return self.control("set", wanted)

    def deliver(self, hook, message_id="msg-1", body=b'{"a":1}', headers=()):
        return self.ask("POST", "/hooks/" + hook, body, [("webhook-id", message_id), *headers])


@pytest.fixture(scope="module")
def server():
    process, info = start()
    yield Client(info)
    assert stop(process) == ""


@pytest.fixture
def sandbox(server):
    server.control("reset", {})
    return server


# --- payloads ------------------------------------------------------------------------------------

def test_payloads_never_change():
    """The bytes of a few hundred leads, so that no Python and no edit changes them unnoticed."""
    digest = hashlib.sha256()
    for provider in leads.PROVIDERS:
        for i in range(200):
            digest.update(leads.payload(provider, "lead-%d" % i, "agent-7", i % 3))
    assert digest.hexdigest() == PAYLOADS_SHA256


def test_every_oddity_leaves_a_lead():
    for provider, member in (("omni", "lead"), ("convocore", "data")):
        for name in oddities.names(provider):
            for i in range(5):
                lead_id = "odd-%s-%d" % (name, i)
                assert leads.oddities_of(provider, lead_id) == [name]
                answer = json.loads(leads.payload(provider, lead_id).decode("utf-8", "replace"))
                assert answer[member]["id"] == lead_id


def test_kinds_of_leads():
    assert 9200 <= len(leads.payload("omni", "size9k-1")) <= 9900
    assert leads.payload("omni", "size9k-1") != leads.payload("omni", "size9k-2")
    assert b'"code":"code_17"' in leads.payload("omni", "newcode-17-a")
    assert json.loads(leads.payload("omni", "example"))["lead"]["phoneNumber"] == "+16782319992"
    assert json.loads(leads.payload("convocore", "example", "a9"))["data"]["agentId"] == "a9"
    assert len(leads.payload("omni", "tiny-1")) < 400
    for number in range(50):
        assert leads.oddities_of("omni", "plain-%d" % number) == []
    assert b"Revision 3" in leads.payload("omni", "plain-1", revision=3)
    assert b"Revision 3" in leads.payload("omni", "size9k-1", revision=3)


def test_nonce_is_only_in_queries():
    for provider in leads.PROVIDERS:
        for i in range(100):
            first = leads.payload(provider, "n-%d" % i, nonce="AAAA")
            second = leads.payload(provider, "n-%d" % i, nonce="BBBB")
            cut = re.compile(rb'(\?|\\u003f|#)[^"]*"')
            assert cut.sub(b'"', first) == cut.sub(b'"', second)
    assert b"AAAA" in leads.payload("omni", "odd-url_members-1", nonce="AAAA")
    assert (leads.payload("convocore", "odd-documents-1", nonce="AAAA")
            == leads.payload("convocore", "odd-documents-1", nonce="BBBB"))


def test_json_is_written_exactly():
    tree = {"n": Raw("1.10"), Raw('"n"'): Raw(b'"\xff"'), "list": [1, True, None, "a\n\"\u00e9"], "none": {}, "no": []}
    assert jsontext.encode(tree) == b'{"n":1.10,"n":"\xff","list":[1,true,null,"a\\n\\"\xc3\xa9"],"none":{},"no":[]}'
    for style in jsontext.STYLES.values():
        assert json.loads(jsontext.encode(tree, style).decode("utf-8", "replace"))["n"] == "\ufffd"


def test_recent_forgets_the_oldest():
    kept = Recent(10)
    for number in range(100):
        kept.set(number, number)
        kept.set(0, 0)
    assert 5 <= len(kept) <= 10 and kept.get(0) == 0 and kept.get(99) == 99 and kept.get(50) is None
    assert len(dict(kept.items())) == len(kept)


# --- lead routes ---------------------------------------------------------------------------------

def test_leads_and_keys(sandbox):
    status, _, body = sandbox.lead("tiny-1")
    assert status == 200 and body == leads.payload("omni", "tiny-1")
    status, _, body = sandbox.lead("tiny-1", "convocore", "a5")
    assert status == 200 and body == leads.payload("convocore", "tiny-1", "a5")
    assert sandbox.lead("tiny-1", key="other")[0] == 401
    assert sandbox.lead("tiny-1", "convocore", key="other")[0] == 401
    assert sandbox.ask("GET", "/omni/api/v1/leads/x")[0] == 401
    status, _, body = sandbox.lead("tiny-1", "convocore", None)
    assert status == 400 and set(json.loads(body)) == {"message", "code", "issues"}
    assert sandbox.lead("tiny-1", "convocore", "wrong-1")[0] == 404
    seen = sandbox.control("requests?id=tiny-1")
    assert [entry["status"] for entry in seen] == [200, 200, 401, 401, 400, 404]
    assert seen[0]["headers"]["x-api-key"] == "sandbox-key"


def test_ids_are_unescaped(sandbox):
    status, _, body = sandbox.lead("tiny-Gr%C3%B6%C3%9Fe%2F..%3Fa%20b%25")
    assert status == 200 and body == leads.payload("omni", "tiny-Größe/..?a b%")
    assert "tiny-Größe/..?a b%" in sandbox.control("stats")["by_id"]
    assert sandbox.lead("a/b")[0] == 404
    assert sandbox.lead("%FF")[0] == 400


def test_signed_urls_differ_on_every_fetch(sandbox):
    first, second = (sandbox.lead("odd-url_members-1")[2] for _ in range(2))
    assert first != second
    assert len(first) == len(second)


def test_signed_urls_can_be_held(sandbox):
    sandbox.set(nonce="0")
    assert sandbox.lead("rich-1")[2] == sandbox.lead("rich-1")[2] == leads.payload("omni", "rich-1")


def test_keep_alive_and_pipelining(sandbox):
    request = (b"GET /omni/api/v1/leads/tiny-%d HTTP/1.1\r\nHost: x\r\nx-api-key: sandbox-key\r\n\r\n")
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as sock:
        sock.sendall(b"".join(request % i for i in range(20)))
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 20 or not received.endswith(b"}"):
            received += sock.recv(65536)
    assert [received.find(b'"id":"tiny-%d"' % i) for i in range(20)] == sorted(
        received.find(b'"id":"tiny-%d"' % i) for i in range(20))


# --- faults --------------------------------------------------------------------------------------

def test_faults_that_are_answers(sandbox):
    for orders, status in (("status=503", 503), ("missing", 404), ("gone", 410), ("retryafter=7", 429),
                           ("status=418", 418), ("redirect=127.0.0.1:9", 302), ("status=200", 200), ("bogus", 400),
                           ("status=abc", 400), ("times=x", 400), ("only=xyz", 400), ("drip=x", 400)):
        assert sandbox.lead("tiny-1~" + orders)[0] == status
    assert sandbox.lead("tiny-1~retryafter=7")[1]["Retry-After"] == "7"
    assert sandbox.lead("tiny-1~status=503~retryafter=9")[1]["Retry-After"] == "9"
    where = sandbox.lead("x~redirect=127.0.0.1:9")[1]["Location"]
    assert where == "http://127.0.0.1:9/omni/api/v1/leads/x~redirect=127.0.0.1:9"
    assert b"sandbox-key" in sandbox.lead("x~echokey")[2]


def test_times(sandbox):
    lead_id = "lead-7~status=500~times=2"
    assert [sandbox.lead(lead_id)[0] for _ in range(4)] == [500, 500, 200, 200]
    assert sandbox.control("stats?id=" + lead_id)["attempts"] == 4
    assert sandbox.lead(lead_id, "convocore")[0] == 500


def test_wrong_bodies_are_those_of_the_module(sandbox):
    for orders in ("html", "half", "empty", "deep=201", "badutf8", "nul", "control", "successfalse", "nolead",
                   "leadnull", "leadarray", "otherid", "junkafter", "bom", "latin1", "only=7b7d00"):
        name, _, value = orders.partition("=")
        lead_id = "tiny-2~" + orders
        assert sandbox.lead(lead_id)[2] == bodies.make(name, value, "omni", lead_id), orders
    assert json.loads(bodies.make("deep", "150", "omni", "x"))["lead"]["nested"]
    depth = bodies.make("deep", "201", "convocore", "x")
    assert depth.count(b"[") == 199


def test_faults_that_break_the_answer(sandbox):
    for orders, start_of_answer in (("cut", b"HTTP/1.1 200"), ("cutchunk", b"HTTP/1.1 200"), ("lie=more", b"HTTP/1.1 200"),
                                    ("cuthead", b"HTTP/1.1 200"), ("badstatusline", b"HTTP/1.1 two"),
                                    ("nohttp", b"SSH"), ("finish", b""), ("nolength", b"HTTP/1.1 200")):
        assert sandbox.raw_lead("tiny-1~" + orders).startswith(start_of_answer), orders
    for orders in ("reset", "resetbody"):
        with pytest.raises(ConnectionResetError):
            sandbox.raw_lead("tiny-1~" + orders)
    for orders in ("chunked", "drip=0", "close", "nolength", "slow=1"):
        lead_id = "tiny-1~" + orders
        assert sandbox.lead(lead_id)[2] == leads.payload("omni", lead_id), orders


def test_hang_and_stall_end_with_the_client(sandbox):
    for orders in ("hang", "stall", "stallbody"):
        with socket.create_connection(("127.0.0.1", sandbox.port)) as sock:
            sock.sendall(b"GET /omni/api/v1/leads/x~%b HTTP/1.1\r\nx-api-key: sandbox-key\r\n\r\n" % orders.encode())
            time.sleep(0.05)
            assert sandbox.control("stats")["in_progress"] == 1
        time.sleep(0.05)
        assert sandbox.control("stats")["in_progress"] == 0


def test_large_bodies(sandbox):
    assert len(sandbox.lead("x~huge=3000000")[2]) == 3000000
    _, headers, body = sandbox.lead("x~hugelength=200000")
    assert headers["Content-Length"] == "200000" and json.loads(body)
    _, headers, body = sandbox.lead("x~bomb=20000000")
    assert headers["Content-Encoding"] == "gzip" and len(body) < 100000
    assert len(json.loads(gzip.decompress(body))["lead"]["padding"]) == 19 << 20


def test_retry_after_dates(sandbox):
    when = 784111777
    assert faults.http_date(when, "imf") == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert faults.http_date(when, "rfc850") == "Sunday, 06-Nov-94 08:49:37 GMT"
    assert faults.http_date(when, "asctime") == "Sun Nov  6 08:49:37 1994"
    assert sandbox.lead("x~status=503~retrydate=imf~in=60")[1]["Retry-After"].endswith(" GMT")


# --- control --------------------------------------------------------------------------------------

def test_percent_faults_are_planned(sandbox):
    sandbox.set(fault_percent=30)
    ids = ["tiny-%d" % i for i in range(100)]
    planned = [lead_id for lead_id in ids if faults.planned(lead_id, 30)]
    assert 15 < len(planned) < 45
    for lead_id in ids:
        fault = faults.planned(lead_id, 30)
        if fault is None:
            assert sandbox.lead(lead_id)[0] == 200
        elif fault.name == "status":
            assert sandbox.lead(lead_id)[0] == int(fault.value)
            assert sandbox.control("planned?id=" + lead_id)["times"] == fault.times
            for _ in range(fault.times - 1):
                sandbox.lead(lead_id)
            assert sandbox.lead(lead_id)[0] == 200


def test_admit(sandbox):
    sandbox.set(admit=2, admit_retry_after=4, latency_ms=150)
    socks = [socket.create_connection(("127.0.0.1", sandbox.port)) for _ in range(4)]
    for sock in socks:
        sock.sendall(b"GET /omni/api/v1/leads/tiny-1 HTTP/1.1\r\nx-api-key: sandbox-key\r\n\r\n")
    answers = sorted(sock.recv(65536).split(b"\r\n\r\n")[0] for sock in socks)
    assert [answer[9:12] for answer in answers] == [b"200", b"200", b"429", b"429"]
    assert b"Retry-After: 4" in answers[3]
    stats = sandbox.control("stats")
    assert stats["max_in_progress"] >= 2 and stats["refused_by_admit"] == 2 and stats["share_429"] == 0.5
    for sock in socks:
        sock.close()


def test_down(sandbox):
    sandbox.set(down="503", down_for_s=0.2, down_retry_after=1)
    status, headers, _ = sandbox.lead("tiny-1")
    assert status == 503 and headers["Retry-After"] == "1"
    time.sleep(0.2)
    assert sandbox.lead("tiny-1")[0] == 200
    sandbox.set(down="reset", after_requests=2, down_for_s=None)
    assert [sandbox.lead("tiny-1")[0] for _ in range(2)] == [200, 200]
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        sandbox.lead("tiny-1")
    assert sandbox.control("stats")["while_down"] == 2
    sandbox.set(down=None)
    assert sandbox.lead("tiny-1")[0] == 200


def test_refuse(sandbox):
    sandbox.set(down="refuse", down_for_s=0.3)
    time.sleep(0.1)
    with pytest.raises(OSError) as caught:
        sandbox.lead("tiny-1")
    assert caught.value.errno == errno.ECONNREFUSED
    time.sleep(0.4)
    assert sandbox.lead("tiny-1")[0] == 200


def test_faults_by_setting(sandbox):
    """The lead stays what it is; the order comes and goes."""
    sandbox.set(faults={"tiny-1": "missing", "tiny-2": "status=500~times=1"})
    assert [sandbox.lead(one)[0] for one in ("tiny-1", "tiny-2", "tiny-2", "tiny-3")] == [404, 500, 200, 200]
    sandbox.set(faults={"tiny-1": None, "*": "gone"})
    assert sandbox.lead("tiny-1")[2] == leads.payload("omni", "tiny-1")
    assert [sandbox.lead(one)[0] for one in ("tiny-1", "tiny-2", "tiny-3")] == [200, 200, 410]


def test_revision_and_gzip(sandbox):
    sandbox.set(revision={"tiny-1": 4}, gzip=True)
    assert sandbox.lead("tiny-1")[2] == leads.payload("omni", "tiny-1", revision=4)
    _, headers, body = sandbox.lead("tiny-2", headers=[("Accept-Encoding", "gzip, br")])
    assert headers["Content-Encoding"] == "gzip"
    assert zlib.decompress(body, 31) == leads.payload("omni", "tiny-2")


def test_wrong_settings_change_nothing(sandbox):
    status, _, body = sandbox.ask("POST", "/_control/set", json.dumps({"gzip": True, "admit": "many"}))
    assert status == 400 and b"admit" in body
    assert sandbox.control("settings")["gzip"] is False
    assert sandbox.ask("POST", "/_control/set", b"{}x")[0] == 400
    assert sandbox.ask("POST", "/_control/set", json.dumps({"gizp": True}))[0] == 400


# --- hooks -------------------------------------------------------------------------------------------

def test_standard_webhooks_example():
    """The example that the specification's libraries test with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
               "webhook-signature": "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= "
                                    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    body = b'{"test": 2432232314}'
    assert hooks.verify(secret, headers, body, 1614265330)
    assert not hooks.verify(secret, headers, body + b" ", 1614265330)
    assert not hooks.verify(secret, headers, body, 1614265330 + 301)
    assert hooks.verify(SECRET + " " + secret, headers, body, 1614265330)
    assert not hooks.verify(SECRET, headers, body, 1614265330)


def test_deliveries_are_recorded(sandbox):
    for i in range(5):
        assert sandbox.deliver("crm", "msg-%d" % i, b"body %d" % i)[0] == 200
    found = sandbox.control("hooks/crm?from=2&limit=2")
    assert [entry["webhook_id"] for entry in found] == ["msg-2", "msg-3"]
    assert base64.b64decode(found[0]["body_base64"]) == b"body 2"
    assert sandbox.control("hooks/crm/ids")[4] == ["msg-4", 200, hashlib.sha256(b"body 4").hexdigest()]
    assert sandbox.control("hooks/none") == []
    sandbox.deliver("crm", "msg-4")
    assert sandbox.control("hooks")["crm"]["after_success"] == 1


def test_hook_behaviours(sandbox):
    def statuses(hook, count, message_id="m"):
        return [sandbox.deliver(hook, message_id)[0] for _ in range(count)]

    assert statuses("a?status=503&times=2&retry_after=3", 3) == [503, 503, 200]
    assert sandbox.deliver("a?status=503&retry_after=3", "n")[1]["Retry-After"] == "3"
    assert statuses("b?fail=every:3", 6) == [200, 200, 500, 200, 200, 500]
    assert statuses("c?die_after=2", 4) == [200, 200, 410, 410]
    assert statuses("d?rate=1", 5).count(429) >= 3
    assert sandbox.deliver("e?body=thanks")[2] == b"thanks"
    assert sandbox.deliver("f?redirect=127.0.0.1:1")[1]["Location"] == "http://127.0.0.1:1/hooks/f"
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        sandbox.deliver("g?noanswer=1")
    assert sandbox.deliver("g?noanswer=1")[0] == 200
    assert [entry[1] for entry in sandbox.control("hooks/g/ids")] == [0, 200]
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        sandbox.deliver("h?die_after=0&then=refuse")
    assert sandbox.deliver("i?nonsense=1")[0] == 400
    assert [sandbox.deliver("j?refuse=unwanted", "m", body)[0] for body in (b"wanted", b"an unwanted one")] == [200, 400]
    sandbox.control("hooks/a", {"status": 418})
    assert statuses("a", 2) == [418, 418]
    assert sandbox.ask("POST", "/hooks/../x")[0] == 404


def test_hook_deliveries_at_once(sandbox):
    socks = [socket.create_connection(("127.0.0.1", sandbox.port)) for _ in range(3)]
    for sock in socks:
        sock.sendall(b"POST /hooks/slow?delay_ms=100 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    for sock in socks:
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        sock.close()
    assert sandbox.control("hooks")["slow"]["max_in_progress"] == 3
    assert base64.b64decode(sandbox.control("hooks/slow")[0]["body_base64"]) == b"{}"


def test_hook_signatures(sandbox):
    sandbox.control("hooks/s", {"secret": SECRET})
    now, body = str(int(time.time())), b'{"type":"lead.exported"}'
    key = base64.b64decode(SECRET[6:])
    signature = base64.b64encode(hmac.new(key, b"m1." + now.encode() + b"." + body, "sha256").digest()).decode()
    good = [("webhook-timestamp", now), ("webhook-signature", "v1,AAAA v1," + signature)]
    assert sandbox.deliver("s", "m1", body, good)[0] == 200
    assert sandbox.deliver("s", "m2", body, good)[0] == 400
    assert sandbox.deliver("s?secret=" + SECRET, "m1", body)[0] == 400


def test_hooks_dir(tmp_path):
    process, info = start("--hooks-dir", str(tmp_path))
    Client(info).deliver("crm", "m-1", b"x")
    stop(process)
    lines = (tmp_path / "crm.ndjson").read_text().splitlines()
    assert [json.loads(line)["webhook_id"] for line in lines] == ["m-1"]


# --- its life ---------------------------------------------------------------------------------------

def test_only_loopback():
    done = subprocess.run([sys.executable, os.path.join(HERE, "sandbox.py"), "--host", "0.0.0.0"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
    assert done.returncode == 2 and done.stdout == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_on_signals(number):
    process, info = start()
    client = socket.create_connection(("127.0.0.1", Client(info).port))
    process.send_signal(number)
    assert process.wait(5) == 0
    client.close()
    assert stop(process) == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl")
def test_dies_with_its_parent():
    script = ("import subprocess, sys; p = subprocess.Popen([sys.executable, sys.argv[1], '--die-with-parent'],"
              " stdout=subprocess.PIPE); sys.stdout.write(p.stdout.readline().decode()); sys.stdout.flush()")
    parent = subprocess.run([sys.executable, "-c", script, os.path.join(HERE, "sandbox.py")],
                            capture_output=True, timeout=5)
    port = Client(json.loads(parent.stdout)).port
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            time.sleep(0.02)
        except ConnectionRefusedError:
            return
    pytest.fail("still listening")


def test_many_connections(sandbox):
    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        for _ in range(2):
            writer.write(b"GET /omni/api/v1/leads/tiny-1 HTTP/1.1\r\nx-api-key: sandbox-key\r\n\r\n")
            await reader.readuntil(b"null}")
        return writer

    async def all_of_them():
        writers = await asyncio.gather(*(one() for _ in range(300)))
        for writer in writers:
            writer.close()

    asyncio.run(all_of_them())
    assert sandbox.control("stats")["connections_accepted"] > 300


PAYLOADS_SHA256 = "cd67f30ae3de3606fb50ea5bbd8767d879be020c11592fe58e6f0dec41c8f7da"
