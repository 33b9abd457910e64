"""LiteRT's own profiler: how long each operation of a model takes, those inside XNNPACK as well.

The library that LiteRT's Python package loads has it, but only its C interface reaches it. Here is as much of that
interface as one run of a detector needs, as its headers declare it (`litert/c/` of google-ai-edge/LiteRT).
"""

import ctypes
import importlib.metadata
import importlib.util
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from sealbench.bench.errors import RunnerError
from sealbench.converters.tflite.model_file import TensorSignature, read_model_file

# A structure that has changed would be read wrongly, without an error: only versions whose headers were read are used.
PACKAGE, KNOWN_VERSION = "ai-edge-litert", "2.3."
_CPU = 1  # kLiteRtHwAcceleratorCpu
_HOST_MEMORY = 1  # kLiteRtTensorBufferTypeHostMemory
_FLOAT32 = 1  # kLiteRtElementTypeFloat32
_WRITE = 1  # kLiteRtTensorBufferLockWrite
_MOST_DIMENSIONS = 8  # LITERT_TENSOR_MAX_RANK
_INTEGER = 2  # kLiteRtAnyTypeInt
_ACCELERATORS, _LEAST_SEVERITY = 24, 25  # kLiteRtEnvOptionTag...: AutoRegisterAccelerators, MinLoggerSeverity
_ERROR = 3  # kLiteRtLogSeverityError
_OPERATOR, _DELEGATED_OPERATOR = 2, 8  # ...OPERATOR_INVOKE_EVENT, DELEGATE_PROFILED_OPERATOR_INVOKE_EVENT
_US_PER_MS = 1e3


@dataclass(frozen=True)
class Event:
    """One operation of one run.

    Attributes:
        name: of the kernel, as the one who ran it calls it: `DEPTHWISE_CONV_2D`, `Convolution (NHWC, F32) DWConv`.
        in_xnnpack: whether XNNPACK ran it; LiteRT's own kernel otherwise.
        index: of the operation in the graph; in XNNPACK, of the operator in its part of the graph.
        time_ms: how long it took, in whole microseconds.
    """

    name: str
    in_xnnpack: bool
    index: int
    time_ms: float


@dataclass(frozen=True)
class Profile:
    """One run with the profiler.

    Attributes:
        events: every operation, in the order of execution.
        run_ms: how long the whole run took.
        output: (1 + nbits,) float32.
    """

    events: tuple[Event, ...]
    run_ms: float
    output: np.ndarray


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint, 7),
        ("has_strides", ctypes.c_uint, 1),
        ("dimensions", ctypes.c_int32 * _MOST_DIMENSIONS),
        ("strides", ctypes.c_uint32 * _MOST_DIMENSIONS),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element_type", ctypes.c_int), ("layout", _Layout))


class _Integer(ctypes.Structure):
    """A LiteRtAny that holds an integer."""

    _fields_ = (("type", ctypes.c_int), ("value", ctypes.c_int64))


