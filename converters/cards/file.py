"""Cards of files that are compared with another file, where no PyTorch is at hand."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileCard:
    """What is known of a reference file, and of any file that is compared with it; a `Card`.

    Attributes:
        name: that of the compared file, without its suffix.
        source: path of the reference file.
        precision: the number type that most of its weights are stored in.
        python: the interpreter of the environment in which it runs; empty for this one.
        engine: version of that environment's LiteRT; empty for this one's.
        inputs, outputs: shapes of the tensors that both take and give, in order; inputs are float32.
        own_weights: SHA-256 of the reference file.
        task: `tensor`.
        official_weights, official_sha256, bundled_weights: None; the file holds the values.
        architecture: `file`, in which no rewrite finds anything.
    """

    name: str
    source: str
    precision: str
    python: str
    engine: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    own_weights: str
    task: str = field(default="tensor", init=False)
    official_weights: None = field(default=None, init=False)
    official_sha256: None = field(default=None, init=False)
    bundled_weights: None = field(default=None, init=False)
    architecture: str = field(default="file", init=False)

    @property
    def family(self) -> str:
        """`file`."""
        return "file"
