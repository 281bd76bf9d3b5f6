"""The process that reads PDF and Word files: `python -m bot.knowledge.sources.reader`.

On its standard input come requests, a line of JSON and then the file; each is answered with a line
of JSON. Its arguments are the seconds for one file and the megabytes that it may have: at the end
of the first the alarm ends it, whatever it is doing.
"""

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bot.errors import ArticlesError
from bot.knowledge.sources.document import Content
from bot.knowledge.sources.pdf import read_pdf
from bot.knowledge.sources.word import read_word

IDLE_SECONDS = 30.0
READERS: dict[str, Callable[[bytes], Content]] = {".pdf": read_pdf, ".docx": read_word}


def main() -> None:
    """Answer requests until none comes for a while."""
    seconds, megabytes = float(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1_000_000,) * 2)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    requests = sys.stdin.buffer
    while select.select([requests], [], [], IDLE_SECONDS)[0] and (line := requests.readline()):
        request = json.loads(line)
        content = requests.read(request["size"])
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = _answer(request["ending"], content, megabytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(answer), file=answers, flush=True)


def _answer(ending: str, content: bytes, megabytes: int) -> dict[str, Any]:
    try:
        found = asdict(READERS[ending](content))
    except ArticlesError as err:
        return {"problem": str(err)}
    except MemoryError:
        return {"problem": f"reading it takes more than {megabytes:,} MB of memory; split it"}
    del found["head"]  # such files have none
    return found


if __name__ == "__main__":
    main()
