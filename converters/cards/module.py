"""Cards of users' own modules, which a factory in a file of theirs makes."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModuleCard:
    """What is known of a user's module without calling its factory again; a `Card`.

    Attributes:
        name: that of the factory.
        source: the factory, as `FILE.py:FACTORY`.
        task: key of its task.
        inputs, outputs: shapes of the tensors that the module takes and gives, in order; a batch of one, float32.
        has_dataset: whether the factory brings inputs to measure on.
        graph: SHA-256 of what the module computes, whatever its values.
        own_weights: SHA-256 of its values.
        official_weights, official_sha256, bundled_weights: None; the factory brings the values.
        architecture: `module`, in which no rewrite finds anything.
    """

    name: str
    source: str
    task: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    has_dataset: bool
    graph: str
    own_weights: str
    official_weights: None = field(default=None, init=False)
    official_sha256: None = field(default=None, init=False)
    bundled_weights: None = field(default=None, init=False)
    architecture: str = field(default="module", init=False)

    @property
    def family(self) -> str:
        """`module`."""
        return "module"
