"""One predictor for several tasks; a learned token tells it the task (IWM §5, multitask predictor tuning).

    logits_t = head_t(p_φ(f^EMA(x), a = 0, token_t, every position))        f^EMA is frozen, p_φ is shared

Batches mix the tasks in equal shares, and each task sees as many images as it would alone. So the joint predictor costs
as much as the separate ones together, and can be compared with them. The paper does not print how it mixes.

B batch · N patches · D encoder width · L positions asked · d predictor width · A action parameters · T tasks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.data import Images
from foretell.errors import ForetellError
from foretell.finetune.classifier import (
    FinetuneConfig,
    Mode,
    answer,
    autocast,
    finetune,
    head,
    learn,
    parts,
    told,
    views,
)
from foretell.finetune.supervise import accuracy, labels_of, likeliest
from foretell.hub.files import to_config
from foretell.method import Method, seeded, unrelated


class TaskTokens(nn.Module):
    """A model's own queries, and one more token for the task (see `foretell.nn.queries`).

    The task is given as T more columns of the action: one is 1, the others are 0.
    """

    def __init__(self, own: nn.Module, width: int, tasks: int) -> None:
        super().__init__()
        self.own = own
        self.tokens = nn.Linear(tasks, width, bias=False)
        nn.init.trunc_normal_(self.tokens.weight, std=0.02)

    def forward(self, position: Float[Tensor, "B L d"], action: Float[Tensor, "B A_T"]) -> Float[Tensor, "B _ d"]:
        """The model's own queries, L + E, and the token. A_T is A + T."""
        action, task = action.tensor_split([-self.tokens.in_features], dim=1)
        return torch.cat([self.own(position, action), self.tokens(task).unsqueeze(1)], 1)


class MultitaskClassifier(nn.Module):
    """A world model's frozen encoder, its predictor with a token a task, and an attentive head a task.

    Args:
        model: the world model; its target encoder and predictor are copied, it is left as it is.
        tasks: names of the tasks, and of each one's classes.
        mode: `predictor` or `predictor-random`.

    Raises:
        ForetellError: the mode trains the encoder, which tasks share.
    """

    def __init__(self, model: Method, tasks: Mapping[str, Iterable[str]], mode: Mode = "predictor") -> None:
        super().__init__()
        self.world = to_config(model)
        self.mode: Mode = mode
        self.tasks = {name: tuple(classes) for name, classes in tasks.items()}
        self.actions = told(model)
        self.encoder, predictor = parts(model, mode)
        if predictor is None or mode == "end-to-end":
            raise ForetellError(f"mode {mode} trains the encoder, which tasks share: use mode predictor")
        predictor.queries = TaskTokens(predictor.queries, predictor.width, len(self.tasks))
        self.predictor = predictor
        self.heads = nn.ModuleList(head(self.encoder, predictor, len(c)) for c in self.tasks.values())

    def latents(self, images: Float[Tensor, "B 3 H W"], task: Int[Tensor, " B"]) -> Float[Tensor, "B N _"]:
        """Null latents of images in [0, 1], each for its task in [0, T)."""
        s = self.encoder(images)
        nothing, which = s.new_zeros(len(s), self.actions), F.one_hot(task, len(self.tasks)).to(s.dtype)
        return answer(self.predictor, s, self.encoder.grid(images), torch.cat([nothing, which], 1))

    def forward(self, images: Float[Tensor, "B 3 H W"], task: str) -> Float[Tensor, "B classes"]:
        """Logits of images in [0, 1] over a task's classes."""
        if task not in self.tasks:
            raise ForetellError(f"{task!r} is not a task of this classifier; it has {', '.join(self.tasks)}")
        place = list(self.tasks).index(task)
        which = torch.full((len(images),), place, device=images.device)
        return self.heads[place](self.latents(images, which))

    def classify(self, images: Any, task: str) -> list[tuple[str, float]]:
        """The likeliest of a task's classes for each image, and its probability; of anything that
        `foretell.preprocess` takes.

        Raises:
            ForetellError: there is no such task, or as `foretell.preprocess`.
        """
        if task not in self.tasks:
            raise ForetellError(f"task is {task!r}, expected one of {', '.join(self.tasks)}")
        return likeliest(self, images, self.tasks[task], partial(self, task=task))

    def rates(self, pretrained: float) -> list[tuple[nn.Module, float]]:
        """The parts to train, each with its share of the learning rate. Tokens and heads start at random."""
        share = 1.0 if self.mode == "predictor-random" else pretrained
        queries = self.predictor.queries
        assert isinstance(queries, TaskTokens)
        old = [queries.own, *(m for m in self.predictor.children() if m is not queries)]
        return [*((m, share) for m in old), (queries.tokens, 1.0), (self.heads, 1.0)]


