"""Where an embedder runs: which device was asked for, which is there, and what is missing.

A device that is asked for and absent is no failure of a trial: the embedder runs on the CPU and
says so once. Vectors of two kinds of processor differ in their last bits, so what a device is
called here (`Device.bits`) belongs into the fingerprint of whatever ran on it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import logging
import os
from functools import lru_cache
from typing import Any, NamedTuple

_log = logging.getLogger("raytuner.embedder")

ONNX_EXTRA = (
    "pip install 'raytuner[gpu]' && pip uninstall -y onnxruntime && "
    "pip install --force-reinstall --no-deps onnxruntime-gpu"
)
"""Both packages own the module `onnxruntime`; the last one installed wins."""


class Device(NamedTuple):
    """What an embedder runs on, whatever was asked for.

    Attributes:
        use: the device in its library's terms: `cpu`, `cuda`, `cuda:1`, `mps`.
        bits: names the arithmetic: empty for a CPU that was asked for, else the name of the card,
            or `cpu-instead`.
        missing: why the device that was asked for is not used; empty if it is.
        absent: no such device is there at all, so that `auto` has nothing to complain about.
    """

    use: str
    bits: str
    missing: str = ""
    absent: bool = False

    @property
    def gpu(self) -> bool:
        """Whether it is something else than the CPU."""
        return self.use != "cpu"


CPU = Device("cpu", "")


def cpu_instead(missing: str, *, absent: bool = False) -> Device:
    """Give the CPU, and the reason.

    Its vectors are those of a CPU that was asked for, but its fingerprint is not: where a driver
    without a GPU names the trials that workers with one score, those must not pass for scores of
    a CPU.
    """
    return Device("cpu", "cpu-instead", missing, absent)


def onnx_device(asked: str) -> Device:
    """Resolve `auto`, `cpu` or `cuda` for ONNX Runtime; once per process, no model is loaded."""
    return CPU if asked == "cpu" else _onnx_cuda()


def torch_device(asked: str) -> Device:
    """Resolve `auto` (CUDA where there is one) or a torch device; no model is loaded."""
    if asked == "cpu":
        return CPU
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError:
        return cpu_instead("torch is not installed")
    return usable(torch, "cuda" if asked == "auto" else asked)


def usable(torch: Any, wanted: str) -> Device:
    """Ask torch for a device such as `cuda:1`."""
    kind, _, number = wanted.partition(":")
    backend = torch.backends.mps if kind == "mps" else getattr(torch, kind)
    if not backend.is_available():
        absent = graphics_card() is None
        return cpu_instead(f"torch {torch.__version__} sees no {kind} device", absent=absent)
    if kind == "mps":
        return Device("mps", "mps")
    if int(number or 0) >= backend.device_count():
        return cpu_instead(f"there are {backend.device_count()} {kind} devices")
    return Device(wanted, backend.get_device_name(int(number or 0)))


@lru_cache(maxsize=64)
def warn_once(embedder: str, asked: str, device: Device, remedy: str) -> None:
    """Say what is missing, once in a process for each embedder."""
    if not device.missing or (asked == "auto" and device.absent):
        return
    advice = "" if device.absent else f"; {remedy}"
    _log.warning(
        "embedder %s: device %s is asked for, but %s: embedding on the CPU%s",
        embedder,
        asked,
        device.missing,
        advice,
    )


@lru_cache(maxsize=1)
def graphics_card() -> str | None:
    """Name the first NVIDIA card that this process may use; None without one.

    Asks the driver, which obeys CUDA_VISIBLE_DEVICES (Ray sets it for a trial).
    Source: CUDA driver API, cuInit, cuDeviceGetCount, cuDeviceGet and cuDeviceGetName.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return None
    count, first, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    if driver.cuDeviceGet(ctypes.byref(first), 0) or driver.cuDeviceGetName(name, 256, first):
        return None
    return name.value.decode(errors="replace")


@lru_cache(maxsize=1)
def _onnx_cuda() -> Device:
    card = graphics_card()
    if card is None:
        return cpu_instead("no NVIDIA GPU is visible here", absent=True)
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return cpu_instead("the installed onnxruntime is the one without CUDA")
    # libraries that came as packages are not on the loader's path; it prints what it misses
    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls(directory="")
    if not cuda_provider_loads():
        return cpu_instead("onnxruntime-gpu finds no CUDA or cuDNN libraries of its version")
    return Device("cuda", card)


CUDA_PROVIDERS = [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]
"""In full float32: TensorFloat-32, the provider's default, keeps 10 bits of a factor."""


def cuda_provider_loads() -> bool:
    """Open a session of one idle node: ONNX Runtime takes the CPU in silence if CUDA won't load."""
    import onnxruntime
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "probe", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=CUDA_PROVIDERS
    )
    return "CUDAExecutionProvider" in session.get_providers()
