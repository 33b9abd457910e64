"""All that can be done on the day a user has the published checkpoint, in one command."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.bench.commands import check_weights, main
from sealbench.converters.families.weight_sources import BUNDLED
from tests.bench.tiny import NBITS, TINY, file_like_nano
from tests.converters.checkpoints.file_server import FileServer, serving
from tests.converters.made_checkpoints import load, official_layout, unseeded_state

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
USAGE = 4


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As released, with values that neither the seed nor PyTorch gives; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "made.pth"
    torch.save(official_layout(unseeded_state(TINY)), path)
    return path


@pytest.fixture
def server(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(checkpoint.read_bytes()) as served:
        yield served


Card = Callable[..., list[list[str]]]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    """Makes the tiny variant the one that is asked for; what the bench, which does not know it, would have got."""

    def use(official_weights: str | None = None, official_sha256: str | None = None) -> list[list[str]]:
        asked: list[list[str]] = []

        def run_bench(options: Sequence[str]) -> int:
            asked.append(list(options))
            return USAGE

        variant = replace(TINY, official_weights=official_weights, official_sha256=official_sha256)
        monkeypatch.setattr(check_weights, "get_variant", {"tiny": variant}.__getitem__)
        monkeypatch.setattr(check_weights, "run_bench", run_bench)
        return asked

    return use


def logits_file(checkpoint: Path, path: Path, wrong_by: float = 0.0) -> str:
    with torch.inference_mode():
        logits = load(TINY, checkpoint).detect(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 255).numpy()
    np.savez(path, images=IMAGES, logits=logits + np.float32(wrong_by) * np.abs(logits).mean())
    return str(path)


def test_a_checkpoint_is_downloaded_verified_loaded_and_compared(
    checkpoint: Path,
    server: FileServer,
    card: Card,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = card(official_weights=server.address)
    logits = logits_file(checkpoint, tmp_path / "logits.npz")
    options = ["--logits", logits, "--precision", "int8,int4", "--", "--samples", "3"]
    assert main(["check-weights", "tiny", *options]) == USAGE  # what the bench ended with
    lines = capsys.readouterr().out.splitlines()
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert lines[0].startswith("weights:  official, ")
    assert lines[1].startswith(f"sha256:   {sha256} (the card of tiny has none to compare it with")
    assert lines[2].startswith("loaded:   strictly; parameters: embedder ")
    assert lines[3].startswith("logits:   agree with upstream's on 2 pictures: at most ")
    assert f"0 of {2 * NBITS} bits differ" in lines[3]
    assert len(asked) == 1
    assert asked[0][:6] == ["--variant", "tiny", "--weights", "official", "--precision", "int8,int4"]
    assert asked[0][6:] == ["--out", "sealbench-runs/check-weights-tiny", "--samples", "3"]
    assert len(server.requests) == 1


def test_a_known_sha256_is_held_against_a_file(
    checkpoint: Path, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    card(official_sha256=sha256)
    assert main(["check-weights", "tiny", "--weights", str(checkpoint)]) == USAGE
    assert f"sha256:   {sha256}, as the card says" in capsys.readouterr().out
    asked = card(official_sha256="0" * 64)
    assert main(["check-weights", "tiny", "--weights", str(checkpoint)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {checkpoint}: found sha256 {sha256}; expected 000000")
    assert (captured.out, captured.err.count("\n"), asked) == ("", 1, [])


def test_logits_that_differ_end_it_before_hours_of_measuring(
    checkpoint: Path, card: Card, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = card()
    logits = logits_file(checkpoint, tmp_path / "logits.npz", wrong_by=0.002)
    assert main(["check-weights", "tiny", "--weights", str(checkpoint), "--logits", logits]) == 1
    assert "logits:   DIFFER from upstream's on 2 pictures: at most 0.002 of" in capsys.readouterr().out
    assert asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tiny",), "tiny: no address of published weights is known"),
        (("tiny", "--weights", "none.pth"), "none.pth: no such file"),
        (("tiny", "--logits", "none.npz"), "none.npz: no such file; expected an .npz file"),
        (("tiny", "--precision", "int9"), "unknown precision 'int9'"),
        (("tiny", "--weights", "{bundled}"), "does not fit the variant tiny"),
        (("tiny", "--out", "{bundled}"), "cannot be written (Not a directory); choose another --out"),
    ],
)
def test_wrong_input_is_one_line(
    checkpoint: Path,
    card: Card,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = card()
    bundled = str(BUNDLED / "videoseal_nano.safetensors")
    assert main(["check-weights", *(option.replace("{bundled}", bundled) for option in options)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.err.count("\n"), asked) == (1, [])


@pytest.mark.convert
@pytest.mark.main_job
def test_the_matrix_is_measured_and_its_limits_are_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a file that needs no conversion in the place of the one that would be made."""
    made = tmp_path / "made.tflite"
    made.write_bytes(file_like_nano())
    options = ["--weights", str(BUNDLED / "videoseal_nano.safetensors"), "--precision", "float32"]
    handed_on = ["--artifact", str(made), "-k", "test_storage", "--samples", "1"]
    assert main(["check-weights", "videoseal_nano", *options, "--out", str(tmp_path / "run"), "--", *handed_on]) == 0
    out = capfd.readouterr().out
    assert (tmp_path / "run" / "results.csv").is_file()
    assert "bench:    sealbench bench --variant videoseal_nano --weights " in out
    lines = [line.split() for line in out[out.index("Limits from this run, ON THESE PICTURES") :].splitlines()]
    (found,) = [line for line in lines if line[1:2] == ["int4_weight_pct"]]
    assert found[2:] == ["0", "none", ">=", "0", "%"]
