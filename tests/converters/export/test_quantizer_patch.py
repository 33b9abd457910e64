import importlib.metadata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sealbench.converters.export.quantizer_patch import CHUNK_BYTES, PATCHED_VERSION, patch_quantizer, slice_by_slice

# The smallest of its kind that is above the limit: 3 x 3 convolutions of 16 channels to many.
CHANNELS = CHUNK_BYTES // (4 * 9 * 16) + 1


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The quantizer's module with its own function, whatever ran before."""
    from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor

    function = uniform_quantize_tensor.uniform_quantize
    monkeypatch.setattr(uniform_quantize_tensor, "uniform_quantize", getattr(function, "__wrapped__", function))
    yield uniform_quantize_tensor


def weights() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((CHANNELS, 3, 3, 16), dtype=np.float32)


def parameters(package: Any, tensor: np.ndarray, bits: int, axis: int, flat: bool) -> Any:
    from litert_quantizer import qtyping

    others = tuple(i for i in range(tensor.ndim) if i != axis)
    scale = np.abs(tensor).max(axis=others, keepdims=True) / (2 ** (bits - 1) - 1)
    zero = np.zeros_like(scale, dtype=np.int32)
    if flat:
        scale, zero = scale.ravel(), zero.ravel()
    return qtyping.UniformQuantParams(
        num_bits=bits, quantized_dimension=axis, scale=scale, zero_point=zero, symmetric=True
    )


def expected(tensor: np.ndarray, scale: np.ndarray, bits: int, axis: int) -> np.ndarray:
    shape = [-1 if i == axis else 1 for i in range(tensor.ndim)]
    lowest = -127 if bits == 8 else -8
    return np.clip(np.rint(tensor / scale.reshape(shape)), lowest, 2 ** (bits - 1) - 1).astype(np.int8)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("bits", "axis"), [(8, 0), (4, 0), (8, 3)])
def test_a_large_convolution_is_quantized_as_a_small_one(package: Any, bits: int, axis: int, flat: bool) -> None:
    tensor = weights()
    params = parameters(package, tensor, bits, axis, flat)
    patch_quantizer()
    found = package.uniform_quantize(tensor, params)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected(tensor, params.scale, bits, axis))


def test_the_fault_is_still_there(package: Any) -> None:
    """When this fails the package is fixed, and `converters/export/quantizer_patch.py` can go."""
    tensor = weights()
    assert tensor.nbytes > CHUNK_BYTES >= tensor[1:].nbytes
    with pytest.raises(ValueError, match="more dimensions than allowed"):
        package.uniform_quantize(tensor, parameters(package, tensor, 8, 0, flat=False))


def test_one_scale_for_the_tensor(package: Any) -> None:
    from litert_quantizer import qtyping

    tensor = weights()
    one = np.full((1, 1, 1, 1), 0.05, np.float32)
    params = qtyping.UniformQuantParams(
        num_bits=8, quantized_dimension=None, scale=one, zero_point=np.zeros_like(one, np.int32), symmetric=True
    )
    patch_quantizer()
    np.testing.assert_array_equal(package.uniform_quantize(tensor, params), expected(tensor, one, 8, 0))


def test_small_tensors_and_matrices_go_the_packages_own_way() -> None:
    seen: list[tuple[int, ...]] = []

    def whole(tensor: np.ndarray, params: object, blockwise: bool = False) -> np.ndarray:
        seen.append(tensor.shape)
        return np.zeros(tensor.shape, np.int8)

    patched = slice_by_slice(whole, lambda tensor, params: pytest.fail("was not to be sliced"))
    patched(np.zeros((2, 3, 3, 4), np.float32), None)
    patched(np.zeros((CHUNK_BYTES // 16 + 1, 4), np.float32), None)
    patched(np.zeros((CHANNELS, 3, 3, 16), np.float32), None, True)
    assert seen == [(2, 3, 3, 4), (CHUNK_BYTES // 16 + 1, 4), (CHANNELS, 3, 3, 16)]


def test_patching_twice_is_patching_once(package: Any) -> None:
    original = package.uniform_quantize
    patch_quantizer()
    once = package.uniform_quantize
    patch_quantizer()
    assert package.uniform_quantize is once
    assert once.__wrapped__ is original


def test_another_version_is_left_alone_and_said(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert importlib.metadata.version("litert-quantizer") == PATCHED_VERSION
    original = package.uniform_quantize
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.12.0")
    with pytest.warns(UserWarning, match=r"0\.12\.0 is installed.*quantizer_patch"):
        patch_quantizer()
    assert package.uniform_quantize is original
