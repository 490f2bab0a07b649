"""Apache Kafka, one node, as its published jars have it.

$LEADPIPE_KAFKA_JARS is a folder with org.apache.kafka:kafka_2.13 and all that it depends on, and slf4j-simple:
`mvn dependency:copy-dependencies` makes one.
"""

import os
import pathlib
import shutil
import socket
import struct
import subprocess

import runs

REASON = "needs java, kcat, and Kafka's jars in the folder $LEADPIPE_KAFKA_JARS"
JARS = shutil.which("java") and shutil.which("kcat") and os.environ.get("LEADPIPE_KAFKA_JARS")

SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:%(port)d,CONTROLLER://127.0.0.1:%(controller)d
advertised.listeners=PLAINTEXT://127.0.0.1:%(port)d
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:%(controller)d
log.dirs=%(folder)s/logs
num.partitions=%(partitions)d
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Kafka:
    """`launch`: a command that runs the one behind it."""

    def __init__(self, folder, partitions=3, launch=()):
        self.folder, self.partitions, self.launch, self.process = folder, partitions, launch, None
        port = free_port()
        self.address = "127.0.0.1:%d" % port
        self.settings = folder / "server.properties"
        self.settings.write_text(SETTINGS % {"port": port, "controller": free_port(), "folder": folder,
                                             "partitions": partitions})
        self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(self.settings)).wait(60)
        self.up()

    def _java(self, *words):
        return subprocess.Popen([*self.launch, "java", "-Xmx256m", "-cp", str(pathlib.Path(JARS) / "*"), *words], stdin=subprocess.DEVNULL,
                                stdout=open(self.folder / "kafka.log", "ab"), stderr=subprocess.STDOUT)

    def up(self):
        self.process = self._java("kafka.Kafka", str(self.settings))
        runs.wait_until(lambda: self._lists() or self.process.poll() is not None, "Kafka answers", tries=12000)
        assert self.process.poll() is None, (self.folder / "kafka.log").read_text()[-2000:]

    def _lists(self, *more):
        done = subprocess.run(["kcat", "-b", self.address, "-L", "-m", "2", *more], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def topic(self, name):
        """Made by being asked for."""
        runs.wait_until(lambda: '"%s" with %d partitions' % (name, self.partitions) in self._lists("-t", name), "the topic is there")

    def delete(self, name):
        """DeleteTopics, version 1, as none of the clients here can ask for it."""
        text = name.encode()
        body = struct.pack(">hhih", 20, 1, 1, -1) + struct.pack(">ih", 1, len(text)) + text + struct.pack(">i", 30000)
        with socket.create_connection(self.address.split(":"), timeout=60) as server:
            server.sendall(struct.pack(">i", len(body)) + body)
            answer = server.makefile("rb").read(4 + 4 + 4 + 4 + 2 + len(text) + 2)
        assert answer[-2:] == b"\0\0", answer
        runs.wait_until(lambda: '"%s" with' % name not in self._lists(), "the topic is gone")

    def kill(self):
        self.process.kill()
        self.process.wait()
