"""Where the time of a program goes, over all of its threads."""

import cProfile
import pstats
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def profiled(work: Callable[[], object], path: Path) -> None:
    """Run `work`, and write how much time of a core each function took, in whatever thread."""
    profiles: list[cProfile.Profile] = []
    run_thread = threading.Thread.run

    def run(*args: Any) -> None:
        # Waiting takes no time of a core, so the clock is the thread's own.
        profiles.append(profile := cProfile.Profile(time.thread_time))
        profile.runcall(run_thread, *args)

    setattr(threading.Thread, "run", run)  # noqa: B010
    main = cProfile.Profile(time.thread_time)
    main.runcall(work)
    stats = pstats.Stats(main)
    for profile in profiles:
        stats.add(profile)
    stats.dump_stats(path)
