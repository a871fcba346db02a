"""Is it learning, or collapsing? Measures that watch a run from outside: the loop does not know what they do.

A falling loss says little: it also falls when every image gets the same latent. So at intervals the model is measured
on a few photographs and fixed prediction problems: no random number of the run is used, so watching changes nothing.

B batch · N patches · D width
"""

from __future__ import annotations

import torch
from torch import Tensor

from foretell.augment import to_float
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.evaluate.collapse import rankme, spread
from foretell.evaluate.probes import knn
from foretell.jepa import JEPA
from foretell.nn.vit import pool
from foretell.views import Views, take

COLLAPSED = 0.02
"""Spread below which all images have the same latent for every practical purpose; healthy runs show 0.2 and more."""


class Collapsed(ForetellError):
    """The run learned to say the same of every image."""


class Monitors:
    """Measures one model on photographs picked once.

    Args:
        images: where the photographs come from; at most `samples` are picked, evenly over the data.
        seed: fixes the prediction problems.
        samples: photographs for RankMe and kNN.
        problems: photographs for the losses.
    """

    def __init__(self, images: Images, seed: int, samples: int = 1024, problems: int = 128) -> None:
        picked = evenly(len(images), samples)
        self.pixels = images.take(picked)
        self.labels = None if images.labels is None else images.labels[picked]
        self.problems = self.pixels[evenly(len(picked), problems)]  # data is often sorted by class: take of all
        self.seed = seed
        self.alarms = 0

    @torch.no_grad()
    def measure(self, model: JEPA, device: torch.device) -> dict[str, float]:
        """All measures by name.

        - `loss`: on the fixed problems. `constant`: what the best constant prediction would cost, whose fall to zero
          is collapse. `copy`: what repeating the nearest visible patch would cost. A model that has learned something
          is below both.
        - `spread`: standard deviation of target latents over images, 0 to about 1; 0 is collapse.
        - `rankme`: effective number of dimensions the pooled features use.
        - `knn`: accuracy of nearest neighbours among the photographs, where there are labels.
        """
        generator = torch.Generator(device).manual_seed(self.seed)
        views = model.views(self.problems.to(device), generator)
        target = model.target(views.target)
        s_y = take(target, views.target_index)
        constant = target.mean(0, keepdim=True).expand_as(target)
        latents = torch.cat([model.target(to_float(chunk.to(device))) for chunk in self.pixels.split(256)])
        features = pool(latents)
        measures = {
            "loss": model(views).item(),
            "constant": model.distance(take(constant, views.target_index), s_y).item(),
            "copy": model.distance(nearest_visible(model, views), s_y).item(),
            "spread": spread(latents),
            "rankme": rankme(features),
        }
        if self.labels is not None:
            half = len(features) // 2
            labels = self.labels.to(device)
            order = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed)).to(device)
            bank, asked = order[:half], order[half:]
            correct = knn(features[bank], labels[bank], features[asked], labels[asked])
            measures["knn"] = correct.float().mean().item()
        return measures

    def judge(self, measures: dict[str, float]) -> None:
        """Raise `Collapsed` when two measurements in a row show the same latent for every image."""
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


def nearest_visible(model: JEPA, views: Views) -> Tensor:
    """Copy the source: for each target patch the target encoder's latent of x at the nearest visible patch.

    Returns:
        [B, M, L, D], comparable with a prediction.
    """
    grid = model.context_encoder.grid(views.context)
    axes = torch.meshgrid(*(torch.arange(float(n), device=views.context.device) for n in grid), indexing="ij")
    place = torch.stack([axis.flatten() for axis in axes], 1).expand(len(views.context), -1, -1)  # [B, N, axes]
    asked, seen = take(place, views.target_index.flatten(1)), take(place, views.context_index)
    nearest = views.context_index.gather(1, torch.cdist(asked, seen).argmin(-1))
    return take(model.target(views.context), nearest.unflatten(1, views.target_index.shape[1:]))
