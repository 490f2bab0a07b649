"""TLS: what is trusted and what is not, and HTTP/2 where the server offers it.

Certificates are made by the openssl command; HTTP/2 needs nginx.  Tests are left out without them.
"""

import shutil
import socket
import subprocess

import pytest

import runs
from certificates import ELSEWHERE, EXPIRED, GOOD, STRANGER

@pytest.fixture
def tls_sandbox(another_sandbox, certificates):
    def make(name):
        sandbox = another_sandbox("--tls-cert", str(certificates / (name + ".pem")),
                                  "--tls-key", str(certificates / (name + ".key")))
        assert sandbox.url.startswith("https://")
        return sandbox
    return make


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_trusted(leadpipe, tls_sandbox, certificates, host):
    sandbox = tls_sandbox(GOOD)
    run = runs.export(leadpipe, sandbox, "--cacert", certificates / "authority.pem", ids=["tiny-1", "tiny-2"],
                      base_url=sandbox.omni.replace("127.0.0.1", host))
    assert (run.status, run.exported) == (0, ["tiny-1", "tiny-2"]), run.done.stderr


@pytest.mark.parametrize("name, says", [(STRANGER, "issuer certificate"), (EXPIRED, "expired"),
                                        (ELSEWHERE, "127.0.0.1")])
@pytest.mark.parametrize("n_ids", [1, 200])
def test_not_trusted(leadpipe, tls_sandbox, certificates, name, says, n_ids):
    """Ends the run at once: waiting makes no certificate better. And says what is wrong with it."""
    sandbox = tls_sandbox(name)
    run = runs.export(leadpipe, sandbox, "--cacert", certificates / "authority.pem", timeout=20,
                      input="\n".join("tiny-%d" % n for n in range(n_ids)))
    assert (run.status, run.ledger["exported"], run.ledger["failed"]) == (1, 0, 0)
    assert "127.0.0.1: TLS verification failed: " in run.errors()[0] and says in run.errors()[0], run.errors()


def test_cacert_is_no_target(leadpipe, sandbox, control, certificates):
    content = (certificates / "authority.pem").read_bytes()
    (leadpipe.folder / "authority.pem").write_bytes(content)
    for words in (["-t", "csv:authority.pem"], ["-t", "csv:out/", "--failed", "./authority.pem"]):
        done = leadpipe("export", *sandbox.provider(), "--cacert", "authority.pem", "--id", "tiny-1", *words,
                        env=sandbox.env)
        assert (done.returncode, done.stdout) == (2, b""), done
        assert "%s would overwrite the file of --cacert;" % words[-2].replace("-t", words[-1]) in done.stderr
        assert [path.name for path in leadpipe.folder.iterdir()] == ["authority.pem"]
    assert (leadpipe.folder / "authority.pem").read_bytes() == content
    assert control.stats()["by_id"] == {}


def test_without_cacert(leadpipe, tls_sandbox):
    """The system's certificates do not know ours."""
    run = runs.export(leadpipe, tls_sandbox(GOOD), ids=["tiny-1"], timeout=20)
    assert run.status == 1 and "TLS verification failed" in run.errors()[0], run.errors()


@pytest.mark.parametrize("content", [b"", b"no certificate\n"])
def test_cacert_without_certificates(leadpipe, tls_sandbox, tmp_path, content):
    (tmp_path / "empty.pem").write_bytes(content)
    run = runs.export(leadpipe, tls_sandbox(GOOD), "--cacert", "empty.pem", ids=["tiny-1"], timeout=20)
    assert run.status in (1, 2) and "empty.pem" in run.errors()[0], run.errors()


@pytest.mark.parametrize("host", ["leads.example", "10.0.0.1", "127.0.0.1.example", "0x7f.1.example", "[::2]",
                                  "localhost.example"])
def test_plain_http_elsewhere_needs_a_word(leadpipe, sandbox, host):
    done = leadpipe("export", "-p", "omni", "--base-url", "http://%s/api" % host, "-t", "csv:out", "--id", "1",
                    env=sandbox.env)
    assert done.returncode == 2 and "--allow-http" in done.stderr, done.stderr


