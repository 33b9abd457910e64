"""What is trained, in which order: phases of rising resolution, harder attacks and falling strength."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

CARRIERS, JOINT = "carriers", "joint"
"""Kinds of phase: each network alone on fixed carriers, or both together on what the embedder draws."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training under constant conditions.

    Attributes:
        name: as in the log.
        kind: CARRIERS or JOINT.
        steps: optimizer steps.
        image_size: side in pixels of the square training images.
        batch: watermarked images a step.
        unmarked: images without a watermark that are added to each step.
        learning_rate: peak; it rises over the first steps of a phase and falls over the last fifth.
        attacks: names of `converters.training.augment.ATTACKS`, each as likely as another.
        scaling_start: blending strength at the beginning, or None to go on with what it is.
        scaling_end: the strength below which annealing stops.
        anneal_above: running bit accuracy above which each step lowers the strength.
        anneal_factor: by which a step lowers the strength.
        frozen_norm: use the embedder's batch norms with their running statistics, as in use, and leave those alone;
            for batches too small to estimate them.
    """

    name: str
    kind: str
    steps: int
    image_size: int
    batch: int
    unmarked: int
    learning_rate: float
    attacks: tuple[str, ...] = ("none",)
    scaling_start: float | None = None
    scaling_end: float = 0.4
    anneal_above: float = 0.97
    anneal_factor: float = 0.99
    frozen_norm: bool = False

    def __post_init__(self) -> None:
        if self.kind not in (CARRIERS, JOINT):
            raise ValueError(f"phase {self.name}: kind {self.kind!r} is unknown; known: {CARRIERS}, {JOINT}")
        if min(self.steps, self.image_size, self.batch) < 1 or self.unmarked < 0:
            raise ValueError(f"phase {self.name}: steps, image_size and batch are at least 1, unmarked at least 0")
        if not self.attacks:
            raise ValueError(f"phase {self.name}: name at least one attack; `none` is one")


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts beside the message bits' cross-entropy.

    Attributes:
        confidence: cross-entropy of channel 0 against watermarked or not.
        balance: squared mean, over unmarked images, of each bit's logit.
        visibility: mean squared change of the images by the watermark, as a share of what 36 dB of PSNR allow; only
            where the embedder draws what is read (JOINT), and what it is annealed by does not count.
    """

    confidence: float = 0.1
    balance: float = 0.05
    visibility: float = 0.1


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Attributes:
        phases: in order.
        seed: of initial values, images, messages and attacks.
        weights: of the loss terms.
        generated_images: dead-leaves images beside the photographs.
        generated_share: share of training crops that come from them.
    """

    phases: tuple[Phase, ...]
    seed: int = 0
    weights: LossWeights = field(default_factory=LossWeights)
    generated_images: int = 150
    generated_share: float = 0.4

    @property
    def steps(self) -> int:
        """Optimizer steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def locate(self, step: int) -> tuple[Phase, int]:
        """The phase of a step, and the number of steps done in it.

        Raises:
            IndexError: `step` is not in 0 .. steps - 1.
        """
        done = step
        for phase in self.phases:
            if 0 <= done < phase.steps:
                return phase, done
            done -= phase.steps
        raise IndexError(f"step {step} of a recipe of {self.steps} steps")

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with any value of the recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


VALUE_ATTACKS = ("none", "jpeg", "resize", "brightness", "contrast", "noise")
"""Attacks that leave every pixel where it is."""

FROM_NOTHING = Recipe(
    phases=(
        # Small images first: a step sees more messages in the same time, and messages are what is learned.
        Phase(
            "carriers-64",
            CARRIERS,
            850,
            image_size=64,
            batch=32,
            unmarked=8,
            learning_rate=1e-3,
            scaling_start=2.5,
        ),
        Phase(
            "carriers-64-attacked",
            CARRIERS,
            1600,
            image_size=64,
            batch=48,
            unmarked=12,
            learning_rate=1e-3,
            attacks=VALUE_ATTACKS,
            scaling_start=1.5,
            scaling_end=0.5,
            anneal_above=0.985,
            anneal_factor=0.995,
        ),
        # At 64 pixels the padding of the last stages is in every value: the whole has to be learned at full size too.
        Phase(
            "carriers-256",
            CARRIERS,
            1000,
            image_size=256,
            batch=8,
            unmarked=4,
            learning_rate=5e-4,
            attacks=VALUE_ATTACKS,
            scaling_start=0.85,
            scaling_end=0.6,
            anneal_above=0.988,
            anneal_factor=0.998,
            frozen_norm=True,
        ),
    )
)
"""Trains from random values in about an hour on two cores; `python -m converters.training.readout` comes after it."""

FINE_TUNE = Recipe(
    phases=(
        Phase(
            "joint-256",
            JOINT,
            700,
            image_size=256,
            batch=6,
            unmarked=3,
            learning_rate=1e-4,
            # What takes most bits away comes twice as often.
            attacks=(*VALUE_ATTACKS, "jpeg", "resize"),
            scaling_end=0.6,
            anneal_above=0.99,
            anneal_factor=0.998,
            frozen_norm=True,
        ),
    )
)
"""Goes on from given weights with both networks together."""

RECIPES = {"from-nothing": FROM_NOTHING, "fine-tune": FINE_TUNE}
