"""The leads that are fetched: bodies as files, and lists of IDs.

A thousand different bodies stand for any number of leads.  The ID
`plain-0012345` is the file plain/0012/345: the body plain/0000/345 with that
ID in place of its own, as leadpipe asks again for a lead that has another's
ID.  Beyond OWN_LEADS the files are those of plain/0000 as they are: such
requests are a few hundred then, whatever the number of leads.

    python3 corpus.py DIR     writes varied bodies to DIR/plain/0000 and IDs to DIR/ids
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sandbox"))

import leads  # noqa: E402

BODIES = 1000
VARIED = "plain"      # 9.4 KB on average, 7.7 to 13; as different as leads are
UNIFORM = "size9k"    # 9.6 KB each, all but the same text: gzip has an easy time
LARGE = "size400k"
PLAIN_BYTES_MIN = 7700
OWN_LEADS = 100000    # 1 GB


class Corpus:
    """Bodies of one kind, in the folder ROOT/KIND; the different ones are in `folder`."""

    def __init__(self, root, kind, bodies=BODIES):
        self.kind, self.bodies = kind, bodies
        self._root = os.path.join(root, kind)
        self._bodies = [body for _, body in zip(range(bodies), _bodies(kind))]
        self._groups = 0
        self._add_group()
        self.folder = os.path.join(self._root, "0000")
        self.mean_bytes = sum(len(body) for _, body in self._bodies) / bodies

    def _add_group(self):
        folder = os.path.join(self._root, "%04d" % self._groups)
        if self._groups * self.bodies >= OWN_LEADS:
            os.symlink("0000", folder)
        else:
            os.makedirs(folder)
            for number in range(self.bodies):
                self._write(self._groups, number)
        self._groups += 1

    def _write(self, group, number):
        own, body = self._bodies[number]
        with open(os.path.join(self._root, "%04d" % group, "%03d" % number), "wb") as file:
            file.write(body.replace(own, self._id(group, number).encode()))

    def revise(self, count, revision, loses=True):
        """The first `count` bodies of every thousand are others from now on: some of the lead's own values, and, if `loses`, in
        every second one also its lists, each of which lacks its last element. nginx keeps files open: it has to be another one."""
        for number in range(count):
            own = self._bodies[number][0]
            body = leads.payload("omni", own.decode(), revision=revision)
            keeps = not loses or (number + revision) % 2     # in the next revision it is the other ones
            self._bodies[number] = own, body if keeps else json.dumps(_shorter(json.loads(body))).encode()
            for group in range(min(self._groups, OWN_LEADS // self.bodies)):
                self._write(group, number)

    def _id(self, group, number):
        return "%s-%04d%03d" % (self.kind, group, number)

    def write_ids(self, path, count, first=None):
        """`count` IDs, one a line; the first one may be another. Their bodies are there then."""
        while self._groups * self.bodies < count:
            self._add_group()
        numbers = range(1 if first else 0, count)
        with open(path, "w", encoding="ascii") as file:
            if first:
                file.write(first + "\n")
            file.writelines(self._id(*divmod(n, self.bodies)) + "\n" for n in numbers)
        return path


def _shorter(value):
    """The same without the last element of each list of objects that has several."""
    if isinstance(value, dict):
        return {name: _shorter(member) for name, member in value.items()}
    if not isinstance(value, list):
        return value
    several = len(value) > 1 and isinstance(value[0], dict)
    return [_shorter(element) for element in (value[:-1] if several else value)]


def _bodies(kind):
    number = 0
    while True:
        lead_id = "%s-%07d" % (kind, number)
        body = leads.payload("omni", lead_id)
        number += 1
        if kind != VARIED or len(body) >= PLAIN_BYTES_MIN:
            yield lead_id.encode(), body


if __name__ == "__main__":
    corpus = Corpus(sys.argv[1], VARIED)
    corpus.write_ids(os.path.join(sys.argv[1], "ids"), 20000)
