"""leadpipe list: every ID of every page once, whatever becomes of the list while it is read."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import BINARY, clean_environment


def ids_of(output):
    return [json.loads(line)["id"] for line in output.splitlines()]


def omni(sandbox, *more):
    return ["list", *sandbox.provider("omni"), *more]


def convocore(sandbox, *more, agents=("A",)):
    params = [word for agent in agents for word in ("--param", "agentId=" + agent)]
    return ["list", "-p", "convocore", "--base-url", sandbox.convocore, *params, *more]


def many(n, prefix="lead"):
    return ["%s-%d" % (prefix, i) for i in range(n)]


# ---- what is listed -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 10, 37])
def test_omni(leadpipe, sandbox, control, n):
    control.lists(leads={"": many(n)}, page_size=5)
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.decode() == "".join('{"id":"%s"}\n' % lead for lead in many(n))
    asked = control.lists()
    assert len(asked) == max(1, -(-n // 5))
    assert [query.get("token") for query in asked] == [None] + ["t%d" % (5 * i) for i in range(1, len(asked))]
    assert "%d lead%s listed" % (n, "" if n == 1 else "s") in run.stderr


@pytest.mark.parametrize("n", [0, 1, 99, 100, 101, 250])
def test_convocore(leadpipe, sandbox, control, n):
    control.lists(leads={"A": many(n)})
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.decode() == "".join('{"id":"%s","agentId":"A"}\n' % lead for lead in many(n))
    assert {query["limit"] for query in control.lists()} == {"100"}
    assert [query["page"] for query in control.lists()] == [str(1 + i) for i in range(-(-n // 100) + 1)]


def test_a_server_with_smaller_pages(leadpipe, sandbox, control):
    control.lists(leads={"A": many(25)}, page_size=10)
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0 and ids_of(run.stdout)[:10] == many(10)
    # limit=100 was asked for and 10 were given: the next page begins behind those.
    assert sorted(ids_of(run.stdout)) == sorted(many(25))


def test_several_agents(leadpipe, sandbox, control):
    control.lists(leads={"A": ["x", "y"], "B 2": ["x"], "C": []})
    run = leadpipe(*convocore(sandbox, agents=("A", "B 2", "C")), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"id": "x", "agentId": "A"}, {"id": "y", "agentId": "A"}, {"id": "x", "agentId": "B 2"}]


def test_the_list_is_an_id_input(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"A": ["plain-1", "plain-2"]})
    assert leadpipe(*convocore(sandbox, "-o", "ids.ndjson"), env=sandbox.env).returncode == 0
    run = leadpipe("export", "-p", "convocore", "--base-url", sandbox.convocore, "-t", "ndjson:out", "ids.ndjson",
                   env=sandbox.env)
    assert run.returncode == 0, run.stderr
    leads = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [(lead["lead_id"], lead["agent_id"]) for lead in leads] == [("plain-1", "A"), ("plain-2", "A")]


def test_strange_ids(leadpipe, sandbox, control):
    leads = ["a/b", "ü", "a b", '"quoted"', "back\\slash", "x" * 512]
    control.lists(leads={"": leads})
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 0 and ids_of(run.stdout) == leads


def test_elements_without_an_id(leadpipe, sandbox, control):
    rows = [{"leadId": "a"}, {"leadId": None}, {}, {"leadId": ""}, {"leadId": "b\u0000"}, {"leadId": "x" * 513},
            7, {"leadId": 12}, {"leadId": 1.5}, {"leadId": ".."}, {"leadId": "z"}]
    control.lists(rows=rows)
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 3
    assert ids_of(run.stdout) == ["a", "12", "z"]
    assert "8 elements of the list have no valid ID and were left out" in run.stderr
    assert 'no text or whole number at "/leadId"' in run.stderr


# ---- filters ------------------------------------------------------------------------------------


def test_filters(leadpipe, sandbox, control):
    control.lists(leads={"": ["a"]})
    run = leadpipe(*omni(sandbox, "--created-since", "2026-01-30", "--created-until", "2026-02-01T12:00:00+02:00"),
                   env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert control.lists()[0] == {"agent": "", "start": "2026-01-30T00:00:00.000Z", "end": "2026-02-01T10:00:00.000Z"}


@pytest.mark.parametrize("duration, seconds", [("30d", 30 * 86400), ("12h", 43200), ("90s", 90)])
def test_durations(leadpipe, sandbox, control, duration, seconds):
    control.lists(leads={"": many(3)}, page_size=2)
    before = time.time()
    assert leadpipe(*omni(sandbox, "--created-since", duration), env=sandbox.env).returncode == 0
    starts = [query["start"] for query in control.lists()]
    assert len(set(starts)) == 1 and len(starts) == 2, "the filter is the same on every page"
    from datetime import datetime
    sent = datetime.fromisoformat(starts[0].replace("Z", "+00:00")).timestamp()
    assert before - seconds - 1 < sent < time.time() - seconds + 1


@pytest.mark.parametrize("arguments, message", [
    (["-p", "omni", "--created-since", "yesterday"], '--created-since: "yesterday" is not a time'),
    (["-p", "omni", "--created-since", "2026-02-30"], "--created-since: "),
    (["-p", "omni", "--created-until", "30"], "--created-until: "),
    (["-p", "omni", "--created-since", "0005-01-01"], "is before 1970"),
    (["-p", "omni", "--created-since", ""], "--created-since: "),
    (["-p", "omni", "--created-since", "9999999d"], "--created-since: "),
    (["-p", "omni", "--created-since", "1d", "--created-until", "2d"], "must not be later than --created-until"),
    (["-p", "convocore", "--param", "agentId=A", "--created-since", "30d"],
     "--created-since: the list of convocore does not have this filter"),
    (["-p", "convocore"], "--param agentId=VALUE is required"),
    (["-p", "convocore", "--param", "agentId=A", "--param", "agentId=A"], "agentId=A is given more than once"),
    (["-p", "convocore", "--param", "agent=A"], 'no parameter "agent"'),
    (["-p", "convocore", "--param", "agentId"], "is not NAME=VALUE"),
    (["-p", "convocore", "--param", "agentId=.."], "--param agentId"),
    (["-p", "omni", "ids.txt"], "unexpected argument ids.txt"),
    (["-p", "omni", "-t", "csv:-"], "unknown option -t"),
    (["-p", "omni", "-o", "ids.ndjson.gz"], "give a name without .gz"),
    (["-p", "omni", "-o", "none/ids.ndjson"], "--output: "),
    ([], "-p PROVIDER is required"),
])
def test_wrong_usage(leadpipe, sandbox, control, tmp_path, arguments, message):
    control.lists(leads={"": ["a"], "A": ["b"]})
    server = ["--base-url", sandbox.convocore if "convocore" in arguments else sandbox.omni]
    run = leadpipe("list", *arguments, *server, env=sandbox.env)
    assert run.returncode == 2
    assert message in run.stderr and run.stderr.count("\n") == 1, run.stderr
    assert run.stdout == b"" and control.lists() == [] and os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["key", "./key", "link"])
def test_the_output_is_not_what_is_read(leadpipe, sandbox, control, tmp_path, name):
    control.lists(leads={"": ["a"]})
    (tmp_path / "key").write_text(sandbox.key)
    (tmp_path / "link").symlink_to("key")
    run = leadpipe(*omni(sandbox, "--api-key-file", "key", "-o", name))
    assert run.returncode == 2
    assert "--output: %s is also read (--api-key-file)" % name in run.stderr
    assert (tmp_path / "key").read_text() == sandbox.key and control.lists() == []


def test_a_profile_without_a_list(leadpipe, sandbox, tmp_path):
    profile = json.loads(leadpipe("providers", "--show", "omni").stdout)
    del profile["list"]
    (tmp_path / "mine.json").write_text(json.dumps(profile))
    run = leadpipe("list", "-p", "mine.json", "--base-url", sandbox.omni, env=sandbox.env)
    assert run.returncode == 2
    assert "does not say how leads are listed" in run.stderr


# ---- lists that move, or do not end ---------------------------------------------------------------


def test_a_lead_that_is_deleted_while_the_list_is_read(leadpipe, sandbox, control):
    leads = many(30)
    control.lists(leads={"A": leads}, page_size=10, after=[{"page": 1, "remove": leads[:3]}])
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert sorted(ids_of(run.stdout)) == sorted(leads)


def test_a_lead_that_is_created_while_the_list_is_read(leadpipe, sandbox, control):
    leads = many(30)
    control.lists(leads={"A": leads}, page_size=10, after=[{"page": 1, "add": ["new"]}])
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert sorted(ids_of(run.stdout)) == sorted(leads + ["new"])


def test_a_list_that_changes_all_the_time(leadpipe, sandbox, control, tmp_path):
    leads = many(30)
    changes = [{"page": n, "add": ["new-%d" % n]} for n in range(1, 100)]
    control.lists(leads={"A": leads}, page_size=10, after=changes)
    run = leadpipe(*convocore(sandbox, "-o", "ids.ndjson"), env=sandbox.env)
    assert run.returncode == 3
    assert "the list changed while it was read" in run.stderr
    listed = ids_of((tmp_path / "ids.ndjson").read_text())
    assert set(leads) <= set(listed) and len(listed) == len(set(listed))
    assert [query["page"] for query in control.lists()].count("1") == 4


@pytest.mark.parametrize("total", [0, 7, 5000])
def test_a_total_that_is_wrong(leadpipe, sandbox, control, total):
    control.lists(leads={"A": many(250)}, total=total)
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0
    assert ids_of(run.stdout) == many(250)
    assert "the list says that there are %d leads, but has 250" % total in run.stderr
    assert [query["page"] for query in control.lists()].count("1") == 2


@pytest.mark.parametrize("token, message", [
    ("same", "refers back to a page"),
    ("loop", "refers back to a page"),
    ("endless", "20 pages"),
])
def test_a_list_that_does_not_end(leadpipe, sandbox, control, tmp_path, token, message):
    control.lists(leads={"": many(25)}, page_size=5, token=token)
    run = leadpipe(*omni(sandbox, "-o", "ids.ndjson"), env=sandbox.env)
    assert run.returncode == 3
    assert message in run.stderr and "leads may be missing" in run.stderr
    listed = ids_of((tmp_path / "ids.ndjson").read_text())
    assert listed == many({"same": 5, "loop": 15, "endless": 25}[token])


def test_a_server_that_ignores_the_page(leadpipe, sandbox, control):
    rows = {"leads": [{"id": "a"}, {"id": "b"}], "total": 9}
    control.lists(leads={"A": []}, answers={"*": {"status": 200, "body": rows}})
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 3 and ids_of(run.stdout) == ["a", "b"]
    assert "the same page again" in run.stderr


def test_pages_behind_the_last_one_that_do_not_exist(leadpipe, sandbox, control):
    control.lists(leads={"A": many(100)}, answers={"2": {"status": 404}})
    run = leadpipe(*convocore(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert ids_of(run.stdout) == many(100)


# ---- refusals, retries --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302, 410])
@pytest.mark.parametrize("page", [1, 2])
def test_refused(leadpipe, sandbox, control, tmp_path, status, page):
    (tmp_path / "ids.ndjson").write_text("before\n")
    control.lists(leads={"": many(20)}, page_size=5,
                  answers={str(page): {"status": status, "body": {"message": "no, \x1b[31m" + sandbox.key}}})
    run = leadpipe(*omni(sandbox, "-o", "ids.ndjson"), env=sandbox.env)
    assert run.returncode == 1
    assert str(status) in run.stderr and sandbox.key not in run.stderr and "\x1b" not in run.stderr
    assert (tmp_path / "ids.ndjson").read_text() == "before\n" and os.listdir(tmp_path) == ["ids.ndjson"]
    assert len(control.lists()) == page


def test_a_wrong_key(leadpipe, sandbox, control):
    control.lists(leads={"": many(20)})
    run = leadpipe(*omni(sandbox), env={"OMNI_API_KEY": "another-secret"})
    assert run.returncode == 1 and run.stdout == b""
    assert "credentials refused" in run.stderr and "OMNI_API_KEY" in run.stderr
    assert "another-secret" not in run.stderr


@pytest.mark.parametrize("answer", [
    {"status": 503, "times": 2, "retry_after": 0},
    {"status": 429, "times": 2, "retry_after": 0},
    {"status": 500, "times": 1},
    {"status": 200, "times": 1, "body": "<html>busy</html>"},
    {"status": 200, "times": 1, "body": '{"breakdown": ['},
])
def test_tried_again(leadpipe, sandbox, control, answer):
    control.lists(leads={"": many(12)}, page_size=5, answers={"*": answer})
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert ids_of(run.stdout) == many(12)
    assert len(control.lists()) == 3 + (2 if "retry_after" in answer else 1)


def test_retry_after_that_is_too_long(leadpipe, sandbox, control):
    control.lists(leads={"": ["a"]}, answers={"*": {"status": 429, "retry_after": 4000}})
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 1
    assert "Retry-After" in run.stderr and len(control.lists()) == 1


@pytest.mark.parametrize("body, message", [
    ({"leads": {}, "total": 0}, 'no array at "/leads"'),
    ({"items": []}, 'no array at "/leads"'),
    ([], 'no array at "/leads"'),
    ({"success": False, "message": "not today"}, "not today"),
    ("no JSON", "page 1 of the list"),
])
def test_what_is_no_list(leadpipe, sandbox, control, body, message):
    control.lists(leads={"A": ["a"]}, answers={"*": {"status": 200, "body": body}})
    run = leadpipe(*convocore(sandbox, "--attempts", "1"), env=sandbox.env)
    assert run.returncode == 1 and run.stdout == b""
    assert message in run.stderr


def test_a_token_that_is_no_text(leadpipe, sandbox, control):
    body = {"breakdown": [{"leadId": "a"}], "nextToken": {"at": 5}}
    control.lists(leads={"": ["a"]}, answers={"*": {"status": 200, "body": body}})
    run = leadpipe(*omni(sandbox), env=sandbox.env)
    assert run.returncode == 1 and '"/nextToken"' in run.stderr


def test_a_page_that_is_too_large(leadpipe, sandbox, control):
    control.lists(leads={"": many(500)})
    run = leadpipe(*omni(sandbox, "--max-body", "1K"), env=sandbox.env)
    assert run.returncode == 1 and "--max-body" in run.stderr


# ---- output -------------------------------------------------------------------------------------


def test_pages_are_written_as_they_come(leadpipe, sandbox, control):
    control.lists(leads={"": many(10)}, page_size=5, answers={"2": {"status": 503, "retry_after": 100}})
    process = leadpipe.start(*omni(sandbox), env=sandbox.env)
    assert [json.loads(process.stdout.readline())["id"] for _ in range(5)] == many(5)
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_file_that_is_stopped_does_not_appear(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"": many(10)}, page_size=5, answers={"2": {"status": 503, "retry_after": 100}})
    process = leadpipe.start(*omni(sandbox, "-o", "ids.ndjson"), env=sandbox.env)
    deadline = time.monotonic() + 20
    while len(control.lists()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not (tmp_path / "ids.ndjson").exists()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT
    assert b"stopped by SIGINT" in stderr and os.listdir(tmp_path) == []


def test_a_pipe_that_closes(sandbox, control):
    control.lists(leads={"": many(200_000)}, page_size=20_000)
    process = subprocess.Popen([str(BINARY), *omni(sandbox)], env=clean_environment(sandbox.env),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(60) == -signal.SIGPIPE
    assert stderr == b""


def test_a_full_disk(sandbox, control):
    control.lists(leads={"": many(2000)})
    with open("/dev/full", "wb") as full:
        run = subprocess.run([str(BINARY), *omni(sandbox)], env=clean_environment(sandbox.env), stdout=full,
                             stderr=subprocess.PIPE, timeout=60)
    assert run.returncode == 1 and b"No space left on device" in run.stderr


def test_json_messages(leadpipe, sandbox, control):
    control.lists(leads={"": many(3)})
    run = leadpipe(*omni(sandbox, "--log-format", "json"), env=sandbox.env)
    assert "3 leads listed" in json.loads(run.stderr)["message"]
    assert leadpipe(*omni(sandbox, "-q"), env=sandbox.env).stderr == ""


# ---- the other ways in which pages go on ----------------------------------------------------------


class Shop(BaseHTTPRequestHandler):
    """Lists with a cursor, and with links."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        shop, url = self.server, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        shop.asked.append((url.path, query))
        start = shop.leads.index(query["after"]) + 1 if "after" in query else int(query.get("at", 0))
        rows = shop.leads[start:start + 2]
        body = {"rows": [{"who": {"id": lead}, "shop": "s-%s" % lead} for lead in rows]}
        if shop.has_more:
            body["more"] = start + 2 < len(shop.leads)
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        if url.path.startswith("/links") and start + 2 < len(shop.leads):
            for value in shop.link:
                self.send_header("Link", value.replace("NEXT", "/links?at=%d" % (start + 2)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.leads, server.asked, server.has_more = ["a", "b", "c", "d", "e"], [], False
    server.link = ['</links?at=0>; rel="first", <NEXT>; rel="next"']
    server.url = "http://127.0.0.1:%d" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def shop_profile(folder, shop, pages, path="leads"):
    profile = {
        "profile": 1, "name": "shop", "servers": [{"name": "main", "url": shop.url + "/v1"}], "path": "/{shop}/{id}",
        "list": {"path": path, "items": "/rows", "id": "/who/id", "params": {"shop": "/shop"}, "pages": pages},
        "tables": [{"name": "leads", "each": "", "columns": []}],
    }
    (folder / "shop.json").write_text(json.dumps(profile))
    return "shop.json"


@pytest.mark.parametrize("has_more", [False, True])
def test_cursors(leadpipe, shop, tmp_path, has_more):
    shop.has_more = has_more
    pages = {"style": "cursor", "parameter": "after", "next": "/who/id", "size": 2, "size_parameter": "n"}
    if has_more:
        pages["more"] = "/more"
    run = leadpipe("list", "-p", shop_profile(tmp_path, shop, pages))
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"id": lead, "shop": "s-" + lead} for lead in shop.leads]
    cursors = [None, "b", "d"] + ([] if has_more else ["e"])
    assert [query.get("after") for _, query in shop.asked] == cursors
    assert {(path, query["n"]) for path, query in shop.asked} == {("/v1/leads", "2")}


