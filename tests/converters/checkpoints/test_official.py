import dataclasses
import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from sealbench.converters.cache_folder import cache_folder
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints import download as download_module
from sealbench.converters.checkpoints.loading import load_detector, load_watermarker
from sealbench.converters.checkpoints.official import CHECKPOINT, PINS, RECORD, TENSORS
from sealbench.converters.errors import DownloadError, WeightsError
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.watermarker import Watermarker
from tests.converters.checkpoints.file_server import FileServer, serving

TWIN = "embedder.msg_processor.msg_embeddings.weight"


def checkpoint_of(watermarker: Watermarker, seed: int, extra: dict[str, Any] | None = None) -> bytes:
    """A training's checkpoint: three times as much other state as the networks have."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for key, value in watermarker.state_dict().items():
        if key != TWIN:
            state[key] = torch.rand(value.shape, generator=generator) if value.is_floating_point() else value + seed
    state[TWIN] = state["embedder.unet.msg_processor.msg_embeddings.weight"]
    moments = {
        i: {"step": torch.tensor(3.0), "exp_avg": v * 2, "exp_avg_sq": v * 3} for i, v in enumerate(state.values())
    }
    content = {
        "model": state | {"rgb2yuv.M": torch.eye(3)},
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-4, "params": list(moments)}]},
        "discriminator": {f"d.{key}": value for key, value in state.items()},
        "epoch": 600,
        "args": "nbits: 16",
    }
    file = io.BytesIO()
    torch.save(content | (extra or {}), file)
    return file.getvalue()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "FIRST_PAUSE_S", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tiny_watermarker: Watermarker) -> Iterator[FileServer]:
    with serving(checkpoint_of(tiny_watermarker, seed=1)) as served:
        yield served


@pytest.fixture
def published(tiny: Variant, server: FileServer) -> Variant:
    return dataclasses.replace(tiny, official_weights=server.address)


def only_folder() -> Path:
    (folder,) = (path for path in cache_folder("weights").iterdir() if path.is_dir())
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def pinned() -> dict[str, str]:
    content: dict[str, str] = json.loads((cache_folder("weights") / PINS).read_text())
    return content


# --- What works ---


def test_official_weights_are_downloaded_once_and_load(published: Variant, server: FileServer, tmp_path: Path) -> None:
    weights = find_weights(published, "official")
    assert weights.kind == "official"
    assert weights.fingerprint == hashlib.sha256(server.content).hexdigest()
    assert find_weights(published, "official") == weights
    assert len(server.requests) == 1
    assert pinned() == {server.address: weights.fingerprint}

    (tmp_path / "same.pth").write_bytes(server.content)
    by_path = find_weights(published, str(tmp_path / "same.pth"))
    assert by_path.fingerprint == weights.fingerprint  # so that both share their converted files
    fetched, given = (
        load_watermarker(published, weights).state_dict(),
        load_watermarker(published, by_path).state_dict(),
    )
    expected = torch.load(io.BytesIO(server.content), weights_only=True)["model"]
    for key, value in fetched.items():
        if not key.startswith("attenuation."):
            assert torch.equal(value, expected[key]), key
        assert torch.equal(value, given[key]), key
    for key, value in load_detector(published, weights).state_dict().items():
        assert torch.equal(value, expected[f"detector.{key}"]), key


def test_only_the_networks_are_kept_of_a_checkpoint(
    published: Variant, server: FileServer, tiny_watermarker: Watermarker
) -> None:
    weights = find_weights(published, "official")
    assert names(only_folder()) == {TENSORS, RECORD}  # no checkpoint, no part
    assert weights.path == only_folder() / TENSORS
    networks = {key for key in tiny_watermarker.state_dict() if key.startswith(("embedder.", "detector."))}
    with safe_open(weights.path, framework="pt") as file:
        assert set(file.keys()) == networks - {TWIN}
        assert file.metadata() == {"address": server.address, "checkpoint_sha256": weights.fingerprint}
    assert weights.path.stat().st_size < len(server.content) / 3


def test_other_sources_ask_nobody(published: Variant, server: FileServer) -> None:
    find_weights(published)
    find_weights(published, "seeded")
    for source in ("bundled", "nowhere.pth"):
        with pytest.raises(WeightsError):
            find_weights(published, source)
    assert server.requests == []


@pytest.mark.main_job
def test_importing_and_finding_need_no_torch(published: Variant) -> None:
    find_weights(published, "official")
    program = f"""