def multitask(
    model: Method,
    tasks: Mapping[str, tuple[Images, Images]],
    config: FinetuneConfig | None = None,
    *,
    compare: bool = False,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> tuple[MultitaskClassifier, dict[str, Any]]:
    """Tune one predictor for several data sets together.

    Args:
        model: a world model; it is not changed.
        tasks: for each name the labelled images to learn from and to measure on.
        config: the settings, in mode `predictor` or `predictor-random`; None for the defaults. Steps are for each task.
        compare: also tune a predictor for each task alone, and report what those reach.
        device: the device to compute on; None for the model's.
        progress: whether to draw progress bars.

    Returns:
        The classifier in evaluation mode, and a report like that of `finetune`. `tasks` replaces `accuracy`: name ->
        its `accuracy` and, if compared, `separate`, the accuracy of a separate predictor.

    Raises:
        ForetellError: as `finetune`; or fewer than two tasks, or a mode that trains the encoder.
    """
    config = config or FinetuneConfig()
    if len(tasks) < 2:
        raise ForetellError(f"a shared predictor wants at least two tasks, found {len(tasks)}: use finetune")
    device = torch.device(device or next(model.parameters()).device)
    trains = [train for train, _ in tasks.values()]
    labels = [labels_of(train, f"the training set of {name}") for name, (train, _) in tasks.items()]
    asked = [labels_of(test, f"the test set of {name}", train.classes) for name, (train, test) in tasks.items()]
    with seeded(unrelated(config.seed)):
        classes = {name: train.classes for name, (train, _) in tasks.items()}
        classifier = MultitaskClassifier(model, classes, config.mode).to(device)
    loss = _loss(classifier, trains, labels, config, device)
    share = max(config.batch // len(tasks), 1)
    steps = len(tasks) * config.steps
    rates, mixed = classifier.rates(config.pretrained), replace(config, batch=share)
    report = learn(classifier, rates, loss, steps * share, steps, mixed, progress)
    size = classifier.encoder.config.image_size
    report["tasks"] = {
        name: {"accuracy": accuracy(partial(classifier, task=name), test, truth, size, device)}
        for (name, (_, test)), truth in zip(tasks.items(), asked, strict=True)
    }
    if compare:
        for name, (train, test) in tasks.items():
            _, alone = finetune(model, train, test, config, device=device, progress=progress)
            report["tasks"][name]["separate"] = alone["accuracy"]
    return classifier, report


def _loss(
    classifier: MultitaskClassifier,
    trains: Sequence[Images],
    labels: Sequence[Int[Tensor, " _"]],
    config: FinetuneConfig,
    device: torch.device,
) -> Callable[[Tensor], Tensor]:
    """The mean cross-entropy of the tasks, as a function of places.

    Places are int64 [B]; the result has no axis. A place stands for one image of every task, counted round and round:
    equal shares at any sizes.
    """
    view = views(classifier.encoder, config, device)

    def loss(index: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        picked = [index % len(train) for train in trains]
        x = torch.cat([view(train, i) for train, i in zip(trains, picked, strict=True)])
        task = torch.arange(len(trains), device=device).repeat_interleave(len(index))
        with autocast(config, device):
            latents = classifier.latents(x, task).chunk(len(trains))
            logits = [head(z).float() for head, z in zip(classifier.heads, latents, strict=True)]
        costs = [
            F.cross_entropy(z, y[i].to(device), label_smoothing=config.smoothing)
            for z, y, i in zip(logits, labels, picked, strict=True)
        ]
        return torch.stack(costs).mean()

    return loss
