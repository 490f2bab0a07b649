"""The words and ways of HTTP: what servers, gateways and proxies say in their own manner."""

import re
import ssl
import subprocess
import time

import pytest

import runs
from raw_server import KEEP, RESET, RawServer, good, lead, whole
from test_broken_bodies import export, serve

RETRY_FORMS = {
    "seconds": ["Retry-After: 3600"],
    "fraction": ["Retry-After: 3600.0"],
    "unit": ["Retry-After: 3600s"],
    "two, the longer first": ["Retry-After: 3600", "Retry-After: 1"],
    "two, the longer last": ["Retry-After: 1", "Retry-After: 3600"],
    "two, one of them nonsense": ["Retry-After: soon", "Retry-After: 3600"],
    "a list": ["Retry-After: 1, 3600"],
    "lower case": ["retry-after: wed, 01 jan 2096 00:00:00 gmt"],
    "ISO 8601": ["Retry-After: 2096-01-01T00:00:00Z"],
    "quoted": ['Retry-After: "3600"'],
}


@pytest.mark.parametrize("status", ["429 Too Many", "503 Unavailable", "403 Forbidden", "529 Overloaded"])
def test_retry_after_forms(leadpipe, status):
    """Each says longer than is allowed, which ends the run, saying so."""
    for form, lines in RETRY_FORMS.items():
        with RawServer(lambda path, n: [whole(status, b"", *lines), KEEP]) as server:
            run = export(leadpipe, server, ids=["a"], timeout=15)
            assert run.status == 1 and "with Retry-After" in run.errors()[0], (form, run.done.stderr)
            assert len(server.requests) == 1, form


def test_retry_after_epoch(leadpipe):
    when = "Retry-After: %d" % (time.time() + 3600)
    with RawServer(lambda path, n: [whole("429 x", b"", when), KEEP]) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
    assert run.status == 1 and re.search("wait (59m|60m)", run.errors()[0]), run.done.stderr


def test_retry_after_that_says_nothing_is_reported_once(leadpipe):
    def answer(path, n):
        return good() if n else [whole("429 x", b"", "Retry-After: in a while"), KEEP]
    with RawServer(answer) as server:
        run = export(leadpipe, server, "-j", 4, ids=["a", "b", "c", "d"], timeout=30)
    assert run.status == 0
    reported = [message["message"] for message in run.messages if "Retry-After" in message["message"]]
    assert len([text for text in reported if "neither" in text]) == 1, reported


def test_403_with_retry_after_is_a_limit(leadpipe):
    """Of the first three leads, too: nobody's credentials are refused."""
    def answer(path, n):
        return good(path.rsplit("/", 1)[1]) if n else [whole("403 Forbidden", b"slow down", "Retry-After: 1"), KEEP]
    with RawServer(answer) as server:
        run = export(leadpipe, server, "-j", 4, ids=["a", "b", "c", "d"], timeout=30)
    assert (run.status, run.outcomes()) == (0, {"exported": 4}), run.done.stderr


@pytest.mark.parametrize("status", [529, 530, 599])
def test_more_statuses_are_tried_again(leadpipe, status):
    with RawServer(lambda path, n: good("a") if n else [whole("%d x" % status), KEEP]) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
        assert (run.status, server.counts["/leads/a"]) == (0, 2)


# --- redirects -----------------------------------------------------------------------------------

def redirect(target, line="302 Found"):
    return [whole(line, b"", "Location: " + target), KEEP]


@pytest.mark.parametrize("target, says", [
    ("https://sso.example/start?next=secret", "to https://sso.example/start (a login page)"),
    ("/Login?token=secret", "/Login (a login page)"),
    ("https://bob:secret@other.example:81/x#secret", "to https://other.example:81/x"),
])
def test_redirect_names_its_target(leadpipe, target, says):
    with serve(redirect(target)) as server:
        run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
    [row] = run.failed
    assert (run.status, row["code"], row["http_status"]) == (3, "redirect", 302)
    assert says in row["error"] and "secret" not in run.done.stderr + row["error"], row


