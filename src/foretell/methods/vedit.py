"""VEDIT: Lin et al., "VEDIT: Latent Prediction Architecture for Procedural Video Representation Learning", ICLR 2025,
arXiv:2410.03478. Its scheduler is Stable Diffusion 3's (Esser et al. 2024, arXiv:2403.03206).

    x_s = (1 − s) x₀ + s ε                    latents x₀ of unseen clips, noise ε, s from 1 (noise) to 0
    x̂₀ = denoiser(x_s, s, seen)               two streams with joint attention
    v = (x_s − x̂₀) / s ≈ ε − x₀               the velocity
    x ← x + (s′ − s) v                        Euler steps to s′, over s = k r / (1 + (k − 1) r), r from 1 to 0
    loss = cross-entropy of an attentive classifier on x̂₀ [+ ‖v − (ε − x₀)‖²]

Clips come from a frozen encoder. Where and how many clips are seen makes the task: the steps so far (forecasting), or
the first and the last step (planning).

The paper leaves open how it trains. Two readings are here (`objective`):
- `sampler` (A): cross-entropy on what the Euler steps give, through all of them.
- `velocity` (B): the velocity's error at a random s, and cross-entropy on x̂₀ = x_s − s v.
`direct` is the control: x̂₀ in one forward pass without noise, with as many parameters.

Differs from the paper:
- One denoiser and one classifier learn forecasting, planning and the tasks' names together, not one for each.
- Latents are standardised channel by channel. Depth, width and the number of Euler steps are ours: the paper's are
  not printed.
- The denoiser says x̂₀, where Stable Diffusion 3's says v. Noise fills all channels, and a network that is narrower than
  the latents cannot carry it to v (Li & He 2025, arXiv:2511.13720). `predicts` chooses.
- Beside the attentive classifier stands a linear discriminant of the train clips (`foretell.nn.pooler.Classifier`).
  What it reads in seen clips is given with their latents, as so small a denoiser is long in learning to read.
- Train clips are recombined: a clip is the mean of its step, and the rest of any other clip.
- Futures longer than `horizon` are denoised block after block, each seeing the blocks before.

B batch · O seen clips · T unseen clips · P latents a clip · C their width · K samples
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from foretell.augment import to_float
from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, SIZE, ForetellError, Range, within
from foretell.method import Method, weights_digest
from foretell.methods.vjepa_ac import encoder_of
from foretell.nn.dit import DiT, DiTConfig
from foretell.nn.flow import normal, shifted, times
from foretell.nn.pooler import Classifier, middle
from foretell.nn.vit import VideoViTConfig, ViT
from foretell.problems import KINDS, NONE, PaddedClips, Problem, draw, entropy, recombined, whole
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch, Dataset, StepLatents

NO_ENCODER = (
    "this VEDIT was trained on latents, and has no encoder of clips: forecast a procedure of such data (--data), or "
    "train on clips with --encoder MODEL"
)
SMALLEST = 0.05
"""s that the velocity is divided by, at least: Li & He's."""


