"""OAuth2 at the CRMs: token endpoints, and tokens that expire by seconds or by number of requests.

The clock can be set forward, so that no test waits.
"""

import secrets
import time
from urllib.parse import parse_qsl

CLIENTS = {  # maker: client id, secret, refresh token
    "salesforce": ("sf-client-id-5f21", "sf-client-secret-77aa", None),
    "zoho": ("zoho-client-id-90b3", "zoho-client-secret-c4d5", "zoho-refresh-token-e6f7"),
    "dynamics": ("dyn-client-id-1a2b", "dyn-client-secret-3c4d", None),
}
FIXED = {  # what the others are sent as a credential
    "hubspot": "hubspot-token-8e21", "pipedrive": "pipedrive-token-4b7c", "close": "close-api-key-2d9f",
    "slack": "T0SANDBOX/B0SANDBOX/slack-secret-6a3e",
}
SCOPES = {"dynamics": ".default"}


class Token:
    def __init__(self, maker, text, expires_at, uses):
        self.maker, self.text, self.expires_at, self.uses = maker, text, expires_at, uses
        self.used = 0
        self.revoked = False


class Tokens:
    """The access tokens of one account."""

    def __init__(self):
        self.forward_s = 0.0
        self._all = {}
        self.asked = 0        # requests for a token
        self.issued = 0       # those that were given one: renewals, and the first
        self.in_progress = 0
        self.max_in_progress = 0

    def now(self):
        return time.time() + self.forward_s

    def issue(self, maker, seconds, uses):
        self.issued += 1
        text = "tok-%s-%d-%s" % (maker, self.issued, secrets.token_hex(12))
        self._all[text] = Token(maker, text, None if seconds is None else self.now() + seconds, uses)
        return text

    def use(self, maker, text):
        """Whether a token is good for one more request; counts it."""
        token = self._all.get(text)
        if token is None or token.maker != maker or token.revoked:
            return False
        if (token.expires_at is not None and self.now() >= token.expires_at) or \
                (token.uses is not None and token.used >= token.uses):
            return False
        token.used += 1
        return True

    def revoke(self, text=None):
        """One token, or all."""
        for token in self._all.values():
            if text is None or token.text == text:
                token.revoked = True

    def as_json(self):
        return [{"token": one.text, "maker": one.maker, "used": one.used, "revoked": one.revoked,
                 "expired": one.expires_at is not None and self.now() >= one.expires_at} for one in self._all.values()]


class Refused(Exception):
    """A request for a token that is wrong: status, and the code of RFC 6749 or the maker's own."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def check(maker, request):
    """Whether a request for a token is right; Refused."""
    if request.method != "POST":
        raise Refused(405, "invalid_request", "a token is asked for with POST")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refused(400, "invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise Refused(400, "invalid_request", "the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused(400, "invalid_request", "a parameter is there twice")
    client, secret, refresh = CLIENTS[maker]
    grant = "refresh_token" if refresh else "client_credentials"
    if form.get("grant_type") != grant:
        raise Refused(400, "unsupported_grant_type", "grant type not supported")
    if form.get("client_id") != client:
        raise Refused(400, "invalid_client", "invalid client identifier")
    if form.get("client_secret") != secret:
        raise Refused(400 if maker == "salesforce" else 401, "invalid_client", "invalid client credentials")
    if refresh and form.get("refresh_token") != refresh:
        raise Refused(400, "invalid_code", "invalid refresh token")
    if maker in SCOPES and not form.get("scope", "").endswith(SCOPES[maker]):
        raise Refused(400, "invalid_scope", "the scope must be that of an environment, ending in /.default")


def granted(maker, token, base, seconds):
    """The body of a good answer; `base` is the URL that the API is under, `seconds` what is said of its life."""
    if maker == "salesforce":  # says nothing of how long a token is good for
        return {"access_token": token, "signature": "c2lnbmVk", "scope": "api", "instance_url": base,
                "id": base + "/id/00D000000000000EAA/005000000000000AAA", "token_type": "Bearer",
                "issued_at": str(int(time.time() * 1000))}
    if maker == "zoho":
        return {"access_token": token, "scope": "ZohoCRM.modules.ALL", "api_domain": base, "token_type": "Bearer",
                "expires_in": seconds}
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
