"""A provider that is fast and remembers what it was asked for: python3 many_leads.py FOLDER

Writes its port to FOLDER/port; SIGTERM makes it write what it was asked for, a line each, to FOLDER/asked.
Of the ID's CRC modulo 10: 0 is missing, 1 is refused with 400, the others are found.
"""

import asyncio
import pathlib
import signal
import sys
import zlib

PREFIX = b"GET /leads/"


def fate(raw):
    return ("missing", "failed")[n] if (n := zlib.crc32(raw) % 10) < 2 else "exported"


def answer(status, body):
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


ANSWERS = {"missing": answer(b"404 Not Found", b"{}"), "failed": answer(b"400 Bad Request", b"{}"),
           "exported": answer(b"200 OK", b'{"lead":{"firstName":"A"}}')}


class Provider(asyncio.Protocol):
    asked = []

    def connection_made(self, transport):
        self.transport, self.held = transport, b""

    def data_received(self, data):
        *requests, self.held = (self.held + data).split(b"\r\n\r\n")
        for request in requests:
            if not request.startswith(PREFIX):
                self.transport.abort()
                return
            raw = request[len(PREFIX):request.index(b" ", len(PREFIX))]
            self.asked.append(raw)
            self.transport.write(ANSWERS[fate(raw)])


async def main(folder):
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, ended.set_result, None)
    server = await loop.create_server(Provider, "127.0.0.1", 0)
    (folder / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    await ended
    (folder / "asked").write_bytes(b"".join(raw + b"\n" for raw in Provider.asked))


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1])))
