"""The servers that are measured against, on loopback, as the user who runs this.

All of them end with the process that started them, whatever ends it: see launch.c.
"""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

READY_S = 10
LEADS_PATH = "/omni/api/v1"
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SANDBOX = os.path.join(ROOT, "tests", "sandbox", "sandbox.py")
S3 = os.path.join(os.path.dirname(SANDBOX), "s3.py")
BUCKET = "bench"

NGINX = """
{user}
daemon off;
worker_processes {workers};
worker_rlimit_nofile 16384;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
pcre_jit on;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    http2_max_concurrent_streams 1024;
    open_file_cache max=4000 inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path {home}/tmp;
    proxy_temp_path {home}/tmp;
    fastcgi_temp_path {home}/tmp;
    uwsgi_temp_path {home}/tmp;
    scgi_temp_path {home}/tmp;
    ssl_certificate {home}/server.crt;
    ssl_certificate_key {home}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{tls_port} ssl http2 backlog=4096;
        server_name localhost;
        root {bodies};
        location {leads_path}/leads/ {{
            rewrite "/([a-z0-9]+)-([0-9]+)([0-9][0-9][0-9])$" /$1/$2/$3 break;
        }}
        location = /status {{ stub_status; }}
    }}
}}
"""


class ServerError(Exception):
    pass


def _free_ports(count):
    """Ports that are free now; held together, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def make_certificates(home):
    """home/ca.crt, and server.crt with server.key signed by it."""
    def openssl(*arguments):
        done = subprocess.run(("openssl",) + arguments, cwd=home, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerError("openssl %s: %s" % (arguments[0], done.stderr.strip()))

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    with open(os.path.join(home, "server.ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-x509", *new_key, "-days", "7", "-subj", "/CN=leadpipe bench CA",
            "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-new", *new_key, "-subj", "/CN=localhost",
            "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "7", "-extfile", "server.ext", "-out", "server.crt")


class Server:
    """A process that can be stopped twice."""

    def __init__(self, launch, command, **options):
        self.process = subprocess.Popen([launch] + command, stdin=subprocess.DEVNULL, **options)

    def stop(self):
        """Ends it; what it printed last, where that is collected."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.communicate(timeout=READY_S)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[0]
        except ValueError:      # stopped before: nothing to read any more
            return None

    def first_line(self):
        if not select.select([self.process.stdout], [], [], READY_S)[0]:
            self.stop()
            raise ServerError("a server did not start")
        return json.loads(self.process.stdout.readline() or "{}")


class Nginx(Server):
    """HTTP/1.1 on one port, TLS with HTTP/2 on another."""

    def __init__(self, launch, home, bodies, ports=None):
        os.makedirs(os.path.join(home, "tmp"), exist_ok=True)
        make_certificates(home)
        self.home = home
        self.cacert = os.path.join(home, "ca.crt")
        self.ports = ports or _free_ports(2)
        port, tls_port = self.ports
        self.base_url = "http://127.0.0.1:%d%s" % (port, LEADS_PATH)
        self.tls_url = "https://127.0.0.1:%d%s" % (tls_port, LEADS_PATH)
        self.status_url = "http://127.0.0.1:%d/status" % port
        self.workers = max(1, (os.cpu_count() or 2) // 2)
        conf = os.path.join(home, "nginx.conf")
        with open(conf, "w") as file:
            file.write(NGINX.format(home=home, bodies=bodies, port=port, tls_port=tls_port,
                                    workers=self.workers, leads_path=LEADS_PATH,
                                    # else root's workers would become another user
                                    user="user root root;" if os.geteuid() == 0 else ""))
        # an nginx that does not run as root may not be allowed its compiled-in error log
        super().__init__(launch, [find_nginx(), "-p", home, "-c", conf,
                                  "-e", os.path.join(home, "error.log")])
        self._wait()

    def _wait(self):
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.requests()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        self.stop()
        with open(os.path.join(self.home, "error.log")) as file:
            raise ServerError("nginx did not start: " + file.read()[-2000:])

    def requests(self):
        """Answered so far, this one included."""
        with urllib.request.urlopen(self.status_url, timeout=5) as answer:
            return int(answer.read().split(b"\n")[2].split()[2])


def find_nginx():
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/local/sbin"]:
        path = os.path.join(folder, "nginx")
        if os.access(path, os.X_OK):
            return path
    raise ServerError("no nginx")


class DelayServer(Server):
    """Answers after a time, or not more than so many at once."""

    def __init__(self, launch, program, bodies, delay_ms=0, admit=0):
        command = [program, "--bodies", bodies, "--delay-ms", str(delay_ms)]
        if admit:
            command += ["--admit", str(admit)]
        super().__init__(launch, command, stdout=subprocess.PIPE, text=True)
        self.base_url = "http://127.0.0.1:%d%s" % (self.first_line()["port"], LEADS_PATH)

    def stop(self):
        """What it saw: connections, answered, refused, max_in_progress."""
        last = super().stop()
        return json.loads(last) if last else {}


class ObjectStorage(Server):
    """A bucket: versitygw with files in `folder` where it is installed, else the sandbox's server, with objects in memory."""

    def __init__(self, launch, folder):
        keys = {"AWS_ACCESS_KEY_ID": "AKIABENCH", "AWS_SECRET_ACCESS_KEY": "only-for-measuring"}
        self.env, self._bucket = keys, os.path.join(folder, "buckets", BUCKET)
        program = shutil.which("versitygw")
        if not program:
            self.name = "the sandbox's server (`tests/sandbox/s3.py`)"
            super().__init__(launch, [sys.executable, "-B", S3, BUCKET, *keys.values()], stdout=subprocess.PIPE, text=True)
            self.url = self.first_line()["url"]
            return
        self.name = "versitygw"
        os.makedirs(self._bucket)
        port, = _free_ports(1)
        self.url = "http://127.0.0.1:%d" % port
        super().__init__(launch, [program, "--quiet", "--port", "127.0.0.1:%d" % port, "--access", keys["AWS_ACCESS_KEY_ID"],
                                  "--secret", keys["AWS_SECRET_ACCESS_KEY"], "posix", os.path.join(folder, "buckets")],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait(port)

    def empty(self):
        """Removes all objects, if they are files."""
        for name in os.listdir(self._bucket) if os.path.isdir(self._bucket) else ():
            path = os.path.join(self._bucket, name)
            if name == ".sgwtmp":     # the server's own
                continue
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def _wait(self, port):
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return
            time.sleep(0.02)
        self.stop()
        raise ServerError("versitygw did not start")


class Receiver(Server):
    """Takes webhook deliveries, each after `delay_ms`, and what CRMs take: the sandbox."""

    def __init__(self, launch, delay_ms):
        super().__init__(launch, [sys.executable, "-B", SANDBOX], stdout=subprocess.PIPE,
                         text=True)
        line = self.first_line()
        self.url = "%s/bench?delay_ms=%d" % (line["hooks"], delay_ms)
        self.base_url, self.summary_url = line["url"], "%s/_control/hooks" % line["url"]

    def distinct(self):
        """How many webhook-ids have got their 2xx."""
        with urllib.request.urlopen(self.summary_url, timeout=30) as answer:
            return json.load(answer)["bench"]["accepted_ids"]

    def crm(self, account):
        """What an account of the CRMs has had."""
        with urllib.request.urlopen("%s/_control/crm/%s" % (self.base_url, account), timeout=30) as answer:
            return json.load(answer)
