"""Vision transformer of VideoSeal 0.0's detector, as in Segment Anything (Kirillov et al. 2023).

Attention works within windows, and in a few blocks on the whole image (ViTDet, Li et al. 2022); positions are learned
for each token and, in the attention, for each distance of rows and of columns (MViTv2, Li et al. 2022). Parameter names
equal upstream's. What depends on positions alone becomes a constant of the exported graph.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from sealbench.converters.models.layers import ChannelNorm
from sealbench.converters.models.pixel_decoder import PixelDecoder


class PatchEmbed(nn.Module):
    """One token for each patch of the image."""

    def __init__(self, patch_size: int, dim: int):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, H / patch, W / patch, C)."""
        return self.proj(images).permute(0, 2, 3, 1)


def relative_table(vectors: Tensor) -> Tensor:
    """Spread the vectors of the distances -(S - 1) to S - 1, (2S - 1, D), to a vector for each pair.

    Returns:
        (S, S, D): the vector of the distance query - key.
    """
    side = (len(vectors) + 1) // 2
    places = torch.arange(side, device=vectors.device)
    return vectors[places[:, None] - places + side - 1]


class Attention(nn.Module):
    """Multi-head attention within a square of tokens; the logits know the distance of rows and of columns.

    Args:
        dim: channels of a token.
        heads: number of heads, which share the channels.
        side: of the square, in tokens.
    """

    def __init__(self, dim: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, S, C) to the same shape."""
        batch, side, _, dim = x.shape
        heads, depth = self.heads, dim // self.heads
        qkv = self.qkv(x).reshape(batch, side * side, 3, heads, depth).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.reshape(3, batch * heads, side * side, depth).unbind(0)  # (Bh, N, D) each
        logits = (query * depth**-0.5) @ key.transpose(1, 2)  # (Bh, N, N)
        grid = query.reshape(batch * heads, side, side, depth)
        rows = torch.einsum("brcd,rkd->brck", grid, relative_table(self.rel_pos_h))  # (Bh, S, S, S)
        columns = torch.einsum("brcd,ckd->brck", grid, relative_table(self.rel_pos_w))  # (Bh, S, S, S)
        bias = rows[..., :, None] + columns[..., None, :]  # (Bh, S, S, S, S)
        weights = (logits + bias.reshape(logits.shape)).softmax(dim=-1)
        mixed = (weights @ value).reshape(batch, heads, side, side, depth).permute(0, 2, 3, 1, 4)
        return self.proj(mixed.reshape(batch, side, side, dim))


class Perceptron(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to the same shape."""
        return self.lin2(self.act(self.lin1(x)))


class Block(nn.Module):
    """Attention within squares of `side` x `side` tokens and a perceptron, each after LayerNorm and with a residual."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int, side: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads, side)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Perceptron(dim, mlp_ratio * dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, side, side, C) to the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def regroup(x: Tensor, side: int) -> Tensor:
    """Cut squares of tokens (B, S, S, C) into smaller ones, or put them together to larger ones.

    Returns:
        (B * (S / side)^2, side, side, C); `x` itself where S is `side` already.
    """
    before, dim = x.shape[1], x.shape[3]
    if before > side:
        across = before // side
        x = x.reshape(-1, across, side, across, side, dim)
    elif before < side:
        across = side // before
        x = x.reshape(-1, across, across, before, before, dim)
    else:
        return x
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, side, side, dim)


class ImageEncoderViT(nn.Module):
    """The transformer and the two convolutions after it.

    Args:
        grid: tokens a side of the image; a multiple of `window_size`.
        patch_size: side in pixels of a token's patch.
        dim: channels of a token.
        depth: number of blocks.
        heads: of each attention.
        mlp_ratio: hidden over outer channels of each perceptron.
        window_size: side in tokens of the squares within which attention works,
        global_blocks: but for the blocks of these indices, which see the whole image.
        out_channels: channels of the features.
    """

    def __init__(
        self,
        grid: int,
        patch_size: int,
        dim: int,
        depth: int,
        heads: int,
        mlp_ratio: int,
        window_size: int,
        global_blocks: Collection[int],
        out_channels: int,
    ):
        super().__init__()
        self.grid = grid
        self.side = grid * patch_size
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, dim))
        self.patch_embed = PatchEmbed(patch_size, dim)
        self.sides = tuple(grid if index in global_blocks else window_size for index in range(depth))
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, side) for side in self.sides)
        self.neck = nn.Sequential(
            nn.Conv2d(dim, out_channels, kernel_size=1, bias=False),
            ChannelNorm(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            ChannelNorm(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, side, side) to (B, out_channels, grid, grid), where side is grid * patch_size.

        Raises:
            ValueError: the images are of another size.
        """
        if x.shape[-2:] != (self.side, self.side):  # some sizes would pass, cropped or broadcast
            raise ValueError(f"images of {tuple(x.shape[-2:])} pixels; the transformer takes {self.side} x {self.side}")
        x = self.patch_embed(x) + self.pos_embed  # (B, grid, grid, C)
        for side, block in zip(self.sides, self.blocks, strict=True):
            x = block(regroup(x, side))  # (B * squares, side, side, C)
        x = regroup(x, self.grid)
        return self.neck(x.permute(0, 3, 1, 2))


class ViTDetector(nn.Module):
    """The whole detector: images in [0, 1] to logits.

    Args:
        nbits: message length in bits.
        encoder: what makes the features, of `channels` channels.
        channels: of the features.
    """

    def __init__(self, nbits: int, encoder: ImageEncoderViT, channels: int):
        super().__init__()
        self.image_encoder = encoder
        self.pixel_decoder = PixelDecoder(channels, nbits)

    def forward(self, images: Tensor) -> Tensor:
        """Detect in images (B, 3, side, side) with values in [0, 1]; returns logits (B, 1 + nbits).

        Raises:
            ValueError: the images are not of the encoder's side.
        """
        return self.pixel_decoder(self.image_encoder(images * 2 - 1))
