"""Exports to Kafka, and what a reader finds of them."""

import collections
import json
import subprocess

import pytest

from conftest import clean_environment
from kafka_broker import KafkaBroker
from outputs import ids_file

STATE = "run.state"


@pytest.fixture
def broker():
    with KafkaBroker() as one:
        yield one


def plain(count):
    return ["plain-%d" % n for n in range(count)]


def tiny(count):
    return ["tiny-%d" % n for n in range(count)]


def tables_of(leadpipe):
    done = leadpipe("tables", "omni", "--json")
    assert done.returncode == 0, done.stderr
    return [table["name"] for table in json.loads(done.stdout)["tables"]]


def ids_of(messages):
    return sorted(headers["lead_id"].decode() for _, _, headers in messages)


def once(messages, ids):
    """Every lead is there once."""
    counts, wanted = collections.Counter(ids_of(messages)), set(ids)
    wrong = {one: counts[one] for one in set(counts) | wanted if counts[one] != 1 or one not in wanted}
    assert not wrong, wrong


class Exports:
    """One command, as often as a test wants, into the topic `leads` of a broker."""

    def __init__(self, leadpipe, sandbox, address):
        self.leadpipe, self.sandbox, self.address = leadpipe, sandbox, address

    def target(self, options="", topic="leads"):
        return "kafka%s:%s/%s" % ("," + options if options else "", self.address, topic)

    def words(self, ids, *more, options="", topic="leads"):
        return ["export", *self.sandbox.provider(), "-t", self.target(options, topic), "--failed", "failed.ndjson",
                "--manifest", "manifest.json", *more, ids_file(self.leadpipe.folder, ids)]

    def run(self, ids, *more, status=0, env=None, **target):
        done = self.leadpipe(*self.words(ids, *more, **target), env={**self.sandbox.env, **(env or {})})
        assert done.returncode == status, done.stderr
        return done

    def start(self, ids, *more, **target):
        return self.leadpipe.start(*self.words(ids, *more, **target), env=self.sandbox.env)

    def ended(self, process, timeout=60):
        stderr = process.stderr.read().decode()
        return process.wait(timeout), stderr


def kcat(address, topic="leads", isolation="read_committed"):
    """(key, value, headers) of the messages of a topic, by the reader of another project."""
    format_ = json.dumps("%k\t%h\t%s\n").strip('"')
    done = subprocess.run(["kcat", "-b", address, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", format_, "-X",
                           "isolation.level=" + isolation], env=clean_environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = []
    for line in done.stdout.split(b"\n")[:-1]:
        key, headers, value = line.split(b"\t", 2)
        found.append((key, value, dict(one.decode().split("=", 1) for one in headers.split(b","))))
    return [(key, value, {name: text.encode() for name, text in headers.items()}) for key, value, headers in found]
