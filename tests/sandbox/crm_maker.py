"""What the CRMs have in common for the sandbox; each is a subclass in crm_batches.py or crm_singles.py."""

import re

from crm_tokens import FIXED

EMAIL = re.compile(r"[^@\s<>()\[\],;:\"\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")


class Refusal(Exception):
    """The whole request is refused: its status, and the maker's code and message."""

    def __init__(self, status, code, message, headers=()):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, list(headers)


class Item:
    """One record that was sent, and what becomes of it."""

    def __init__(self, key, value, fields):
        self.key, self.value, self.fields = key, value, fields
        self.fate = "accepted"       # or "refused", "missing", "silent"
        self.code = self.message = None
        self.field = None            # which one is wrong
        self.status = None           # of the answer, where it was the only one
        self.created, self.number = False, None

    def refuse(self, code, message, field=None):
        self.fate, self.code, self.message, self.field = "refused", code, message, field


class Maker:
    """How one maker's API asks and answers."""

    name = None
    methods = ("POST",)
    max_items = 1
    max_bytes = 10 << 20
    bearer = "Bearer"
    refused_code = "VALIDATION_ERROR"    # of an item, where a fault names none
    refused_status = 400                 # of a request of one item

    says_nothing = False                 # of what was taken: a good status is all
    in_order = False                     # entries of an answer are told apart by their position

    def thing(self, path):
        """Which kind of record a path is about, such as "contacts"; None: it is not this maker's."""
        raise NotImplementedError

    def authorized(self, account, request):
        """Refusal, unless the request's credential is good."""
        sent = request.headers.get("authorization", "")
        scheme, _, text = sent.partition(" ")
        good = scheme == self.bearer and (text == FIXED[self.name] if self.name in FIXED
                                          else account.tokens.use(self.name, text))
        if not good:
            raise Refusal(401, *self.unauthorized)

    unauthorized = ("UNAUTHORIZED", "the credential is not accepted")

    def token_of(self, request):
        return request.headers.get("authorization", "").partition(" ")[2]

    def items(self, account, request, thing, body):
        """The items of a body that was parsed; Refusal where it is not as the API wants it."""
        raise NotImplementedError

    def partial(self, item):
        """Whether one item can fail without the others."""
        return True

    def clears(self, value):
        """Whether a field with this value is emptied."""
        return value is None

    def error(self, status, code, message, item=None):
        """The body of a refusal, as a value."""
        raise NotImplementedError

    def good(self, account, request, items):
        """(status, value or bytes, headers) of a good answer."""
        raise NotImplementedError

    def content_type(self, status):
        return "application/json"

    def limit_code(self, status):
        """The code and message of 429, 413 and 5xx."""
        return {429: ("RATE_LIMITS", "You have reached your limit."), 413: ("TOO_LARGE", "The body is too large."),
                410: ("GONE", "This is gone."), 401: self.unauthorized}.get(status, ("ERROR", "An error occurred."))


def want_object(value, what, code):
    if not isinstance(value, dict):
        raise Refusal(400, code, "%s must be an object" % what)
    return value


def only(members, known, what, code):
    for name in members:
        if name not in known:
            raise Refusal(400, code, "%s has an unknown member %r" % (what, name))


def check_texts(account, item, lengths, emails, code_type, code_long, code_email):
    """Texts are texts, not too long, and addresses are addresses: refuses the item."""
    for name, value in item.fields.items():
        if name not in lengths or value is None:
            continue
        if not isinstance(value, str):
            item.refuse(code_type, "%s must be a text" % name, name)
        elif account.lengths and len(value) > lengths[name]:
            item.refuse(code_long, "%s: data value too large (max length=%d)" % (name, lengths[name]), name)
        elif account.check_email and name in emails and value and not EMAIL.fullmatch(value):
            item.refuse(code_email, "%s: invalid email address: %s" % (name, value), name)
        if item.fate == "refused":
            return
