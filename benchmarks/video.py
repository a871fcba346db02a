"""Video: decoding beside PyAV's bare loop, reading as a share of a V-JEPA step, surprise beside its bare passes."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

from benchmarks.measure import interleaved, one_thread, table
from benchmarks.peers import LR, MOMENTUM, WEIGHT_DECAY
from foretell.data import Batch
from foretell.data.video import read_video
from foretell.methods import VJEPA
from foretell.recipes import RECIPES
from foretell.surprise import surprise
from foretell.surprise.measure import default_contexts
from foretell.train.optimizer import adamw

WIDE, HIGH, RATE = 320, 240, 30


def film(path: Path, frames: int) -> None:
    """A square that wanders over a gradient."""
    import av

    rows, columns = np.mgrid[:HIGH, :WIDE]
    ground = np.stack([rows * 255 // HIGH, columns * 255 // WIDE, (rows + columns) % 256], -1).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv420p"
        for n in range(frames):
            picture = ground.copy()
            left, top = n * 3 % (WIDE - 60), n * 2 % (HIGH - 60)
            picture[top : top + 60, left : left + 60] = (250, 40 + n % 200, 20)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


def bare(path: Path, size: int | None) -> int:
    """PyAV's loop on one thread: decode, and with a size scale to RGB of that height, as an array."""
    import av

    count = 0
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            if size:
                frame.reformat(size * WIDE // HIGH, size, "rgb24", interpolation="BICUBIC").to_ndarray()
            count += 1
    return count


def step(model: VJEPA, clips: Batch) -> dict[str, object]:
    """Contenders: making a batch's prediction problems, and a whole step on it."""
    optimizer = adamw([(module, 1.0) for module in model.trained().values()], LR, WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(0)

    def train() -> None:
        model(model.views(clips, generator)).backward()
        optimizer.step()
        optimizer.zero_grad()
        model.update_target(MOMENTUM)

    return {"views": partial(model.views, clips, generator), "step": train}


@torch.no_grad()
def passes(model: VJEPA, windows: torch.Tensor) -> None:
    """The networks' passes that surprise cannot do without: a target, and of each context a prediction."""
    tubelet, *_ = model.config.encoder.patch
    T, rows, columns = model.config.encoder.grid
    every = torch.arange(T * rows * columns).expand(len(windows), -1)
    model.target(windows)
    for context in default_contexts(model.config.encoder.frames, tubelet):
        seen = context // tubelet * rows * columns
        model.predict(model.encode(windows, every[:, :seen]), every[:, :seen], every[:, seen:].unsqueeze(1))


def main(frames: int = 300, size: int = 64, batch: int = 8, rounds: int = 7) -> None:
    """Measure.

    Args:
        frames: of the film that is decoded.
        size: pixels a side that frames are scaled to.
        batch: clips of a training step; windows that surprise is measured on.
        rounds: turns that each contender has.
    """
    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        film(path, frames)
        assert bare(path, None) == len(read_video(path, size)) == frames
        contenders = {
            "PyAV, decoding": partial(bare, path, None),
            "PyAV, decoding and scaling": partial(bare, path, size),
            "foretell": partial(read_video, path, size),
        }
        spent = interleaved(contenders, rounds)
    print(f"Decoding {frames} frames of {WIDE} × {HIGH} (H.264), scaled to {size} pixels:\n")
    rows = [[name, f"{frames / s:.0f}", f"{s / spent['foretell']:.2f}"] for name, s in spent.items()]
    table(["", "frames/s", "× foretell's time"], rows)

    model = VJEPA(RECIPES["vjepa"]().model)
    side, length = model.config.encoder.image_size, model.config.encoder.frames
    clips = torch.randint(256, (batch, 3, length, side, side), dtype=torch.uint8)
    spent = interleaved(step(model, clips), rounds)
    print(f"A step of the `vjepa` recipe, batch {batch}: {batch / spent['step']:.1f} clips/s;", end=" ")
    print(f"cropping and masks are {spent['views'] / spent['step']:.1%} of it.\n")

    model.eval()
    windows = clips.float() / 255
    spent = interleaved(
        {"surprise": partial(surprise, model, clips), "passes": partial(passes, model, windows)}, rounds
    )
    print(f"Surprise at windows of {length} frames: {batch * length / spent['surprise']:.0f} frames/s, ", end="")
    print(f"{spent['surprise'] / spent['passes']:.2f} × the time of the networks' passes alone.")


if __name__ == "__main__":
    tyro.cli(main)
