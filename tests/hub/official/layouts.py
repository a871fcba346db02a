"""Official layouts with random weights, made and computed without foretell.

The forward passes follow the known facts about Meta's I-JEPA: pre-norm blocks, ε = 1e-6, exact GELU, positions added
before patches are dropped, mask tokens behind the context, the predictor's answer read off their places.
"""

import torch
from torch.nn import functional as F


def sincos(width, rows):
    """Half of the channels for the column, half for the row; each all sines, then all cosines."""
    frequency = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    place = torch.arange(rows, dtype=torch.float64)
    axis = torch.cat([torch.outer(place, frequency).sin(), torch.outer(place, frequency).cos()], 1)
    columns, lines = axis.repeat(rows, 1), axis.repeat_interleave(rows, 0)
    return torch.cat([columns, lines], 1).float().unsqueeze(0)


def block(width, hidden):
    return {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (hidden, width),
        "mlp.fc1.bias": (hidden,),
        "mlp.fc2.weight": (width, hidden),
        "mlp.fc2.bias": (width,),
    }


def random(shapes, generator):
    return {
        name: torch.randn(shape, generator=generator) * (0.2 if len(shape) < 2 else shape[-1] ** -0.5)
        for name, shape in shapes.items()
    }


def encoder(generator, width=192, depth=2, patch=8, rows=4, ratio=4.0):
    """An encoder's tensors as Meta and timm name them."""
    shapes = {"patch_embed.proj.weight": (width, 3, patch, patch), "patch_embed.proj.bias": (width,)}
    for n in range(depth):
        shapes |= {f"blocks.{n}.{name}": shape for name, shape in block(width, round(width * ratio)).items()}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    return {"pos_embed": sincos(width, rows)} | random(shapes, generator)


def predictor(generator, width=192, inner=96, depth=3, rows=4):
    shapes = {"predictor_embed.weight": (inner, width), "predictor_embed.bias": (inner,), "mask_token": (1, 1, inner)}
    for n in range(depth):
        shapes |= {f"predictor_blocks.{n}.{name}": shape for name, shape in block(inner, 4 * inner).items()}
    shapes |= {"predictor_norm.weight": (inner,), "predictor_norm.bias": (inner,)}
    shapes |= {"predictor_proj.weight": (width, inner), "predictor_proj.bias": (width,)}
    return {"predictor_pos_embed": sincos(inner, rows)} | random(shapes, generator)


def checkpoint(seed=0, **sizes):
    """A training checkpoint, with the names that distributed training leaves and an optimiser's state."""
    g = torch.Generator().manual_seed(seed)
    rows = sizes.get("rows", 4)
    width = sizes.get("width", 192)
    parts = {
        "encoder": encoder(g, **sizes),
        "predictor": predictor(g, width=width, rows=rows),
        "target_encoder": encoder(g, **sizes),
    }
    wrapped = {part: {f"module.{name}": t for name, t in tensors.items()} for part, tensors in parts.items()}
    rest = {"opt": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]}, "scaler": None}
    return wrapped | rest | {"epoch": 300, "loss": 0.1, "batch_size": 128, "world_size": 16, "lr": 1e-6}


def transformer(x, tensors, prefix, heads, eps=1e-6):
    depth = 1 + max(int(name[len(prefix) :].split(".")[0]) for name in tensors if name.startswith(prefix))
    for n in range(depth):
        w = {name.removeprefix(f"{prefix}{n}."): t for name, t in tensors.items() if name.startswith(f"{prefix}{n}.")}
        h = F.layer_norm(x, x.shape[-1:], w["norm1.weight"], w["norm1.bias"], eps)
        q, k, v = F.linear(h, w["attn.qkv.weight"], w["attn.qkv.bias"]).chunk(3, -1)
        per_head = []
        for one in range(heads):
            d = x.shape[-1] // heads
            part = slice(one * d, (one + 1) * d)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / d**0.5
            per_head.append(scores.softmax(-1) @ v[..., part])
        x = x + F.linear(torch.cat(per_head, -1), w["attn.proj.weight"], w["attn.proj.bias"])
        h = F.layer_norm(x, x.shape[-1:], w["norm2.weight"], w["norm2.bias"], eps)
        x = x + F.linear(
            F.gelu(F.linear(h, w["mlp.fc1.weight"], w["mlp.fc1.bias"])), w["mlp.fc2.weight"], w["mlp.fc2.bias"]
        )
    return x