def test_allow_http(leadpipe, sandbox, control):
    """With the word it is tried: here through a proxy, so that no name need resolve."""
    run = runs.export(leadpipe, sandbox, "--allow-http", "--proxy", sandbox.url, "--attempts", 1, ids=["tiny-1"],
                      base_url="http://leads.invalid/omni/api/v1")
    assert run.status in (0, 3), run.done.stderr
    asked = control.requests()
    assert "leads.invalid" in str(asked), "the proxy was asked"
    assert asked[-1]["raw_head"].lower().count("\r\nuser-agent:") == 1, asked[-1]["raw_head"]


def test_proxy_of_https_gets_the_user_agent(leadpipe, sandbox):
    """CONNECT has headers of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = leadpipe.start("export", "-p", "omni", "--proxy", "http://127.0.0.1:%d" % server.getsockname()[1],
                                 "--attempts", "1", "--retry-max-time", "1s", "-t", "ndjson:-", "--id", "1", env=sandbox.env)
        connection, _ = server.accept()
        with connection:
            head = connection.recv(65536).decode()
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    process.kill()
    process.wait()
    assert head.startswith("CONNECT ") and head.count("\r\nUser-Agent: leadpipe/") == 1, head
    assert "key" not in head.lower(), head


NGINX = """
daemon off; pid %(folder)s/nginx.pid; error_log stderr warn; worker_processes 1; %(user)s
events { worker_connections 256; }
http {
    log_format how '$server_protocol $connection $status';
    access_log %(folder)s/access.log how;
    client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2; fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
    server {
        listen 127.0.0.1:%(port)d ssl http2;
        ssl_certificate %(certificates)s/good.pem; ssl_certificate_key %(certificates)s/good.key;
        location / { proxy_pass %(url)s; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def nginx(sandbox, certificates, tmp_path_factory):
    """nginx with HTTP/2 before the sandbox: its address, and its log's lines."""
    import os
    if not shutil.which("nginx"):
        pytest.skip("no nginx")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX % {"folder": folder, "port": port, "certificates": certificates,
                                                "url": sandbox.url, "user": user})
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        runs.wait_until(lambda: listens(port) or process.poll() is not None, "nginx listens")
        if process.poll() is not None:
            pytest.skip("nginx does not start")

        def log():
            return [line.split() for line in (folder / "access.log").read_text().splitlines()]

        yield "https://127.0.0.1:%d/omni/api/v1" % port, log
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("concurrency", ["1", "40"])
def test_http2_is_multiplexed(leadpipe, sandbox, control, certificates, nginx, concurrency):
    """Many requests at once share a connection, and yet come in the order of the IDs."""
    url, log = nginx
    control.set(latency_ms=20 if concurrency != "1" else 0)
    ids = ["plain-%d" % n for n in range(200)]
    run = runs.export(leadpipe, sandbox, "--cacert", certificates / "authority.pem", "-j", concurrency, base_url=url,
                      input="\n".join(ids))
    assert (run.status, run.exported) == (0, ids), run.done.stderr
    answered = log()
    assert {line[0] for line in answered} == {"HTTP/2.0"} and len(answered) == 200
    connections = {line[1] for line in answered}
    assert len(connections) <= 2, "%d connections" % len(connections)
    most = control.stats()["max_in_progress"]
    assert most == 1 if concurrency == "1" else most > 10, most


def test_http2_faults(leadpipe, sandbox, control, certificates, nginx):
    """A gateway turns what breaks behind it into 502; retries go over the same connection."""
    url, log = nginx
    ids = ["tiny-1", "tiny-2~reset~times=1", "tiny-3~status=500~times=2", "tiny-4~status=400", "tiny-5~missing"]
    run = runs.export(leadpipe, sandbox, "--cacert", certificates / "authority.pem", base_url=url, ids=ids)
    assert (run.status, run.outcomes()) == (3, {"exported": 3, "missing": 1, "failed": 1}), run.done.stderr
    assert len({line[1] for line in log()}) <= 2
