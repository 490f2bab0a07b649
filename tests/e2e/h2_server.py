"""A small HTTP/2 server on TLS, on the h2 package, that also does what no server should.

`answer(stream, path, n)` is called for each request (n counts those for that path from 0),
and answers with the stream's methods: head(), data(), reset(code), or the connection's goaway(code).
"""

import collections
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.events

ENHANCE_YOUR_CALM, REFUSED_STREAM, INTERNAL_ERROR = 11, 7, 2


class Stream:
    def __init__(self, peer, number):
        self.peer, self.number = peer, number

    def head(self, status, *headers, end=False):
        self.peer.h2.send_headers(self.number, [(":status", str(status)), *headers], end_stream=end)

    def data(self, body, end=True):
        self.peer.h2.send_data(self.number, body, end_stream=end)

    def whole(self, status, body, *headers):
        self.head(status, ("content-length", str(len(body))), *headers)
        self.data(body)

    def reset(self, code):
        self.peer.h2.reset_stream(self.number, code)

    def goaway(self, code):
        """The connection ends, as if no stream from this one on had been looked at."""
        self.peer.h2.close_connection(code, last_stream_id=max(0, self.number - 2))
        self.peer.over = True


class Peer:
    def __init__(self, server, connection):
        self.server, self.connection, self.over = server, connection, False
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))

    def serve(self):
        self.h2.initiate_connection()
        self.connection.sendall(self.h2.data_to_send())
        while not self.over:
            text = self.connection.recv(65536)
            if not text:
                return
            for event in self.h2.receive_data(text):
                if isinstance(event, h2.events.RequestReceived):
                    path = {bytes_of(name): bytes_of(value) for name, value in event.headers}[b":path"].decode()
                    self.server.take(Stream(self, event.stream_id), path)
            self.connection.sendall(self.h2.data_to_send())


def bytes_of(text):
    return text if isinstance(text, bytes) else text.encode()


class H2Server:
    def __init__(self, answer, certificate, key):
        self.answer, self.counts, self.connections = answer, collections.Counter(), 0
        self._lock = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = "https://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def take(self, stream, path):
        with self._lock:
            n = self.counts[path]
            self.counts[path] += 1
        self.answer(stream, path, n)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with self._context.wrap_socket(connection, server_side=True) as tls:
                Peer(self, tls).serve()
        except OSError:
            pass