def test_redirect_to_https_and_to_a_slash(leadpipe):
    with serve([]) as server:
        for target, says in (("https://127.0.0.1/leads/bad", "(https instead of http)"),
                             (server.url + "/leads/bad/", "(with a slash at the end)")):
            server.answer = lambda path, n: redirect(target) if path.endswith("bad") else good()
            run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
            assert says in run.failed[0]["error"], run.failed


@pytest.mark.parametrize("concurrency", [1, 8])
def test_all_redirected_ends_the_run(leadpipe, concurrency):
    with RawServer(lambda path, n: redirect("https://sso.example/login?x=secret")) as server:
        run = export(leadpipe, server, "-j", concurrency, ids=["lead-%d" % n for n in range(100)], timeout=15)
        assert run.status == 1 and len(server.requests) < 100
    error = run.errors()[0]
    assert "https://sso.example/login (a login page)" in error and "redirects" in error, error
    assert run.outcomes() == {"pending": 100} and "secret" not in run.done.stderr


def test_redirects_of_some_are_theirs(leadpipe):
    with serve(redirect("/elsewhere")) as server:
        run = export(leadpipe, server, "-j", 1, ids=["bad1", "bad2", "good", "bad3"], timeout=15)
    assert (run.status, run.outcomes()) == (3, {"exported": 1, "failed": 3})


@pytest.mark.parametrize("answer", [whole("304 Not Modified", b"", "Location: /x"), whole("300 Multiple Choices")])
def test_what_is_no_redirect(leadpipe, answer):
    with serve([answer, KEEP]) as server:
        run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
    [row] = run.failed
    assert row["code"] == "http_%d" % row["http_status"] and "redirect" not in row["error"], row


# --- proxies and TLS -------------------------------------------------------------------------------

def ends_at_once(run, *says):
    assert run.status == 1, run.done.stderr
    error = run.errors()[0]
    for text in says:
        assert text in error, error
    assert run.outcomes() == {"pending": 1}
    assert run.summary["requests"]["total"] <= 5


@pytest.mark.parametrize("status, says", [("403 Forbidden", "does not allow"), ("407 Proxy Authentication Required", "user and password"),
                                          ("404 Not Found", "404"), ("302 Found", "302")])
def test_proxy_refuses_connect(leadpipe, status, says):
    with RawServer(lambda path, n: whole(status)) as proxy:
        run = export(leadpipe, proxy, "--proxy", proxy.url, base_url="https://leads.invalid", ids=["a"], timeout=15)
    ends_at_once(run, "the proxy returned %s for CONNECT" % status[:3], says, "the server was not reached")


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Unavailable", "504 x", "429 x"])
def test_proxy_that_may_connect_later(leadpipe, status):
    with RawServer(lambda path, n: whole(status)) as proxy:
        run = export(leadpipe, proxy, "--proxy", proxy.url, "--retry-max-time", "1500ms",
                     base_url="https://leads.invalid", ids=["a"], timeout=15)
        assert run.status == 1 and "no success for" in run.errors()[0] and "the proxy returned" in run.errors()[0]
        assert len(proxy.requests) >= 2


def test_proxy_asks_for_a_password_without_connect(leadpipe):
    with RawServer(lambda path, n: whole("407 x")) as proxy:
        run = export(leadpipe, proxy, "--proxy", proxy.url, "--allow-http", base_url="http://leads.invalid", ids=["a"], timeout=15)
    ends_at_once(run, "the proxy requires a user and password")


def test_407_of_a_server_is_its_own(leadpipe):
    with serve([whole("407 x"), KEEP]) as server:
        run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
    assert run.failed[0]["code"] == "http_407"


def server_context(certificates, name="good"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / (name + ".pem"), certificates / (name + ".key"))
    return context


def test_https_to_a_plain_server(leadpipe):
    with RawServer(lambda path, n: good()) as server:
        run = export(leadpipe, server, base_url=server.url.replace("http:", "https:"), ids=["a"], timeout=15)
    ends_at_once(run, "does not use TLS", "http://")


