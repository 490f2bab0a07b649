"""The few messages of Kafka's protocol that a producer and a simple consumer need, and its record batches.

Only versions without tagged fields, so that every message is a sequence of numbers, texts and arrays.
"""

import gzip
import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR, API_VERSIONS = 0, 1, 2, 3, 9, 10, 18
OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 8, 11, 12, 13, 14
INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT, DESCRIBE_CONFIGS = 22, 24, 25, 26, 28, 32

# The versions that are announced: the last one of each is what a client uses.
VERSIONS = {PRODUCE: (0, 7), FETCH: (0, 10), LIST_OFFSETS: (0, 2), METADATA: (0, 4), OFFSET_FETCH: (1, 3),
            FIND_COORDINATOR: (0, 1), API_VERSIONS: (0, 2), INIT_PRODUCER_ID: (0, 1), ADD_PARTITIONS: (0, 0),
            ADD_OFFSETS: (0, 0), END_TXN: (0, 0), TXN_OFFSET_COMMIT: (0, 0), DESCRIBE_CONFIGS: (0, 0),
            OFFSET_COMMIT: (0, 7), JOIN_GROUP: (0, 5), HEARTBEAT: (0, 3), LEAVE_GROUP: (0, 1), SYNC_GROUP: (0, 3)}

TRANSACTIONAL, CONTROL = 0x10, 0x20
BATCH = struct.Struct(">qiibIhiqqqhii")  # from the base offset to the number of records


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        piece = self.data[self.at:self.at + n]
        assert len(piece) == n, "a message is too short"
        self.at += n
        return piece

    def number(self, kind):
        return struct.unpack(">" + kind, self.take(struct.calcsize(">" + kind)))[0]

    def text(self):
        n = self.number("h")
        return None if n < 0 else self.take(n).decode()

    def blob(self):
        n = self.number("i")
        return b"" if n < 0 else self.take(n)

    def array(self, one):
        n = self.number("i")
        return None if n < 0 else [one() for _ in range(n)]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)


def number(kind, value):
    return struct.pack(">" + kind, value)


def text(value):
    return number("h", -1) if value is None else number("h", len(value.encode())) + value.encode()


def blob(value):
    return number("i", len(value)) + value


def array(pieces):
    return number("i", len(pieces)) + b"".join(pieces)


class Batch:
    """A batch of records as a producer sent it: its bytes go to consumers unchanged, but for the offset."""

    def __init__(self, data):
        fields = BATCH.unpack_from(data)
        self.data = data
        self.attributes, self.pid, self.epoch, self.sequence = fields[5], fields[9], fields[10], fields[11]
        self.count = fields[12]
        self.offset = None

    def placed(self):
        return number("q", self.offset) + self.data[8:]

    def is_control(self):
        return bool(self.attributes & CONTROL)

    def records(self):
        """(key, value, headers) of each; of the codecs only gzip."""
        body = self.data[BATCH.size:]
        assert self.attributes & 7 in (0, 1), "a codec that this reader does not know"
        reader = Reader(gzip.decompress(body) if self.attributes & 7 == 1 else body)
        return [self._record(reader) for _ in range(self.count)]

    @staticmethod
    def _record(reader):
        def piece():
            n = reader.varint()
            return None if n < 0 else reader.take(n)

        reader.varint()  # length
        reader.take(1)   # attributes
        reader.varint()  # timestamp
        reader.varint()  # offset
        key, value = piece(), piece()
        headers = [(piece().decode(), piece()) for _ in range(reader.varint())]
        return key, value, dict(headers)


def varint(value):
    value = (value << 1) ^ (value >> 63)
    pieces = b""
    while value > 127:
        pieces += bytes([value & 127 | 128])
        value >>= 7
    return pieces + bytes([value])


def plain(messages):
    """A batch of (key, value), as of a producer without idempotence; None: there is none.  Without a checksum, as
    control()."""
    def piece(data):
        return varint(-1) if data is None else varint(len(data)) + data

    body = b""
    for i, (key, value) in enumerate(messages):
        record = b"\x00" + varint(0) + varint(i) + piece(key) + piece(value) + varint(0)
        body += varint(len(record)) + record
    return Batch(BATCH.pack(0, BATCH.size - 12 + len(body), 0, 2, 0, 0, len(messages) - 1, 0, 0, -1, -1, -1, len(messages)) + body)


def batches(data):
    found = []
    while data:
        length = 12 + struct.unpack_from(">i", data, 8)[0]
        found.append(Batch(data[:length]))
        data = data[length:]
    return found


def control(pid, epoch, commits):
    """The batch that ends a transaction in a partition.  Its checksum is left out: consumers do not ask for it."""
    record = b"\x00\x00\x00" + b"\x08" + number("h", 0) + number("h", 1 if commits else 0) + b"\x0c" + bytes(6) + b"\x00"
    record = bytes([len(record) * 2]) + record
    head = BATCH.pack(0, BATCH.size - 12 + len(record), 0, 2, 0, TRANSACTIONAL | CONTROL, 0, 0, 0, pid, epoch, -1, 1)
    return Batch(head + record)
