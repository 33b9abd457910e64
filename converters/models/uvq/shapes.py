"""Sizes of UVQ 1.5's tensors. Imports no torch."""

FRAME = (1080, 1920)  # height and width in pixels
CONTENT_SIDE = 256
GRID = 3  # patches a side
PATCH = (FRAME[0] // GRID, FRAME[1] // GRID)  # (360, 640)
FEATURE_CHANNELS = 128
STRIDE = 32  # sides of the features are those of the image divided by this, rounded up
FEATURE_SIDE = CONTENT_SIDE // STRIDE  # 8, of the content features and of each patch's

CHAIN = "chain"  # all three networks, from a frame to its score
_CONTENT_FEATURES = (1, FEATURE_SIDE, FEATURE_SIDE, FEATURE_CHANNELS)
_DISTORTION_FEATURES = (1, GRID * FEATURE_SIDE, GRID * FEATURE_SIDE, FEATURE_CHANNELS)

INPUT_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "content": ((1, CONTENT_SIDE, CONTENT_SIDE, 3),),
    "distortion": ((GRID**2, *PATCH, 3),),
    "aggregation": (_CONTENT_FEATURES, _DISTORTION_FEATURES),
    CHAIN: ((1, *FRAME, 3),),
}
"""What the file of each network takes, float32; pixels are in [-1, 1]."""

OUTPUT_SHAPES: dict[str, tuple[int, ...]] = {
    "content": _CONTENT_FEATURES,
    "distortion": _DISTORTION_FEATURES,
    "aggregation": (1, 1),
    CHAIN: (1, 1),
}
"""What it gives, float32: features, or a score."""
