"""A provider and a receiver that are fast and remember what they were asked: python3 many_leads.py FOLDER

Writes its port to FOLDER/port.  What becomes of a lead is decided by the CRC of what it is asked for by (TARGET: the
ID with the query, percent-encoded) and by the night.  Besides GET /leads/TARGET and POST /hook there are

    GET /night/N       it is night N: what was noted before it goes to a file FOLDER/NAME for each NAME of NOTED
    GET /stop/PID/N    SIGTERM for that process once N leads were asked for in this part
"""

import asyncio
import json
import os
import pathlib
import signal
import sys
import urllib.parse
import zlib

NOTED = ("asked", "denied", "accepted", "refused")  # denied: for want of the right key
KEY = "the-right-key"
HOOK_REFUSES_ONE_OF = 500


def target_of(lead_id, param=None):
    """What a lead is known by, here and in the tests."""
    path = urllib.parse.quote(lead_id, safe="-._~")
    return (path if param is None else path + "?agentId=" + urllib.parse.quote(param, safe="-._~")).encode()


def fate(target, night):
    """(missing, failed or found; a number that says which of its kind)"""
    digits = zlib.crc32(target)
    first = digits // (10 if night == 2 else 1) % 10
    variant = digits // 10**7
    if first < 2:
        return ("missing", "failed")[first], variant % 5
    return "found", 2 if night == 2 and digits // 100 % 10 < 3 else 1


def hook_refuses(target, night):
    return zlib.crc32(target) // (5000 if night == 2 else 1000) % HOOK_REFUSES_ONE_OF == 0


def answer(status, body):
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


OK = answer(b"200 OK", b"{}")
REFUSED = answer(b"422 Unprocessable Content", b'{"message":"no"}')
DENIED = answer(b"401 Unauthorized", b'{"message":"the key is wrong"}')
MISSING = [answer(b"404 Not Found", b"{}"), answer(b"404 Not Found", b""), answer(b"410 Gone", b"{}"),
           answer(b"404 Not Found", b"<html>"), answer(b"404 Not Found", b'{"success":false}')]
FAILED = [answer(b"400 Bad Request", b"{}"), answer(b"403 Forbidden", b"{}"), OK,
          answer(b"200 OK", b'{"success":false,"message":"none"}'), answer(b"302 Found", b"")]
def found(target, revision):
    _, query, param = target.partition(b"?agentId=")
    if not query:
        return FOUND[revision]
    lead = {"name": "A%d" % revision, "agentId": urllib.parse.unquote(param.decode())}
    return answer(b"200 OK", json.dumps({"data": lead}).encode())


FOUND = {revision: answer(b"200 OK", b'{"lead":{"firstName":"A%d"}}' % revision) for revision in (1, 2)}


def lead_answer(target, night):
    kind, n = fate(target, night)
    if kind == "found":
        return found(target, n)
    return (MISSING if kind == "missing" else FAILED)[n]


class Books:
    def __init__(self, folder):
        self.folder, self.night, self.stop = folder, 1, None
        self.noted = {name: [] for name in NOTED}

    def begin(self, night):
        for name, targets in self.noted.items():
            (self.folder / name).write_bytes(b"".join(target + b"\n" for target in targets))
            targets.clear()
        self.night, self.stop = night, None

    def stop_if_due(self):
        if self.stop and len(self.noted["asked"]) >= self.stop[1]:
            os.kill(self.stop[0], signal.SIGTERM)
            self.stop = None


class Connection(asyncio.Protocol):
    books = None

    def connection_made(self, transport):
        self.transport, self.held = transport, b""

    def data_received(self, data):
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head, behind = self.held[:end], end + 4
            if head.startswith(b"POST"):
                at = head.lower().index(b"content-length:") + len(b"content-length:")
                behind += int(head[at:].split(b"\r\n", 1)[0])
                if len(self.held) < behind:
                    return
            body, self.held = self.held[end + 4:behind], self.held[behind:]
            self.transport.write(self.take(head, body))

    def take(self, head, body):
        _, path, _ = head.split(b" ", 2)
        if path.startswith(b"/leads/"):
            return self.lead(head, path[len(b"/leads/"):])
        if path == b"/hook":
            return self.hook(body)
        _, what, *numbers = path.split(b"/")
        if what == b"night":
            self.books.begin(int(numbers[0]))
        else:
            self.books.stop = (int(numbers[0]), int(numbers[1]))
            self.books.stop_if_due()
        return OK

    def lead(self, head, target):
        books = self.books
        if KEY.encode() not in head:
            books.noted["denied"].append(target)
            return DENIED
        books.noted["asked"].append(target)
        books.stop_if_due()
        return lead_answer(target, books.night)

    def hook(self, body):
        """A batch is refused as a whole."""
        data = json.loads(body)["data"]
        targets = [target_of(lead["lead_id"], lead.get("agent_id"))
                   for lead in (data if isinstance(data, list) else [data])]
        refused = any(hook_refuses(target, self.books.night) for target in targets)
        self.books.noted["refused" if refused else "accepted"] += targets
        return REFUSED if refused else OK


async def main(folder):
    Connection.books = Books(folder)
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    (folder / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1])))
