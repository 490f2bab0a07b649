"""Object storage: a server of S3's API that believes nothing.

It knows multipart uploads and what leadpipe asks of them, and checks every request as AWS describes it
(AWS Signature Version 4): signature, payload hash, time, session token.  The verification is written
from that description, with nothing in common with leadpipe's signing but the description.

    with S3Server(buckets=["leads"]) as server:
        ...server.url, server.objects["leads"]["a.csv"].data, server.uploads, server.requests

Faults are given per operation: server.fail("UploadPart", "SlowDown", status=503, times=2).
"""

import collections
import datetime
import email.utils
import hashlib
import hmac
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse
import uuid
import xml.etree.ElementTree
from xml.sax.saxutils import escape

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
PART_BYTES_MIN = 5 << 20
SKEW_S_MAX = 900

Object = collections.namedtuple("Object", "data metadata")
Request = collections.namedtuple("Request", "operation bucket key query status code")
Fault = collections.namedtuple("Fault", "operation code status message how matches fields")


class Upload:
    def __init__(self, bucket, key, metadata):
        self.bucket, self.key, self.metadata = bucket, key, metadata
        self.parts = {}  # number: data


class Refused(Exception):
    def __init__(self, status, code, message, extra=""):
        super().__init__(code)
        self.status, self.code, self.message, self.extra = status, code, message, extra


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def etag(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def quoted(text):
    """As SigV4 wants it: everything but the unreserved characters."""
    return urllib.parse.quote(text, safe="-_.~")


class S3Server:
    def __init__(self, buckets=("leads",), access_key="AKIAEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCY=",
                 token=None, region="us-east-1", clock_ahead=0, page=1000, tls=None):
        self.access_key, self.secret_key, self.token, self.region = access_key, secret_key, token, region
        self.clock_ahead, self.page = clock_ahead, page
        self.objects = {bucket: {} for bucket in buckets}
        self.uploads = {}
        self.requests, self.faults = [], []
        self.expired = set()  # session tokens
        self.before = None  # called with (operation, key) before anything is done
        self.lock = threading.RLock()
        server = self

        class Handler(S3Handler):
            s3 = server

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    @property
    def env(self):
        env = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return dict(env, AWS_SESSION_TOKEN=self.token) if self.token else env

    def data(self, bucket="leads"):
        return {key: found.data for key, found in self.objects[bucket].items()}

    def count(self, operation):
        return sum(request.operation == operation for request in self.requests)

    def fail(self, operation, code, status=503, message="on demand", times=1, how="answer", matches="", fields=()):
        """`how`: "answer"; "early" also where the request is signed badly; "drop" does nothing and closes; "lose" does it, and closes without an answer;
        "late" answers 200 with an error in it; "bare" refuses without a body; "odd" does nothing and answers with `message`; "odd after" does it first."""
        self.faults += [Fault(operation, code, status, message, how, matches, dict(fields))] * times

    def take_fault(self, operation, key):
        with self.lock:
            for i, fault in enumerate(self.faults):
                if fault.operation == operation and fault.matches in key:
                    return self.faults.pop(i)
        return None

    def now(self):
        return time.time() + self.clock_ahead


class S3Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    s3 = None

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.s3.now(), usegmt=True)

    # ---- verification ----

    def verify(self, body):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                             r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
                             self.headers.get("Authorization", ""))
        if not found:
            raise Refused(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
        access_key, day, region, names, signature = found.groups()
        if self.headers.get("x-amz-security-token") in self.s3.expired:
            raise Refused(400, "ExpiredToken", "The provided token has expired.")
        if access_key != self.s3.access_key:
            raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        if region != self.s3.region:
            raise Refused(400, "AuthorizationHeaderMalformed", "The region '%s' is wrong; expecting '%s'"
                          % (region, self.s3.region), "<Region>%s</Region>" % self.s3.region)
        signed = names.split(";")
        sent = {name.lower() for name in self.headers if name.lower().startswith("x-amz-")}
        if signed != sorted(signed) or "host" not in signed or not sent <= set(signed):
            raise Refused(403, "AccessDenied", "There were headers present in the request which were not signed")
        self.verify_time(day)
        payload_hash = self.headers["x-amz-content-sha256"]
        if self.s3.token and self.headers.get("x-amz-security-token") != self.s3.token:
            raise Refused(403, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        path, _, query = self.path.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        for name, equals, value in pairs:
            if not equals or quoted(urllib.parse.unquote(name)) != name or quoted(urllib.parse.unquote(value)) != value:
                raise Refused(403, "SignatureDoesNotMatch", "the query is not in its canonical form")
        canonical = "\n".join([
            self.command, path, "&".join("%s=%s" % (name, value) for name, _, value in sorted(pairs)),
            "".join("%s:%s\n" % (name, " ".join(self.headers[name].split())) for name in signed),
            names, payload_hash])
        scope = "%s/%s/s3/aws4_request" % (day, region)
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, sha256(canonical.encode())])
        key = ("AWS4" + self.s3.secret_key).encode()
        for word in (day, region, "s3", "aws4_request"):
            key = mac(key, word)
        if not hmac.compare_digest(mac(key, text).hex(), signature):
            raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the "
                          "signature you provided. Check your key and signing method.")
        if payload_hash != sha256(body):
            raise Refused(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match "
                          "what was computed.")

    def verify_time(self, day):
        text = self.headers.get("x-amz-date", "")
        try:
            then = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise Refused(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
        if abs(then.timestamp() - self.s3.now()) > SKEW_S_MAX:
            raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too "
                          "large.")
        if not text.startswith(day):
            raise Refused(403, "SignatureDoesNotMatch", "the day of the credential is another than that of the request")

    # ---- requests ----

    def split(self):
        """Bucket, key and query, of both ways of addressing."""
        path, _, query = self.path.partition("?")
        host = self.headers.get("Host", "").partition(":")[0]
        names = urllib.parse.unquote(path[1:])
        if host.endswith(".localhost"):
            return host[:-len(".localhost")], names, dict(urllib.parse.parse_qsl(query, True))
        bucket, _, key = names.partition("/")
        return bucket, key, dict(urllib.parse.parse_qsl(query, True))

    def operation(self, key, query):
        names = {
            ("POST", "uploads"): "CreateMultipartUpload", ("PUT", "uploadId"): "UploadPart", ("GET", "uploadId"): "ListParts",
            ("POST", "uploadId"): "CompleteMultipartUpload", ("DELETE", "uploadId"): "AbortMultipartUpload",
            ("GET", "uploads"): "ListMultipartUploads", ("HEAD", None): "HeadObject", ("GET", None): "GetObject",
            ("PUT", None): "PutObject", ("DELETE", None): "DeleteObject",
        }
        which = "uploadId" if "uploadId" in query else "uploads" if "uploads" in query else None
        return names.get((self.command, which), "Unknown")

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket, key, query = self.split()
        operation = self.operation(key, query)
        if self.s3.before:
            self.s3.before(operation, key)
        fault = self.s3.take_fault(operation, key)
        code = None
        try:
            if fault and fault.how == "early":
                raise Refused(fault.status, fault.code, fault.message)
            self.verify(body)
            if fault and fault.how in ("answer", "drop", "bare"):
                raise Refused(fault.status, fault.code, fault.message)
            if not fault or fault.how != "odd":
                with self.s3.lock:
                    status, answer, fields = self.perform(operation, bucket, key, query, body)
            if fault and fault.how in ("odd", "odd after"):
                status, answer, fields = fault.status, fault.message, fault.fields
            if fault and fault.how == "late":
                raise Refused(200, fault.code, fault.message)
        except Refused as refused:
            status, fields, code = refused.status, fault.fields if fault else {}, refused.code
            answer = "<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>1</RequestId></Error>" % (
                escape(refused.code), escape(refused.message), refused.extra)
            if fault and fault.how == "bare":
                answer = ""
        with self.s3.lock:
            self.s3.requests.append(Request(operation, bucket, key, query, status, code))
        if fault and fault.how in ("drop", "lose"):
            self.close_connection = True
            self.connection.close()
            return
        self.respond(status, answer, fields)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request

    def respond(self, status, answer, fields):
        data = answer if isinstance(answer, bytes) else b'<?xml version="1.0" encoding="UTF-8"?>\n' + answer.encode() \
            if answer else b""
        try:
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ---- operations ----

    def perform(self, operation, bucket, key, query, body):
        s3 = self.s3
        if bucket not in s3.objects:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        if operation == "CreateMultipartUpload":
            metadata = {name.lower(): value for name, value in self.headers.items()
                        if name.lower().startswith("x-amz-meta-")}
            upload_id = "%s/+=." % uuid.uuid4().hex  # has to be encoded
            s3.uploads[upload_id] = Upload(bucket, key, metadata)
            return 200, "<InitiateMultipartUploadResult xmlns='%s'><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId>" \
                "</InitiateMultipartUploadResult>" % (XMLNS, bucket, escape(key), upload_id), {}
        if operation == "ListMultipartUploads":
            return self.list_uploads(bucket, query)
        if operation in ("HeadObject", "GetObject"):
            found = s3.objects[bucket].get(key)
            if not found:
                raise Refused(404, "NoSuchKey", "The specified key does not exist.")
            return 200, found.data, dict(found.metadata, ETag=etag(found.data))
        if operation == "PutObject":
            s3.objects[bucket][key] = Object(body, {})
            return 200, "", {"ETag": etag(body)}
        if operation == "DeleteObject":  # also of one that is not there
            s3.objects[bucket].pop(key, None)
            return 204, "", {}
        upload = s3.uploads.get(query.get("uploadId", ""))
        if not upload or (upload.bucket, upload.key) != (bucket, key):
            raise Refused(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the "
                          "upload may have been aborted or completed.")
        return {"UploadPart": self.put_part, "ListParts": self.list_parts, "AbortMultipartUpload": self.abort,
                "CompleteMultipartUpload": self.complete}[operation](upload, query, body)

    def put_part(self, upload, query, body):
        upload.parts[int(query["partNumber"])] = body
        return 200, "", {"ETag": etag(body)}

    def list_parts(self, upload, query, _):
        after = int(query.get("part-number-marker", 0))
        numbers = sorted(number for number in upload.parts if number > after)
        page = numbers[:self.s3.page]
        more = len(numbers) > len(page)
        parts = "".join("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><Size>%d</Size></Part>"
                        % (number, escape(etag(upload.parts[number]), {'"': "&quot;"}), len(upload.parts[number]))
                        for number in page)
        return 200, "<ListPartsResult xmlns='%s'><IsTruncated>%s</IsTruncated>%s%s</ListPartsResult>" % (
            XMLNS, str(more).lower(), "<NextPartNumberMarker>%d</NextPartNumberMarker>" % page[-1] if more else "", parts), {}

    def abort(self, upload, query, _):
        del self.s3.uploads[query["uploadId"]]
        return 204, "", {}

    def complete(self, upload, query, body):
        root = xml.etree.ElementTree.fromstring(body)
        wanted = [(int(part.findtext("{%s}PartNumber" % XMLNS)), part.findtext("{%s}ETag" % XMLNS)) for part in root]
        numbers = [number for number, _ in wanted]
        if not wanted or numbers != sorted(set(numbers)):
            raise Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        if any(number not in upload.parts or etag(upload.parts[number]) != tag for number, tag in wanted):
            raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if any(len(upload.parts[number]) < PART_BYTES_MIN for number in numbers[:-1]):
            raise Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        data = b"".join(upload.parts[number] for number in numbers)
        self.s3.objects[upload.bucket][upload.key] = Object(data, upload.metadata)
        del self.s3.uploads[query["uploadId"]]
        return 200, "<CompleteMultipartUploadResult xmlns='%s'><Key>%s</Key><ETag>&quot;0-1&quot;</ETag>" \
            "</CompleteMultipartUploadResult>" % (XMLNS, escape(upload.key)), {}

    def list_uploads(self, bucket, query):
        found = sorted((upload.key, upload_id) for upload_id, upload in self.s3.uploads.items()
                       if upload.bucket == bucket and upload.key.startswith(query.get("prefix", "")))
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        found = [one for one in found if one > after]
        page = found[:self.s3.page]
        more = len(found) > len(page)
        marks = "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>" % (
            escape(page[-1][0]), page[-1][1]) if more else ""
        return 200, "<ListMultipartUploadsResult xmlns='%s'><IsTruncated>%s</IsTruncated>%s%s</ListMultipartUploadsResult>" % (
            XMLNS, str(more).lower(), marks,
            "".join("<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>" % (escape(key), upload_id)
                    for key, upload_id in page)), {}


def main(bucket, access_key, secret_key):
    """Serves that bucket until it is killed: s3.py BUCKET ACCESS_KEY SECRET_KEY"""
    with S3Server([bucket], access_key, secret_key) as server:
        print(json.dumps({"url": server.url}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
