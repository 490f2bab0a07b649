"""Prism before a CRM: it refuses a request that does not fit the maker's OpenAPI description, and passes the
others on.

    with Prism(description_file, upstream=crm_url) as prism:
        prism.url                    # instead of the CRM's
    prism.violations()               # what it said of requests and answers that do not fit

A request that does not fit is answered 422 (401 without a credential), an answer of the CRM that does not fit
500; both with a JSON body whose `validation` says where.  Without `upstream` Prism answers by itself.
It needs Node.js and the package @stoplight/prism-cli in the folder $LEADPIPE_PRISM_MODULES.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

from prepare import prepared

HERE = pathlib.Path(__file__).resolve().parent
MODULES = pathlib.Path(os.environ.get("LEADPIPE_PRISM_MODULES") or HERE.parents[1] / "build/prism/node_modules")
PROGRAM = MODULES / "@stoplight/prism-cli/dist/index.js"
DESCRIPTIONS = HERE / "descriptions"
START_S = 120

# Of which file in $LEADPIPE_OPENAPI, if there is such a folder, a maker's own description is, and its paths.
OWN = {"hubspot-contacts": ("contacts.json", "/objects/contacts/batch/upsert"),
       "hubspot-companies": ("companies.json", "/objects/companies/batch/upsert"),
       "zoho": ("record.json", "/upsert$"), "pipedrive": ("pipedrive.json", "/persons$")}


def is_there():
    return bool(shutil.which("node")) and PROGRAM.is_file()


def described():
    """{name: file} of the descriptions in this folder."""
    return {path.stem: path for path in sorted(DESCRIPTIONS.glob("*.json"))}


def own_descriptions(folder):
    """Writes the makers' own descriptions into a folder, prepared for Prism; {name: file}."""
    found = {}
    for name, (file, path) in OWN.items():
        source = pathlib.Path(os.environ.get("LEADPIPE_OPENAPI", "/nonexistent")) / file
        if source.is_file():
            found[name] = pathlib.Path(folder) / (name + ".json")
            found[name].write_text(json.dumps(prepared(json.loads(source.read_text("utf-8")), [path])), "utf-8")
    return found


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Prism:
    def __init__(self, description, upstream=None):
        self._log = tempfile.TemporaryFile()
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        what = ["proxy", str(description), upstream] if upstream else ["mock", str(description)]
        words = ["node", str(PROGRAM), *what, "--errors", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        environment.update(NO_COLOR="1", SCARF_ANALYTICS="false")
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
                                         env=environment)
        self._wait()

    def _wait(self):
        end = time.monotonic() + START_S
        while "is listening on" not in self.log():
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError("Prism did not start: %s" % self.text[-2000:])
            time.sleep(0.05)

    text = ""

    def log(self):
        if not self._log.closed:
            self._log.seek(0)
            self.text = re.sub("\x1b\\[[0-9;]*m", "", self._log.read().decode("utf-8", "replace"))
        return self.text

    def violations(self):
        """What it refused: lines that say where, or why."""
        return re.findall("(?:Violation|Request terminated with error): .*", self.log())

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.log()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
