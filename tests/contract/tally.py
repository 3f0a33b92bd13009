"""How often each operation was asked for, and what it answered."""

import collections
import json
import pathlib


class Tally:
    """Counts in the process of Schemathesis, and leaves a file for who started it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.statuses = collections.defaultdict(collections.Counter)
        self.phases = collections.Counter()
        self.modes = collections.Counter()
        self.refusals = collections.defaultdict(collections.Counter)
        # Credentials that were given out or shown, which the server's log is searched for.
        self.secrets = set()
        if self.path.exists():
            self.go_on(json.loads(self.path.read_text()))

    def go_on(self, counted):
        """Counts on from what the run before this one left."""
        for label, statuses in counted["statuses"].items():
            self.statuses[label].update({int(status): count for status, count in statuses.items()})
        self.phases.update(counted["phases"])
        self.modes.update(counted["modes"])
        for label, kinds in counted["refusals"].items():
            self.refusals[label].update(kinds)
        self.secrets.update(counted["secrets"])

    def count(self, case, response):
        method = response.request.method
        declared = case.operation.method.upper() == method
        label = case.operation.label if declared else "other methods"
        self.statuses[label][response.status_code] += 1
        if response.status_code >= 400 and "problem+json" in response.headers.get("content-type", [""])[0]:
            kind = json.loads(response.content or b"{}").get("type", "?").removeprefix("/problems/")
            self.refusals[label][f"{response.status_code} {kind}"] += 1
        if case.meta is not None:
            self.phases[case.meta.phase.name.value] += 1
            self.modes[case.meta.generation.mode.value] += 1

    def write(self):
        counted = {"statuses": self.statuses, "phases": self.phases, "modes": self.modes, "refusals": self.refusals, "secrets": sorted(self.secrets)}
        self.path.write_text(json.dumps(counted))
