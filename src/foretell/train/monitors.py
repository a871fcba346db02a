"""Is it learning, or collapsing? Measures that watch a run from outside: the loop does not depend on them.

A falling loss says little: it also falls when every image gets the same latent. So at intervals the model is measured
    on a few photographs and fixed prediction problems. No random number of the run is used, so measuring changes
    nothing.

B batch · N patches · D width
"""

from __future__ import annotations

import torch
from torch import Tensor

from foretell.augment import to_float
from foretell.data import Dataset
from foretell.errors import ForetellError
from foretell.evaluate.encode import evaluating
from foretell.evaluate.measures.knn import knn
from foretell.evaluate.measures.rankme import rankme
from foretell.evaluate.spread import Spread
from foretell.method import Method
from foretell.nn.vit import pool

COLLAPSED = 0.02
"""Spread below which all images have the same latent for every practical purpose; healthy runs show 0.2 and more."""


class Collapsed(ForetellError):
    """The run learned to say the same of every image."""


class Monitors:
    """Measures one model on photographs picked once.

    Args:
        images: the source of the photographs; at most `samples` are taken, evenly over the data.
        seed: fixes the prediction problems.
        samples: photographs for RankMe and kNN.
        problems: photographs for the losses.
    """

    def __init__(self, images: Dataset, seed: int, samples: int = 1024, problems: int = 128) -> None:
        picked = evenly(len(images), samples)
        seen = images.columns.get("pixels")
        several = seen is None or seen.shape[0] is None  # no pictures, or several a sample: these have no one latent
        self.pixels = None if several else images.batch(picked).pixels
        self.labels = None if images.labels is None else images.labels[picked]
        # data is often sorted by class: take of all
        self.problems = images.batch(picked[evenly(len(picked), problems)])
        self.seed = seed
        self.alarms = 0

    def measure(
        self, model: Method, device: torch.device, part: int = 128, dtype: torch.dtype = torch.float32
    ) -> dict[str, float]:
        """All measures by name.

        - `loss`: on the fixed problems, and the losses to compare it with: for a JEPA `constant` and `copy` (see
          `foretell.jepa.JEPA.measures`). One that has learned something is below both.
        - `spread`: standard deviation of layer-normed latents over images, 0 to about 1; 0 is collapse.
        - `rankme`: effective number of dimensions the pooled features use.
        - `knn`: accuracy of nearest neighbours among the photographs, where there are labels.

        Args:
            model: the model in training.
            device: the device to compute on.
            part: photographs that the networks take at a time. With the number of training they need no more memory.
            dtype: the type that training computes in.
        """
        generator = torch.Generator().manual_seed(self.seed)
        spread, pooled = Spread(), []
        with evaluating(model, device), model.chunked(part):
            views = model.views(self.problems.to(device), generator)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                if self.pixels is None:  # frozen latents cannot collapse, and have no pixels
                    return model.measures(views)
                for chunk in self.pixels.split(part):
                    latents = model.latents(to_float(chunk.to(device)))
                    spread.add(latents)
                    pooled.append(pool(latents))
                features = torch.cat(pooled)
                measures = {**model.measures(views), "spread": spread.value, "rankme": rankme(features)}
        if self.labels is not None:
            half = len(features) // 2
            labels = self.labels.to(device)
            order = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed)).to(device)
            bank, asked = order[:half], order[half:]
            correct = knn(features[bank], labels[bank], features[asked], labels[asked])
            measures["knn"] = correct.float().mean().item()
        return measures

    def judge(self, measures: dict[str, float]) -> None:
        """Raise `Collapsed` when two measurements in a row show the same latent for every image.

        Without `spread`, which frozen latents have not, nothing can collapse.
        """
        if "spread" not in measures:
            return
        self.alarms = self.alarms + 1 if measures["spread"] < COLLAPSED else 0
        if self.alarms >= 2:
            raise Collapsed(
                f"the run collapsed: latents of different images differ by a spread of {measures['spread']:.4f} "
                f"(healthy: above 0.2), so a loss of {measures['loss']:.4f} means nothing. Try a lower --lr, "
                "a longer --warmup, a --momentum closer to 1, or a larger --batch"
            )


def evenly(samples: int, most: int) -> Tensor:
    """At most `most` places among `samples`, first and last included and evenly between: ascending int64."""
    return torch.linspace(0, samples - 1, min(most, samples)).long()