class _EnvironmentOption(ctypes.Structure):
    _fields_ = (("tag", ctypes.c_int), ("value", _Integer))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_size_t), ("in_use", ctypes.c_size_t), ("private", ctypes.c_size_t))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_before", _Memory),
        ("memory_after", _Memory),
        ("metadata1", ctypes.c_uint64),
        ("metadata2", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@_Destructor
def _keep(_: int | None) -> None:
    """Called with the text of an option when it is no longer needed; it belongs to Python."""


class ProfiledModel:
    """A detector's `.tflite` file, ready to run with and without the profiler; give it back with `with`.

    It runs as `sealbench.bench.backends.runners.FileRunner` does, on XNNPACK with the same kernels, but through
    LiteRT's newer runtime (CompiledModel): the outputs are the same to the last bit. One thing differs: what stays
    outside XNNPACK runs on one thread, whatever their number (LiteRT 2.3.0: 12 depthwise convolutions of
    videoseal_nano as int8 took 4.2 ms with one thread and with two).

    Args:
        path: input float32 (1, H, W, 3), output float32 (1, 1 + nbits).
        threads: at least 1.

    Raises:
        ModelFileError: the file is no model.
        RunnerError: LiteRT's version is another than the known one, or it refuses the file.
    """

    def __init__(self, path: Path, threads: int):
        self.path = path
        model_file = read_model_file(path)
        self._library = _load_library()
        with ExitStack() as stack:
            options = (_EnvironmentOption * 2)(
                _EnvironmentOption(_ACCELERATORS, _Integer(_INTEGER, _CPU)),
                _EnvironmentOption(_LEAST_SEVERITY, _Integer(_INTEGER, _ERROR)),
            )
            environment = self._make(stack, "Environment", len(options), options)
            model = self._make(stack, "Model", environment, str(path).encode(), function="LiteRtCreateModelFromFile")
            settings = self._make(stack, "Options")
            self._call("LiteRtSetOptionsHardwareAccelerators", settings, _CPU)
            self._texts = (b"enable_profiling = true\n", f"num_threads = {threads}\n".encode())
            for name, text in zip((b"runtime_options_string", b"xnnpack"), self._texts, strict=True):
                option = ctypes.c_void_p()
                self._call("LiteRtCreateOpaqueOptions", name, text, _keep, ctypes.byref(option))
                self._call("LiteRtAddOpaqueOptions", settings, option)
            self._model = self._make(stack, "CompiledModel", environment, model, settings)
            self._profiler = ctypes.c_void_p()
            self._call("LiteRtCompiledModelGetProfiler", self._model, ctypes.byref(self._profiler))
            self._inputs, self._images = self._buffers(stack, environment, model_file.inputs)
            self._outputs, self._results = self._buffers(stack, environment, model_file.outputs)
            self._stack = stack.pop_all()

    def __enter__(self) -> "ProfiledModel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, image: np.ndarray) -> None:
        """Run on an image, (H, W, 3) float32 in [0, 1], without the profiler."""
        np.copyto(self._images[0][0], image)
        self._run()

    def profile(self, image: np.ndarray) -> Profile:
        """Run on an image, (H, W, 3) float32 in [0, 1], with the profiler."""
        np.copyto(self._images[0][0], image)
        self._call("LiteRtStartProfiler", self._profiler)
        start = time.perf_counter()
        self._run()
        run_ms = 1e3 * (time.perf_counter() - start)
        self._call("LiteRtStopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        found = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, found)
        events = tuple(
            Event(
                event.tag.decode(errors="replace"),
                event.type == _DELEGATED_OPERATOR,
                event.metadata1,
                event.elapsed_us / _US_PER_MS,
            )
            for event in found
            if event.type in (_OPERATOR, _DELEGATED_OPERATOR)
        )
        self._call("LiteRtResetProfiler", self._profiler)  # it owns the tags
        return Profile(events, run_ms, self._results[0][0].copy())

    def _run(self) -> None:
        self._call(
            "LiteRtRunCompiledModel",
            self._model,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            raise RunnerError(f"{self.path}: LiteRT refuses it ({function} gave the status {status})")

    def _make(self, stack: ExitStack, kind: str, *arguments: object, function: str | None = None) -> ctypes.c_void_p:
        """What `LiteRtCreate...` gives; it is destroyed with the stack."""
        made = ctypes.c_void_p()
        self._call(function or f"LiteRtCreate{kind}", *arguments, ctypes.byref(made))
        stack.callback(getattr(self._library, f"LiteRtDestroy{kind}"), made)
        return made

    def _buffers(
        self, stack: ExitStack, environment: ctypes.c_void_p, signatures: Sequence[TensorSignature]
    ) -> tuple[ctypes.Array[ctypes.c_void_p], list[np.ndarray]]:
        """A buffer for each float32 tensor, and its memory as an array."""
        buffers, arrays = [], []
        for signature in signatures:
            kind = _TensorType(_FLOAT32, _Layout(len(signature.shape), 0, signature.shape))
            size = ctypes.c_size_t(4 * int(np.prod(signature.shape)))
            create = "LiteRtCreateManagedTensorBuffer"
            buffer = self._make(
                stack, "TensorBuffer", environment, _HOST_MEMORY, ctypes.byref(kind), size, function=create
            )
            address = ctypes.c_void_p()
            self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _WRITE)
            self._call("LiteRtUnlockTensorBuffer", buffer)  # host memory stays where it is
            floats = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
            buffers.append(buffer)
            arrays.append(np.ctypeslib.as_array(floats, signature.shape))
        return (ctypes.c_void_p * len(buffers))(*buffers), arrays


def _load_library() -> ctypes.CDLL:
    found = importlib.metadata.version(PACKAGE)
    if not found.startswith(KNOWN_VERSION):
        raise RunnerError(
            f"{PACKAGE} {found}: the C interface of its profiler is known for {KNOWN_VERSION}x alone; "
            f"pip install '{PACKAGE}=={KNOWN_VERSION}*'"
        )
    package = importlib.util.find_spec("ai_edge_litert")
    assert package is not None
    assert package.origin is not None
    libraries = sorted(Path(package.origin).parent.glob("libLiteRt.*"))
    if not libraries:
        raise RunnerError(f"{PACKAGE} {found}: it has no libLiteRt, LiteRT's own library, on this system")
    return ctypes.CDLL(str(libraries[0]))
