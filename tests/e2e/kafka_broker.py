"""A Kafka broker for tests, in this process: topics, idempotent producers, transactions, committed offsets.

A test sees what is in a topic as a reader at read_committed does, and can do something at any request: `hook(key, request)`
is called before one is worked on, and `answered(key, request)` before its answer is sent; either may raise Drop, which
ends the connection.  It keeps to what the protocol says, as far as a single broker needs: a producer of an older epoch is
fenced, a batch that was sent twice is there once, an aborted transaction is not seen.
"""

import collections
import socket
import struct
import threading
import time

import kafka_wire as wire
from kafka_groups import Groups
from kafka_wire import Reader, array, blob, number, text

OUT_OF_RANGE, UNKNOWN_TOPIC, NOT_LEADER, TOO_LARGE, UNSUPPORTED, SEQUENCE, FENCED = 1, 3, 6, 10, 35, 45, 47


class Drop(Exception):
    """The connection ends without an answer."""


class Transaction:
    def __init__(self, pid):
        self.pid, self.epoch = pid, -1
        self.partitions, self.offsets = set(), {}


class Partition:
    def __init__(self):
        self.batches, self.end = [], 0
        self.open = {}      # pid: first offset of its transaction
        self.aborted = []   # (pid, first offset, offset of the end)
        self.sequences = collections.defaultdict(dict)  # (pid, epoch): {sequence: offset}

    def append(self, batch):
        batch.offset = self.end
        self.end += batch.count
        self.batches.append(batch)
        return batch.offset

    def stable(self):
        return min(self.open.values(), default=self.end)

    def finish(self, pid, epoch, commits):
        first = self.open.pop(pid, None)
        offset = self.append(wire.control(pid, epoch, commits))
        if first is not None and not commits:
            self.aborted.append((pid, first, offset))

    def is_aborted(self, batch):
        return batch.attributes & wire.TRANSACTIONAL and any(
            pid == batch.pid and first <= batch.offset < end for pid, first, end in self.aborted)


