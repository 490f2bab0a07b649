"""Values in columns of types: the reference's own cases, and generated ones through the program's
functions (typed_values, which the build puts beside the program)."""

import json
import os
import pathlib
import random
import subprocess

import pytest

from .jsonval import Num, dumps_compact, parse_text
from .typed import MISFIT, TARGETS, TYPES, misfits, typed

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LEADPIPE_BIN") or ROOT / "build" / "release" / "leadpipe").resolve()
PROGRAM = BINARY.parent / "reference" / "typed_values"
ROUND = 20000


@pytest.mark.parametrize("value, kind, target, wanted", [
    ("no", "boolean", "doubles", MISFIT),
    ("true", "boolean", "doubles", True),
    (Num("1"), "boolean", "doubles", MISFIT),
    (Num("1e400"), "integer", "doubles", MISFIT),
    (Num("1.0"), "integer", "doubles", 1),
    (Num("-9223372036854775808"), "integer", "doubles", -2**63),
    (Num("9223372036854775808"), "integer", "doubles", MISFIT),
    (Num("0.1"), "number", "doubles", 0.1),
    (Num("9007199254740993"), "number", "doubles", MISFIT),
    (Num("1e400"), "number", "decimals", "1e400"),
    (Num("1e131072"), "number", "postgres", MISFIT),
    ("007", "integer", "doubles", MISFIT),
    (" 7", "integer", "doubles", MISFIT),
    ("2026-01-30T02:00:00.000Z", "timestamp", "doubles", 1769738400000000),
    ("2026-01-30T03:30:00.5+01:30", "timestamp", "doubles", 1769738400500000),
    ("2016-12-31T23:59:60Z", "timestamp", "decimals", MISFIT),
    ("0000-01-01T00:00:00Z", "timestamp", "decimals", -62167219200000000),
    ("0000-01-01T00:00:00Z", "timestamp", "doubles", MISFIT),
    (Num("1769738400.123456"), "timestamp-s", "doubles", 1769738400123456),
    (Num("1769738400.1234567"), "timestamp-s", "doubles", MISFIT),
    ("1769738400000", "timestamp-ms", "doubles", 1769738400000000),
    ([Num("1.50")], "json", "doubles", "[1.50]"),
    ({"a": [Num("1e131072")]}, "json", "postgres", MISFIT),
])
def test_decided(value, kind, target, wanted):
    found = typed(value, kind, TARGETS[target])
    assert found is wanted or (found == wanted and type(found) is type(wanted))


def test_misfits():
    assert misfits({}, TARGETS["doubles"]) is None
    assert misfits({"size": Num("1e400"), "is_test": "no"}, TARGETS["doubles"]) == '{"size":1e400,"is_test":"no"}'
    assert misfits({"size": Num("1e400000")}, TARGETS["postgres"]) == '{"size":"1e400000"}'


# --- generated values

class Chance(random.Random):
    def digits(self, most):
        return "".join(self.choice("0000123456789995") for _ in range(self.randint(1, self.choice((1, 3, most)))))

    def near(self):
        """Numbers at the edges of what holds them."""
        edge = self.choice((0, 2**53, 2**63, 2**64, 10**15, 10**17, 10**18, 10**19, 62135596800, 253402300800,
                            62135596800000, 253402300800000, 210866803200, 9223372036854, 9223372036854775))
        text = str(self.choice((1, -1)) * (edge + self.randint(-2, 2)))
        return text + self.choice(("", "", ".0", ".5", ".999999", ".775807", ".775808", "e0", ".000001", ".0000001"))

    def double(self):
        bits = self.choice((self.getrandbits(64), self.getrandbits(52), self.getrandbits(8) << 52))
        import struct
        found = struct.unpack("<d", struct.pack("<Q", bits))[0]
        text = repr(found if found == found and abs(found) != float("inf") else 1.5)
        changes = ("", "", "0", "1", "5")
        return text if "e" in text else text + self.choice(changes)

    def number(self):
        kind = self.random()
        if kind < 0.3:
            return self.near()
        if kind < 0.5:
            return self.double()
        text = self.choice(("", "-")) + (self.digits(25).lstrip("0") or "0")
        if self.random() < 0.5:
            text += "." + self.digits(25)
        if self.random() < 0.4:
            power = self.choice((3, 20, 330, 16390, 131080, 2 * 10**9, 10**22))
            text += self.choice("eE") + self.choice(("", "+", "-")) + self.choice(("", "0")) + str(self.randint(0, power))
        return text

    def time(self):
        year = self.choice((0, 1, 2, 1899, 1900, 1970, 1999, 2000, 2016, 2024, 2026, 2100, 9998, 9999, self.randint(0, 9999)))
        parts = [year, self.choice((1, 2, 2, 12, self.randint(0, 13))), self.choice((1, 28, 29, 30, 31, self.randint(0, 32)))]
        clock = [self.choice((0, 23, self.randint(0, 24))), self.choice((0, 59, self.randint(0, 60))), self.choice((0, 59, 60, 61))]
        text = "%04d-%02d-%02d" % tuple(parts) + self.choice("TTTTTt _") + "%02d:%02d:%02d" % tuple(clock)
        if self.random() < 0.5:
            text += self.choice((".", ".", ".", ",")) + self.choice((self.digits(9), "123456", "123456000", "1234567", ""))
        return text + self.choice(("Z", "Z", "Z", "z", "", "+00:00", "-00:00", "+23:59", "-23:59", "+24:00", "-01:60", "+5:00",
                                   "%s%02d:%02d" % (self.choice("+-"), self.randint(0, 23), self.randint(0, 59))))

    def bent(self, text):
        """One character more, less or another."""
        if self.random() < 0.7:
            return text
        at = self.randint(0, len(text))
        more = self.choice(" +-.:,TZe0195\n\t\u00a0\u0661x\ufffd")
        return self.choice((text[:at] + more + text[at:], text[:at] + text[at + 1:], text[:at] + more + text[at + 1:]))

    def value(self, depth=0):
        kind = self.random()
        if kind < 0.35:
            return Num(self.number())
        if kind < 0.5:
            return self.bent(self.number())
        if kind < 0.8:
            return self.bent(self.time())
        if kind < 0.9 or depth > 2:
            return self.choice((None, True, False, "true", "false", "True", "null", "no", "", " ", "\"\\\u0001\u00e9\U0001f600"))
        if kind < 0.95:
            return [self.value(depth + 1) for _ in range(self.randint(0, 3))]
        return {self.choice(("a", "b", "\u00e9\"", "")): self.value(depth + 1) for _ in range(self.randint(0, 3))}


