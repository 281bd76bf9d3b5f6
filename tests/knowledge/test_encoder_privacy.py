"""The encoder's engine keeps to itself what it runs on."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENCODE = """
from bot.knowledge.encoder import E5Encoder
print(E5Encoder().questions(["Hello 你好"]).shape)
"""


def test_that_encoding_leaves_no_telemetry(tmp_path: Path) -> None:
    """onnxruntime 1.32 gathers what it sends in ~/.cache/Microsoft, beginning at its import."""
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for name in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"):
        environment.pop(name, None)

    found = subprocess.run(
        [sys.executable, "-c", ENCODE], env=environment, capture_output=True, text=True, check=True
    )

    assert found.stdout == "(1, 384)\n"
    assert list(tmp_path.rglob("*")) == []
