"""The real server on a free port of the loopback; it ends with the test."""

import ctypes
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 15
OPERATOR = "an operator's long secret"
SECRET = "a secret of access tokens, 32 bytes or more"

# No rate is reached, what is idle goes soon, and pings come often enough to wait for.
OPTIONS = [
    *("--operator-token", OPERATOR),
    *("--ice-server", "stun:stun.example.org:3478"),
    *("--joins-per-second", "0"),
    *("--signals-per-second", "0"),
    *("--max-readers-per-ip", "0"),
    *("--heartbeat", "200ms"),
    *("--join-grace", "60s"),
]


def binary():
    """The program that is tested."""
    given = os.environ.get("SWITCHBOARD_BIN")
    found = [pathlib.Path(given)] if given else [ROOT / "target" / profile / "switchboard" for profile in ("release", "debug")]
    for path in found:
        if path.exists():
            return str(path)
    raise SystemExit(f"no server binary at {' or '.join(map(str, found))}: run \"cargo build --release\", or set SWITCHBOARD_BIN")


def plain_environment():
    """The server refuses variables that begin with its name and are none of its options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SWITCHBOARD_")}


def end_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """A server, open or with access keys, until the end of the `with`."""

    def __init__(self, with_keys):
        self.folder = tempfile.TemporaryDirectory()
        self.options = list(OPTIONS)
        self.key = None
        if with_keys:
            self.key = pathlib.Path(self.folder.name, "key")
            self.key.write_text(SECRET)
            self.options += ["--access-key", str(self.key)]

    def __enter__(self):
        command = [binary(), "--listen", "127.0.0.1:0", *self.options]
        self.child = subprocess.Popen(command, env=plain_environment(), stderr=subprocess.PIPE, text=True, preexec_fn=end_with_us)
        timer = threading.Timer(START_SECONDS, self.child.kill)
        timer.start()
        said = ""
        for line in self.child.stderr:
            said += line
            listening = re.search(r"listening on (http://127\.0\.0\.1:\d+)\s", line)
            if listening:
                self.url = listening[1]
                break
        else:
            raise SystemExit(f"the server did not say where it listens: {said}")
        timer.cancel()
        # What it says is not kept, but has to be taken.
        threading.Thread(target=lambda: [None for _ in self.child.stderr], daemon=True).start()
        return self

    def mint(self):
        """An access token for every room, with every right."""
        command = [binary(), "token", "--key", str(self.key), "--room", "*", "--right", "join,list,operate"]
        return subprocess.run(command, env=plain_environment(), check=True, capture_output=True, text=True).stdout.strip()

    def runs(self):
        return self.child.poll() is None

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self.folder.cleanup()
