"""The leads that are fetched: bodies as files, and lists of IDs.

A thousand different bodies stand for any number of leads: the server takes the
last three digits of an ID for the name of the file, in a folder that is called
as the ID begins.  So a lead's own `id` is seldom the one that was asked for;
leadpipe counts such leads, which costs nothing worth measuring.

    python3 corpus.py DIR     writes varied bodies to DIR/plain and IDs to DIR/ids
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sandbox"))

import leads  # noqa: E402

BODIES = 1000
VARIED = "plain"      # 9.4 KB on average, 7.7 to 13; as different as leads are
UNIFORM = "size9k"    # 9.6 KB each, all but the same text: gzip has an easy time
LARGE = "size400k"
PLAIN_BYTES_MIN = 7700


class Corpus:
    """Bodies of one kind, in the folder ROOT/KIND."""

    def __init__(self, root, kind, bodies=BODIES):
        self.kind, self.bodies = kind, bodies
        self.folder = os.path.join(root, kind)
        self.mean_bytes = self._write_bodies()

    def _write_bodies(self):
        os.makedirs(self.folder)
        total = 0
        for number, body in zip(range(self.bodies), _bodies(self.kind)):
            total += len(body)
            with open(os.path.join(self.folder, "%03d" % number), "wb") as file:
                file.write(body)
        return total / self.bodies

    def write_ids(self, path, count, first=None):
        """`count` IDs, one a line; the first one may be another."""
        numbers = range(1 if first else 0, count)
        with open(path, "w", encoding="ascii") as file:
            if first:
                file.write(first + "\n")
            # the last three digits must be those of a body
            file.writelines("%s-%07d\n" % (self.kind, n // self.bodies * 1000 + n % self.bodies)
                            for n in numbers)
        return path


def _bodies(kind):
    number = 0
    while True:
        body = leads.payload("omni", "%s-%07d" % (kind, number))
        number += 1
        if kind != VARIED or len(body) >= PLAIN_BYTES_MIN:
            yield body


if __name__ == "__main__":
    corpus = Corpus(sys.argv[1], VARIED)
    corpus.write_ids(os.path.join(sys.argv[1], "ids"), 20000)
