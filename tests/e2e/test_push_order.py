"""Items that are alike by `unique_by` are never on their way at the same time."""

import http.server
import json
import threading

import pytest

import outputs

IDS = ["plain-%d" % n for n in range(6)]


class Receiver:
    """Each first request of a pair is answered when another one has come meanwhile, or a second has passed."""

    def __init__(self, hold):
        self.ids, self.at_once, self.most, self.hold = [], 0, 0, hold
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                items = json.loads(self.rfile.read(int(self.headers["content-length"])))["items"]
                receiver.take([item["id"] for item in items])
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, ids):
        with self.changed:
            first = not self.ids
            self.ids += ids
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most > 1, self.hold if first else 0.05)
            self.at_once -= 1


@pytest.fixture
def receiver():
    one = Receiver(hold=1)
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def push(leadpipe, sandbox, control, receiver):
    """One run of six leads, by a destination with that key."""
    def run(key, max_items, *options):
        destination = {
            "destination": 1, "method": "POST", "url": "http://127.0.0.1:%d/" % receiver.server.server_port,
            "batch": {"max_items": max_items, "unique_by": "/key"}, "body": {"items": {"$items": True}},
            "item": {"id": {"$field": "lead_id"}, "key": key}, "answer": {"ok": [200], "unaccounted": "ok"}}
        (leadpipe.folder / "order.json").write_text(json.dumps(destination))
        done = leadpipe("export", *sandbox.provider("omni"), "-t", "push,concurrency=4:order.json", "--manifest",
                        "manifest.json", *options, outputs.ids_file(leadpipe.folder, IDS), env=sandbox.env)
        assert done.returncode == 0, done.stderr
        return json.loads((leadpipe.folder / "manifest.json").read_bytes())["sinks"][0]
    return run


@pytest.mark.parametrize("options", [(), ("--state", "run.state")])
@pytest.mark.parametrize("max_items", [1, 2, 3])
def test_alike(push, receiver, max_items, options):
    assert push("same", max_items, *options)["delivered"] == len(IDS)
    assert (receiver.most, receiver.ids) == (1, IDS)


def test_different(push, receiver):
    """They do not wait for each other."""
    assert push({"$field": "lead_id"}, 2)["delivered"] == len(IDS)
    assert receiver.most > 1 and sorted(receiver.ids) == sorted(IDS)
