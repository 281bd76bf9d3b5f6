"""A program that owns an engine with the fake server, to be killed by a test.

python -m tests.serving.owner FOLDER [ARGUMENTS OF THE FAKE SERVER]
"""

import asyncio
import sys
from pathlib import Path

from tests.serving.support import fake_engine


async def main() -> None:
    engine = fake_engine(Path(sys.argv[1]), *sys.argv[2:])
    running = asyncio.create_task(engine.run())
    await engine.wait_ready()
    print("ready", flush=True)
    await running


if __name__ == "__main__":
    asyncio.run(main())
