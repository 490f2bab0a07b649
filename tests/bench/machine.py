"""What the figures were measured on: no names of hosts, users or folders."""

import os
import platform
import re
import shutil
import subprocess

import servers


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _first(pattern, text, default="unknown"):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else default


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _package(*names):
    for name in names:
        version = _output("pkg-config", "--modversion", name).split("\n")[0]
        if re.match(r"[0-9]", version):
            return version
    return "unknown"


def _compiler():
    name = "clang" if "clang" in _output("cc", "--version") else "gcc"
    return name + " " + _output("cc", "-dumpfullversion", "-dumpversion").strip()


def _module(python, name):
    code = "import %s as m; print(getattr(m, '__version__', 'unknown'))" % name
    return _first(r"^([0-9][0-9.]*)$", _output(python, "-c", code), "")


def file_system(folder):
    return _output("stat", "-f", "-c", "%T", folder).strip() or "unknown"


def has_module(python, name):
    return bool(_module(python, name))


def describe(python, folder):
    """Lines of (what, which)."""
    memory_kb = int(_first(r"^MemTotal:\s+([0-9]+)", _read("/proc/meminfo"), "0"))
    tools = [("nginx", _first(r"nginx/([0-9.]+)", _output(servers.find_nginx(), "-v"))),
             ("curl", _first(r"^curl ([0-9.]+)", _output("curl", "--version"))),
             ("jq", _first(r"jq-?([0-9.]+)", _output("jq", "--version")) if shutil.which("jq") else ""),
             ("Python", _first(r"Python ([0-9.]+)", _output(python, "--version"))),
             ("requests", _module(python, "requests")), ("aiohttp", _module(python, "aiohttp"))]
    libraries = [("libcurl", _package("libcurl")), ("libuv", _package("libuv")),
                 ("cJSON", _package("libcjson")), ("msgpack-c", _package("msgpack-c", "msgpack")),
                 ("zlib", _package("zlib")), ("libdeflate", _package("libdeflate")),
                 ("xxHash", _package("libxxhash")), ("OpenSSL", _package("libcrypto")),
                 ("nghttp2", _first(r"nghttp2/([0-9.]+)", _output("curl", "--version")))]
    return [
        ("processor", _first(r"^model name\s*:\s*(.*)", _read("/proc/cpuinfo"), platform.machine())),
        ("cores", str(os.cpu_count())),
        ("memory", "%.0f GiB" % (memory_kb / 1048576)),
        ("kernel", "Linux " + _first(r"^([0-9.]+)", platform.release())),
        ("system", _first(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"))),
        ("compiler", _compiler()),
        ("file system of the outputs", file_system(folder)),
        ("libraries", ", ".join("%s %s" % pair for pair in libraries)),
        ("tools", ", ".join("%s %s" % pair for pair in tools if pair[1])),
    ]
