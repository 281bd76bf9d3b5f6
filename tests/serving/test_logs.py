"""Which line of a server's log says why it ended."""

from pathlib import Path

import pytest

from serving.logs import TAIL_BYTES, last_meaningful_line

VLLM_CRASH = """\
(APIServer pid=12) INFO 01-31 12:00:00 [api_utils.py:286] non-default args: {'port': 1}
(EngineCore pid=34) ERROR 01-31 12:00:09 [core.py:900] EngineCore failed to start.
(EngineCore pid=34) ERROR 01-31 12:00:09 [core.py:900] Traceback (most recent call last):
(EngineCore pid=34) ERROR 01-31 12:00:09 [core.py:900]   File "core.py", line 1, in start
(EngineCore pid=34) ERROR 01-31 12:00:09 [core.py:900] torch.OutOfMemoryError: CUDA out of memory
(APIServer pid=12) RuntimeError: Engine core initialization failed. See root cause above. Failed: {}
nanobind: leaked 4 instances!
 - leaked instance 0x7efcb5e54ce8 of type "triton"
/lib/resource_tracker.py:254: UserWarning: There appear to be 1 leaked semaphore objects
  warnings.warn('resource_tracker: There appear to be %d '
"""
BAD_ARGUMENT = """\
usage: api_server.py [-h]
api_server.py: error: unrecognized arguments: --nonsense
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(VLLM_CRASH, "torch.OutOfMemoryError: CUDA out of memory", id="root cause"),
        pytest.param(
            BAD_ARGUMENT,
            "api_server.py: error: unrecognized arguments: --nonsense",
            id="bad argument",
        ),
        pytest.param("starting\nKilled\n\n", "Killed", id="no error"),
        pytest.param("nanobind: leaked 4 instances!\n", "", id="noise only"),
        pytest.param("", "", id="empty"),
    ],
)
def test_that_the_last_line_with_a_meaning_is_found(tmp_path: Path, text: str, line: str) -> None:
    log = tmp_path / "engine.log"
    log.write_text(text)

    assert last_meaningful_line(log) == line


def test_that_an_absent_log_has_no_line(tmp_path: Path) -> None:
    assert last_meaningful_line(tmp_path / "absent.log") == ""


def test_that_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"ValueError: long ago\n" + b"x" * TAIL_BYTES + b"\nlast \xff word\n")

    assert last_meaningful_line(log) == "last \ufffd word"
