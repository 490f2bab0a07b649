"""JSON as leadpipe sees it: number texts kept exactly, broken text mended, depth limited."""

import json
import re
from json.encoder import encode_basestring

DEPTH_MAX = 200

BROKEN_CHARACTER = re.compile("[\x00\ud800-\udfff]")
BRACKET_OR_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
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


def mend(value):
    """The same value with U+0000 and lone surrogates replaced by U+FFFD, in keys too."""
    if isinstance(value, str):
        return BROKEN_CHARACTER.sub("\ufffd", value)
    if isinstance(value, list):
        return [mend(element) for element in value]
    if isinstance(value, dict):
        mended = {}
        for key, member in value.items():
            mended[mend(key)] = mend(member)
        return mended
    return value


def decode(payload):
    """Payload bytes as text: without its byte order mark, invalid UTF-8 replaced."""
    text = payload.decode("utf-8", errors="replace")
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
    """The value of payload bytes. Raises NotJson or TooDeep, whichever comes first in the text."""
    text = decode(payload)
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
    return mend(value) if "\\u" in text else value


def parse_text(text):
    """The value of text, nothing mended and no depth limit. Raises NotJson."""
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
    """The value of text that a careful writer wrote: nothing to mend, no duplicate members."""
    try:
        value = _unique.decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from None
    if "\\u" in text and mend(value) != value:
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
