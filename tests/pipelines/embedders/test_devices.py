import logging
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.embedders import MiniLM, SentenceTransformers, devices
from pipelines.embedders import minilm as module
from pipelines.embedders.devices import CPU, Device, cpu_instead, onnx_device, usable, warn_once
from raytuner.component import ConfigError
from raytuner.objective import Tally

CARD = Device("cuda", "NVIDIA L4")
needs_gpu = pytest.mark.skipif(
    not onnx_device("cuda").gpu, reason=f"no GPU for ONNX Runtime: {onnx_device('cuda').missing}"
)
needs_none = pytest.mark.skipif(onnx_device("cuda").gpu, reason="a GPU is here")
TEXTS = ["short", "two words", "word " * 300, "a rather longer sentence about retrieval", ""]


def embed(component):
    return component.embed(TEXTS, query=False, meter=Tally()).vectors


@pytest.fixture
def said(caplog):
    """The messages of the embedders, with the memory of what was said wiped."""
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING, logger="raytuner.embedder")
    yield caplog
    warn_once.cache_clear()


@pytest.fixture
def card(monkeypatch):
    """A machine with a card, as the driver would name it."""
    monkeypatch.setattr(devices, "graphics_card", lambda: "NVIDIA L4")
    devices._onnx_cuda.cache_clear()
    yield
    devices._onnx_cuda.cache_clear()


# ---- a GPU that is asked for and absent


@needs_none
@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_without_a_gpu_the_cpu_gives_its_own_bits(asked):
    assert np.array_equal(embed(MiniLM(device=asked)), embed(MiniLM()))
    assert MiniLM(device=asked).reusable()


@needs_none
def test_one_warning_says_what_is_missing(said):
    for _ in range(3):
        embed(MiniLM(device="cuda"))
    (message,) = said.messages
    assert message == (
        "embedder minilm: device cuda is asked for, but no NVIDIA GPU is visible here: "
        "embedding on the CPU"
    )


@needs_none
def test_auto_says_nothing_where_there_is_no_gpu(said):
    embed(MiniLM(device="auto"))
    assert not said.messages


@needs_none
def test_a_card_without_the_package_names_the_extra(card, said):
    assert not onnx_device("auto").gpu
    embed(MiniLM(device="auto"))
    (message,) = said.messages
    assert "the one without CUDA" in message or "finds no CUDA or cuDNN" in message
    assert "raytuner[gpu]" in message


@needs_none
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_load_is_found_out():
    assert not devices.cuda_provider_loads()


# ---- identity


def test_the_cpu_keeps_the_name_it_always_had():
    plain = "all-MiniLM-L6-v2@53aa51172d142c89/float32/256/v1"
    assert MiniLM().fingerprint() == MiniLM(device="cpu").fingerprint() == plain
    made = SentenceTransformers(model="x/y")
    assert made.fingerprint() == "sentence-transformers/e5f2bb13c320c1fc979b950bead5deaf"
    assert SentenceTransformers(model="x/y", batch_size=1).fingerprint() == made.fingerprint()


@pytest.mark.parametrize("kind", [MiniLM, SentenceTransformers])
def test_what_ran_elsewhere_or_fell_back_has_names_of_its_own(kind, monkeypatch):
    fields = {} if kind is MiniLM else {"model": "x/y"}
    names = {kind(**fields).fingerprint()}
    place = module if kind is MiniLM else devices_of_torch()
    name = "onnx_device" if kind is MiniLM else "torch_device"
    for found in (CARD, Device("cuda", "NVIDIA A100"), cpu_instead("nothing there")):
        monkeypatch.setattr(place, name, lambda asked, found=found: found)
        names.add(kind(**fields, device="cuda").fingerprint())
        assert kind(**fields, device="cuda").fingerprint() == (
            kind(**fields, device="auto").fingerprint()
        )
    assert len(names) == 4


def devices_of_torch():
    from pipelines.embedders import sentence_transformers

    return sentence_transformers


def test_a_gpu_keeps_no_vectors_per_text_and_takes_larger_batches(monkeypatch):
    monkeypatch.setattr(module, "onnx_device", lambda asked: CARD)
    monkeypatch.setattr(devices_of_torch(), "torch_device", lambda asked: CARD)
    assert not MiniLM(device="cuda").reusable()
    many = SentenceTransformers(model="x/y", device="cuda")
    assert not many.reusable()
    assert SentenceTransformers(model="x/y", device="cuda", batch_size=1).reusable()
    assert many.fingerprint() == (
        SentenceTransformers(model="x/y", device="cuda", batch_size=64).fingerprint()
    )


@pytest.mark.parametrize("wrong", ["gpu", "cuda:x", "cpu:0", ""])
def test_devices_that_are_none_are_refused(wrong):
    with pytest.raises((ConfigError, ValueError), match="device"):
        SentenceTransformers(model="x/y", device=wrong)
    with pytest.raises((ConfigError, ValueError), match="'auto', 'cpu' or 'cuda'"):
        MiniLM(device=wrong)


# ---- torch's answers, by an object that answers as torch does


def torch_with(cards):
    backend = SimpleNamespace(
        is_available=lambda: bool(cards),
        device_count=lambda: len(cards),
        get_device_name=lambda number: cards[number],
    )
    absent = SimpleNamespace(is_available=lambda: False)
    here = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
    return SimpleNamespace(__version__="2", cuda=backend, xpu=absent, backends=here)


def test_torch_devices_are_named_by_their_card():
    torch = torch_with(["NVIDIA T4", "NVIDIA L4"])
    assert usable(torch, "cuda") == Device("cuda", "NVIDIA T4")
    assert usable(torch, "cuda:1") == Device("cuda:1", "NVIDIA L4")
    assert usable(torch, "mps") == Device("mps", "mps")
    assert usable(torch, "cuda:2").missing == "there are 2 cuda devices"
    assert usable(torch, "xpu").missing == "torch 2 sees no xpu device"
    assert not usable(torch_with([]), "cuda").gpu


def test_the_cpu_is_never_resolved():
    assert onnx_device("cpu") == devices.torch_device("cpu") == CPU


# ---- on a real GPU


@needs_gpu
def test_a_gpu_gives_the_vectors_of_the_cpu_but_for_rounding():
    gpu = MiniLM(device="cuda")
    assert np.abs(embed(gpu) - embed(MiniLM())).max() < 1e-5
    assert gpu.fingerprint().endswith(f"/{devices.graphics_card()}")
    assert not gpu.reusable()


@needs_gpu
def test_a_gpu_gives_equal_bits_for_equal_calls():
    assert np.array_equal(embed(MiniLM(device="cuda")), embed(MiniLM(device="cuda")))
