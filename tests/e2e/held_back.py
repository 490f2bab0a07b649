"""A run whose last lead is not answered until the test says so: by then, the ones before it have been loaded."""

import contextlib
import threading

from outputs import ids_file, provider_of

KEY = {"OMNI_API_KEY": "k"}


class HeldBack:
    """The run, from its first lead to end()."""

    def __init__(self, leadpipe, payloads, words_of):
        """payloads: {lead ID: payload bytes}, in order. words_of(url): leadpipe's arguments; they name ids.txt."""
        self.payloads, self.last, self.gate = payloads, list(payloads)[-1], threading.Event()
        ids_file(leadpipe.folder, list(payloads))
        self.stack = contextlib.ExitStack()
        self.words = words_of(self.stack.enter_context(provider_of(self.answer)).url)
        self.process = leadpipe.start(*self.words, env=KEY)

    def answer(self, path, _):
        lead_id = path.rsplit("/", 1)[1]
        if lead_id == self.last:
            assert self.gate.wait(60)
        return 200, self.payloads[lead_id]

    def end(self, status=0):
        """Lets the last lead come; what the run has written to standard error."""
        self.gate.set()
        try:
            _, errors = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
            self.stack.close()
        assert self.process.returncode == status, errors
        return errors.decode()
