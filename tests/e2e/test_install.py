"""Installed under a prefix, removed again, and as a Debian package."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT, SANITIZER, clean_environment
from installs import BUILD, install_lock, installed
from test_manpage import PAGES

# scripts/install.sh with a build that is there already.
SCRIPT = r"""
set -euo pipefail
say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }
die() { note "$@"; exit 1; }
step() { shift; "$@"; }
require() { :; }
build_preset() { :; }
START_DIR=$PWD
BUILD=$PWD/build
source "$1"
"cmd_$2" "${@:3}"
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "release").symlink_to(BUILD)

    def run(*words, **env):
        with install_lock():
            return subprocess.run(["bash", "-c", SCRIPT, "bash", str(ROOT / "scripts" / "install.sh"), *words],
                                  capture_output=True, text=True, cwd=tmp_path, env=clean_environment(env))

    run.folder = tmp_path
    return run


def files_under(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def expected_files():
    """What is installed, relative to the prefix."""
    return ({"bin/leadpipe", "share/man/man1/leadpipe.1", "share/bash-completion/completions/leadpipe",
             "share/zsh/site-functions/_leadpipe", "share/fish/vendor_completions.d/leadpipe.fish",
             "lib/systemd/system/leadpipe@.service", "lib/systemd/system/leadpipe@.timer",
             "lib/systemd/system/leadpipe-check@.service",
             "share/doc/leadpipe/README.md", "share/doc/leadpipe/changelog", "share/doc/leadpipe/copyright"} |
            {"share/man/man1/" + page.name for page in PAGES.glob("*.1")} |
            {"share/doc/leadpipe/docs/" + page.name for page in (ROOT / "docs").glob("*.md")} |
            {"share/doc/leadpipe/docs/examples/" + page.name for page in (ROOT / "docs" / "examples").iterdir()})


def test_installed_files(tmp_path):
    assert expected_files() <= files_under(installed(tmp_path / "prefix"))
    done = subprocess.run([tmp_path / "prefix" / "bin" / "leadpipe", "version"], capture_output=True)
    assert done.returncode == 0


@pytest.mark.parametrize("prefix", ["prefix", "prefix/", "with space/prefix"])
def test_uninstall_removes_what_was_installed_and_nothing_else(script, prefix):
    folder = script.folder / prefix
    mine = folder / "share" / "man" / "man1" / "mine.1"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert script("install", prefix).returncode == 0
    assert expected_files() <= files_under(folder)
    assert script("install", prefix).returncode == 0  # again: nothing is lost
    assert expected_files() <= files_under(folder)
    done = script("uninstall", prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_under(folder) == {"share/man/man1/mine.1"}
    done = script("uninstall", prefix)
    assert done.returncode == 1 and "nothing is installed under" in done.stderr


@pytest.mark.parametrize("prefix, said", [("/usr", False), ("/usr/local", False), ("prefix", True)])
def test_install_says_where_systemd_does_not_look(script, prefix, said):
    done = script("install", prefix, DESTDIR=str(script.folder / "root"))
    assert done.returncode == 0
    assert ("systemd does not look into %s/prefix/lib/systemd/system" % script.folder in done.stderr) == said
    assert ("systemd" in done.stderr) == said


@pytest.mark.parametrize("path, said", [("/usr/bin", True), ("/usr/bin:{}/bin", False), ("{}/bin/:/usr/bin", False)])
def test_install_says_when_the_program_is_not_in_the_path(script, path, said):
    done = script("install", "prefix", PATH=path.format(script.folder / "prefix") + ":/bin:/usr/sbin:/sbin")
    assert done.returncode == 0
    assert ("%s/prefix/bin is not in your PATH" % script.folder in done.stderr) == said, done.stderr


def test_install_says_that_systemd_must_read_its_units(script):
    """Only where they are on this machine."""
    def note(**env):
        return subprocess.run(["bash", "-c", 'note() { echo "$*"; }\nprefix=/usr/local; START_DIR=. BUILD=.; source "$1"; note_units',
                               "bash", str(ROOT / "scripts" / "install.sh")], capture_output=True, text=True, check=True,
                              env=clean_environment(env)).stdout
    assert note() == "for jobs that systemd runs, now run: systemctl daemon-reload\n"
    assert note(DESTDIR="/somewhere") == ""


def test_install_removes_files_of_an_earlier_version(script):
    folder = script.folder / "prefix"
    assert script("install", "prefix").returncode == 0
    old = folder / "share" / "man" / "man1" / "leadpipe-old.1"
    old.write_text("old")
    with open(folder / "share" / "doc" / "leadpipe" / "installed-files", "a") as listed:
        listed.write("%s\n" % old)
    assert script("install", "prefix").returncode == 0
    assert not old.exists() and expected_files() <= files_under(folder)


def test_destdir(script):
    assert script("install", "/usr", DESTDIR=str(script.folder / "root")).returncode == 0
    assert expected_files() <= files_under(script.folder / "root" / "usr")
    assert script("uninstall", "/usr", DESTDIR=str(script.folder / "root")).returncode == 0
    assert files_under(script.folder / "root") == set()


@pytest.mark.parametrize("line", ["/etc/passwd", "PREFIX/../precious", "relative", ""])
def test_list_that_names_other_files(script, line):
    """It is only ever a list of files under the prefix."""
    precious = script.folder / "precious"
    precious.write_text("")
    assert script("install", "prefix").returncode == 0
    listed = script.folder / "prefix" / "share" / "doc" / "leadpipe" / "installed-files"
    listed.write_text(line.replace("PREFIX", str(script.folder / "prefix")) + "\n")
    done = script("uninstall", "prefix")
    assert done.returncode == 1 and "names a file that is not under" in done.stderr
    assert precious.exists() and os.path.exists("/etc/passwd")


def test_wrong_prefix(script):
    for words in (("uninstall", "-x"), ("uninstall", "a", "b"), ("install", "-x")):
        done = script(*words)
        assert done.returncode == 1 and words[0] + ": expected at most one directory" in done.stderr


# ---- the Debian package ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    if SANITIZER:
        pytest.skip("a program with a sanitizer is not packaged")
    if not shutil.which("dpkg-shlibdeps") or not shutil.which("cpack"):
        pytest.skip("dpkg-dev is not installed")
    folder = tmp_path_factory.mktemp("package")
    with install_lock():
        done = subprocess.run(["cpack", "--config", str(BUILD / "CPackConfig.cmake"), "-B", str(folder)],
                              capture_output=True, text=True,
                              env=clean_environment({"DEBFULLNAME": "A Packager", "DEBEMAIL": "a@packager.example"}))
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("leadpipe_*.deb")
    return path


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", str(package), name], capture_output=True, text=True, check=True).stdout.strip()


def test_package_control(package, leadpipe):
    version = leadpipe("version").stdout.decode().split()[1]
    assert field(package, "Version") == version + "-1"
    assert field(package, "Maintainer") == "A Packager <a@packager.example>"
    depends = {item.split()[0] for item in field(package, "Depends").split(", ")}
    assert {"ca-certificates", "libc6"} <= depends
    for library in ("libcurl", "libsqlite3", "libuv1", "libssl3", "libpq5", "librdkafka1", "libmsgpack"):
        assert any(item.startswith(library) for item in depends), (library, depends)


def test_package_files(package, tmp_path):
    """The installed files, in the form that Debian's policy asks for."""
    subprocess.run(["dpkg-deb", "-x", str(package), str(tmp_path)], check=True)
    found = files_under(tmp_path)
    for file in expected_files():
        if file.startswith("share/man/") or file.endswith("/changelog"):
            file += ".gz"
        assert "usr/" + file.replace("zsh/site-functions", "zsh/vendor-completions") in found, file
    page = gzip.decompress((tmp_path / "usr/share/man/man1/leadpipe-export.1.gz").read_bytes())
    assert page == (PAGES / "leadpipe-export.1").read_bytes()
    copyright = (tmp_path / "usr/share/doc/leadpipe/copyright").read_text()
    words = re.sub(r"^ \.?", "", copyright.split("License: Expat\n")[2], flags=re.M).split()
    assert words == (ROOT / "LICENSE").read_text().split("leadpipe authors\n", 1)[1].split()
    assert (tmp_path / "etc/leadpipe/keys").stat().st_mode & 0o777 == 0o700
    done = subprocess.run([tmp_path / "usr/bin/leadpipe", "version", "--json"], capture_output=True)
    assert done.returncode == 0


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_package_has_no_faults(package):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", str(package)], capture_output=True,
                          text=True, env=clean_environment({"HOME": str(package.parent)}))
    assert done.returncode == 0, done.stdout + done.stderr
    if "VERSION_CODENAME=bookworm" in pathlib.Path("/etc/os-release").read_text():  # other releases warn of other things
        assert done.stdout == ""
