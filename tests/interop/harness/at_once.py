"""The Python example, loaded and waiting: it joins when a line comes."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "python"))
import call  # noqa: E402

print("loaded")
sys.stdin.readline()
asyncio.run(call.main())
