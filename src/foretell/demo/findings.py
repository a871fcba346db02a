"""What a demo measured, as plain numbers: demo.json, and every number of the report."""

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
"""Of the ranking: held-out crops, predictions each, versions of a crop that a prediction is ranked among."""


def find(
    models: dict[str, tuple[JEPA, Images]],
    lines: list[dict[str, Any]],
    train: TrainConfig,
    learned: int,
    seconds: float,
) -> dict[str, Any]:
    """Measure the models on held-out photographs.

    The seed is the training's for all: models with the same actions are asked the same of the same crops, and their
    predictions are ranked among the same versions.

    Args:
        models: by name, each with the held-out photographs at its size; `fresh` is the one just trained.
        lines: the run's metrics.jsonl.
        train: how it was trained.
        learned: how many crops it learned from.
        seconds: how long that took.

    Returns:
        Plain numbers, ready for JSON:

        - `training`: `seconds`, `steps`, `batch`, `crops`, `seed`, `device`, `threads`, and `first` and `last`, what
          the monitors saw at their first and last look (see `foretell.train.monitors`).
        - `models`: for each name `pixels`, `held_out` crops, the latents' `width`, parameters of one `encoder` and of
          the `predictor`, and `mrr`, see `foretell.evaluate.mrr`.
        - `same_banks`: whether all were ranked among the same versions.
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
