"""What a value becomes in a column of a type, from docs/types.md alone.

typed() gives the value of that type, or MISFIT where there is none that is the same.
"""

import datetime
import decimal
import re

from .jsonval import Num, dumps_compact

TYPES = ("text", "integer", "number", "boolean", "timestamp", "timestamp-s", "timestamp-ms", "json")
MISFIT = object()

NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
                  r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
YEARS_400 = 146097  # days
EXPONENT_MAX = 10**9


class Target:
    """What a target can hold: doubles or decimals (of so many digits, None: any), and a span of time."""

    def __init__(self, decimals=False, digits=None, json_numbers=False, first_us=-2**63, last_us=2**63 - 1):
        self.decimals, self.digits, self.json_numbers = decimals, digits, json_numbers
        self.first_us, self.last_us = first_us, last_us


# As tests/unit/typed_text.h has them.
TARGETS = {
    "doubles": Target(first_us=-62135596800 * 10**6, last_us=253402300800 * 10**6 - 1),
    "decimals": Target(decimals=True),
    "postgres": Target(decimals=True, digits=(131072, 16383), json_numbers=True, first_us=-210866803200 * 10**6),
}


def _digits(value):
    """The text of a number, also of one that is written as a text; else None."""
    if isinstance(value, Num):
        return value.text
    return value if isinstance(value, str) and NUMBER.fullmatch(value) else None


def _scaled(text, scale):
    """The number times 10**scale as a whole number of 64 bits, or MISFIT."""
    sign, whole, fraction, exponent = NUMBER.fullmatch(text).groups("")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    power = int(exponent or "0") - len(fraction) + scale
    kept = digits.rstrip("0")
    power += len(digits) - len(kept)
    if power < 0 or len(kept) + power > 19:
        return MISFIT
    found = int(sign + kept) * 10**power
    return found if -2**63 <= found < 2**63 else MISFIT


def _double(text):
    if not re.search("[1-9]", re.split("[eE]", text)[0]):
        return -0.0 if text.startswith("-") else 0.0
    found = float(text)
    if found in (0.0, float("inf"), float("-inf")):
        return MISFIT
    with decimal.localcontext() as context:  # floats are read right however long the text; decimals need room
        context.prec = decimal.MAX_PREC
        return found if decimal.Decimal(repr(found)) == decimal.Decimal(text) else MISFIT


def _fits_decimal(text, digits):
    if digits is None:
        return True
    _, whole, fraction, exponent = NUMBER.fullmatch(text).groups("")
    power = int(exponent or "0")
    if abs(power) > EXPONENT_MAX or max(0, len(fraction) - power) > digits[1]:
        return False
    significant = (whole + fraction).lstrip("0")
    return not significant or len(significant) - len(fraction) + power <= digits[0]


def _time(text):
    """Microseconds since 1970, or MISFIT."""
    found = TIME.fullmatch(text) if isinstance(text, str) else None
    if not found or any(ord(character) > 127 for character in text):
        return MISFIT
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    fraction = (fraction or "").rstrip("0")
    if len(fraction) > 6 or (sign and (int(hours) > 23 or int(minutes) > 59)):
        return MISFIT
    earlier = 0 if year else YEARS_400  # the year 0, which datetime has not, is like the year 400
    try:
        when = datetime.datetime(year or 400, month, day, hour, minute, second) - EPOCH
    except ValueError:
        return MISFIT
    offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1) if sign else 0
    return when // MICROSECOND + int(fraction.ljust(6, "0")) - (offset * 60 + earlier * 86400) * 10**6


def _numbers(value):
    if isinstance(value, Num):
        yield value.text
    elif isinstance(value, (list, dict)):
        for element in value.values() if isinstance(value, dict) else value:
            yield from _numbers(element)


def _fits_json(value, target):
    return not target.json_numbers or all(_fits_decimal(text, target.digits) for text in _numbers(value))


def typed(value, kind, target):
    """The value (of jsonval) as a str, int, float, bool or None; microseconds of a time; text of json."""
    if value is None:
        return None
    if kind == "text":
        return value if isinstance(value, str) else dumps_compact(value)
    if kind == "json":
        return dumps_compact(value) if _fits_json(value, target) else MISFIT
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(value, MISFIT) \
            if isinstance(value, str) else MISFIT
    if kind == "timestamp":
        found = _time(value)
    else:
        digits = _digits(value)
        if digits is None:
            return MISFIT
        if kind == "number":
            if target.decimals:
                return digits if _fits_decimal(digits, target.digits) else MISFIT
            return _double(digits)
        found = _scaled(digits, {"integer": 0, "timestamp-s": 6, "timestamp-ms": 3}[kind])
        if kind == "integer":
            return found
    return found if found is MISFIT or target.first_us <= found <= target.last_us else MISFIT


def misfits(columns, target):
    """The text of _misfits for {column: value}; None where there is none."""
    members = {name: value if _fits_json(value, target) else dumps_compact(value) for name, value in columns.items()}
    return dumps_compact(members) if members else None