import sys
from sealbench.converters.cards.watermark import *
from sealbench.converters.families.weight_sources import find_weights
card = Variant("tiny", "watermark", 16, 32, None, None, None, official_weights={published.official_weights!r})
assert find_weights(card, "official").kind == "official"
assert "torch" not in sys.modules and "rich" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.main_job
def test_two_processes_download_once(published: Variant, server: FileServer) -> None:
    program = f"""
import sys, torch
from sealbench.converters.checkpoints.official import fetch_official
sys.stdin.read()
print(fetch_official({published.official_weights!r}).sha256)
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    printed = {process.stdout.read().strip() for process in processes if process.stdout is not None}
    assert [process.wait() for process in processes] == [0, 0]
    assert printed == {hashlib.sha256(server.content).hexdigest()}
    assert len(server.requests) == 1


def test_a_dropped_download_is_resumed_by_the_next_run(published: Variant, server: FileServer) -> None:
    half = len(server.content) // 2
    server.faults = [("cut", half), *[503] * (download_module.TRIES - 1)]
    with pytest.raises(DownloadError, match=f"{half} bytes are kept"):
        find_weights(published, "official")
    server.requests.clear()
    assert find_weights(published, "official").fingerprint == hashlib.sha256(server.content).hexdigest()
    assert [(request.range, request.sent) for request in server.requests] == [
        (f"bytes={half}-", len(server.content) - half)
    ]


def test_an_interrupted_extraction_needs_no_other_download(published: Variant, server: FileServer) -> None:
    find_weights(published, "official")
    folder = only_folder()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / CHECKPOINT).write_bytes(server.content)
    (folder / f"{TENSORS}.partial.safetensors").write_bytes(b"half")
    server.requests.clear()
    load_watermarker(published, find_weights(published, "official"))
    assert server.requests == []
    assert names(folder) == {TENSORS, RECORD}


@pytest.mark.parametrize("name", [TENSORS, RECORD])
def test_a_damaged_cache_is_made_anew(published: Variant, server: FileServer, name: str) -> None:
    weights = find_weights(published, "official")
    path = only_folder() / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert find_weights(published, "official") == weights
    assert len(server.requests) == 2
    path.write_bytes(content[: len(content) // 2])
    assert find_weights(published, "official") == weights
    assert len(server.requests) == 3


# --- The pin ---


def test_another_file_than_the_pinned_one_is_refused(
    published: Variant, server: FileServer, tiny_watermarker: Watermarker
) -> None:
    first = find_weights(published, "official")
    shutil.rmtree(only_folder())
    server.content = checkpoint_of(tiny_watermarker, seed=2)
    second = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(DownloadError) as caught:
        find_weights(published, "official")
    pins = cache_folder("weights") / PINS
    message = str(caught.value)
    assert message.startswith(f"{server.address}: not the file that is expected (")
    assert all(part in message for part in (second, first.fingerprint, f"pinned in {pins}"))
    assert names(only_folder()) == set()
    assert pinned() == {server.address: first.fingerprint}

    # What the message asks for: without its pin the file is taken, and the pins of others stay.
    pins.write_text(json.dumps({"https://example.invalid/other.pth": "0" * 64}))
    assert find_weights(published, "official").fingerprint == second
    assert pinned() == {server.address: second, "https://example.invalid/other.pth": "0" * 64}


def test_the_same_file_again_is_taken_after_the_cache_was_cleared(published: Variant, server: FileServer) -> None:
    first = find_weights(published, "official")
    shutil.rmtree(only_folder())
    assert find_weights(published, "official") == first
    assert len(server.requests) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_damaged_pins_are_reported_before_the_download(published: Variant, server: FileServer, damage: str) -> None:
    pins = cache_folder("weights") / PINS
    pins.parent.mkdir(parents=True)
    pins.write_text(damage)
    with pytest.raises(WeightsError, match=r"pins\.json: expected a JSON object of sha256 by address"):
        find_weights(published, "official")
    assert server.requests == []


# --- What is refused ---


def test_what_is_no_checkpoint_is_neither_pinned_nor_kept(published: Variant, server: FileServer) -> None:
    checkpoint, server.content = server.content, b"<!DOCTYPE html><title>Log in to this network</title>"
    with pytest.raises(WeightsError) as caught:
        find_weights(published, "official")
    assert str(caught.value).startswith(f"{server.address}: what was downloaded from there is no checkpoint")
    assert not (cache_folder("weights") / PINS).exists()
    assert names(only_folder()) == set()
    server.content = checkpoint
    assert find_weights(published, "official").fingerprint == hashlib.sha256(checkpoint).hexdigest()


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.proof}",)


def test_a_program_in_a_downloaded_checkpoint_is_not_run(
    published: Variant, server: FileServer, tiny_watermarker: Watermarker, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    payload = Payload(proof)
    pickle.loads(pickle.dumps(payload))
    assert proof.exists()  # the payload works where it is run
    proof.unlink()
    server.content = checkpoint_of(tiny_watermarker, seed=1, extra={"optimizer": payload})
    with pytest.raises(WeightsError, match="not a checkpoint of tensors only"):
        find_weights(published, "official")
    assert not proof.exists()


def test_the_cards_hash_is_expected_of_the_first_download(published: Variant, server: FileServer) -> None:
    right = dataclasses.replace(published, official_sha256=hashlib.sha256(server.content).hexdigest())
    wrong = dataclasses.replace(published, official_sha256="0" * 64)
    with pytest.raises(DownloadError, match=f"not the file that is expected .*{'0' * 64}"):
        find_weights(wrong, "official")
    assert names(only_folder()) == set()
    assert find_weights(right, "official") == find_weights(published, "official")
    assert find_weights(right, "seeded") == find_weights(published, "seeded")  # the hash changes no value


def test_a_variant_that_nobody_publishes_is_reported(tiny: Variant) -> None:
    with pytest.raises(
        WeightsError,
        match=r"^tiny: no address of published weights is known; use bundled, seeded",
    ):
        find_weights(tiny, "official")


def test_a_missing_file_is_reported_with_the_way_out(published: Variant, server: FileServer) -> None:
    server.faults = [404]
    with pytest.raises(DownloadError, match=r"checkpoint\.pth: could not be downloaded \(404 .*--weights PATH"):
        find_weights(published, "official")


def test_a_cache_that_cannot_be_written_is_reported(
    published: Variant, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot be stored \(Not a directory\).*set XDG_CACHE_HOME"):
        find_weights(published, "official")
    assert server.requests == []


def test_too_little_space_for_the_extraction_keeps_the_download(
    published: Variant, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        free = iter([10**9, 100])
        patch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, next(free)))
        with pytest.raises(
            WeightsError, match=r"cannot be stored \(\d+ bytes are needed beside the checkpoint, 100 are free"
        ):
            find_weights(published, "official")
    assert names(only_folder()) == {CHECKPOINT}
    find_weights(published, "official")
    assert len(server.requests) == 1