def test_client_certificate_is_wanted(leadpipe, certificates):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server_context(certificates)
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "authority.pem")
        with RawServer(lambda path, n: good(), context) as server:
            run = export(leadpipe, server, "--cacert", certificates / "authority.pem", ids=["a"], timeout=15)
        ends_at_once(run, "client certificate")


def test_old_tls(leadpipe, certificates):
    context = server_context(certificates)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with RawServer(lambda path, n: good(), context) as server:
        run = export(leadpipe, server, "--cacert", certificates / "authority.pem", ids=["a"], timeout=15)
    ends_at_once(run, "TLS")


@pytest.mark.parametrize("body", [b"<center>The plain HTTP request was sent to HTTPS port</center>",
                                  b"Client sent an HTTP request to an HTTPS server.\n",
                                  b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"])
def test_http_to_a_server_that_says_it_speaks_tls(leadpipe, body):
    with RawServer(lambda path, n: [whole("400 Bad Request", body), KEEP]) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
    ends_at_once(run, "the server uses TLS on this port", "https://")


def test_http_to_what_answers_with_an_alert(leadpipe):
    with RawServer(lambda path, n: bytes.fromhex("15030100020246")) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
        assert run.status == 1 and len(server.requests) == 3, run.done.stderr


def test_misfit_after_a_success_is_an_outage(leadpipe):
    """One server of several, perhaps: tried again."""
    def answer(path, n):
        if path.endswith("bad") and n < 3:
            return b"SSH-2.0-OpenSSH_9.2\r\n"
        return [whole("200 OK", lead(path.rsplit("/", 1)[1])), KEEP]
    with RawServer(answer) as server:
        run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
    assert run.status == 0, run.done.stderr


def test_http_to_a_tls_server(leadpipe, certificates):
    """It just closes the connection: found out by a handshake, without the key."""
    with RawServer(lambda path, n: good(), server_context(certificates)) as server:
        run = export(leadpipe, server, base_url=server.url.replace("https:", "http:"), ids=["a"], timeout=15)
        assert server.requests == []
    ends_at_once(run, "the server uses TLS on this port: use https://")


def test_https_to_a_server_that_waits(leadpipe):
    """A plain server that does not answer a handshake, for it sees no end of a line."""
    import socket
    import threading
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection):
            with connection:
                while True:
                    text = connection.recv(65536)
                    heard.append(text)
                    if not text:
                        return
                    if text.endswith(b"\r\n\r\n"):
                        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        threading.Thread(target=serve, daemon=True).start()
        done = leadpipe("export", "-p", "omni", "--base-url", "https://127.0.0.1:%d/secret/path" % listener.getsockname()[1],
                        "--connect-timeout", "500ms", "-t", "ndjson:-", "--id", "a", env={"OMNI_API_KEY": "the-key"}, timeout=15)
        listener.close()
    assert done.returncode == 1 and "does not use TLS on this port: use http://" in done.stderr, done.stderr
    assert not any(b"key" in text or b"secret" in text for text in heard), heard


@pytest.mark.parametrize("end", ["closed", "reset"])
def test_a_server_that_closes_is_an_outage(leadpipe, end):
    """Neither http nor https: tried again."""
    def answer(path, n):
        return ([b""] if end == "closed" else [RESET]) if n < 2 else good("a")
    with RawServer(answer) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
    assert (run.status, run.exported) == (0, ["a"]), run.done.stderr


def test_a_tls_server_that_answers_400_to_plain_http(leadpipe, certificates):
    """As nginx does: an outage at the start does not make it a plain server."""
    import socket
    import threading
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        plain = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    text = connection.recv(65536)
                    if not text.startswith(b"\x16\x03"):
                        plain.append(text)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        threading.Thread(target=serve, daemon=True).start()
        done = leadpipe("export", "-p", "omni", "--base-url", "https://127.0.0.1:%d" % listener.getsockname()[1], "--retry-max-time",
                        "3s", "-t", "ndjson:-", *runs.id_words("abcdef"), env={"OMNI_API_KEY": "the-key"}, timeout=30)
        listener.close()
    assert done.returncode == 1 and "no success for" in done.stderr and "use http" not in done.stderr, done.stderr
    assert len(plain) == 1
