"""Upstream's own modules (facebookresearch/videoseal, MIT), imported from a checkout.

They are built by upstream's own code from upstream's own cards, with stand-ins for what it imports and these networks
do not use.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

CARDS = {
    "videoseal": "videoseal_1.0",
    "videoseal_0.0": "videoseal_0.0",
    "pixelseal": "pixelseal",
    "chunkyseal": "chunkyseal",
}


class Config(dict[str, Any]):
    """A card's table, whose keys are attributes as well."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def _config(node: Any) -> Any:
    if isinstance(node, dict):
        return Config({key: _config(value) for key, value in node.items()})
    return node


def _module(name: str, **names: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(names)
    return module


def _package(name: str, root: Path) -> ModuleType:
    """A package without its `__init__`, which would import everything."""
    return _module(name, __path__=[str(root / name.replace(".", "/"))])


@contextlib.contextmanager
def upstream_modules(root: Path) -> Iterator[None]:
    """Within it, `videoseal.*` is the checkout at `root`; afterwards the interpreter's modules are as before."""
    before = dict(sys.modules)

    def unused(*args: object) -> None:
        """What image loading and other architectures call."""

    stand_ins = [
        _module("timm"),
        _module("timm.models"),
        _module("timm.models.layers", trunc_normal_=nn.init.trunc_normal_, DropPath=nn.Identity),
        _module("einops", rearrange=unused, repeat=unused),
        _module("torchvision", transforms=_module("transforms", Compose=unused, ToTensor=unused)),
        _package("videoseal", root),
        *(_package(f"videoseal.{part}", root) for part in ("models", "modules", "data", "augmentation")),
        _module("videoseal.augmentation.augmenter", Augmenter=object),
    ]
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in {"videoseal", "timm", "einops", "torchvision"}:
                del sys.modules[name]
        sys.modules.update(before)


def build_upstream(root: Path, variant: str, **encoder: Any) -> nn.Module:
    """Upstream's whole model of a variant, in evaluation mode, as `utils/cfg.py` there builds it from the card.

    Args:
        root: the checkout.
        variant: our name of it.
        encoder: what to change in the card's table of the detector's encoder.
    """
    import yaml

    card = _config(yaml.safe_load((root / f"videoseal/cards/{CARDS[variant]}.yaml").read_text(encoding="utf-8")))
    args = card.args
    image_size = args.get("img_size_proc") or args["img_size_extractor"]
    card.extractor.params.encoder.update(encoder)
    # Numbers that the constructors compute, which the meta device would not keep.
    with patch("torch.linspace", partial(torch.linspace, device="cpu")):
        extractor = importlib.import_module("videoseal.models.extractor").build_extractor(
            card.extractor.model, card.extractor.params, image_size, args.nbits
        )
    embedder = importlib.import_module("videoseal.models.embedder").build_embedder(
        card.embedder.model, card.embedder.params, args.nbits, args.get("hidden_size_multiplier", 2)
    )
    attenuation = None
    if args.attenuation.startswith("jnd"):
        channels = [int(number) for number in args.attenuation.split("_")[1:]]
        jnd = importlib.import_module("videoseal.modules.jnd").JND
        attenuation = jnd(in_channels=channels[0], out_channels=channels[1])
    wam = importlib.import_module("videoseal.models.wam").Wam
    model: nn.Module = wam(
        embedder,
        extractor,
        None,
        attenuation=attenuation,
        scaling_w=args.scaling_w,
        scaling_i=args.scaling_i,
        img_size=image_size,
        blending_method=args.blending_method,
    )
    return model.eval()


def largest_difference(ours: torch.Tensor, upstreams: torch.Tensor) -> float:
    """Of two tensors of one shape."""
    assert ours.shape == upstreams.shape
    return (ours - upstreams).abs().max().item()
