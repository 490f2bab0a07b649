"""The column name that a JSON key gets."""

import re
from functools import lru_cache

BYTES_MAX = 512
WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
ASCII_UPPER = re.compile("[A-Z]")
NOT_IN_NAMES = re.compile("[\x00-\x2f\x3a-\x60\x7b-\x7f]+")  # ASCII other than a-z, 0-9


@lru_cache(maxsize=65536)
def snake_case(key):
    """externalPortalLink is external_portal_link. Only ASCII letters change their case.

    A name of more than BYTES_MAX bytes is cut there, and holds whole characters only.
    """
    name = WORD_BORDER.sub("_", key)
    name = ASCII_UPPER.sub(lambda match: match.group().lower(), name)
    name = NOT_IN_NAMES.sub("_", name).strip("_")
    if not name:
        return "field"
    name = "_" + name if name[0] in "0123456789" else name
    return name.encode("utf-8")[:BYTES_MAX].decode("utf-8", "ignore")
