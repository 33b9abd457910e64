"""Makes the files of models of any family where a user wants them, and says what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.command_line import check_folder, copy_whole, writable_folder
from sealbench.converters.export.precisions import Precision, get_precision
from sealbench.converters.families import Model, family_of
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.converters.tflite.model_file import read_model_file


def convert_models(
    variants: Sequence[Card],
    precisions: Sequence[Precision],
    out: Path,
    sources: Mapping[str, str | None],
    image_size: str | None = None,
    mode: str = "simple",
    rewrite: str = "auto",
    out_option: str = "--out",
) -> list[Path]:
    """Convert every variant at every precision. All that can be wrong is looked at before the first conversion.

    Args:
        variants, precisions: what to make.
        out: folder for the files; made where it is missing.
        sources: of weights, by variant, as `find_weights` takes them.
        image_size: as `ImageSize.parse` reads it, or None for the size that each variant was trained at.
        mode: `simple`, or `resize` for files that resize images inside.
        rewrite: a choice of `sealbench.converters.rewrites`.
        out_option: the option that chose the folder, for messages.

    Returns:
        The files, in order.

    Raises:
        ConverterError: an option, a checkpoint or the folder cannot be used.
    """
    sizes, rewrites = {}, {}
    for variant in variants:
        family = family_of(variant)
        sizes[variant.name] = family.default_size(variant) if image_size is None else ImageSize.parse(image_size)
        family.check_size(variant, sizes[variant.name], mode)
        rewrites[variant.name] = choose_rewrites(rewrite, variant)
    check_folder(out, out_option)
    # After the options, because it may download.
    weights = {variant.name: find_weights(variant, sources[variant.name]) for variant in variants}
    specs = [
        ArtifactSpec(variant, weights[variant.name], precision, sizes[variant.name], mode, rewrites[variant.name])
        for variant in variants
        for precision in precisions
    ]
    writable_folder(out, out_option)
    make_files({out / spec.file_name: spec for spec in specs})
    return [out / spec.file_name for spec in specs]


def make_files(files: Mapping[Path, ArtifactSpec]) -> None:
    """Make each file of its spec, or copy it from the artifact store, and print what it is.

    Args:
        files: specs by the path of the file, whose folder is there.

    Raises:
        ConverterError: a checkpoint does not fit, which is found before the first conversion, or a file cannot be made.
    """
    models: dict[str, Model] = {}
    for spec in files.values():
        model = models.setdefault(spec.variant.name, spec.family.model(spec.variant, spec.weights))
        if spec.weights.path is not None:
            _ = model.network  # a checkpoint that does not fit is refused now, even where the store has the file
            if spec.precision.needs_calibration:
                model.check()  # the ranges take more of it than is exported, such as the embedder of a watermark
    store = ArtifactStore()
    for path, spec in files.items():
        model = models[spec.variant.name]
        float32 = store.get(replace(spec, precision=get_precision("float32")), model)
        artifact = store.get(spec, model)
        file = read_model_file(artifact.path)
        spec.family.check_file(file, spec.variant, spec.size)
        copy_whole(artifact.path, path)
        saving = 100 * (1 - artifact.size_bytes / float32.size_bytes)
        print(f"{path}")
        print(f"weights:   {weights_text(spec.weights)}")
        print(f"rewrites:  {', '.join(spec.rewrites) or 'none'}")
        print(f"size:      {artifact.size_bytes / 1e6:.2f} MB ({artifact.size_bytes} bytes)")
        print(f"stored below 32 bits: {file.quantized_weight_pct:.1f} % of the weights")
        if spec.recipe:
            print(f"float32:   {float32.size_bytes / 1e6:.2f} MB; {saving:.1f} % smaller")
        print(f"converted: {'found in the store' if artifact.reused else f'{artifact.convert_s:.1f} s'}", flush=True)


def weights_text(weights: Weights) -> str:
    """What people are told of weights: a path, or their kind, and whether they mean anything."""
    if weights.path is None:
        return f"{weights.kind} (untrained: what the model answers means nothing)"
    return str(weights.path) if weights.kind == "file" else weights.kind
