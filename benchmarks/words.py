"""One SigLIP training step of foretell and of transformers' towers of the same size: all pairs of a batch, forward,
backward, AdamW. And what mixing costs: Llip's step against K, and a search by words against how many pictures.

    python -m benchmarks.words step
    python -m benchmarks.words search
    python -m benchmarks.words search --model llip-mini --rounds 100
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import process_time
from typing import Literal

import torch
import tyro
from torch import Tensor

from benchmarks.measure import interleaved, one_thread, table
from foretell import hub
from foretell.augment import to_float
from foretell.data import load
from foretell.methods.llip import CaptionedPairs, Llip, LlipConfig
from foretell.nn.mixture import Mixture, MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig
from foretell.search.query import SHORTLIST
from foretell.train.optimizer import adamw

BATCH, LENGTH = 64, 16
ENCODER = ViTConfig(image_size=64, patch_size=8, width=192, depth=6, heads=3, registers=1, init_std=None)
TEXT = TextConfig(width=192, depth=4, heads=3, vocabulary=2048, length=LENGTH)
SIGLIP = LlipConfig(ENCODER, TEXT, MixtureConfig(by="first", out=192), crop=(1.0, 1.0))
OUTPUTS = (1, 4, 8, 16, 64)
PICTURES = (1_000, 10_000, 100_000)
SCENES = (1_000, 5_000, 20_000)


def problem() -> CaptionedPairs:
    """Noise, and texts as long as they can be."""
    tokens = torch.randint(3, TEXT.vocabulary, (BATCH, LENGTH))
    tokens[:, 0], tokens[:, -1] = 1, 2
    return CaptionedPairs(torch.rand(BATCH, 3, 64, 64), tokens, torch.eye(BATCH, dtype=torch.bool))


def ours(config: LlipConfig, views: CaptionedPairs) -> Callable[[], Tensor]:
    """A step of foretell."""
    model = Llip(config)
    optimizer = adamw([(module, 1.0) for module in model.trained().values()], 1e-3, 0.05)

    def step() -> Tensor:
        loss = model(views)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def theirs(views: CaptionedPairs) -> Callable[[], Tensor]:
    """A step of transformers' SigLIP with towers of the same size; its loss over all pairs is its own."""
    import transformers

    size = {"hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3}
    vision = size | {"image_size": 64, "patch_size": 8, "num_hidden_layers": 6}
    words = size | {"vocab_size": 2048, "max_position_embeddings": LENGTH, "num_hidden_layers": 4}
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=words, vision_config=vision)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)

    def step() -> Tensor:
        loss = model(input_ids=views.tokens, pixel_values=views.images, return_loss=True).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def steps(rounds: int) -> None:
    """Steps by turns."""
    views = problem()
    made = {"foretell": ours(SIGLIP, views), "transformers": theirs(views)}
    for K in OUTPUTS:
        config = replace(SIGLIP, encoder=replace(ENCODER, registers=K), mixture=MixtureConfig(out=192))
        made[f"foretell, Llip K = {K}"] = ours(config, views)
    seconds = interleaved(made, rounds)
    rows = [
        [name, f"{s * 1e3:.0f}", f"{BATCH / s:.1f}", f"{s / seconds['foretell']:.2f}"] for name, s in seconds.items()
    ]
    table(["library", "ms a step", "pairs/s", "× foretell's time"], rows)


def noise(n: int, queries: int) -> tuple[Mixture, Tensor, Tensor]:
    """A mixture, the outputs of pictures and the vectors of captions, all random."""
    return Mixture(MixtureConfig(out=96, heads=6), 96, 96), torch.randn(n, 8, 96), torch.randn(queries, 96)


def scenes(model: Llip, n: int, queries: int) -> tuple[Mixture, Tensor, Tensor]:
    """The same of a trained model, captioned scenes, and captions of some of them."""
    data = load(f"captions:{n}", model.config.reads, progress="scenes")
    parts = torch.arange(n).split(256)
    h = torch.cat([model.outputs(to_float(data.batch(part).pixels)) for part in parts])
    asked = [texts[0] for texts in data.texts(torch.arange(0, n, n // queries).tolist())]
    return model.mixture, h, model.caption_vectors(asked)


def search(rounds: int, name: str | None, shortlist: int) -> None:
    """One query, by a first pass of max-sim and a shortlist, and with all pictures mixed anew; CPU seconds."""
    model = hub.load(name) if name else None
    rows = []
    with torch.no_grad():
        for n in PICTURES if model is None else SCENES:
            mixture, h, g = noise(n, rounds) if model is None else scenes(model, n, rounds)
            t = mixture.embed_text(g)
            z = torch.cat([mixture(part.flatten(0, 1).unsqueeze(1))[:, 0] for part in h.split(4096)])
            z = z.unflatten(0, (n, -1))
            fast, full, kept = 0.0, 0.0, 0
            for one, unit in zip(g.split(1), t, strict=True):
                began = process_time()
                likely = (z @ unit).amax(1).topk(shortlist).indices
                best = likely[mixture.similarity(h[likely], one)[:, 0].topk(10).indices]
                fast += process_time() - began
                began = process_time()
                exact = torch.cat([mixture.similarity(part, one)[:, 0] for part in h.split(4096)]).topk(10).indices
                full += process_time() - began
                kept += len({*best.tolist()} & {*exact.tolist()})
            asked = len(g)
            rows.append([f"{n:,}", f"{asked / fast:.0f}", f"{asked / full:.1f}", f"{kept / asked / 10:.3f}"])
    table(["pictures", "queries/s, shortlist", "queries/s, all", "of the ten best, found"], rows)
    print(f"{name}: captioned scenes" if name else "random outputs: the least that a first pass finds")


def main(
    what: tyro.conf.Positional[Literal["step", "search"]],
    rounds: int = 9,
    model: str | None = None,
    shortlist: int = SHORTLIST,
) -> None:
    """Measure one of the two; a search also of a trained model and captioned scenes."""
    one_thread()
    torch.manual_seed(0)
    steps(rounds) if what == "step" else search(rounds, model, shortlist)


if __name__ == "__main__":
    tyro.cli(main)
