"""Credentials of object storage that end during a run, and others in the credentials file that take their place."""

import threading

import pytest

from test_object_storage import BIG, error_of, exports, s3  # noqa: F401

KEYS = [("AKIAFIRST", "first-secret-first-secret", "first-token-" + "f" * 900),
        ("AKIASECOND", "second-secret-second/secret+=", "second-token-" + "s" * 900),
        ("AKIATHIRD", "third-secret-third-secret", "third-token-" + "t" * 900)]
OPERATIONS = ["CreateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload", "ListMultipartUploads"]


class Account:
    """Temporary credentials, of which the server accepts the latest, and the file in which they are."""

    def __init__(self, exports):
        self.exports, self.s3 = exports, exports.s3
        self.path = exports.folder / "credentials"
        self.number = -1
        self.next()
        self.write()
        self.env = dict(exports.sandbox.env, AWS_SHARED_CREDENTIALS_FILE=self.path, AWS_PROFILE="night")

    def next(self):
        """What was accepted so far is no longer."""
        if self.number >= 0:
            self.s3.expired.add(KEYS[self.number][2])
        self.number += 1
        self.s3.access_key, self.s3.secret_key, self.s3.token = KEYS[self.number]

    def write(self, access_key=None, secret_key=None, token=None):
        new = self.path.with_name("credentials.new")
        new.write_text("[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=none-none\n[night]\n"
                       "aws_access_key_id=%s\naws_secret_access_key = %s\naws_session_token=%s\n"
                       % (access_key or self.s3.access_key, secret_key or self.s3.secret_key, token or self.s3.token))
        new.replace(self.path)  # another upload may be reading it

    def run(self, *words, ids=("plain-1", "plain-2"), status=0, **popen):
        done = self.exports(*words, ids=ids, status=status, env=self.env, timeout=60, **popen)
        for _, secret, token in KEYS:
            assert secret not in done.stderr and token not in done.stderr
        return done

    def at(self, operation, what, times=1, key=""):
        """Does `what` before the server carries out that operation, the first `times` times."""
        left = [times]

        def before(asked, about):
            if asked == operation and key in about and left[0]:
                left[0] -= 1
                what()
        self.s3.before = before

    def renew(self):
        """As renewals do it: the new ones are in the file before the old ones end."""
        self.write(*KEYS[self.number + 1])
        self.next()

    def codes(self):
        return [request.code for request in self.s3.requests if request.code]


@pytest.fixture
def account(exports):
    return Account(exports)


def local(exports, ids):
    exports("-t", "ndjson:local", ids=ids, env=exports.sandbox.env, timeout=60)
    return (exports.folder / "local").read_bytes()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_expired_in_the_middle(exports, account, s3, operation):
    """The request that was refused is signed again with what is in the file by now, at no cost to its attempts."""
    account.at(operation, account.renew)
    account.run("-t", "ndjson:s3://leads/big", "-t", "csv:s3://leads/csv/", "--state", "state", "--attempts", "1", ids=BIG)
    assert "ExpiredToken" in account.codes() and account.number == 1
    assert s3.data()["big"] == local(exports, BIG) and exports.is_clean()


def test_expired_when_uploads_are_aborted(exports, account, s3):
    account.at("AbortMultipartUpload", account.renew)
    account.run("-t", "ndjson:s3://leads/x", ids=["gone~missing"], status=3)
    assert account.number == 1 and "ExpiredToken" in account.codes() and exports.is_clean()


def test_expired_when_it_is_seen_whether_the_object_is_there(exports, account, s3):
    """HEAD, whose answer has no code."""
    s3.fail("CompleteMultipartUpload", "x", 0, how="lose")
    account.at("HeadObject", account.renew)
    account.run("-t", "ndjson:s3://leads/x")
    assert s3.count("HeadObject") == 2 and "x" in s3.data() and exports.is_clean()