def clip_positions(width, grid):
    """A third of the channels, rounded up to pairs, for each of tubelets, rows and columns; the last ones are cut."""
    pairs = -(-width // 6)
    frequency = 1 / 10000 ** (torch.arange(pairs, dtype=torch.float64) / pairs)
    table = torch.zeros(*grid, 6 * pairs, dtype=torch.float64)
    for axis, places in enumerate(grid):
        angles = torch.outer(torch.arange(places, dtype=torch.float64), frequency)
        shape = [places if n == axis else 1 for n in range(3)]
        part = slice(2 * pairs * axis, 2 * pairs * (axis + 1))
        table[..., part] = torch.cat([angles.sin(), angles.cos()], 1).view(*shape, -1)
    return table.flatten(0, 2)[:, :width].float().unsqueeze(0)


def clip_checkpoint(seed=0, width=192, inner=96, depth=2, patch=8, tubelet=2, grid=(4, 3, 3)):
    """A training checkpoint of V-JEPA."""
    g = torch.Generator().manual_seed(seed)
    parts = {}
    for part in ("encoder", "target_encoder"):
        parts[part] = encoder(g, width, depth, patch) | {"pos_embed": clip_positions(width, grid)}
        shape = (width, 3, tubelet, patch, patch)
        parts[part]["patch_embed.proj.weight"] = torch.randn(shape, generator=g) * (3 * tubelet * patch**2) ** -0.5
    parts["predictor"] = predictor(g, width, inner) | {"predictor_pos_embed": clip_positions(inner, grid)}
    token = parts["predictor"].pop("mask_token")
    parts["predictor"] |= {"mask_tokens.0": token, "mask_tokens.1": 2 * token + 1}
    wrapped = {part: {f"module.backbone.{name}": t for name, t in tensors.items()} for part, tensors in parts.items()}
    return wrapped | {"opt": {"state": {}}, "scaler": None, "epoch": 300, "loss": 0.4, "batch_size": 24, "lr": 1e-6}


def encode_clip(clips, tensors, heads, index=None):
    """As `encode`, of clips [B, 3, frames, H, W]."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (clips - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)
    weight = tensors["patch_embed.proj.weight"]
    x = F.conv3d(x, weight, tensors["patch_embed.proj.bias"], stride=weight.shape[2:]).flatten(2).transpose(1, 2)
    x = x + tensors["pos_embed"]
    if index is not None:
        x = torch.stack([one[kept] for one, kept in zip(x, index, strict=True)])
    x = transformer(x, tensors, "blocks.", heads)
    return F.layer_norm(x, x.shape[-1:], tensors["norm.weight"], tensors["norm.bias"], 1e-6)


def encode(images, tensors, heads, index=None):
    """Images normalised by ImageNet's statistics to latents; `index` keeps patches."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    weight = tensors["patch_embed.proj.weight"]
    x = F.conv2d(x, weight, tensors["patch_embed.proj.bias"], stride=weight.shape[-1]).flatten(2).transpose(1, 2)
    x = x + tensors["pos_embed"]
    if index is not None:
        x = torch.stack([one[kept] for one, kept in zip(x, index, strict=True)])
    x = transformer(x, tensors, "blocks.", heads)
    return F.layer_norm(x, x.shape[-1:], tensors["norm.weight"], tensors["norm.bias"], 1e-6)


def predict(latents, seen, asked, tensors, heads):
    """One block: context latents at places `seen` to predictions at places `asked`."""
    places = tensors["predictor_pos_embed"][0]
    context = F.linear(latents, tensors["predictor_embed.weight"], tensors["predictor_embed.bias"]) + places[seen]
    x = torch.cat([context, tensors["mask_token"] + places[asked]], 1)
    x = transformer(x, tensors, "predictor_blocks.", heads)
    x = F.layer_norm(x, x.shape[-1:], tensors["predictor_norm.weight"], tensors["predictor_norm.bias"], 1e-6)
    return F.linear(x[:, seen.shape[1] :], tensors["predictor_proj.weight"], tensors["predictor_proj.bias"])