@dataclass(frozen=True)
class VEDITConfig:
    """What a VEDIT is built from."""

    denoiser: DiTConfig = field(default_factory=DiTConfig)
    objective: Literal["velocity", "sampler", "direct"] = "velocity"
    """How it is trained: velocity error and cross-entropy, cross-entropy through the sampler, or directly."""
    predicts: Literal["latents", "velocity"] = "latents"
    """What the denoiser says: x̂₀, or v."""
    euler: int = 4
    """Euler steps from noise to latents: of `sampler` in training, and of all in use."""
    shift: float = 3.0
    """k: above 1 more of training and of the Euler steps is spent on noise. SD3's is 3."""
    weight: float = 1.0
    """Of the cross-entropies beside the velocity's error."""
    history: int = 8
    """Clips that a forecast sees at most: the last ones."""
    horizon: int = 4
    """Clips that are denoised at once at most."""
    named: bool = True
    """Whether seen clips come with the probabilities of the steps that the discriminant reads in them."""
    recombined: float = 0.8
    """Share of train clips that are the mean of their step and the rest of another clip."""
    planned: tuple[int, ...] = (3, 4)
    """Lengths of the plans that are learned, the first and the last step included; none for forecasts alone."""
    latents: int = 1
    """P, of a clip: means over so many parts of its time. Data with latents of its own decides by itself."""
    encoder: VideoViTConfig | None = None
    """Of clips, frozen: that of `--encoder`; none where the data has latents of its own."""
    channels: int = 0
    """C; with the names below it is taken from the data."""
    steps: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        within(self, euler=COUNT, shift=POSITIVE, weight=NOT_NEGATIVE, history=COUNT, horizon=COUNT, latents=SIZE)
        within(self, recombined=SHARE)
        within(self, planned=Range(3, 1000, whole=True))

    @property
    def reads(self) -> StepLatents:
        """What the method reads, as `foretell.data.load` takes it: data that has latents of its own."""
        from foretell.data import StepLatents

        return StepLatents()


