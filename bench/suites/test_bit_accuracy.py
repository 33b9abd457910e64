"""Does the detector read the embedded message, and as well as the PyTorch reference does?"""

import pytest

from bench import metrics
from bench.intervals import clustered_mean_interval
from bench.recorder import Recorder
from bench.targets import Target
from bench.workbench import GroupBench

pytestmark = pytest.mark.gives("bits")


@pytest.mark.measures("bit_accuracy", "word_accuracy", "log10_pvalue", "tpr_at_fpr_1e-6")
def test_bit_accuracy(target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Bits and whole messages read right, and the decisions that follow from the bits alone."""
    images = group.images(dataset)
    logits = group.outputs(target, dataset).watermarked[:, 1:]  # (n, nbits)
    right = metrics.correct_bits(logits, images.messages)  # (n, nbits)
    n = len(images.ids)

    accuracy = right.mean(axis=1)  # (n,)
    record("bit_accuracy", accuracy.mean(), n, clustered_mean_interval(accuracy, images.sources))
    words = right.all(axis=1).astype(float)  # (n,)
    record("word_accuracy", words.mean(), n, clustered_mean_interval(words, images.sources))
    pvalues = metrics.log10_pvalues(logits, images.messages)  # (n,)
    record("log10_pvalue", pvalues.mean(), n, clustered_mean_interval(pvalues, images.sources))
    record("tpr_at_fpr_1e-6", metrics.tpr_at_fpr(logits, images.messages, 1e-6), n)


@pytest.mark.measures("bit_accuracy_delta")
def test_bit_accuracy_delta(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """What the conversion costs in percentage points, paired by image and bit with the reference."""
    images = group.images(dataset)
    reference = group.outputs(group.reference, dataset).watermarked[:, 1:]  # (n, nbits)
    logits = group.outputs(file_target, dataset).watermarked[:, 1:]  # (n, nbits)
    right = metrics.correct_bits(logits, images.messages).mean(axis=1)  # (n,)
    reference_right = metrics.correct_bits(reference, images.messages).mean(axis=1)  # (n,)
    delta = 100 * (right - reference_right)  # (n,)
    record("bit_accuracy_delta", delta.mean(), len(images.ids), clustered_mean_interval(delta, images.sources))


@pytest.mark.measures("psnr_db")
def test_psnr(reference_target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """How visible the watermark is whose bits are read here."""
    images = group.images(plain_dataset)
    record("psnr_db", images.psnr_db.mean(), len(images.ids), clustered_mean_interval(images.psnr_db, images.sources))
