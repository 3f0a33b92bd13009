"""What may stand in no log: by its looks, the same as in the other suites, and by its value where it is known."""

import pathlib
import re

LOOKS = [line for line in (pathlib.Path(__file__).resolve().parents[1] / "secrets.txt").read_text().splitlines() if not line.startswith("#")]
# Less than this could stand in a log by chance.
LEAST = 8


def parts(secret):
    """A secret, and each part of it that is long enough."""
    return {part for part in [secret, *re.split(r'[.\n"]', secret)] if len(part) >= LEAST}


def search(log, known=()):
    """The first line of a log that holds what it may not; none where there is none."""
    wanted = {*LOOKS, *(part for secret in known for part in parts(secret))}
    return next((line for line in log.splitlines() if any(secret in line for secret in wanted)), None)


def prove():
    """Finds each sort of secret where one is planted, and nothing in a clean log."""
    clean = "TRACE switchboard: listening on http://127.0.0.1:8080\nTRACE switchboard: {}\nINFO switchboard: going away\n"
    known = ["an operator's planted words", "sp1.planted0.signed01", "a planted word of a join"]
    planted = [*LOOKS, *known, "planted0", "signed01", "sp1.other.other", "eyJhbGciOiJIUzI1NiJ9.e30.x", 'Authorization: "Bearer x"', "a=ice-pwd:7Hq0", "candidate:1 1 udp 1 203.0.113.7 9 typ host"]
    missed = [secret for secret in planted if search(clean.format(secret), known) is None]
    if missed or search(clean.format("a room has ended"), known) is not None:
        raise SystemExit(f"the search of logs does not find {missed}, or finds what is not there")
