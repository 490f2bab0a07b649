"""Certificates for servers on loopback, made by the openssl command."""

import shutil
import subprocess

import pytest

GOOD, ELSEWHERE, EXPIRED, STRANGER = "good", "elsewhere", "expired", "stranger"
NAMES = {GOOD: "IP:127.0.0.1,DNS:localhost", ELSEWHERE: "DNS:elsewhere.example", EXPIRED: "IP:127.0.0.1",
         STRANGER: "IP:127.0.0.1"}


def openssl(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True)
    return done.returncode == 0 or done.stderr


def make_authority(folder, name):
    done = openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                   "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")
    assert done is True, done


def make_certificate(folder, name, authority):
    (folder / (name + ".ext")).write_text("subjectAltName=%s\n" % NAMES[name])
    done = openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                   "-keyout", name + ".key", "-out", name + ".csr")
    assert done is True, done
    sign = ["x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key", "-out",
            name + ".pem", "-extfile", name + ".ext", "-CAcreateserial"]
    if name != EXPIRED:
        done = openssl(folder, *sign, "-days", "2")
    else:  # the older way and the newer one
        done = openssl(folder, *sign, "-days", "-1")
        if done is not True:
            done = openssl(folder, *sign, "-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
    assert done is True, done


@pytest.fixture(scope="session", name="certificates")
def make_certificates(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    folder = tmp_path_factory.mktemp("certificates")
    for authority in ("authority", "unknown"):
        make_authority(folder, authority)
    for name in NAMES:
        make_certificate(folder, name, "unknown" if name == STRANGER else "authority")
    return folder
