"""A small program in the converter's place: `fake_converter.py BEHAVIOUR SOURCE FOLDER`."""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    behaviour, source, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with (folder.parent / "conversions").open("a") as noted:
        noted.write(f"{os.getpid()}\n")
    (folder / "model.safetensors").write_bytes(source.read_bytes())
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "raise":
        raise ValueError("this file has no tensors")
    if behaviour == "disk-full":
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")
    (folder / "config.json").write_text("{}")


if __name__ == "__main__":
    main()