@pytest.mark.parametrize("link", [
    ['<NEXT>; rel="next"'], ["<NEXT>;rel=next"], ['<NEXT> ; title="a, b; c" ; REL="prev Next"'],
    ['</x>; rel=prev', '<NEXT>; rel=next'], ['<HOSTNEXT>; rel="next"'],
])
def test_links(leadpipe, shop, tmp_path, link):
    shop.link = [value.replace("HOST", shop.url) for value in link]
    run = leadpipe("list", "-p", shop_profile(tmp_path, shop, {"style": "link"}, "/links"))
    assert run.returncode == 0, run.stderr
    assert ids_of(run.stdout) == shop.leads
    assert [path for path, _ in shop.asked] == ["/links"] * 3


@pytest.mark.parametrize("target", ["http://other.example/links?at=2", "https://127.0.0.1/links", "ftp://127.0.0.1/",
                                    "http://127.0.0.1:1/links", "http://u:p@127.0.0.1/", "//other.example/x"])
def test_links_to_another_server(leadpipe, shop, tmp_path, target):
    shop.link = ['<%s>; rel="next"' % target]
    run = leadpipe("list", "-p", shop_profile(tmp_path, shop, {"style": "link"}, "/links"))
    assert run.returncode == 1
    assert re.search("Link.*(another server|not a valid URL)", run.stderr), run.stderr
    assert len(shop.asked) == 1


def test_a_link_that_comes_back(leadpipe, shop, tmp_path):
    shop.link = ['</links?at=2>; rel=next']
    run = leadpipe("list", "-p", shop_profile(tmp_path, shop, {"style": "link"}, "/links"))
    assert run.returncode == 3 and ids_of(run.stdout) == ["a", "b", "c", "d"]
