"""The real server on a free port of the loopback; it ends with the test."""

import ctypes
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

import logs

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 15
OPERATOR = "an operator's long secret"
SECRET = "a-secret-of-access-tokens-of-32-bytes-or-more"

# Pings come often enough to wait for.
OPTIONS = [
    *("--operator-token", OPERATOR),
    *("--ice-server", "stun:stun.example.org:3478"),
    *("--heartbeat", "200ms"),
]
# No rate is reached, and what is idle goes soon.
WIDE = [
    *("--joins-per-second", "0"),
    *("--signals-per-second", "0"),
    *("--max-readers-per-ip", "0"),
    *("--join-grace", "60s"),
]
# Every bound is reached soon, and who is there stays.
TIGHT = [
    *("--joins-per-second", "5"),
    *("--signals-per-second", "2"),
    *("--max-rooms", "3"),
    *("--max-peers-per-room", "2"),
    *("--max-readers-per-ip", "2"),
    *("--max-sessions-per-peer", "2"),
    *("--all-mailbox-bytes", "20KiB"),
    *("--join-grace", "900s"),
    *("--grace", "900s"),
    *("--resume-window", "1000s"),
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
    """A server, open or with access keys, with wide bounds or tight ones, until the end of the `with`."""

    def __init__(self, with_keys, tight):
        self.folder = tempfile.TemporaryDirectory()
        self.options = [*OPTIONS, *(TIGHT if tight else WIDE)]
        self.key = None
        self.known = {OPERATOR, SECRET}
        self.said = []
        if with_keys:
            self.key = pathlib.Path(self.folder.name, "key")
            self.key.write_text(SECRET)
            self.options += ["--access-key", str(self.key)]

    def __enter__(self):
        command = [binary(), "--listen", "127.0.0.1:0", *self.options]
        # Everything is logged, and nothing secret may be.
        environment = {**plain_environment(), "RUST_LOG": "trace"}
        self.child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_us)
        timer = threading.Timer(START_SECONDS, self.child.kill)
        timer.start()
        for line in self.child.stderr:
            self.said.append(line)
            listening = re.search(r"listening on (http://127\.0\.0\.1:\d+)\s", line)
            if listening:
                self.url = listening[1]
                break
        else:
            raise SystemExit(f"the server did not say where it listens: {''.join(self.said)}")
        timer.cancel()
        self.listener = threading.Thread(target=lambda: self.said.extend(self.child.stderr), daemon=True)
        self.listener.start()
        return self

    def mint(self):
        """An access token for every room, with every right."""
        command = [binary(), "token", "--key", str(self.key), "--room", "*", "--right", "join,list,operate"]
        token = subprocess.run(command, env=plain_environment(), check=True, capture_output=True, text=True).stdout.strip()
        self.known.add(token)
        return token

    def runs(self):
        return self.child.poll() is None

    def end(self):
        """Ends it; the first line of its log that holds what it may not, or that it had nothing to say."""
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self.listener.join(30)
        log = "".join(self.said)
        return logs.search(log, self.known) or (None if "going away" in log else f"a log without an end: {log}")

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.folder.cleanup()
