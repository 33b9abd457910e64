"""What is trained, in which order: phases of rising resolution, harder attacks and falling strength."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

SIGNS, TONES, JOINT, DETECTOR = "signs", "tones", "joint", "detector"
"""Kinds of phase: the detector alone on the first carriers; on the second each network alone, the one reading and the
other drawing them; both networks together on what the embedder draws; or the detector alone on that."""
CARRIER_KINDS = (SIGNS, TONES)


@dataclass(frozen=True)
class Phase:
    """A stretch of training under constant conditions.

    What is asked for becomes harder whenever the running bit accuracy is above `harder_above`: on carriers more bits
    are shown at once, until all are, then the strength falls; where the embedder is trained (JOINT), the weight of what
    is visible grows, and falls back where the accuracy is below.

    Attributes:
        name: as in the log.
        kind: SIGNS, TONES, JOINT or DETECTOR.
        steps: optimizer steps.
        image_size: side in pixels of the square training images.
        batch: watermarked images a step.
        unmarked: images without a watermark that are added to each step.
        learning_rate: peak; it rises over the first steps of a phase and falls over the last fifth.
        attacks: names of `sealbench.converters.training.augment.ATTACKS`, each as likely as another.
        bits_shown: so many bits of a message are drawn on carriers at the beginning, or None to keep as many as
            there are. Until all are shown, nothing is attacked.
        scaling_start: blending strength at the beginning, or None to keep it.
        scaling_end: the strength below which it does not fall.
        harder_above: running bit accuracy, see above.
        factor: by which a step lowers the strength, or moves the weight of what is visible.
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
    bits_shown: int | None = None
    scaling_start: float | None = None
    scaling_end: float = 0.4
    harder_above: float = 0.97
    factor: float = 0.99
    frozen_norm: bool = False

    def __post_init__(self) -> None:
        if self.kind not in (*CARRIER_KINDS, JOINT, DETECTOR):
            known = ", ".join((*CARRIER_KINDS, JOINT, DETECTOR))
            raise ValueError(f"phase {self.name}: kind {self.kind!r} is unknown; known: {known}")
        if min(self.steps, self.image_size, self.batch) < 1 or self.unmarked < 0:
            raise ValueError(f"phase {self.name}: steps, image_size and batch are at least 1, unmarked at least 0")
        if not self.attacks:
            raise ValueError(f"phase {self.name}: name at least one attack; `none` is one")
        if self.bits_shown is not None and self.bits_shown < 1:
            raise ValueError(f"phase {self.name}: bits_shown is {self.bits_shown}; expected at least 1, or None")


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts beside the message bits' cross-entropy.

    Attributes:
        confidence: cross-entropy of channel 0 against watermarked or not.
        balance: squared mean, over unmarked images, of each bit's tanh(logit).
        spread: squared amount by which the root mean square of an unmarked image's bit logits is below 1.
        magnitude: mean square of the logits of the bits, and of channel 0.
        features: mean square of what the pixel decoder takes, as a share of `FEATURE_SIZE` squared.
        visibility: mean squared change of the images by the watermark, as a share of what 38 dB of PSNR allow; only
            where the embedder is trained on what is read (JOINT). The least that it counts; see `Phase`.
    """

    confidence: float = 0.1
    balance: float = 0.3
    spread: float = 0.3
    magnitude: float = 3e-4
    features: float = 0.01
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
        crops: from which the training images are taken.
    """

    phases: tuple[Phase, ...]
    seed: int = 0
    weights: LossWeights = field(default_factory=LossWeights)
    generated_images: int = 300
    generated_share: float = 0.3
    crops: int = 3000

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
ALL_ATTACKS = (*VALUE_ATTACKS, "crop", "crop")
"""A crop takes most bits away, so it comes twice as often."""
_CROPS = (*VALUE_ATTACKS, "crop", "crop", "crop", "crop_jpeg")

# Small images first: a step sees more messages in the same time, and messages are what is learned.
_SIGNS_64 = Phase(
    "signs-64", SIGNS, 850, image_size=64, batch=32, unmarked=8, learning_rate=1e-3, scaling_start=2.5, scaling_end=0.4
)
_TONES_128 = Phase(
    "tones-128",
    TONES,
    2000,
    image_size=128,
    batch=16,
    unmarked=4,
    learning_rate=1e-3,
    attacks=VALUE_ATTACKS,
    bits_shown=1,
    scaling_start=2.0,
    scaling_end=0.8,
    harder_above=0.94,
    factor=0.99,
)
# All at once is too much for so few images: first what leaves the waves where they are, then what moves them.
_CROPS_128 = replace(
    _TONES_128,
    name="crops-128",
    steps=3000,
    attacks=_CROPS,
    bits_shown=None,
    scaling_start=2.0,
    factor=0.995,
)
# At 128 pixels the padding of the last stages is in every value: the whole has to be learned at full size too.
_TONES_256 = replace(
    _CROPS_128,
    name="tones-256",
    steps=300,
    image_size=256,
    batch=8,
    learning_rate=7e-4,
    attacks=ALL_ATTACKS,
    scaling_start=None,
    scaling_end=0.7,
    harder_above=0.95,
    frozen_norm=True,
)
_JOINT_256 = Phase(
    "joint-256",
    JOINT,
    700,
    image_size=256,
    batch=8,
    unmarked=4,
    learning_rate=3e-4,
    attacks=ALL_ATTACKS,
    harder_above=0.975,
    factor=0.998,
    frozen_norm=True,
)
# The joint phase makes a watermark that hardly shows. It is drawn twice as strong in use, and the detector learns that.
_DETECTOR_256 = Phase(
    "detector-256",
    DETECTOR,
    500,
    image_size=256,
    batch=12,
    unmarked=4,
    learning_rate=2e-4,
    attacks=_CROPS,
    scaling_start=1.5,
)

FROM_NOTHING = Recipe(
    phases=(
        _SIGNS_64,
        _TONES_128,
        _CROPS_128,
        replace(_TONES_256, scaling_start=0.8),
        replace(_JOINT_256, steps=900, harder_above=0.95, factor=0.99),
        replace(_DETECTOR_256, steps=900, learning_rate=4e-4, scaling_start=1.0),
    )
)
"""Trains from random values on two cores."""

FROM_NOTHING_LONG = Recipe(
    phases=(
        replace(_SIGNS_64, steps=2000, batch=64, unmarked=16),
        replace(_TONES_128, steps=4000, batch=128, unmarked=32, attacks=ALL_ATTACKS, factor=0.995),
        replace(_TONES_256, steps=2500, batch=64, unmarked=16, frozen_norm=False),
        replace(_JOINT_256, steps=4400, batch=64, unmarked=16, learning_rate=5e-4, frozen_norm=False),
        replace(_DETECTOR_256, steps=2000, batch=64, unmarked=16),
    ),
    crops=8000,
)
"""The same phases with more and larger steps, for a GPU."""

FINE_TUNE = Recipe(phases=(replace(_JOINT_256, learning_rate=1e-4), _DETECTOR_256))
"""Starts from given weights: both networks together, then the detector alone."""

RECIPES = {"from-nothing": FROM_NOTHING, "from-nothing-long": FROM_NOTHING_LONG, "fine-tune": FINE_TUNE}
"""By the names that `--recipe` takes."""