def line_of(value, kind, target):
    """As tests/unit/typed_text.h writes it."""
    found = typed(value, kind, TARGETS[target])
    if found is None:
        return "null"
    if found is MISFIT:
        return "misfit " + misfits({"c": value}, TARGETS[target])
    if kind == "number" and target == "doubles":
        return "double %s" % found.hex() if found else "double %s0x0p+0" % ("-" if str(found)[0] == "-" else "")
    words = {"number": "decimal", "timestamp": "time", "timestamp-s": "time", "timestamp-ms": "time"}
    text = {True: "true", False: "false"}[found] if kind == "boolean" else str(found)
    return "%s %s" % (words.get(kind, kind), text)


def same_line(one, other):
    """C and Python write the hexadecimal digits of a double each in their own way."""
    if one.startswith("double ") and other.startswith("double "):
        return one.startswith("double -") == other.startswith("double -") and float.fromhex(one[7:]) == float.fromhex(other[7:])
    return one == other


def run(lines):
    done = subprocess.run([PROGRAM], input="".join(lines).encode("utf-8"), capture_output=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.decode("utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("seed", [1, 2])
def test_generated(seed):
    chance = Chance(seed)
    cases = []
    for _ in range(ROUND):
        value = parse_text(dumps_compact(chance.value()))
        cases.append((value, chance.choice(TYPES), chance.choice(sorted(TARGETS))))
    found = run("%s %s %s\n" % (target, kind, dumps_compact(value)) for value, kind, target in cases)
    assert len(found) == len(cases)
    kinds = set()
    for (value, kind, target), line in zip(cases, found):
        wanted = line_of(value, kind, target)
        assert same_line(line, wanted), (dumps_compact(value), kind, target)
        kinds.add((kind, target, line.split(" ")[0]))
    # every outcome of every type was among them
    outcomes = {"text": 2, "integer": 3, "number": 3, "boolean": 3, "timestamp": 3, "timestamp-s": 3, "timestamp-ms": 3, "json": 2}
    least = {(kind, target): n for kind, n in outcomes.items() for target in TARGETS}
    least["json", "postgres"] = 3
    for (kind, target), n in least.items():
        assert len([one for one in kinds if one[:2] == (kind, target)]) >= n, (kind, target, kinds)


def test_long_numbers():
    """At the limits of PostgreSQL's numeric, one digit on each side."""
    texts = [sign + text for sign in ("", "-") for text in (
        "9" * 131072, "9" * 131073, "0." + "0" * 16382 + "1", "0." + "0" * 16383 + "1", "1." + "0" * 16384,
        "1." + "0" * 20000 + "e10000", "1e131071", "1e131072", "0.1e131072", "0.01e131073", "10e-16384", "1e-16383", "1e-16384",
        "0e400000", "0e-16383", "0e-16384", "0e1000000000", "0e1000000001", "9" * 300 + "e-300", "1" + "0" * 400)]
    cases = [(Num(text), kind, target) for text in texts for kind in TYPES for target in sorted(TARGETS)]
    found = run("%s %s %s\n" % (target, kind, value.text) for value, kind, target in cases)
    for (value, kind, target), line in zip(cases, found):
        assert same_line(line, line_of(value, kind, target)), (value.text[:50], len(value.text), kind, target)
