"""What all parts of the benchmark share: programs, servers, leads, commands."""

import contextlib
import json
import os
import shutil
import sys

import corpus
import measure
import servers

KEY = "bench"
RUN_TIMEOUT_S = 600


class Context:
    """Use it in a `with`: at its end servers are stopped and all files are gone."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.launch, self.floor_program, self.micro, self.delay_program = (
            os.path.join(options.programs, name) for name in ("launch", "floor", "micro", "delay_server"))
        self.leadpipe = options.leadpipe
        self._stack = contextlib.ExitStack()
        self._corpora, self._nginx = {}, None
        self.bodies = self._folder("bodies")
        self.key_file = os.path.join(folder, "key")
        with open(os.path.join(folder, "key"), "w") as file:
            file.write(KEY + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _folder(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def say(self, text):
        print("bench: " + text, file=sys.stderr, flush=True)

    # --- leads and servers ----------------------------------------------------------------

    def corpus(self, kind=None):
        kind = kind or self.options.corpus
        if kind not in self._corpora:
            count = 100 if kind == corpus.LARGE else corpus.BODIES
            self._corpora[kind] = corpus.Corpus(self.bodies, kind, count)
        return self._corpora[kind]

    def ids(self, count, kind=None, first=None):
        leads = self.corpus(kind)
        return leads.write_ids(os.path.join(self.folder, "ids"), count, first)

    def nginx(self, ports=None):
        if not self._nginx:
            self.corpus()
            self._nginx = servers.Nginx(self.launch, self._folder("nginx"), self.bodies, ports)
            self._stack.callback(self._nginx.stop)
        return self._nginx

    def another_nginx(self):
        """At the same address: what a state knows of leads is of one server."""
        self._nginx.stop()
        ports, self._nginx = self._nginx.ports, None
        return self.nginx(ports)

    def started(self, server):
        """For a `with`: the server is stopped at its end, and whatever happens."""
        self._stack.callback(server.stop)
        return _Stopped(server)

    def delay_server(self, delay_ms=0, admit=0):
        return servers.DelayServer(self.launch, self.delay_program, self.corpus().folder,
                                   delay_ms, admit)

    @contextlib.contextmanager
    def output_of(self, name):
        """A folder that stays over several runs, gone afterwards."""
        path = self._folder(name)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    # --- runs -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def output(self):
        """A folder for what a run writes, gone afterwards."""
        path = os.path.join(self.folder, "output")
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def run(self, command, **more):
        return measure.run(self.launch, self.folder, command, RUN_TIMEOUT_S, **more)

    def floor(self, base_url, ids, concurrency=64, cacert=None):
        command = [self.floor_program, "-j", str(concurrency), "--key", KEY]
        if cacert:
            command += ["--cacert", cacert]
        return self.run(command + [base_url, ids])

    def export_command(self, base_url, ids, sinks, concurrency=64, cacert=None, options=(), program=None):
        command = [program or self.leadpipe, "export", *([] if "-p" in options else ["-p", "omni"]), "--base-url", base_url,
                   "--api-key-file", self.key_file, "-j", str(concurrency), "--log-format", "json",
                   "--progress", "never"]
        if cacert:
            command += ["--cacert", cacert]
        for sink in sinks:
            command += ["-t", sink]
        return command + list(options) + [ids]

    def export(self, base_url, ids, sinks, count, concurrency=64, cacert=None, options=(), program=None,
               **more):
        """One run of leadpipe in the folder for outputs; cost and summary."""
        command = self.export_command(base_url, ids, sinks, concurrency, cacert, options, program)
        with self.output() as folder:
            cost = self.run(command, cwd=folder, **more)
        return cost, check_summary(cost.stderr, count)


class _Stopped:
    def __init__(self, server):
        self.server = server

    def __enter__(self):
        return self.server

    def __exit__(self, *exception):
        self.server.stop()


def summary_of(stderr):
    """What the run says of itself at its end."""
    summary = None
    for line in stderr.splitlines():
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict) and "ledger" in message:
                summary = message
    if summary is None:
        raise measure.BenchError("leadpipe gave no summary:\n" + stderr[-2000:])
    return summary


def check_summary(stderr, count, outcome="exported"):
    """The run's own summary; every lead must have had that outcome."""
    summary = summary_of(stderr)
    if summary["ledger"][outcome] != count:
        raise measure.BenchError("of %d leads not all were %s: %s\n%s"
                                 % (count, outcome, summary["ledger"], stderr[-2000:]))
    return summary
