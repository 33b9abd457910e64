import re

import pytest

from sealbench.converters.errors import UnknownNameError
from sealbench.converters.export.precisions import (
    FLOAT_BATCH_MATMUL,
    HALF_FLOAT_ENDS,
    PRECISIONS,
    SMALL_PIECES,
    Rule,
    dynamic,
    get_precision,
    needs_calibration,
    static,
    weight_only,
)

SPLIT = ("split_depthwise",)
LONG = (
    "sealbench.converters.export.detector.ChannelsLast/converters.models.convnext.ConvNeXtDetector_detector/"
    "sealbench.converters.models.convnext.ConvNeXtV2_convnext/torch.nn.modules.container.Sequential_"
)
CONV = "torch.nn.modules.conv.Conv2d_"


def chosen(recipe: tuple[Rule, ...], operation: str) -> Rule:
    """The last rule for an operation, wherever it stands in the graph."""
    return [rule for rule in recipe if rule["operation"] in {"*", operation} and rule["regex"] == ".*"][-1]


def test_registry() -> None:
    assert tuple(PRECISIONS) == (
        "float32",
        "fp16",
        "int8",
        "int8_weight_only",
        "int8_static",
        "int4",
        "int4_weight_only",
        "int4_block32",
    )
    assert [p.weight_bits for p in PRECISIONS.values()] == [32, 16, 8, 8, 8, 4, 4, 4]
    assert [name for name, p in PRECISIONS.items() if p.needs_calibration] == ["int8_static"]
    assert [p.recipe_for(SPLIT) for p in PRECISIONS.values() if not p.recipe] == [()]
    assert get_precision("float32").suffix == ""
    assert get_precision("int4_block32").suffix == "_int4_block32"
    with pytest.raises(UnknownNameError, match="int8_static"):
        get_precision("int9")


@pytest.mark.parametrize("name", ["int8", "int4", "int4_block32"])
def test_split_depthwise_keeps_integer_weights_alone(name: str) -> None:
    plain, split = get_precision(name).recipe_for(()), get_precision(name).recipe_for(SPLIT)
    assert chosen(plain, "DEPTHWISE_CONV_2D") == dynamic(8)
    assert [rule for rule in split if rule not in plain] == [weight_only(8, "DEPTHWISE_CONV_2D"), SMALL_PIECES]
    assert chosen(plain, "FULLY_CONNECTED") == chosen(split, "FULLY_CONNECTED")


@pytest.mark.parametrize("name", ["int8_weight_only", "int4_weight_only"])
def test_small_pieces_of_a_split_convolution_are_kept_in_half_floats(name: str) -> None:
    plain, split = get_precision(name).recipe_for(()), get_precision(name).recipe_for(SPLIT)
    assert split == (*plain, SMALL_PIECES)
    pieces = re.compile(SMALL_PIECES["regex"])
    assert [bool(pieces.search(f"convnext/0/0/dwconv/Conv2d_{name};1;")) for name in ("0", "1", "10", "dwconv")] == [
        False,
        True,
        True,
        False,
    ]


def test_fp16_is_the_same_on_any_graph() -> None:
    assert get_precision("fp16").recipe_for(()) == get_precision("fp16").recipe_for(SPLIT) != ()


@pytest.mark.parametrize("name", [name for name, p in PRECISIONS.items() if p.weight_bits < 16])
def test_integer_recipes_leave_batch_matmul_alone(name: str) -> None:
    assert chosen(get_precision(name).recipe_for(SPLIT), "BATCH_MATMUL") == FLOAT_BATCH_MATMUL


def test_static_is_for_convolutions() -> None:
    recipe = get_precision("int8_static").recipe
    assert chosen(recipe, "CONV_2D") == static("CONV_2D")
    assert chosen(recipe, "DEPTHWISE_CONV_2D") == static("DEPTHWISE_CONV_2D")
    assert chosen(recipe, "FULLY_CONNECTED") == dynamic(8)
    assert chosen(get_precision("int8_static").recipe_for(SPLIT), "DEPTHWISE_CONV_2D") == weight_only(
        8, "DEPTHWISE_CONV_2D"
    )
    assert {chosen(recipe, end)["algorithm_key"] for end in ("INPUT", "OUTPUT")} == {"no_quantize"}


def test_what_needs_calibration() -> None:
    assert not needs_calibration((dynamic(8), weight_only(4)))
    assert needs_calibration((dynamic(8), static("CONV_2D")))
    assert needs_calibration((dynamic(4, "FULLY_CONNECTED", "GPTQ"),))


def test_ends_are_found_by_name() -> None:
    stem, head = (re.compile(rule["regex"]) for rule in HALF_FLOAT_ENDS)
    for name in (f"{LONG}0/{CONV}0;2;", "ChannelsLast/detector/convnext/0/Conv2d_0;2;"):
        assert stem.search(name), name
    others = (
        f"{LONG}1/{CONV}1;3;",
        f"{LONG}0/converters.models.convnext.Block_0/{CONV}dwconv;2;",
        f"{LONG}0/converters.models.convnext.Block_0/x.SplitDepthwise_dwconv/torch.nn.ModuleList_p/{CONV}0;",
        f"{LONG}10/{CONV}0;",
        "ChannelsLast/detector/convnext/1/Conv2d_0;2;",
        "ChannelsLast/detector/convnext/0/0/dwconv/Conv2d_0;2;",
    )
    for name in others:
        assert not stem.search(name), name
    assert head.search("serving_default_output_0_output;")
    assert not head.search(f"{LONG}0/{CONV}0;2;")
