#!/usr/bin/env python3
"""Holds a live server against its own OpenAPI document: every operation, good and bad input, sequences of
requests. Run ./prepare first. Bounded to some three minutes; CONTRACT_EXAMPLES=1000 asks for more cases
of each operation, CONTRACT_SEED=N for others."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import logs
import server

HERE = pathlib.Path(__file__).resolve().parent
TOOL = HERE / "venv" / "bin" / "schemathesis"
SEED = int(os.environ.get("CONTRACT_SEED", "5"))
EXAMPLES = os.environ.get("CONTRACT_EXAMPLES")
MOST_SECONDS = 3600 if EXAMPLES else 900

# Each operation for itself, then sequences, which begin with a join, of what members and operators ask for.
ALONE = ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES or "25"]
SEQUENCES = ["--phases", "stateful", "--max-examples", EXAMPLES or "100", "--include-tag", "rooms", "--include-tag", "peers"]
SEQUENCES += ["--include-tag", "signals", "--include-tag", "reading", "--include-tag", "operator"]
# The same with access keys, with fewer cases and sequences.
WITH_KEYS = ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES or "15"]
# Past the bounds: what is asked of peers that stay.
PAST_BOUNDS = ["--phases", "examples,fuzzing", "--max-examples", EXAMPLES or "60"]
for name in ("join", "send", "setMeta", "postMeta", "events", "poll", "postPoll", "notices", "issueTicket"):
    PAST_BOUNDS += ["--include-operation-id", name]
# A run of sequences ends where Hypothesis finds no new ones soon enough: several seeds find others.
RUNS = [
    ("an open server", {}, [ALONE, *[SEQUENCES] * 5]),
    ("a server with access keys", {"with_keys": True}, [WITH_KEYS, *[SEQUENCES] * 2]),
    ("a server with tight bounds", {"tight": True}, [PAST_BOUNDS]),
]
# What tight bounds are to be answered by, at the least.
BOUNDED = {
    "POST /rooms/{room}/peers": {"429 rate-limited", "503 overloaded"},
    "POST /rooms/{room}/peers/{peer}/signals": {"429 rate-limited", "503 overloaded"},
    "PATCH /rooms/{room}/peers/{peer}": {"429 rate-limited"},
    "GET /rooms/{room}/peers/{peer}/poll": {"503 overloaded"},
    "POST /rooms/{room}/peers/{peer}/poll": {"503 overloaded"},
    "GET /rooms/{room}/peers/{peer}/notices": {"503 overloaded"},
}
LEAST_IN_SEQUENCE = 100
# These answer by a switch of protocols.
SWITCHING = {"GET /check/websocket"}


def hold(what, parts, with_keys=False, tight=False):
    """One run against a server of its own; what was wrong."""
    print(f"\n{what}: seeds from {SEED} on", flush=True)
    with server.Server(with_keys, tight) as running, tempfile.TemporaryDirectory() as folder:
        # From a file: the operation that a document is loaded from would be left out.
        document = pathlib.Path(folder, "openapi.json")
        with urllib.request.urlopen(f"{running.url}/openapi.json", timeout=10) as answer:
            document.write_bytes(answer.read())
        paths = json.loads(document.read_text())["paths"]
        operations = [f"{method.upper()} {path}" for path, item in paths.items() for method in item]
        tally = pathlib.Path(folder, "tally")
        environment = {
            **server.plain_environment(),
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "PYTHONHASHSEED": "0",
            "CONTRACT_URL": running.url,
            "CONTRACT_OPERATOR": server.OPERATOR,
            "CONTRACT_TALLY": str(tally),
        }
        if with_keys:
            environment["CONTRACT_ACCESS"] = running.mint()
        if tight:
            environment["CONTRACT_TIGHT"] = "1"
        command = [TOOL, "--config-file", HERE / "schemathesis.toml", "run", document, "--url", running.url, "--no-color"]
        wrong = []
        for seed, part in enumerate(parts, SEED):
            tested = subprocess.run([*command, "--seed", str(seed), *part], cwd=folder, env=environment, timeout=MOST_SECONDS, check=False, preexec_fn=server.end_with_us)
            if tested.returncode:
                wrong.append(f"Schemathesis ended with {tested.returncode}, seed {seed}")
        if not running.runs():
            wrong.append("the server has ended")
        if not tally.exists():
            return [*wrong, "nothing was counted"]
        counted = json.loads(tally.read_text())
        running.known.update(counted["secrets"])
        found = running.end()
        if found:
            wrong.append(f"this stands in the server's log: {found}")
    show(counted)
    if tight:
        missing = {label: kinds - counted["refusals"].get(label, {}).keys() for label, kinds in BOUNDED.items()}
        return wrong + [f"{label} was never refused by {kind}" for label, kinds in missing.items() for kind in sorted(kinds)]
    never = [label for label in operations if not answered(label, counted["statuses"])]
    if counted["phases"].get("stateful", 0) < LEAST_IN_SEQUENCE:
        wrong.append("hardly any request was part of a sequence")
    return wrong + [f"{label} was never successful" for label in never]


def answered(label, statuses):
    good = {status for status in statuses.get(label, {}) if status.startswith("2")}
    return bool(good) or (label in SWITCHING and "101" in statuses.get(label, {}))


def show(counted):
    total = sum(sum(of.values()) for of in counted["statuses"].values())
    print(f"\n{total} requests: {pairs(counted['phases'])}; {pairs(counted['modes'])}")
    for label, of in sorted(counted["statuses"].items()):
        print(f"{label:52} {sum(of.values()):6}  {pairs({**good(of), **counted['refusals'].get(label, {})})}")


def good(statuses):
    return {status: count for status, count in statuses.items() if int(status) < 400}


def pairs(counts):
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main():
    if not TOOL.exists():
        sys.exit("please run tests/contract/prepare first")
    logs.prove()
    wrong = [f"{what}: {one}" for what, how, parts in RUNS for one in hold(what, parts, **how)]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
