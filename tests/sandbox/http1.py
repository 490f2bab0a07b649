"""HTTP/1.1 by hand, so that every byte on the socket can be chosen, wrong ones too.

A `Connection` reads requests one after another (keep-alive, pipelining) and
gives each to its application, which writes what it likes with `send` and
either returns None, when it is finished, or a coroutine that continues.
"""

import asyncio
import socket
import struct
import sys
import time
from http import HTTPStatus
from urllib.parse import parse_qsl

HEAD_LIMIT = 128 << 10
BODY_LIMIT = 256 << 20
REASONS = {status.value: status.phrase for status in HTTPStatus}


class BadRequest(Exception):
    """The client did not speak HTTP as we know it."""


class Request:
    """One request; its header block is kept as received and parsed on demand."""

    __slots__ = ("method", "target", "path", "query_text", "head", "headers", "body", "keep_alive",
                 "received_at", "connection_number", "length")

    def __init__(self, head):
        lines = head.split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest("request line")
        self.method, self.target, version = words
        if self.target.startswith("http://"):  # sent so to a proxy
            self.target = "/" + self.target[7:].partition("/")[2]
        self.path, _, self.query_text = self.target.partition("?")
        self.head = head
        self.headers = headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("header line")
            headers[name.lower()] = value.strip(" \t")
        connection = headers.get("connection", "").lower()
        self.keep_alive = "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection
        try:
            self.length = int(headers.get("content-length", 0))
        except ValueError:
            raise BadRequest("Content-Length") from None
        self.body = b""
        self.received_at = time.time()
        self.connection_number = 0

    def query(self):
        """The parameters of the query string; the last one of a name counts."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))


class Connection(asyncio.Protocol):
    """One client's connection.  Everything runs on the event loop's thread."""

    count = 0

    def __init__(self, app):
        self._app = app
        self._buffer = bytearray()
        self._request = None      # whose body is still arriving
        self._task = None         # an answer that takes its time
        self._busy = False        # an answer is being made
        self._writable = None     # a future while the client reads too slowly
        self._paused = False
        self.transport = None
        self.lost = False
        Connection.count += 1
        self.number = Connection.count

    # --- for the application ---

    def send(self, data):
        if not self.lost:
            self.transport.write(data)

    async def drain(self):
        """Waits until the client has taken most of what was sent."""
        if self._writable is not None:
            await self._writable
        else:
            await asyncio.sleep(0)

    def close(self):
        """Ends the connection after what was sent has left."""
        self.transport.close()

    def reset(self):
        """Ends the connection with a TCP reset; what has not left yet is lost."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and not self.lost:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        self.transport.abort()

    def end(self):
        """Ends the connection as a server that stops does: idle ones close, busy ones break off."""
        if self._busy:
            self.reset()
        else:
            self.close()

    # --- for asyncio ---

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._app.connected(self)

    def connection_lost(self, error):
        self.lost = True
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._task is not None:
            self._task.cancel()
        self._app.disconnected(self)

    def pause_writing(self):
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self):
        waiting, self._writable = self._writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def data_received(self, data):
        self._buffer += data
        if not self._busy:
            self._take_requests()
        elif len(self._buffer) > HEAD_LIMIT and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    # --- reading ---

    def _take_requests(self):
        while not self._busy and not self.lost and not self.transport.is_closing():
            try:
                request = self._next_request()
            except (BadRequest, ValueError) as error:
                self.send(response(400, ("%s\n" % error).encode(), "text/plain", close=True))
                self.close()
                return
            if request is None:
                return
            self._busy = True
            work = self._app.answer(self, request)
            if work is None:
                self._answered(request)
            else:
                self._task = asyncio.get_running_loop().create_task(self._finish(work, request))

    async def _finish(self, work, request):
        try:
            await work
        except asyncio.CancelledError:
            return
        except Exception as error:  # a fault of the sandbox itself: say so, do not hide it
            print("sandbox: %s: %r" % (request.target[:200], error), file=sys.stderr, flush=True)
            self.reset()
            return
        self._task = None
        self._answered(request)
        self._take_requests()

    def _answered(self, request):
        self._busy = False
        request.body = b""  # the log of requests keeps the rest of it for long
        if self.lost:
            return
        if not request.keep_alive:
            self.close()
        elif self._paused:
            self._paused = False
            self.transport.resume_reading()

    def _next_request(self):
        """The next whole request, or None until more has arrived."""
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    raise BadRequest("header block too long")
                return None
            request = Request(self._buffer[:end].decode("latin-1"))
            request.connection_number = self.number
            del self._buffer[:end + 4]
            if request.length > BODY_LIMIT:
                raise BadRequest("body too long")
            if "100-continue" in request.headers.get("expect", "").lower():
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request = request
        request = self._request
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            if not self._take_chunks(request):
                return None
            request.length = len(request.body)
        elif request.length:
            if len(self._buffer) < request.length:
                return None
            request.body = bytes(self._buffer[:request.length])
            del self._buffer[:request.length]
        self._request = None
        return request

    def _take_chunks(self, request):
        """Takes the chunks that are there; true after the last one."""
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return False
            size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
            if len(self._buffer) < end + 2 + size + 2:
                return False
            request.body += bytes(self._buffer[end + 2:end + 2 + size])
            del self._buffer[:end + 2 + size + 2]
            if len(request.body) > BODY_LIMIT:
                raise BadRequest("body too long")
            if size == 0:
                return True


# --- writing ---

def head(status, headers=(), length=None, content_type="application/json", close=False):
    """A status line and header block; without `length` the body's end is shown otherwise."""
    lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Unnamed"))]
    if content_type:
        lines.append("Content-Type: " + content_type)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    lines += ["%s: %s" % header for header in headers]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def response(status, body=b"", content_type="application/json", headers=(), close=False):
    """A whole answer."""
    if status == 204 or status == 304:
        return head(status, headers, None, None, close)
    if status == 200 and not headers and not close and content_type == "application/json":
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    return head(status, headers, len(body), content_type, close) + body


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
