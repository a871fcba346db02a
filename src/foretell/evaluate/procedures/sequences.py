"""Baselines that are transformers, of the denoiser's size, on the same problems and for as many steps.

- `direct`: the deterministic predictor, VEDIT itself in one forward pass without noise.
- `causal`: a causal transformer that regresses the next clip's latents, and goes on from what it regressed.
- `discrete`: diffusion of the names themselves, as PDPP (Wang et al. 2023, arXiv:2303.14676): Gaussian noise on one-hot
  rows, conditioned on the clips that were seen; the network predicts the clean rows, and what was seen stays as it is.

B procedures · T asked clips · P latents a clip · C their width · N clips in all · M, K samples
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.evaluate.procedures.counts import SeenProcedures
from foretell.evaluate.procedures.forecaster import (
    Denoised,
    Forecaster,
    Futures,
    after,
    inside,
    joined,
    likeliest,
    recent,
)
from foretell.method import seeded
from foretell.methods.vedit import VEDIT
from foretell.nn.dit import DiT
from foretell.nn.pooler import Classifier
from foretell.nn.rotary import line_rotation
from foretell.nn.vit import Block, initialise
from foretell.problems import NONE, PaddedClips, Problem, entropy
from foretell.progress import watched
from foretell.train.loop import TrainConfig, batch_index, generator, schedule
from foretell.train.optimizer import chosen, set_rates

NOISES = 10
"""Steps of discrete diffusion in use."""


def learned(
    module: nn.Module,
    loss: Callable[[Problem], Tensor],
    model: VEDIT,
    known: SeenProcedures,
    train: TrainConfig,
    text: str | None,
) -> None:
    """Train a module as a run trains VEDIT: the same problems, batches, rates and steps.

    Args:
        module: what is trained; it is left in evaluation mode.
        loss: of a problem.
        model: whose configuration says which problems there are.
        known: train procedures.
        train: how.
        text: of a progress bar; None for no bar.
    """
    optimizer = chosen(train.optimizer, [(module, 1.0)], train.lr, train.weight_decay)
    module.train()
    for step in watched(range(train.steps), text):
        rates = schedule(train, step)
        set_rates(optimizer, rates["lr"], rates["weight_decay"])
        rows, chance = batch_index(step, len(known.task), train.batch, train.seed), generator(train.seed, step, 0)
        problem = model.problem(model.recombined(known.clips.rows(rows), chance), known.task[rows], chance)
        loss(problem).backward()
        if train.clip:
            nn.utils.clip_grad_norm_(module.parameters(), train.clip)
        optimizer.step()
        optimizer.zero_grad()
    module.eval()


def direct(model: VEDIT, known: SeenProcedures, train: TrainConfig, text: str | None) -> Forecaster:
    """The deterministic predictor."""
    with seeded(train.seed):
        made = VEDIT(replace(model.config, objective="direct", encoder=None))
    made.load_state_dict(dict(model.named_buffers()), strict=False)  # what has a closed form
    learned(made, made, model, known, train, text)
    return Denoised(made, torch.Generator().manual_seed(train.seed), name="direct")


class Regression(nn.Module):
    """A causal transformer. Tokens are clips, those that were seen first; each asks for the clip that follows it."""

    def __init__(self, model: VEDIT) -> None:
        super().__init__()
        c, d = model.config, model.config.denoiser
        self.model, self.heads = [model], d.heads  # in a list: the model is not trained here
        self.embed = nn.Linear(c.latents * model.denoiser.embed_seen.in_features, d.width)
        self.ahead = nn.Embedding(2 * REACH + 1, d.width)
        self.blocks = nn.ModuleList(Block(d.width, d.heads, d.mlp_ratio) for _ in range(2 * d.depth))
        self.norm, self.out = nn.LayerNorm(d.width), nn.Linear(d.width, c.latents * len(model.mean))
        initialise(self, self.blocks, None)
        counts = {"step": len(c.steps), "verb": len(c.verbs), "noun": len(c.nouns)}
        shape = (c.latents, len(model.mean))
        self.classifier = Classifier(shape, d.width, d.heads, counts, model.classifier)
        self.task_classifier = Classifier(shape, d.width, d.heads, {"task": len(c.tasks)}, model.task_classifier)

    def forward(self, problem: Problem) -> Float[Tensor, ""]:
        """Squared error of the next clip's latents, and cross-entropies as of VEDIT."""
        model, seen, asked = self.model[0], problem.seen, problem.asked
        x0, told = model.scaled(asked.latents), model.scaled(seen.latents)
        found = self.regress(seen, asked, x0)
        there = asked.there
        error = (found - x0).square()[there].mean() if there.any() else found.sum() * 0.0
        latents = torch.cat([found[there], told[seen.there]])
        labels = {k: torch.cat([asked.labels[k][there], seen.labels[k][seen.there]]) for k in asked.labels}
        naming = [entropy(logits, labels[kind]) for kind, logits in self.classifier(latents.unsqueeze(1)).items()]
        if model.config.tasks:
            naming.append(entropy(self.task(found, seen, there), problem.task))
        return error + model.config.weight * torch.stack(naming).sum()

    def task(self, found: Tensor, seen: PaddedClips, there: Tensor) -> Float[Tensor, "B tasks"]:
        """Logits of the task."""
        model = self.model[0]
        every, known = torch.cat([found, model.scaled(seen.latents)], 1), torch.cat([there, seen.there], 1)
        return self.task_classifier(every, known)["task"]

    def regress(self, seen: PaddedClips, asked: PaddedClips, x0: Float[Tensor, "B T P C"]) -> Float[Tensor, "B T P C"]:
        """The asked clips, each from those seen and the asked ones before it (of x0)."""
        model = self.model[0]
        x = torch.cat([model.scaled(seen.latents), x0], 1)
        places, there = torch.cat([seen.places, asked.places], 1), torch.cat([seen.there, asked.there], 1)
        order = (~there).to(torch.uint8).argsort(dim=1, stable=True)
        places, there = places.gather(1, order), there.gather(1, order)
        x = x.gather(1, order[:, :, None, None].expand_as(x))
        step = F.pad(places.diff(dim=1), (0, 1), value=1.0).long().clamp(-REACH, REACH) + REACH
        h = self.embed(model.told(x).flatten(2)) + self.ahead(step)
        rotation = line_rotation(h.shape[-1] // self.heads, places)
        N = h.shape[1]
        mask = torch.ones(N, N, dtype=torch.bool, device=h.device).tril()
        for block in self.blocks:
            h = block(h, rotation=rotation, mask=mask)
        found = self.out(self.norm(h)).unflatten(-1, x.shape[2:])
        before = seen.there.sum(1, keepdim=True) - 1 + torch.arange(asked.there.shape[1], device=h.device)
        return found.gather(1, before.clamp_max(N - 1)[:, :, None, None].expand_as(x0))


REACH = 20
"""Places that the next clip may be ahead, or behind where plans jump back from the goal."""


class Causal(Forecaster):
    """A trained `Regression`. It has no noise: the first future takes the likeliest names, the others draw them."""

    name = "causal"

    def __init__(self, network: Regression) -> None:
        self.network, self.model = network, network.model[0]

    @torch.no_grad()
    def rolled(self, seen: PaddedClips, asked: PaddedClips) -> Float[Tensor, "B T P C"]:
        """Standardised latents of the asked clips, one after the other."""
        x0 = torch.zeros_like(asked.latents)
        for place in range(asked.there.shape[1]):
            x0[:, place] = self.network.regress(seen, asked, x0)[:, place]
        return x0

    def named(self, latents: Float[Tensor, "B T P C"]) -> dict[str, Tensor]:
        """Log-probabilities of names, of standardised latents."""
        found = self.network.classifier(latents.flatten(0, 1).unsqueeze(1))
        return {kind: each.log_softmax(-1).unflatten(0, latents.shape[:2]) for kind, each in found.items()}

    @torch.no_grad()
    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """From the regressed next clip."""
        seen = recent(seen, self.model.config.history)
        return self.named(self.rolled(seen, after(seen, 1)))["step"][:, 0]

    @torch.no_grad()
    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """From the clips that were seen, and the regressed next one."""
        if not self.model.config.tasks:
            return None
        asked = after(seen, 1)
        return self.network.task(self.rolled(seen, asked), seen, asked.there)

    @torch.no_grad()
    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """Both ends are seen first; then the clips between are regressed in order."""
        flipped = ends.take(torch.tensor([[1, 0]]).expand(len(ends), 2), ends.there)
        flipped = replace(flipped, places=ends.places.flip(1))
        known = self.named(self.model.scaled(ends.latents))["step"].argmax(-1)
        inner = self.named(self.rolled(flipped, inside(ends, steps)))["step"].argmax(-1)
        return torch.cat([known[:, :1], inner, known[:, 1:]], 1)

    @torch.no_grad()
    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """One regressed future; names of the first are the likeliest, those of the others are drawn."""
        seen = recent(seen, self.model.config.history)
        logs = self.named(self.rolled(seen, after(seen, ahead)))
        found = {}
        for kind, each in logs.items():
            drawn = torch.multinomial(each.exp().flatten(0, 1), samples - 1, replacement=True, generator=generator)
            others = drawn.unflatten(0, each.shape[:2]).permute(0, 2, 1)
            found[kind] = torch.cat([each.argmax(-1).unsqueeze(1), others], 1)
        return found


def causal(model: VEDIT, known: SeenProcedures, train: TrainConfig, text: str | None) -> Forecaster:
    """A trained causal transformer."""
    with seeded(train.seed):
        network = Regression(model)
    learned(network, network, model, known, train, text)
    return Causal(network)


class NamesDiffusion(nn.Module):
    """Denoises one-hot rows of names, beside the latents of the clips that were seen."""

    def __init__(self, model: VEDIT) -> None:
        super().__init__()
        c = model.config
        self.model, self.classes = [model], len(c.steps)
        self.network = DiT(c.denoiser, self.classes, 1, seen=c.latents * model.denoiser.embed_seen.in_features)
        shape, d = (c.latents, len(model.mean)), c.denoiser
        self.classifier = Classifier(shape, d.width, d.heads, {"step": self.classes}, model.classifier)
        self.task_classifier = Classifier(shape, d.width, d.heads, {"task": len(c.tasks)}, model.task_classifier)

    def forward(self, problem: Problem) -> Float[Tensor, ""]:
        """Squared error of the clean rows (PDPP's loss), and cross-entropies of what was seen."""
        model, seen, asked = self.model[0], problem.seen, problem.asked
        step = asked.labels["step"]
        rows = self.rows(step)
        B = len(rows)
        s = torch.rand(B, generator=problem.chance)
        t = s.view(-1, 1, 1)
        noise = torch.randn(rows.shape, generator=problem.chance)
        keep, add = signal(t)
        found = self.clean(keep * rows + add * noise, seen, asked, s)
        known = step != NONE
        error = (found - rows).square()[known].sum(-1).mean() if known.any() else found.sum() * 0.0
        told = model.scaled(seen.latents)
        losses = [entropy(self.classifier(told[seen.there].unsqueeze(1))["step"], seen.labels["step"][seen.there])]
        if model.config.tasks:
            losses.append(entropy(self.task_classifier(told, seen.there)["task"], problem.task))
        return error / self.classes**0.5 + torch.stack(losses).sum()

    def rows(self, step: Int[Tensor, "B T"]) -> Float[Tensor, "B T classes"]:
        """One-hot rows, scaled to deviate as much as the noise."""
        return F.one_hot(step.clamp_min(0), self.classes).float() * self.classes**0.5

    def clean(
        self, rows: Float[Tensor, "B T classes"], seen: PaddedClips, asked: PaddedClips, s: Float[Tensor, " _"]
    ) -> Float[Tensor, "B T classes"]:
        """The clean rows."""
        told = self.model[0].told(self.model[0].scaled(seen.latents)).flatten(2).unsqueeze(2)
        there = (asked.there, seen.there)
        return self.network(rows.unsqueeze(2), told, s, (asked.places, seen.places), there)[:, :, 0]

    @torch.no_grad()
    def sample(
        self, seen: PaddedClips, asked: PaddedClips, samples: int, chance: torch.Generator
    ) -> Float[Tensor, "B M T classes"]:
        """Clean rows from noise, by DDIM's deterministic steps."""
        seen, asked = seen.repeated(samples), asked.repeated(samples)
        rows = torch.randn(*asked.there.shape, self.classes, generator=chance)
        found = rows
        for step in range(NOISES, 0, -1):
            s = torch.tensor([step / NOISES])
            found = self.clean(rows, seen, asked, s)
            (keep, add), (next_keep, next_add) = signal(s), signal(s - 1 / NOISES)
            rows = next_keep * found + next_add * (rows - keep * found) / add
        return found.unflatten(0, (-1, samples))


def signal(s: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of signal and of noise at a time, by the cosine schedule that PDPP takes."""
    angle = (s * 0.996 + 0.002) * torch.pi / 2
    return angle.cos(), angle.sin()


class Discrete(Forecaster):
    """A trained `NamesDiffusion`."""

    name = "discrete"

    def __init__(self, network: NamesDiffusion, generator: torch.Generator, samples: int = 8) -> None:
        self.network, self.model, self.generator, self.samples = network, network.model[0], generator, samples

    @torch.no_grad()
    def recognise(self, latents: Float[Tensor, "B n P C"]) -> Int[Tensor, "B n"]:
        """The steps that clips show."""
        found = self.network.classifier(self.model.scaled(latents).flatten(0, 1).unsqueeze(1))["step"]
        return found.argmax(-1).unflatten(0, latents.shape[:2])

    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """How many of M samples say each step; sums of the rows break ties."""
        seen = recent(seen, self.model.config.history)
        rows = self.network.sample(seen, after(seen, 1), self.samples, self.generator)[:, :, 0]
        votes = F.one_hot(rows.argmax(-1), self.network.classes).float().mean(1)
        return (votes + 1e-3 * rows.softmax(-1).mean(1)).log()

    @torch.no_grad()
    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """From the clips that were seen."""
        if not self.model.config.tasks:
            return None
        return self.network.task_classifier(self.model.scaled(seen.latents), seen.there)["task"]

    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """The plan that most of M samples agree on."""
        known = self.recognise(ends.latents)
        inner = likeliest(self.network.sample(ends, inside(ends, steps), self.samples, self.generator).log_softmax(-1))
        return torch.cat([known[:, :1], inner, known[:, 1:]], 1)

    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """K sampled futures, block after block; a block that was sampled is shown by the mean clips of its steps."""
        told, found = seen.repeated(samples), []
        for start in range(0, ahead, self.model.config.horizon):
            told = recent(told, self.model.config.history)
            asked = after(told, min(self.model.config.horizon, ahead - start))
            steps = self.network.sample(told, asked, 1, generator)[:, 0].argmax(-1)
            found.append(steps)
            told = joined(told, asked, self.prototypes[steps])
        drawn = torch.cat(found, 1).unflatten(0, (-1, samples))
        return {"step": drawn} | {kind: table[drawn] for kind, table in self.words.items()}

    def knowing(self, known: SeenProcedures) -> Discrete:
        """With the mean clip of each step, and its words."""
        self.prototypes, self.words = known.prototypes(), known.words()
        return self


def discrete(model: VEDIT, known: SeenProcedures, train: TrainConfig, text: str | None) -> Forecaster:
    """A trained diffusion of names."""
    with seeded(train.seed):
        network = NamesDiffusion(model)
    learned(network, network, model, known, train, text)
    return Discrete(network, torch.Generator().manual_seed(train.seed)).knowing(known)
