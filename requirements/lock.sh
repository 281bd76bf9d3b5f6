#!/bin/sh
# Resolve pyproject.toml anew into the lock files beside this script (needs uv on the PATH).
# Each lock is complete: pip installs it with --no-deps --require-hashes, so that a fresh install
# today and next year gives the same versions.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
with_engine="--override requirements/engine-cpu.overrides requirements/engine-cpu.in"
build="requirements/build.in"
# The largest set first; the smaller ones take its versions.
compile --universal pyproject.toml $build --extra dev --extra actions $with_engine -o requirements/dev.lock
compile --universal pyproject.toml $build --extra actions $with_engine -c requirements/dev.lock -o requirements/engine-cpu.lock
compile --universal pyproject.toml $build -c requirements/dev.lock -o requirements/bot.lock
compile --python-platform x86_64-unknown-linux-gnu pyproject.toml $build --extra engine-gpu --extra actions -o requirements/engine-gpu.lock
