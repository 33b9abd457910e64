"""The main job under attacks: every precision on the same attacked images, keyed by attack wherever it is written."""

import numpy as np
import pandas as pd
import pytest

from sealbench.bench.backends.runners import TorchRunner
from sealbench.bench.targets import Group
from sealbench.bench.tasks.images import attacked, prepare
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.datasets.attacks import apply_attack, attack_seed
from sealbench.datasets.photographs import photo_samples
from sealbench.datasets.sample import Sample
from sealbench.reports.statistics.jpeg_cost import jpeg_quality_cost
from tests.bench.main_job import MainJob, main_job
from tests.bench.tiny import TINY, tiny_watermarker

ATTACKS = ("jpeg:90", "jpeg:60", "jpeg:30", "overlay:0.3+flip")
OPTIONS = ("--variant", "videoseal_nano", "--precision", "float32,int4", "--samples", "12", "-k", "robustness")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> MainJob:
    folder = tmp_path_factory.mktemp("job")
    return main_job(folder / "run", *OPTIONS, "--attacks", ",".join((*ATTACKS, "jpeg:60.0")))


def results(job: MainJob) -> pd.DataFrame:
    return pd.read_csv(job.run_dir / "results.csv", keep_default_na=False, na_values=[""])


def bits(job: MainJob) -> pd.DataFrame:
    return pd.read_csv(job.run_dir / "samples" / "bits.csv", keep_default_na=False, na_values=[""])


@pytest.mark.long
@pytest.mark.convert
@pytest.mark.main_job
def test_every_row_says_its_attack_and_recomputes_from_the_bits(job: MainJob) -> None:
    assert job.code in (0, 10), job.output[-3000:]
    frame = results(job)
    accuracy = frame[frame.metric == "bit_accuracy"]
    assert len(accuracy) == 3 * len(ATTACKS)
    assert set(accuracy.attack) == set(ATTACKS)
    # Attack by attack, PyTorch first.
    assert list(dict.fromkeys(frame.attack)) == [*ATTACKS, "none"]
    assert list(dict.fromkeys(accuracy.attack)) == list(ATTACKS)
    assert list(accuracy.backend[:3]) == ["torch", "litert", "litert"]
    rows = bits(job)
    assert set(rows.attack) == set(ATTACKS)
    assert not rows["sample"].str.endswith("/plain").any()
    rows = rows.dropna(subset="message")
    key = ["precision", "backend", "attack"]
    recomputed = ((rows.logit > 0) == (rows.message == 1)).groupby([rows[name] for name in key]).mean()
    assert recomputed.to_dict() == pytest.approx(accuracy.set_index(key).value.to_dict())
    torch = accuracy[accuracy.backend == "torch"].set_index("attack").value
    assert torch["jpeg:90"] > torch["jpeg:60"] > torch["jpeg:30"]


@pytest.mark.long
@pytest.mark.convert
@pytest.mark.main_job
def test_losses_are_paired_with_pytorch_on_the_same_images(job: MainJob) -> None:
    frame = results(job).set_index(["precision", "backend", "attack", "metric"])
    value = frame.value.sort_index()
    for precision in ("float32", "int4"):
        for attack in ATTACKS:
            difference = (
                value[precision, "litert", attack, "bit_accuracy"] - value["float32", "torch", attack, "bit_accuracy"]
            )
            assert value[precision, "litert", attack, "bit_accuracy_delta"] == pytest.approx(100 * difference)
            flipped = (
                value[precision, "litert", attack, "positive_flips"]
                - value[precision, "litert", attack, "negative_flips"]
            )
            assert flipped == pytest.approx(difference * 12 * 32)
            assert value[precision, "litert", attack, "nan_count"] == 0
    # The float32 file decides as PyTorch does only if both saw the same pixels.
    assert all(value["float32", "litert", attack, "bit_agreement"] == 1 for attack in ATTACKS)
    assert value["int4", "litert", "jpeg:30", "bit_agreement"] < 1
    assert frame[frame.index.get_level_values("metric") == "tpr_at_fpr_1e-6"].ci_low.notna().all()


