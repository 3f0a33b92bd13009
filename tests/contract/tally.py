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
        if self.path.exists():
            self.go_on(json.loads(self.path.read_text()))

    def go_on(self, counted):
        """Counts on from what the run before this one left."""
        for label, statuses in counted["statuses"].items():
            self.statuses[label].update({int(status): count for status, count in statuses.items()})
        self.phases.update(counted["phases"])
        self.modes.update(counted["modes"])

    def count(self, case, response):
        method = response.request.method
        declared = case.operation.method.upper() == method
        label = case.operation.label if declared else "other methods"
        self.statuses[label][response.status_code] += 1
        if case.meta is not None:
            self.phases[case.meta.phase.name.value] += 1
            self.modes[case.meta.generation.mode.value] += 1

    def write(self):
        counted = {"statuses": self.statuses, "phases": self.phases, "modes": self.modes}
        self.path.write_text(json.dumps(counted))
