"""A server that sends exactly the bytes that a test wants, for what no HTTP library would send.

`answer(path, n)` says what the n-th request (from 0) for that path gets: bytes, after which the
connection ends, or a list of steps: bytes are sent, KEEP leaves the connection open for the next
request, RESET ends it with a reset, HANG waits until the client goes, DRIP sends one byte now and
then until the client goes.
"""

import collections
import socket
import ssl
import struct
import threading

KEEP, RESET, HANG, DRIP = "keep", "reset", "hang", "drip"


class RawServer:
    def __init__(self, answer, context=None):
        self.answer, self.context = answer, context
        self.requests, self.bodies = [], []
        self.counts = collections.Counter()
        self.connections = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if context else "http", self.port)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._over.set()
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.context:
                connection = self._handshake(connection)
            with connection:
                connection.settimeout(60)
                while self._one(connection):
                    pass
        except OSError:
            pass

    def _handshake(self, connection):
        """Where it fails the client must be able to read why: a reset would take the alert with it."""
        tls = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            tls.do_handshake()
            return tls
        except ssl.SSLError:
            with socket.socket(fileno=tls.detach()) as raw:
                raw.settimeout(5)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            raise

    def _one(self, connection):
        """One request. False: the connection is over."""
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(65536)
            if not more:
                return False
            text += more
            if text.startswith(b"\x16\x03"):  # a client that speaks TLS
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return False
        head, _, body = text.partition(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while length and len(body) < int(length[0]):
            body += connection.recv(65536)
        path = head.split(b" ")[1].decode()
        with self._lock:
            n = self.counts[path]
            self.counts[path] += 1
            self.requests.append((path, head.decode("latin-1")))
            self.bodies.append(body)
        steps = self.answer(path, n)
        for step in [steps] if isinstance(steps, bytes) else steps:
            if step == KEEP:
                return True
            if step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif step == HANG:
                connection.recv(1)
            elif step == DRIP:
                while not self._over.wait(0.05):
                    connection.sendall(b"x")
            else:
                connection.sendall(step)
        return False


def whole(status, body=b"", *headers):
    """A well-formed answer."""
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def lead(one="lead-1"):
    return b'{"status":"OK","lead":{"id":"' + one.encode() + b'","firstName":"Ada"}}'


def good(one="lead-1"):
    return [whole("200 OK", lead(one), "Content-Type: application/json"), KEEP]
