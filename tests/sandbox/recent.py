"""A dict that forgets its oldest entries: between `limit` / 2 and `limit` stay."""


class Recent:
    """Two generations: when the young one is full, the old one goes as a whole.

    Taking single oldest entries out of a large dict is slow, and an
    OrderedDict needs twice the memory.
    """

    def __init__(self, limit):
        self._half = limit // 2
        self._young = {}
        self._old = {}

    def get(self, key, default=None):
        value = self._young.get(key)
        return self._old.get(key, default) if value is None else value

    def set(self, key, value):
        """`value` is not None."""
        if key not in self._young:
            self._old.pop(key, None)
            if len(self._young) >= self._half:
                self._old, self._young = self._young, {}
        self._young[key] = value

    def items(self):
        yield from self._old.items()
        yield from self._young.items()

    def __len__(self):
        return len(self._young) + len(self._old)
