"""Proxies, given or by the environment: what is no address is refused, and who may not see the key does not."""

import pytest

import runs
from raw_server import KEEP, RawServer, lead, whole
from test_broken_bodies import export

MALFORMED = ["http//bob:s3cret-pw@p", "http:/bob:s3cret-pw@p", "htp://bob:s3cret-pw@p", "ftp://bob:s3cret-pw@p",
             "http://bob:s3cret-pw@", "http://bob:s3cret-pw@p:port", "http://bob:s3cret-pw@p:99999",
             "http://bob:s3cret-pw@p/path", "http://bob:s3cret pw@p", "http:bob:s3cret-pw@p"]


@pytest.mark.parametrize("variable", [None, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_malformed_is_refused(leadpipe, variable):
    for text in MALFORMED if variable is None else MALFORMED[:2]:
        words = ["--proxy", text] if variable is None else []
        env = {"OMNI_API_KEY": "key", **({variable: text} if variable else {})}
        done = leadpipe("export", "-p", "omni", *words, "-t", "csv:out/", "--id", "1", env=env, timeout=10)
        assert done.returncode == 2, (text, done.stderr)
        assert ("--proxy: " if variable is None else "the environment variable %s: " % variable) in done.stderr, done.stderr
        assert "s3cret" not in done.stderr and "bob" not in done.stderr, done.stderr
        assert list(leadpipe.folder.iterdir()) == []


def test_malformed_for_a_webhook(leadpipe, sandbox, control):
    env = {**sandbox.env, "https_proxy": MALFORMED[0]}
    done = leadpipe("export", *sandbox.provider(), "-t", "webhook:https://crm.example/hook", "--id", "tiny-1", env=env)
    assert done.returncode == 2 and "webhook:https://crm.example/hook: the environment variable https_proxy: " in done.stderr
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("more", [{"no_proxy": "*"}, {"no_proxy": "x, leads.invalid"}, {"NO_PROXY": ".invalid"}])
def test_a_proxy_that_is_not_used_is_not_looked_at(leadpipe, more):
    env = {"OMNI_API_KEY": "key", "https_proxy": MALFORMED[0], **more}
    done = leadpipe("export", "-p", "omni", "--base-url", "https://leads.invalid", "--retry-max-time", "100ms", "-t", "ndjson:-",
                    "--id", "1", env=env, timeout=20)
    assert done.returncode == 1 and "no success" in done.stderr, done.stderr


def plain_proxy():
    return RawServer(lambda path, n: [whole("200 OK", lead(path.rsplit("/", 1)[1])), KEEP])


@pytest.mark.parametrize("how", ["--proxy http://%s", "--proxy %s", "--proxy bob:p%%40ss@%s", "http_proxy", "all_proxy"])
def test_goes_through(leadpipe, how):
    with plain_proxy() as proxy:
        address = "127.0.0.1:%d" % proxy.port
        words = (how % address).split() if how.startswith("--") else []
        env = {"OMNI_API_KEY": "key", **({} if words else {how: address})}
        run = export(leadpipe, proxy, "--allow-http", *words, base_url="http://leads.invalid/api", ids=["a"], env=env)
        assert (run.status, run.exported) == (0, ["a"]), run.done.stderr
        [(path, head)] = proxy.requests
        assert path == "http://leads.invalid/api/leads/a"
        assert ("Proxy-Authorization: Basic Ym9iOnBAc3M=" in head) == ("bob" in how)


def test_loopback_goes_past_the_proxy(leadpipe, sandbox, control):
    """It needs no --allow-http because nobody sees the key: so no proxy may."""
    with plain_proxy() as proxy:
        for words, env in ((["--proxy", proxy.url], {}), ([], {"http_proxy": proxy.url}), ([], {"all_proxy": proxy.url})):
            run = runs.export(leadpipe, sandbox, *words, "-t", "webhook:" + sandbox.hook("h"), ids=["tiny-1"],
                              env={**sandbox.env, **env})
            assert run.status == 0, run.done.stderr
        assert proxy.requests == []
        run = runs.export(leadpipe, sandbox, "--allow-http", "--proxy", proxy.url, ids=["tiny-1"])
        assert run.status == 0 and len(proxy.requests) == 1


def test_http_versions(leadpipe, certificates):
    from test_http_ways import server_context
    context = server_context(certificates)
    offered = []
    context.set_alpn_protocols(["http/1.1"])
    context._msg_callback = lambda connection, direction, version, kind, message, data: (
        offered.append(bytes(data)) if getattr(message, "name", "") == "CLIENT_HELLO" else None)
    for words, h2 in (([], True), (["--http2"], True), (["--http1.1"], False)):
        with RawServer(lambda path, n: [whole("200 OK", lead("a")), KEEP], context) as server:
            run = export(leadpipe, server, "--cacert", certificates / "authority.pem", *words, ids=["a"])
        assert run.status == 0, run.done.stderr
        assert (b"\x02h2" in offered.pop()) == h2, words


def test_one_version_or_the_other(leadpipe):
    done = leadpipe("export", "-p", "omni", "--http1.1", "--http2", "-t", "csv:out/", "--id", "1", env={"OMNI_API_KEY": "key"})
    assert done.returncode == 2 and "--http1.1 and --http2 cannot be used together" in done.stderr
