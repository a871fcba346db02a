"""The numbers that a demo measured: those of demo.json and of the report."""

from __future__ import annotations

import platform
from typing import Any

import torch

from foretell import __version__
from foretell.data import Images
from foretell.evaluate import mrr
from foretell.jepa import JEPA
from foretell.method import parameters
from foretell.train.loop import TrainConfig

IMAGES, QUERIES, BANK = 24, 8, 256
"""For the ranking: the held-out crops, the predictions of each, and the versions of a crop."""


def find(
    models: dict[str, tuple[JEPA, Images]],
    lines: list[dict[str, Any]],
    train: TrainConfig,
    learned: int,
    seconds: float,
) -> dict[str, Any]:
    """Measure the models on held-out photographs.

    All use the training's seed. Models with the same actions get the same questions about the same crops. Their
    predictions are ranked among the same versions.

    Args:
        models: name -> a model and the held-out photographs at its size. `fresh` is the model just trained.
        lines: the run's metrics.jsonl.
        train: the settings of its training.
        learned: the number of crops that it learned from.
        seconds: the duration of the training.

    Returns:
        Plain numbers, ready for JSON:

        - `training`: `seconds`, `steps`, `batch`, `crops`, `seed`, `device`, `threads`, and `first` and `last`, the
          monitors' first and last values (see `foretell.train.monitors`).
        - `models`: for each name `pixels`, `held_out` crops, the latents' `width`, parameters of one `encoder` and of
          the `predictor`, and `mrr`, see `foretell.evaluate.mrr`.
        - `same_banks`: whether all models were ranked among the same versions.
        - `versions`: of foretell, torch and python.
    """
    looks = [{"step": line["step"], **line["monitor"]} for line in lines if "monitor" in line]
    return {
        "training": {
            "seconds": seconds,
            "steps": train.steps,
            "batch": train.batch,
            "crops": learned,
            "seed": train.seed,
            "device": train.device,
            "threads": torch.get_num_threads(),
            "first": looks[0],
            "last": looks[-1],
        },
        "models": {name: _measure(name, *each, train.seed) for name, each in models.items()},
        "same_banks": len({(model.actions, len(photographs)) for model, photographs in models.values()}) == 1,
        "versions": {
            "foretell": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _measure(name: str, model: JEPA, photographs: Images, seed: int) -> dict[str, Any]:
    progress = f"Ranking predictions of {'the fresh model' if name == 'fresh' else name}"
    ranked = mrr(model, photographs, bank=BANK, images=IMAGES, queries=QUERIES, seed=seed, progress=progress)
    return {
        "pixels": model.context_encoder.config.image_size,
        "held_out": len(photographs),
        "width": model.context_encoder.width,
        "encoder": parameters(model.context_encoder),
        "predictor": parameters(model.predictor),
        "mrr": ranked,
    }