@pytest.mark.convert
@pytest.mark.main_job
def test_the_cost_in_jpeg_quality_recomputes_from_the_bits(job: MainJob) -> None:
    rows = bits(job).dropna(subset="message")
    rows = rows[(rows.precision == "int4") & rows.attack.str.fullmatch("jpeg:[0-9]+")]
    shape = (12, 32)
    by_quality = [(q, rows[rows.attack == f"jpeg:{q}"]) for q in (30, 60, 90)]
    logits, reference = (
        np.stack([group[name].to_numpy().reshape(shape) for _, group in by_quality])
        for name in ("logit", "reference_logit")
    )
    messages = by_quality[0][1].message.to_numpy().astype(int).reshape(shape)
    sources = [name.rpartition("-")[0] for name in dict.fromkeys(rows["sample"])]
    cost, interval = jpeg_quality_cost([30, 60, 90], logits, reference, messages, sources)
    frame = results(job)
    recorded = frame[(frame.metric == "jpeg_quality_cost") & (frame.precision == "int4")].iloc[0]
    assert interval is not None
    assert (recorded.value, recorded.ci_low, recorded.ci_high) == pytest.approx((cost, *interval))
    summary = pd.read_csv(job.run_dir / "summary.csv").set_index("precision")
    assert summary.jpeg_quality_cost["int4"] == pytest.approx(cost)
    page = (job.run_dir / "summary.md").read_text()
    assert f"int4\\* costs {cost:.2f} JPEG-quality points" in page
    assert (job.run_dir / "plots" / "robustness.png").is_file()


@pytest.mark.convert
@pytest.mark.main_job
def test_the_worst_image_can_be_repeated(job: MainJob) -> None:
    """Attack the image anew, by what the table says, and read the same wrong bits."""
    table = pd.read_csv(job.run_dir / "samples" / "worst_images.csv", dtype=str, keep_default_na=False)
    worst = table[(table.precision == "float32") & (table.attack == "overlay:0.3+flip")].iloc[0]
    name = worst["sample"].partition("/")[2]
    assert worst.attack_seed == str(attack_seed(name))
    variant = get_variant("videoseal_nano")
    group = Group(variant, find_weights(variant), ImageSize(256, 256))
    samples = photo_samples("evaluation", (256, 256), 12)
    watermarker = load_watermarker(variant, group.weights)
    images = prepare("photographs", samples, group, lambda: watermarker)
    index = images.labels.ids.index(name)
    assert "".join(map(str, images.labels.messages[index])) == worst.message
    picture = apply_attack(images.pictures[index], worst.attack, int(worst.attack_seed))
    logits = TorchRunner(watermarker.detector, (256, 256), 32, 2)(picture.astype(np.float32) / 255)[1:]
    wrong = int(((logits > 0) != (images.labels.messages[index] > 0)).sum())
    assert wrong == int(worst.wrong_bits)
    rows = bits(job).dropna(subset="message")
    rows = rows[(rows.backend == "torch") & (rows["sample"] == worst["sample"]) & (rows.attack == worst.attack)]
    assert logits == pytest.approx(rows.logit.to_numpy(), abs=1e-4)


def test_pictures_are_attacked_at_their_own_size_each_with_a_seed_of_its_own() -> None:
    group = Group(TINY, find_weights(TINY, "seeded"), ImageSize(32, 32))
    picture = photo_samples("evaluation", (48, 64), 1)[0].image
    samples = [Sample(name, picture, None, "evaluation", "one", generated=False) for name in ("a", "b")]
    images = prepare("photographs", samples, group, tiny_watermarker)
    assert [picture.shape for picture in images.pictures] == [(48, 64, 3)] * 2
    changed = attacked(images, "gaussian_noise:20", group)
    assert (changed.attack, changed.plain) == ("gaussian_noise:20", None)
    assert changed.watermarked.shape == (2, 32, 32, 3)
    assert changed.labels is images.labels
    noise = changed.watermarked - images.watermarked
    assert 0.01 < noise.std() < 20 / 255  # averaged by the resize that comes after it
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1
    again = attacked(images, "gaussian_noise:20", group)
    np.testing.assert_array_equal(again.watermarked, changed.watermarked)