class KafkaBroker(Groups):
    def __init__(self, topics=("leads",), partitions=3, message_max=1048588):
        self.topics = {name: [Partition() for _ in range(partitions)] for name in topics}
        self.message_max = dict.fromkeys(topics, message_max)
        self.cluster = "test"
        self.transactions, self.offsets, self.groups = {}, {}, {}
        self.requests = []
        self.errors = collections.defaultdict(list)  # (topic, partition): what the next requests to it are answered
        self.hook = self.answered = lambda key, request: None
        self._pids = 1000
        self._lock = threading.RLock()
        self._connections = []
        self._listener = None
        self.port = 0
        self.up()

    # --- connections ---------------------------------------------------------------------------------

    def up(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self):
        if self._listener is None:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._connections.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while True:
                head = stream.read(4)
                if len(head) < 4:
                    return
                answer = self._answer(Reader(stream.read(struct.unpack(">i", head)[0])))
                if answer is not None:
                    connection.sendall(blob(answer))
        except (OSError, Drop, AssertionError):
            pass
        finally:
            connection.close()

    def _answer(self, request):
        key, version, correlation = request.number("h"), request.number("h"), request.number("i")
        request.text()  # the client's name
        if key == wire.API_VERSIONS:
            return number("i", correlation) + self._api_versions(version)
        assert wire.VERSIONS[key][1] == version, (key, version)
        body = bytes(request.data[request.at:])
        self.requests.append(key)
        self.hook(key, Reader(body))
        answer = HANDLERS[key](self, request)
        self.answered(key, Reader(body))
        return None if answer is None else number("i", correlation) + answer

    @staticmethod
    def _api_versions(version):
        known = array([number("h", key) + number("h", low) + number("h", high)
                       for key, (low, high) in wire.VERSIONS.items()])
        if version > wire.VERSIONS[wire.API_VERSIONS][1]:
            return number("h", UNSUPPORTED) + known
        return number("h", 0) + known + (number("i", 0) if version > 0 else b"")

    # --- what a test asks ----------------------------------------------------------------------------

    def messages(self, topic="leads"):
        """(key, value, headers) of all that are committed, in order of partitions and offsets."""
        with self._lock:
            return [record for partition in self.topics[topic] for batch in partition.batches
                    if batch.offset < partition.stable() and not batch.is_control() and not partition.is_aborted(batch)
                    for record in batch.records()]

    def put(self, messages, topic="ids", partition=0):
        """Appends (key, value), or values alone."""
        pairs = [one if isinstance(one, tuple) else (None, one.encode() if isinstance(one, str) else one) for one in messages]
        with self._lock:
            for at in range(0, len(pairs), 100):
                self.topics[topic][partition].append(wire.plain(pairs[at:at + 100]))

    def add_partition(self, topic):
        with self._lock:
            self.topics[topic].append(Partition())

    def cut(self, n, topic="ids", partition=0):
        """What happens where a broker takes over that does not have the last messages: the first `n` batches are left."""
        with self._lock:
            one = self.topics[topic][partition]
            one.batches = one.batches[:n]
            one.end = sum(batch.count for batch in one.batches)

    def expire(self):
        """What happens to the transactions of processes that are gone, after transaction.timeout.ms."""
        with self._lock:
            for transaction in self.transactions.values():
                self._end(transaction, False)
                transaction.epoch += 1

    def committed(self, group, topic="ids"):
        with self._lock:
            return [self.offsets.get((group, topic, i), -1) for i in range(len(self.topics[topic]))]

    def uncommitted(self, topic="leads"):
        """How many messages are in the log, of open and aborted transactions."""
        with self._lock:
            return sum(batch.count for partition in self.topics[topic] for batch in partition.batches
                       if batch.offset >= partition.stable() or partition.is_aborted(batch))

    def is_open(self):
        with self._lock:
            return any(one.open for partitions in self.topics.values() for one in partitions)

    # --- requests ------------------------------------------------------------------------------------

    def _metadata(self, request):
        names = request.array(request.text)  # None: all
        with self._lock:
            shown = [self._topic(name) for name in (self.topics if names is None else names)]
        me = number("i", 1) + text("127.0.0.1") + number("i", self.port) + text(None)
        return number("i", 0) + array([me]) + text(self.cluster) + number("i", 1) + array(shown)

    def _topic(self, name):
        partitions = self.topics.get(name, [])
        error = 0 if name in self.topics else UNKNOWN_TOPIC
        parts = [number("h", 0) + number("i", i) + number("i", 1) + array([number("i", 1)]) + array([number("i", 1)])
                 for i in range(len(partitions))]
        return number("h", error) + text(name) + number("b", 0) + array(parts)

    def _find_coordinator(self, request):
        return number("i", 0) + number("h", 0) + text(None) + number("i", 1) + text("127.0.0.1") + number("i", self.port)

    def _init_producer_id(self, request):
        name = request.text()
        with self._lock:
            self._pids += 1
            if name is None:
                return number("i", 0) + number("h", 0) + number("q", self._pids) + number("h", 0)
            transaction = self.transactions.setdefault(name, Transaction(self._pids))
            self._end(transaction, False)
            transaction.epoch += 1
            return number("i", 0) + number("h", 0) + number("q", transaction.pid) + number("h", transaction.epoch)

    def _end(self, transaction, commits):
        for topic, i in transaction.partitions:
            self.topics[topic][i].finish(transaction.pid, transaction.epoch, commits)
        if commits:
            self.offsets.update(transaction.offsets)
        transaction.partitions, transaction.offsets = set(), {}

    def _known(self, request):
        """The transaction that a request is of, where it is not fenced."""
        name = request.text()
        return self._current(name, request)

    def _current(self, name, request):
        pid, epoch = request.number("q"), request.number("h")
        transaction = self.transactions.get(name)
        return transaction if transaction and (transaction.pid, transaction.epoch) == (pid, epoch) else None

    def _add_partitions(self, request):
        with self._lock:
            transaction = self._known(request)
            asked = request.array(lambda: (request.text(), request.array(lambda: request.number("i"))))
            if transaction:
                transaction.partitions |= {(topic, i) for topic, parts in asked for i in parts}
            error = 0 if transaction else FENCED
        return number("i", 0) + array([text(topic) + array([number("i", i) + number("h", error) for i in parts])
                                       for topic, parts in asked])

    def _add_offsets(self, request):
        with self._lock:
            return number("i", 0) + number("h", 0 if self._known(request) else FENCED)

    def _txn_offset_commit(self, request):
        name, group = request.text(), request.text()
        with self._lock:
            transaction = self._current(name, request)
            asked = request.array(lambda: (request.text(), request.array(
                lambda: (request.number("i"), request.number("q"), request.text()))))
            for topic, parts in asked if transaction else ():
                for i, offset, _ in parts:
                    transaction.offsets[group, topic, i] = offset
            error = 0 if transaction else FENCED
        return number("i", 0) + array([text(topic) + array([number("i", one[0]) + number("h", error) for one in parts])
                                       for topic, parts in asked])

    def _end_txn(self, request):
        with self._lock:
            transaction = self._known(request)
            if transaction:
                self._end(transaction, bool(request.number("b")))
            return number("i", 0) + number("h", 0 if transaction else FENCED)

    def _offset_fetch(self, request):
        group = request.text()
        asked = request.array(lambda: (request.text(), request.array(lambda: request.number("i"))))
        with self._lock:
            found = [text(topic) + array([number("i", i) + number("q", self.offsets.get((group, topic, i), -1)) +
                                          text("") + number("h", 0) for i in parts]) for topic, parts in asked]
        return number("i", 0) + array(found) + number("h", 0)

    def _produce(self, request):
        request.text()
        acks = request.number("h")
        request.number("i")
        answers = []
        with self._lock:
            for _ in range(request.number("i")):
                topic = request.text()
                parts = request.array(lambda: (request.number("i"), request.blob()))
                answers.append(text(topic) + array([self._produce_to(topic, i, data) for i, data in parts]))
        return array(answers) + number("i", 0) if acks else None

    def _produce_to(self, topic, i, data):
        offset, error = -1, self.errors[topic, i].pop(0) if self.errors[topic, i] else 0
        for batch in wire.batches(data):
            error = error or self._fault(topic, batch)
            if not error:
                offset, error = self._store(self.topics[topic][i], batch)
        return number("i", i) + number("h", error) + number("q", offset) + number("q", -1) + number("q", 0)

    def _fault(self, topic, batch):
        if topic not in self.topics:
            return UNKNOWN_TOPIC
        if len(batch.data) > self.message_max[topic]:
            return TOO_LARGE
        epochs = [one.epoch for one in self.transactions.values() if one.pid == batch.pid]
        return FENCED if epochs and epochs[0] != batch.epoch else 0

    @staticmethod
    def _store(partition, batch):
        seen = partition.sequences[batch.pid, batch.epoch]
        if batch.sequence in seen:
            return seen[batch.sequence], 0
        if batch.sequence != seen.get("next", batch.sequence):  # of a producer that is not known any is taken
            return -1, SEQUENCE
        offset = partition.append(batch)
        seen[batch.sequence], seen["next"] = offset, batch.sequence + batch.count
        if batch.attributes & wire.TRANSACTIONAL:
            partition.open.setdefault(batch.pid, offset)
        return offset, 0

    def _list_offsets(self, request):
        request.number("i")
        committed = request.number("b") == 1
        asked = request.array(lambda: (request.text(), request.array(lambda: (request.number("i"), request.number("q")))))
        with self._lock:
            found = [text(topic) + array([number("i", i) + number("h", 0) + number("q", -1) +
                                          number("q", 0 if when == -2 else self._end_of(self.topics[topic][i], committed))
                                          for i, when in parts]) for topic, parts in asked]
        return number("i", 0) + array(found)

    @staticmethod
    def _end_of(partition, committed):
        return partition.stable() if committed else partition.end

    def _fetch(self, request):
        request.number("i")
        wait_ms = request.number("i")
        request.take(8)  # how much
        committed = request.number("b") == 1
        request.take(8)  # a session
        asked = request.array(lambda: (request.text(), request.array(lambda: self._asked_of(request))))
        with self._lock:
            found = [text(topic) + array([self._fetch_from(self.topics[topic][i], i, at, committed) for i, at, _ in parts])
                     for topic, parts in asked]
            is_empty = all(self._is_read(self.topics[topic][i], at, committed) for topic, parts in asked for i, at, _ in parts)
        if is_empty:
            time.sleep(min(wait_ms, 50) / 1000)
        return number("i", 0) + number("h", 0) + number("i", 0) + array(found)

    @staticmethod
    def _asked_of(request):
        i = request.number("i")
        request.take(4)  # the leader's epoch
        return i, request.number("q"), request.take(12)

    @staticmethod
    def _is_read(partition, at, committed):
        return at >= KafkaBroker._end_of(partition, committed)

    @staticmethod
    def _fetch_from(partition, i, at, committed):
        if at > partition.end:
            return number("i", i) + number("h", OUT_OF_RANGE) + number("q", -1) * 3 + array([]) + blob(b"")
        end = partition.stable() if committed else partition.end
        data = b"".join(one.placed() for one in partition.batches if at < one.offset + one.count and one.offset < end)
        aborted = [number("q", pid) + number("q", first) for pid, first, last in partition.aborted if last >= at]
        return (number("i", i) + number("h", 0) + number("q", partition.end) + number("q", partition.stable()) +
                number("q", 0) + array(aborted) + blob(data))

    def _describe_configs(self, request):
        asked = request.array(lambda: (request.number("b"), request.text(), request.array(request.text)))
        found = []
        for kind, name, _ in asked:
            entry = text("max.message.bytes") + text(str(self.message_max.get(name, 0))) + bytes(3)
            found.append(number("h", 0) + text(None) + number("b", kind) + text(name) + array([entry]))
        return number("i", 0) + array(found)


HANDLERS = {
    wire.METADATA: KafkaBroker._metadata, wire.FIND_COORDINATOR: KafkaBroker._find_coordinator,
    wire.INIT_PRODUCER_ID: KafkaBroker._init_producer_id, wire.ADD_PARTITIONS: KafkaBroker._add_partitions,
    wire.ADD_OFFSETS: KafkaBroker._add_offsets, wire.TXN_OFFSET_COMMIT: KafkaBroker._txn_offset_commit,
    wire.END_TXN: KafkaBroker._end_txn, wire.OFFSET_FETCH: KafkaBroker._offset_fetch, wire.PRODUCE: KafkaBroker._produce,
    wire.LIST_OFFSETS: KafkaBroker._list_offsets, wire.FETCH: KafkaBroker._fetch,
    wire.DESCRIBE_CONFIGS: KafkaBroker._describe_configs, wire.OFFSET_COMMIT: KafkaBroker._offset_commit,
    wire.JOIN_GROUP: KafkaBroker._join_group, wire.SYNC_GROUP: KafkaBroker._sync_group,
    wire.HEARTBEAT: KafkaBroker._heartbeat, wire.LEAVE_GROUP: KafkaBroker._leave_group,
}