@pytest.mark.parametrize("code, status", [
    ("ExpiredToken", 400), ("ExpiredTokenException", 403), ("TokenRefreshRequired", 400), ("InvalidToken", 400),
    ("InvalidTokenId", 403), ("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403), ("RequestExpired", 400)])
def test_whatever_the_server_calls_it(exports, account, s3, code, status):
    s3.fail("UploadPart", code, status, how="early")
    account.at("UploadPart", account.renew)
    account.run("-t", "ndjson:s3://leads/x", "--attempts", "1")
    assert account.codes() == [code] and s3.data()["x"] == local(exports, ["plain-1", "plain-2"]) and exports.is_clean()


def test_what_says_nothing_of_the_credentials(exports, account, s3):
    """Who may not do this may not do it with newer ones of the same role: they are not even looked for."""
    s3.fail("UploadPart", "AccessDenied", 403, how="early")
    account.at("UploadPart", account.renew)
    done = account.run("-t", "ndjson:s3://leads/x", status=1)
    assert "AccessDenied: on demand" in error_of(done, key="x") and s3.count("UploadPart") == 1


def test_again_and_again(exports, account, s3):
    """Two buckets, so two origins, and a second time for each: no request of either meets both."""
    lock = threading.Lock()

    def before(asked, about):
        with lock:
            if asked == {0: "UploadPart", 1: "CompleteMultipartUpload"}.get(account.number):
                account.renew()
    s3.before = before
    account.run("-t", "ndjson:s3://leads/x", "-t", "ndjson:s3://dotted.name/x", ids=BIG[:20])
    assert account.number == 2 and s3.data()["x"] == s3.data("dotted.name")["x"] == local(exports, BIG[:20])


def test_a_file_that_is_written_bit_by_bit(exports, account, s3):
    """New key, then its secret, then the token: what was read in between is refused, and read again."""
    def first():
        account.next()
        account.write(secret_key=KEYS[0][1], token=KEYS[0][2])

    steps = [first, lambda: account.write(token=KEYS[0][2]), account.write]
    account.at("UploadPart", lambda: steps.pop(0)(), times=3)
    account.run("-t", "ndjson:s3://leads/x", "--attempts", "1")
    assert steps == [] and "x" in s3.data() and exports.is_clean()


@pytest.mark.parametrize("what, tried, text", [
    (lambda account: None, 1, "credentials was read again and has no others in its profile [night]"),
    (lambda account: account.path.unlink(), 2, "credentials no longer exists"),
    (lambda account: account.path.write_text(""), 2, "credentials: there is no profile [night]"),
    (lambda account: account.path.write_text("[night]\naws_access_key_id = x\n"), 2, "lacks aws_access_key_id or"),
    (lambda account: account.path.write_text("[night]\naws_access_key_id = x\naws_secret_access_key = a b c d\n"), 1,
     "credentials: profile [night]: aws_secret_access_key (the secret access key for object storage) contains a "),
    (lambda account: account.path.write_bytes(b"#" * (1 << 21)), 1, "has more than 1024 KiB"),
    (lambda account: account.path.unlink() or account.path.mkdir(), 1, "it is not a regular file"),
], ids=["same", "gone", "empty", "half", "blanks", "large", "folder"])
def test_no_other_ones(exports, account, s3, what, tried, text):
    """The file is read once; once more for each attempt where somebody may be writing it."""
    account.at("UploadPart", lambda: (account.next(), what(account)))
    done = account.run("-t", "ndjson:s3://leads/x", "--attempts", "2", status=1)
    message = error_of(done, key="x")
    assert "ExpiredToken: The provided token has expired" in message and text in message, message
    assert "get new credentials, and run the same command again" in message and s3.data() == {}
    assert s3.count("UploadPart") == tried


def test_a_file_that_is_just_being_written(exports, account, s3):
    """Truncated at first: the request waits, as for a server that is busy."""
    steps = [lambda: (account.next(), account.path.write_text("")), account.write]
    account.at("UploadPart", lambda: steps.pop(0)(), times=2)
    account.run("-t", "ndjson:s3://leads/x")
    assert steps == [] and "x" in s3.data() and exports.is_clean()


def test_those_of_the_environment(exports, account, s3):
    """... are not replaced by those of a file, which may be somebody else's."""
    env = dict(exports.sandbox.env, **s3.env)
    account.env = dict(env, AWS_SHARED_CREDENTIALS_FILE=account.path)
    account.at("UploadPart", account.renew)
    done = account.run("-t", "ndjson:s3://leads/x", status=1)
    message = error_of(done, key="x")
    assert "get new credentials" in message and "those of the environment are fixed for a run" in message, message


def test_new_ones_that_are_echoed(exports, account, s3):
    """What was read again is as secret as what was read at first."""
    def renew():
        account.renew()
        s3.fail("UploadPart", "Odd", 400, message="you sent %s and %s" % KEYS[1][1:], times=2)

    account.at("UploadPart", renew)
    done = account.run("-t", "ndjson:s3://leads/x", "--manifest", "m.json", status=1)
    assert "you sent *** and ***" in error_of(done, key="x")
    assert KEYS[1][1] not in (exports.folder / "m.json").read_text()


def test_a_run_that_resumes_has_new_ones(exports, account, s3):
    account.at("UploadPart", account.next)
    account.run("-t", "ndjson:s3://leads/x", "--state", "state", ids=BIG, status=1)
    account.write()
    account.run("-t", "ndjson:s3://leads/x", "--state", "state", ids=BIG)
    assert s3.data()["x"] == local(exports, BIG) and exports.is_clean()


def test_one_attempt_and_a_clock_that_is_wrong(exports, s3):
    """Which costs no attempt either."""
    s3.clock_ahead = 3600
    exports("-t", "ndjson:s3://leads/x", "--attempts", "1")
    assert "x" in s3.data() and exports.is_clean()
