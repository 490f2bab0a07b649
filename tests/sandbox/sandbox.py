#!/usr/bin/env python3
"""A stand-in for the omni and convocore APIs, for webhook receivers and for CRMs, on loopback.

Prints one line of JSON when it is ready, then serves until it is asked to stop
(SIGTERM, SIGINT, the end of standard input with --stdin-watch, or the end of
its parent with --die-with-parent).  README.md beside this file says what it
can do.
"""

import argparse
import asyncio
import ctypes
import ipaddress
import json
import os
import resource
import signal
import socket
import ssl
import sys
import threading

from control import Control
from crm import Crm
from hooks import Hooks
from http1 import Connection, response
from lists import Lists
from providers import CONVOCORE_PATH, OMNI_PATH, Desk
from settings import Outage, Settings
from stats import Stats

BACKLOG = 4096


class Sandbox:
    """Owns the parts, and sends every request to the one it belongs to."""

    def __init__(self, key="sandbox-key", hooks_dir=None):
        self.listener = None
        self.settings = Settings()
        self.stats = Stats()
        self.outage = Outage(lambda seconds: self.listener.refuse_for(seconds))
        self.hooks = Hooks(self.stats, hooks_dir)
        self.desk = Desk(key, self.settings, self.outage, self.stats)
        self.crm = Crm(self.stats)
        self.lists = Lists(self.desk)
        self.control = Control(self.settings, self.outage, self.stats, self.hooks, self.crm, self.lists)

    def answer(self, connection, request):
        path = request.path
        if path.startswith((OMNI_PATH, CONVOCORE_PATH)):
            return self.desk.answer(connection, request)
        if path.startswith("/hooks/"):
            return self.hooks.answer(connection, request)
        if path.startswith("/_control/"):
            return self.control.answer(connection, request)
        if self.lists.answer(connection, request):
            return None
        work = self.crm.answer(connection, request)
        if work is not None:
            return work
        self.stats.others_asked += 1
        self.stats.note(request)[1] = 404
        connection.send(response(404, b'{"message":"no such route","code":"NOT_FOUND"}',
                                 close=not request.keep_alive))
        return None

    def connected(self, connection):
        self.stats.connections_accepted += 1
        self.stats.connections_open += 1
        self.listener.connections.add(connection)
        if self.listener.refusing:
            connection.reset()

    def disconnected(self, connection):
        self.stats.connections_open -= 1
        self.listener.connections.discard(connection)


class Listener:
    """The listening socket, which an outage can take away for a while.

    A second socket is bound to the same port and never listens: it keeps the
    port ours during an outage, while connections to it are refused.
    """

    def __init__(self, app, host, port, tls):
        self._app = app
        self._address = (host, port)
        self._tls = tls
        self._server = None
        self._outage = None
        self.refusing = False  # also those that were accepted and are not made yet
        self._keeper = self._bound()
        self._address = self._keeper.getsockname()[:2]
        self.port = self._address[1]
        self.connections = set()

    def _bound(self):
        sock = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(self._address)
        return sock

    async def open(self):
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._app), sock=self._bound(), backlog=BACKLOG, ssl=self._tls)

    def close(self):
        if self._server is not None:
            self._server.close()
            self._server = None

    def refuse_for(self, seconds):
        """No new connections, and the open ones end; a moment later, so that answers get out."""
        self._outage = asyncio.get_running_loop().create_task(self._refuse(seconds))

    async def _refuse(self, seconds):
        await asyncio.sleep(0.02)
        self.refusing = True
        self.close()
        self.drop_all()
        await asyncio.sleep(seconds)
        self.refusing = False
        await self.open()

    def drop_all(self):
        for connection in list(self.connections):
            connection.end()


def loopback(host):
    """`host`, if it is this machine only."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(host)
    return "127.0.0.1" if host == "localhost" else host


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Stand-in for lead APIs and webhook receivers, on loopback only.")
    parser.add_argument("--host", default="127.0.0.1", type=loopback)
    parser.add_argument("--port", default=0, type=int, help="0 takes a free one")
    parser.add_argument("--key", default="sandbox-key", help="the API key that is accepted")
    parser.add_argument("--tls-cert", metavar="FILE")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument("--hooks-dir", metavar="DIR", help="also append deliveries to DIR/NAME.ndjson")
    parser.add_argument("--stdin-watch", action="store_true", help="stop at the end of standard input")
    parser.add_argument("--die-with-parent", action="store_true", help="stop when the parent process ends (Linux)")
    chosen = parser.parse_args(arguments)
    if bool(chosen.tls_cert) != bool(chosen.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return chosen


def die_with_parent():
    """Asks Linux for SIGTERM when the thread that started us ends."""
    parent = os.getppid()
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


def watch_stdin(loop, stop):
    """Calls `stop` at the end of standard input."""
    def read():
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)
    threading.Thread(target=read, daemon=True).start()


def allow_many_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tls_context(chosen):
    if not chosen.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chosen.tls_cert, chosen.tls_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def ready_line(chosen, port):
    host = "[%s]" % chosen.host if ":" in chosen.host else chosen.host
    url = "%s://%s:%d" % ("https" if chosen.tls_cert else "http", host, port)
    return json.dumps({"url": url, "omni": url + "/omni/api/v1", "convocore": url + "/convocore/v3",
                       "hooks": url + "/hooks", "crm": url + "/at", "key": chosen.key})


async def serve(chosen):
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sandbox = Sandbox(chosen.key, chosen.hooks_dir)
    sandbox.listener = Listener(sandbox, chosen.host, chosen.port, tls_context(chosen))
    await sandbox.listener.open()
    if chosen.stdin_watch:
        watch_stdin(loop, stop)
    print(ready_line(chosen, sandbox.listener.port), flush=True)
    await stop.wait()
    sandbox.listener.close()
    sandbox.listener.drop_all()
    sandbox.hooks.clear()
    await asyncio.sleep(0)


def main():
    chosen = parse_arguments(sys.argv[1:])
    if chosen.die_with_parent:
        die_with_parent()
    allow_many_connections()
    try:
        asyncio.run(serve(chosen))
    except OSError as error:
        sys.exit("sandbox: %s" % error)


if __name__ == "__main__":
    main()