@register("vedit", VEDITConfig)
class VEDIT(Method):
    """Denoise the latents of unseen steps of a procedure, beside those of the steps that were seen."""

    config: VEDITConfig
    mean: Tensor
    std: Tensor
    entrances = (*Method.entrances, "sample", "classify", "name_task")

    def __init__(self, config: VEDITConfig) -> None:
        super().__init__(config)
        c, width, heads = config, config.denoiser.width, config.denoiser.heads
        self.encoder = None if c.encoder is None else ViT(c.encoder).requires_grad_(False)
        channels = max(c.channels, 1)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.denoiser = DiT(c.denoiser, channels, c.latents, channels + len(c.steps) * c.named)
        counts = {"step": len(c.steps), "verb": len(c.verbs), "noun": len(c.nouns)}
        self.classifier = Classifier((c.latents, channels), width, heads, counts)
        self.task_classifier = Classifier((c.latents, channels), width, heads, {"task": len(c.tasks)})

    @classmethod
    def begin(cls, config: VEDITConfig, encoder: Method | None = None) -> VEDIT:
        """A VEDIT that is yet to be trained; `encoder` is a trained model of clips, whose encoder is copied and frozen.

        Raises:
            ForetellError: that model has no encoder of clips.
        """
        if encoder is None:
            return cls(config)
        found = encoder_of(encoder)
        if not isinstance(found.config, VideoViTConfig):
            raise ForetellError(
                f"VEDIT reads clips, and {type(encoder).__name__} is of images: give --encoder vjepa-deep"
            )
        built = cls(replace(config, encoder=found.config))
        assert built.encoder is not None
        built.encoder.load_state_dict(found.state_dict())
        return built

    @property
    def reads(self) -> StepLatents:
        """What this very model reads: clips, too, where it has an encoder of clips."""
        from foretell.data import ClipEncoder, StepLatents

        shape = (self.config.latents, self.config.channels) if self.config.channels else None
        if self.encoder is None:
            return StepLatents(shape=shape)
        c = self.encoder.config
        assert isinstance(c, VideoViTConfig)
        key = f"{weights_digest(self.encoder)} {self.config.latents}"
        return StepLatents(ClipEncoder(self.encode, key, c.image_size, c.frames), shape)

    def suited(self, data: Dataset) -> VEDIT:
        """The same for the latents, steps and tasks of this data.

        Raises:
            ForetellError: the data has no procedures, or no steps to tell apart.
        """
        from foretell.data import Procedures

        if not isinstance(data, Procedures):
            raise ForetellError("VEDIT learns from procedures: give data such as coin:COIN.json.gz or procedures:2000")
        P, C = data.shape
        if len(data.steps) < 2:
            raise ForetellError("all steps of the data have one label, expected two or more, to tell them apart")
        if int(data.lengths.max()) < 2:
            raise ForetellError(
                "every procedure has one step alone, expected some with two or more, to forecast the next"
            )
        encoder = self.config.encoder if data.encoded else None
        names = {"steps": data.steps, "verbs": data.names["verb"], "nouns": data.names["noun"], "tasks": data.classes}
        found = type(self)(replace(self.config, encoder=encoder, latents=P, channels=C, **names))
        if found.encoder is not None and self.encoder is not None:
            found.encoder.load_state_dict(self.encoder.state_dict())
        return found

    def prepare(self, data: Dataset) -> None:
        """Learn what has a closed form: mean and deviation of at most 20,000 clips, and the discriminants of all."""
        from foretell.data.procedures import check_shape

        assert data.columns["latents"], "suited to this data"
        values = data.batch(range(0, len(data), max(len(data) // 2000, 1))).ragged("latents").values
        assert isinstance(values, Tensor)
        check_shape(values.shape[1:], (self.config.latents, len(self.mean)))
        values = values[:: max(len(values) // 20_000, 1)].float().flatten(0, 1)
        self.mean.copy_(values.mean(0))
        self.std.copy_(values.std(0).clamp_min(1e-6))
        for classifier in (self.classifier, self.task_classifier):
            for kind in classifier.discriminants:
                classifier.discriminant(kind).learn(self._examples(data, kind))

    def _examples(self, data: Dataset, kind: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Standardised train clips that have such a name, and its number; of tasks the mean clips of procedures."""
        for start in range(0, len(data), 256):
            clips = self.whole(batch := data.batch(range(start, min(start + 256, len(data)))))
            latents = self.scaled(clips.latents)
            if kind == "task":
                x, y = middle(latents, clips.there), batch["labels"]
            else:
                x, y = latents[clips.there].flatten(1), clips.labels[kind][clips.there]
            yield x[y != NONE], y[y != NONE]

    def views(self, batch: Batch, generator: torch.Generator) -> Problem:
        """A forecast or a plan of each procedure; in training of recombined clips."""
        clips = self.whole(batch)
        if self.training:
            clips = self.recombined(clips, generator)
        labelled = "labels" in batch
        return self.problem(clips, batch["labels"] if labelled else None, generator)

    def recombined(self, clips: PaddedClips, generator: torch.Generator) -> PaddedClips:
        """Some of the clips as the mean of their step and the rest of any other, see `foretell.problems.recombined`."""
        means = self.classifier.discriminant("step").means.unflatten(-1, clips.latents.shape[2:])
        return recombined(clips, means * self.std + self.mean, self.config.recombined, generator)

    def problem(self, clips: PaddedClips, task: Int[Tensor, " B"] | None, generator: torch.Generator) -> Problem:
        """A forecast or a plan of each procedure, see `foretell.problems.draw`."""
        return draw(clips, task, generator, self.config.history, self.config.horizon, self.config.planned)

    def whole(self, batch: Batch) -> PaddedClips:
        """All clips of some procedures.

        Raises:
            ForetellError: they are of another width than the model's, or another number of latents.
        """
        from foretell.data.procedures import check_shape

        found = whole({name: batch.ragged(name) for name in ("latents", *KINDS)})
        check_shape(found.latents.shape[2:], (self.config.latents, len(self.mean)))
        return found

    def forward(self, views: Problem) -> Float[Tensor, ""]:
        """The loss, by the objective."""
        return self.losses(views)["loss"]

    def losses(self, problem: Problem) -> dict[str, Tensor]:
        """The loss and its parts: `velocity` (of `direct` the error of x̂₀) and `naming`, the cross-entropies."""
        c, seen, asked = self.config, problem.seen, problem.asked
        x0 = self.scaled(asked.latents)
        noise = normal(x0.shape, problem.chance, x0.device).to(x0.dtype)
        if c.objective == "velocity":
            B = len(x0)
            s = shifted(normal((B,), problem.chance, x0.device).sigmoid(), c.shift)
            t = s.view(-1, 1, 1, 1)
            x = (1 - t) * x0 + t * noise
            v = self.velocity(x, seen, asked, s).float()
            found, error = x - t * v, (v - (noise - x0)).square()
        else:
            found = self.denoise(noise, seen, asked)
            error = (found - x0).square()
        there = asked.there
        parts = {"velocity": error[there].mean() if there.any() else error.sum() * 0.0}
        parts["naming"] = self._naming(found, problem)
        fit = 0.0 if c.objective == "sampler" else parts["velocity"]
        return {"loss": fit + (1.0 if c.objective == "sampler" else c.weight) * parts["naming"], **parts}

    def _naming(self, found: Float[Tensor, "B T P C"], problem: Problem) -> Float[Tensor, ""]:
        """Cross-entropy of the names of unseen clips, of seen clips, and of the task."""
        seen, asked, task = problem.seen, problem.asked, problem.task
        latents = torch.cat([found[asked.there], self.scaled(seen.latents)[seen.there]])
        losses = [
            entropy(logits, torch.cat([asked.labels[kind][asked.there], seen.labels[kind][seen.there]]))
            for kind, logits in self.classifier(latents.unsqueeze(1)).items()
        ]
        if self.config.tasks:
            losses.append(entropy(self._task(found, problem.seen, asked.there), task))
        return torch.stack(losses).sum()

    def _task(self, found: Float[Tensor, "B T P C"], seen: PaddedClips, there: Tensor) -> Float[Tensor, "B tasks"]:
        """Logits of the task, from all clips that were seen or denoised (3.2: all tokens)."""
        every, known = torch.cat([found, self.scaled(seen.latents)], 1), torch.cat([there, seen.there], 1)
        return self.task_classifier(every, known)["task"]

    def velocity(
        self, x: Float[Tensor, "B T P C"], seen: PaddedClips, asked: PaddedClips, s: Float[Tensor, " _"]
    ) -> Float[Tensor, "B T P C"]:
        """v of standardised latents."""
        full = bool(seen.there.all() and asked.there.all())
        there = None if full else (asked.there, seen.there)
        found = self.denoiser(x, self.told(self.scaled(seen.latents)), s, (asked.places, seen.places), there)
        return found if self.config.predicts == "velocity" else (x - found) / s.clamp_min(SMALLEST).view(-1, 1, 1, 1)

    def told(self, latents: Float[Tensor, "B O P C"]) -> Float[Tensor, "B O P _"]:
        """Standardised latents of seen clips, with the probabilities of the steps that they show."""
        if not (self.config.named and self.config.steps):
            return latents
        names = self.classifier.discriminant("step")(latents.flatten(2)).softmax(-1)
        return torch.cat([latents, names.unsqueeze(2).expand(-1, -1, latents.shape[2], -1)], -1)

    def denoise(
        self, noise: Float[Tensor, "B T P C"], seen: PaddedClips, asked: PaddedClips, euler: int | None = None
    ) -> Float[Tensor, "B T P C"]:
        """Standardised latents, from noise by Euler steps; of `direct` in one pass that sees no noise."""
        if self.config.objective == "direct":
            blank = torch.zeros_like(noise)
            return -self.velocity(blank, seen, asked, torch.ones(1, device=noise.device)).float()
        x = noise
        for s, after in pairwise(times(euler or self.config.euler, self.config.shift)):
            v = self.velocity(x, seen, asked, torch.tensor([s], device=noise.device))
            x = x + (after - s) * v.float()
        return x

    def sample(
        self, seen: PaddedClips, asked: PaddedClips, samples: int, generator: torch.Generator, euler: int | None = None
    ) -> Float[Tensor, "B K T P C"]:
        """K futures of each procedure, in one batch: latents as the clip encoder gives them.

        Args:
            seen: what was seen.
            asked: its `places` and `there` are read; its latents are not.
            samples: K. All are equal where the model is `direct`.
            generator: draws the noise, on the device of the latents.
            euler: Euler steps; None for the configuration's.
        """
        shape = (len(seen), samples, asked.there.shape[1], *seen.latents.shape[2:])
        noise = normal(shape, generator, seen.latents.device)
        found = self.denoise(noise.flatten(0, 1), seen.repeated(samples), asked.repeated(samples), euler)
        return (found * self.std + self.mean).unflatten(0, (-1, samples))

    def classify(self, latents: Float[Tensor, "*some P C"]) -> dict[str, Float[Tensor, "*some classes"]]:
        """Log-probabilities of the step, the verb and the noun that clips show."""
        found = self.classifier(self.scaled(latents).flatten(0, -3).unsqueeze(1))
        return {kind: each.float().log_softmax(-1).unflatten(0, latents.shape[:-2]) for kind, each in found.items()}

    def name_task(
        self, seen: PaddedClips, asked: PaddedClips, samples: int, generator: torch.Generator, euler: int | None = None
    ) -> Float[Tensor, "B tasks"]:
        """Log-probabilities of the task, the mean over sampled futures; arguments as of `sample`."""
        found = self.scaled(self.sample(seen, asked, samples, generator, euler)).flatten(0, 1)
        logits = self._task(found, seen.repeated(samples), asked.there.repeat_interleave(samples, 0))
        return logits.float().softmax(-1).unflatten(0, (-1, samples)).mean(1).log()

    def scaled(self, latents: Float[Tensor, "*some C"]) -> Float[Tensor, "*some C"]:
        """Latents, standardised channel by channel."""
        return (latents - self.mean) / self.std

    @torch.no_grad()
    def encode(self, clips: UInt8[Tensor, "n 3 F H W"] | Float[Tensor, "n 3 F H W"]) -> Float[Tensor, "n P C"]:
        """Latents of clips: the frozen encoder's, averaged over each picture and over P parts of the time.

        Raises:
            ForetellError: the model has no encoder of clips, or its clips are shorter than P parts.
        """
        if self.encoder is None:
            raise ForetellError(NO_ENCODER)
        x = to_float(clips)
        grid, P = self.encoder.grid(x), self.config.latents
        if grid[0] % P:
            raise ForetellError(f"latents is {P}, expected a divisor of the {grid[0]} tubelets of a clip")
        return self.in_chunks(self.encoder, x).unflatten(1, (P, -1)).mean(2)

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B C ..."]:
        """There are no views of a picture here. Raises ForetellError."""
        raise ForetellError("VEDIT learns from latents of clips, which have no random views: LiDAR cannot compare")

    @property
    def example(self) -> str:
        """Python for the model card: forecast what comes after some clips."""
        c = self.config
        given = "of features of your own" if self.encoder is None else "model.encode(clips), uint8 [n, 3, T, H, W]"
        return (
            "from foretell.forecast import forecast\n\n"
            f"# seen: latents of the n steps so far, [n, {c.latents}, {c.channels}]: {given}\n"
            "forecast(model, seen, steps=2).steps  # for each step ahead the likeliest names and their probabilities"
        )

    def features(self, x: Float[Tensor, "B 3 F H W"]) -> Float[Tensor, "B C"]:
        """The frozen encoder's latents of clips in [0, 1], averaged. Raises ForetellError where there is no encoder."""
        return self.encode(x).mean(1)

    def trained(self) -> dict[str, nn.Module]:
        """The denoiser and the classifiers; a frozen encoder is not trained."""
        return {"denoiser": self.denoiser, "classifier": self.classifier, "task classifier": self.task_classifier}

    @torch.no_grad()
    def measures(self, views: Problem) -> dict[str, float]:
        """The loss and its parts, and how many next steps one sampled future names right (`next`)."""
        found = {name: value.item() for name, value in self.losses(views).items()}
        asked, generator = views.asked, torch.Generator().manual_seed(0)
        names = self.classify(self.sample(views.seen, asked, 1, generator)[:, 0])["step"].argmax(-1)
        right = names[asked.there] == asked.labels["step"][asked.there]
        return found | {"next": right.float().mean().item()}
