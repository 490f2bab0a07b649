"""JSON as leadpipe sees it: number texts kept exactly, depth limited, broken text replaced.

parse() keeps what is broken, so that names which differ only there stay two: a lone surrogate or
U+0000 as itself, and bytes that are not UTF-8 as pairs of surrogates, which no escape leaves (a JSON
reader makes one character of such a pair). scrub() makes of it what can be written.
"""

import codecs
import json
import re
from json.encoder import encode_basestring

DEPTH_MAX = 200

BROKEN_BYTES = "\ud800[\udc80-\udcff](?:\ud801[\udc80-\udcff])*"
BROKEN_CHARACTER = re.compile(BROKEN_BYTES + "|[\x00\ud800-\udfff]")
BRACKET_OR_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
NAME_OR_BRACE = re.compile(r'(?P<name>"[^"\\]*(?:\\.[^"\\]*)*"(?=:))|"[^"\\]*(?:\\.[^"\\]*)*"|[{}]', re.DOTALL)
BLANKS_OR_STRING = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)


class NotJson(ValueError):
    """The bytes are not one JSON text."""


class TooDeep(ValueError):
    """The JSON text nests deeper than DEPTH_MAX."""


class Num:
    """A number as its text; two numbers are equal when their texts are."""

    __slots__ = ("text",)

    def __init__(self, text):
        self.text = str(text)

    def __eq__(self, other):
        return isinstance(other, Num) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return self.text


def _refuse_constant(text):
    raise NotJson("%s is no JSON number" % text)


_plain = json.JSONDecoder(parse_float=Num, parse_int=Num, parse_constant=_refuse_constant)


def _unique_members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("an object has two members of one name")
    return members


_unique = json.JSONDecoder(parse_float=Num, parse_int=Num, parse_constant=_refuse_constant,
                           object_pairs_hook=_unique_members)


def scrub(value):
    """The same value with U+FFFD for what is broken, in names too: of members whose names are the
    same then, each later one gets the lowest free _n from 2, but none that was not broken."""
    if isinstance(value, str):
        return BROKEN_CHARACTER.sub("\ufffd", value)
    if isinstance(value, list):
        return [scrub(element) for element in value]
    if isinstance(value, dict):
        names = _replaced_names(value)
        return {names[key]: scrub(member) for key, member in value.items()}
    return value


def _replaced_names(members):
    names = {key: scrub(key) for key in members}
    there = set(names.values())  # no name gets a number that makes it another's
    used = {key for key in members if names[key] == key}
    for key, name in names.items():
        if name == key:
            continue
        number = 2
        while names[key] in used:
            numbered = "%s_%d" % (name, number)
            if numbered not in there:
                names[key] = numbered
            number += 1
        used.add(names[key])
    return names


def _pairs_for_bytes(error):
    run = error.object[error.start:error.end]
    text = "".join("%s%s" % ("\ud801" if place else "\ud800", chr(0xDC00 + byte))
                   for place, byte in enumerate(run))
    return text, error.end


codecs.register_error("pairs", _pairs_for_bytes)


def decode(payload, errors="replace"):
    """Payload bytes as text: without its byte order mark, invalid UTF-8 replaced."""
    text = payload.decode("utf-8", errors=errors)
    return text[1:] if text.startswith("\ufeff") else text


def first_too_deep(text):
    """Where the text goes deeper than DEPTH_MAX, or None. The outermost bracket is depth 1."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return None
    depth = 0
    for match in BRACKET_OR_STRING.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return match.start()
        elif token in "]}":
            depth -= 1
    return None


def parse(payload):
    """The value of payload bytes, nothing replaced. Raises NotJson or TooDeep, whichever comes first
    in the text."""
    text = decode(payload, "pairs")
    too_deep = first_too_deep(text)
    try:
        value = _plain.decode(text)
    except json.JSONDecodeError as error:
        if too_deep is None or error.pos < too_deep:
            raise NotJson(str(error)) from None
    except RecursionError:
        pass
    if too_deep is not None:
        raise TooDeep("nested deeper than %d" % DEPTH_MAX)
    return value


def parse_text(text):
    """The value of text, nothing replaced and no depth limit. Raises NotJson."""
    try:
        return _plain.decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from None


def split_array(text):
    """The texts of the elements of a minified JSON array."""
    place, texts = 1, []
    while text[place] != "]":
        end = _plain.raw_decode(text, place)[1]
        texts.append(text[place:end])
        place = end + 1 if text[end] == "," else end
    return texts


def parse_strict(text):
    """The value of text that a careful writer wrote: nothing to scrub, no duplicate members."""
    try:
        value = _unique.decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from None
    if BROKEN_CHARACTER.search(text) or ("\\u" in text and scrub(value) != value):
        raise NotJson("a string holds U+0000 or a lone surrogate")
    return value


def dumps_compact(value):
    """Compact JSON text, characters beyond ASCII and number texts unchanged."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Num):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps_compact, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(encode_basestring(key) + ":" + dumps_compact(member)
                              for key, member in value.items()) + "}"
    raise TypeError("no JSON value: %r" % (value,))


def minify(text):
    """JSON text without the blanks between its tokens, all else unchanged."""
    return BLANKS_OR_STRING.sub(lambda match: match.group(1) or "", text)


def raw_text(payload):
    """What layout raw holds: the text without blanks between tokens, U+FFFD for bytes that are not
    UTF-8, and behind names with such bytes the _n that scrub() gives them. Escapes are left as they are."""
    text = minify(decode(payload, "pairs"))
    numbers, objects = [], []
    for match in NAME_OR_BRACE.finditer(text):
        token = match.group()
        if token == "{":
            objects.append([])
        elif token == "}":
            numbers += _raw_numbers(objects.pop())
        elif match.group("name"):
            objects[-1].append((_plain.decode(token), token, match.end() - 1))
    for place, number in sorted(numbers, reverse=True):
        text = text[:place] + number + text[place:]
    return re.sub(BROKEN_BYTES, "\ufffd", text)


def _raw_numbers(members):
    names = _replaced_names(dict.fromkeys(key for key, _, _ in members))
    for key, token, place in members:
        if re.search(BROKEN_BYTES, token):
            yield place, names[key][len(scrub(key)):]
