"""Interactive shells with leadpipe's completions, as a user has them: keys go in, the command line comes back."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time

from conftest import BINARY, SLOWNESS, clean_environment

# Ctrl-X d: the command line goes to a file; Ctrl-X i: all candidates are inserted.
DUMP, INSERT_ALL = b"\x18d", b"\x18i"

BASH = r"""
PS1='$ '
bind 'set bell-style none'
dump() { printf '%s' "$READLINE_LINE" >"$DUMPED.new" && mv "$DUMPED.new" "$DUMPED"; }
bind -x '"\C-xd": dump'
bind '"\C-xi": insert-completions'
"""

ZSH = r"""
PS1='$ '
autoload -Uz compinit && compinit -D -u
dump() { print -rn -- "$BUFFER" >"$DUMPED.new" && command mv "$DUMPED.new" "$DUMPED" }
zle -N dump
bindkey -e
bindkey '^Xd' dump
zle -C insert-all complete-word _generic
bindkey '^Xi' insert-all
zstyle ':completion:insert-all:*' completer _all_matches _complete
zstyle ':completion:insert-all:*' insert true
"""


def environment(folder):
    return clean_environment({"PATH": "%s:%s" % (BINARY.parent, os.environ["PATH"]), "HOME": str(folder),
                              "TERM": "xterm", "DUMPED": str(folder / ".dumped"), "ZDOTDIR": str(folder)})


class Terminal:
    """bash or zsh in a terminal; `setup` is appended to its startup file."""

    def __init__(self, shell, folder, setup):
        self.dumped = folder / ".dumped"
        startup = folder / (".zshrc" if shell == "zsh" else ".bashrc")
        before, common = setup if isinstance(setup, tuple) else ("", setup)
        startup.write_text(before + (ZSH if shell == "zsh" else BASH) + common)
        words = ["zsh", "-d", "-i"] if shell == "zsh" else ["bash", "--noprofile", "--rcfile", str(startup), "-i"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, environment(folder))
        # Wide and high, so that no list asks whether it should be shown.
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 2000, 1000, 0, 0))
        os.set_blocking(self.terminal, False)

    def drain(self):
        try:
            while os.read(self.terminal, 65536):
                pass
        except (BlockingIOError, OSError):
            pass

    def line_after(self, keys):
        """The command line after `keys`; the next call begins with an empty one."""
        self.dumped.unlink(missing_ok=True)
        os.write(self.terminal, keys + DUMP)
        deadline = time.monotonic() + 20 * SLOWNESS
        while not self.dumped.exists():
            assert time.monotonic() < deadline, "the shell does not react to %r" % keys
            self.drain()
            time.sleep(0.005)
        text = self.dumped.read_text()
        os.write(self.terminal, b"\x15")  # Ctrl-U: empties the line
        return text

    def completed(self, text):
        return self.line_after(text.encode() + b"\t").rstrip()

    def candidates(self, text):
        line = self.line_after(text.encode() + INSERT_ALL)
        stem = text[:text.rfind(" ") + 1]
        assert line.startswith(stem), line
        return sorted(line[len(stem):].split())

    def close(self):
        os.close(self.terminal)  # the shell gets SIGHUP
        os.waitpid(self.pid, 0)


class Fish:
    """fish says itself what it would offer."""

    def __init__(self, folder, setup):
        self.folder, self.setup = folder, setup

    def candidates(self, text):
        done = subprocess.run(["fish", "--no-config", "-c", self.setup + "\ncomplete -C $argv[1]", text],
                              capture_output=True, text=True, cwd=self.folder, env=environment(self.folder),
                              timeout=60 * SLOWNESS)
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(line.split("\t")[0] for line in done.stdout.splitlines())

    def completed(self, text):
        [only] = self.candidates(text)
        return text[:text.rfind(" ") + 1] + only

    def close(self):
        pass
