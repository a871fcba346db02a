"""V-JEPA 2-AC: Assran et al., "V-JEPA 2: Self-Supervised Video Models Enable Understanding, Prediction and Planning",
2025, arXiv:2506.09985, §3.1.

    z_k = LN(E(x_k))                                a frozen encoder, each frame by itself
    ẑ_{k+1} = P_φ((a_t, s_t, z_t)_{t ≤ k})          causal in time
    L(φ) = 1/K Σ_k ‖ẑ_{k+1} − z_{k+1}‖₁             teacher forcing (eq. 2)
           + ‖P_φ(a_{1:R}; s_1, z_1) − z_{R+1}‖₁    rollout (eq. 3), R = 2

The encoder comes from a trained model and stays frozen. Only the predictor learns; it also reads the actions. It is the
world model that `foretell.plan` plans with.

Differs from the paper:
- Sine–cosine positions in the place of rotary ones, which the released weights have (`predictor.positions`); actions
  and states have a time only, as in the paper.
- Predictions are layer-normed like their targets, as in the released code.
- The loss of the rollout is that of its end, as printed; the released code takes the mean over its steps
  (`rollout_mean`, set by the paper's recipe). A rollout's states are sums of actions; there they are the recorded ones.
- A predictor may predict changes (`predictor.residual`); by default it is the paper's.
- States and actions are scaled by their deviation in the data, so that any unit will do.

B batch · T frames · K = T − 1 steps · N patches of a frame · D width · A actions · S states · H steps ahead
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell import losses
from foretell.actions import Steps
from foretell.augment import to_float
from foretell.errors import COUNT, POSITIVE, SIZE, ForetellError, Range, within
from foretell.method import Method
from foretell.nn.causal import CausalConfig, CausalPredictor
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig, layer_norm
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch, Dataset, EpisodeClips


class Framed:
    """Tells files' encoders apart: of clips or of images. Only an encoder of clips has `frames`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic import Discriminator, Tag  # only files need it: `foretell.methods` does without

        def kind(config: Any) -> str:
            framed = "frames" in config if isinstance(config, dict) else isinstance(config, VideoViTConfig)
            return "clips" if framed else "images"

        images, clips = Annotated[ViTConfig, Tag("images")], Annotated[VideoViTConfig, Tag("clips")]
        return handler.generate_schema(Annotated[images | clips, Discriminator(kind)])


@dataclass(frozen=True)
class VJEPAACConfig:
    """The configuration of a V-JEPA 2-AC."""

    encoder: Annotated[ViTConfig | VideoViTConfig, Framed()] = field(default_factory=ViTConfig)
    """Size of the frozen encoder: that of the model it comes from."""
    predictor: CausalConfig = field(default_factory=CausalConfig)
    actions: int = 2
    """The number of values of an action."""
    states: int = 2
    """The number of values of the actor's state: that of actions, because an action is a change of the state; or 0."""
    frames: int = 16
    """Frames of a training clip: one more than steps."""
    rollout: int = 2
    """Steps ahead of the loss that feeds predictions back; 1 leaves it out."""
    rollout_mean: bool = False
    """The error of the rollout is the mean over its steps, as in the released code; otherwise that of its end."""
    fps: float | None = None
    """Frames a second that videos are resampled to: the paper's robots, 4. None takes their frames as they come."""
    stride: int = 1
    """Every `stride`-th of these frames is in the clip."""
    clips: int = 1
    """Clips of a video at most, from its beginning to its end."""

    state: str = "observation.state"
    """Of data in LeRobot's layout: the feature with the state; empty for none."""
    action: str = "action"
    """Of such data: the feature with the action."""
    camera: str | None = None
    """Of such data: the camera; None for the first."""

    def __post_init__(self) -> None:
        if self.actions < 1:
            raise ForetellError(f"actions is {self.actions}, expected at least 1: without actions train a V-JEPA")
        within(self, actions=SIZE, frames=Range(2, 10_000), fps=POSITIVE, stride=COUNT, clips=COUNT)
        if self.states not in (0, self.actions):
            raise ForetellError(
                f"states is {self.states} and actions is {self.actions}: expected equal numbers, because "
                "a rollout adds actions to the state: let actions be its changes, or use no states (0, "
                "and no columns of states in the data)"
            )
        within(self, rollout=Range(1, self.frames - 1))  # steps lie between frames

    @property
    def reads(self) -> EpisodeClips:
        """The data that the method reads, for `foretell.data.load`."""
        from foretell.data import EpisodeClips

        c = self
        pace = (c.encoder.image_size, c.frames, c.fps, c.stride, c.clips)
        return EpisodeClips(*pace, state=c.state, action=c.action, camera=c.camera)


@dataclass(frozen=True)
class Trajectory:
    """Latents of frames, with the actions and states between them."""

    target: Float[Tensor, "B 3 T H W"]
    """The clip, in [0, 1]."""
    states: Float[Tensor, "B K S"]
    actions: Float[Tensor, "B K A"]


@register("vjepa-ac", VJEPAACConfig)
class VJEPAAC(Method):
    """Predict a frozen encoder's latents of the next frame, after an action."""

    config: VJEPAACConfig
    action_scale: Tensor
    state_mean: Tensor
    state_scale: Tensor
    action_limit: Tensor
    """[A]: the largest change along each axis that was seen: a planner asks for no more."""
    entrances = (*Method.entrances, "target", "predict")

    def __init__(self, config: VJEPAACConfig) -> None:
        super().__init__(config)
        self.encoder = ViT(config.encoder).requires_grad_(False)
        self.predictor = CausalPredictor(config.predictor, self.encoder.width, config.actions, config.states)
        for name, size in (
            ("action_limit", config.actions),
            ("action_scale", config.actions),
            ("state_scale", config.states),
        ):
            self.register_buffer(name, torch.ones(size))
        self.register_buffer("state_mean", torch.zeros(config.states))

    @classmethod
    def begin(cls, config: VJEPAACConfig, encoder: Method | None = None) -> VJEPAAC:
        """A V-JEPA 2-AC that is yet to be trained, on the encoder of a trained model.

        Args:
            config: its `encoder` is replaced by that model's.
            encoder: any method with a vision transformer, which is copied.

        Raises:
            ForetellError: there is none, or as `encoder_of`.
        """
        if encoder is None:
            raise ForetellError("V-JEPA 2-AC needs a trained encoder: --encoder MODEL names the model that has it")
        found = encoder_of(encoder)
        built = cls(replace(config, encoder=found.config))
        built.encoder.load_state_dict(found.state_dict())
        return built

    def prepare(self, data: Dataset) -> None:
        """Learn the scale of states and actions.

        Raises:
            ForetellError: the data has no actions, or other numbers of columns than the model.
        """
        from foretell.data import Episodes

        c = self.config
        if not isinstance(data, Episodes):
            raise ForetellError(
                "V-JEPA 2-AC learns from episodes: clips with actions (see foretell.data.video.episodes)"
            )
        if (len(data.state_names), len(data.action_names)) != (c.states, c.actions):
            S, A = len(data.state_names), len(data.action_names)
            named = ", ".join((*data.state_names, *data.action_names))
            change = f"--model.states {S} --model.actions {A}" if S in (0, A) else "take the columns of states out"
            raise ForetellError(
                f"the data has {S} columns of states and {A} of actions ({named}), "
                f"and the model expects {c.states} and {c.actions}: {change}"
            )
        states, actions = (values.flatten(0, 1).to(self.action_limit) for values in data.steps(range(len(data))))
        self.state_mean.copy_(states.mean(0))
        self.state_scale.copy_((states - self.state_mean).square().mean(0).sqrt().clamp_min(1e-6))
        # only scaled: 0 remains "nothing is done"
        self.action_scale.copy_(actions.square().mean(0).sqrt().clamp_min(1e-6))
        self.action_limit.copy_(actions.abs().amax(0))

    def views(self, batch: Batch, generator: torch.Generator) -> Trajectory:
        """The unchanged clip: a crop or a mirror would change the effect of an action.

        Args:
            batch: samples of episodes: `pixels`, `states` and `actions`.
            generator: nothing is drawn from it.
        """
        return Trajectory(to_float(batch.pixels), batch["states"], batch["actions"])

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B 3 T H W"]:
        """The clip as it is: nothing is drawn, so all views of a clip are equal."""
        return self.views(batch, generator).target

    @torch.no_grad()
    def target(self, frames: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B T N D"]:
        """z: the frozen encoder's latents of each single frame in [0, 1], layer-normed."""
        return layer_norm(self._encode(frames))

    def predict(
        self,
        latents: Float[Tensor, "B K N D"],
        states: Float[Tensor, "B K S"],
        actions: Float[Tensor, "B K A"],
    ) -> Float[Tensor, "B K N D"]:
        """ẑ_{k+1} for each of K steps, from everything up to then; comparable with `target`."""
        rows, columns = self.config.encoder.grid[-2:]
        for name, numbers, width in (("states", states, self.config.states), ("actions", actions, self.config.actions)):
            if numbers.ndim != 3 or numbers.shape[2] != width:
                raise ForetellError(f"{name} are {list(numbers.shape)}, expected [B, steps, {width}]")
        actions, states = actions / self.action_scale, (states - self.state_mean) / self.state_scale

        def predictor(latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
            return self.predictor(latents, actions, states, (rows, columns))

        return layer_norm(self.in_chunks(predictor, latents, actions, states))

    def rollout(
        self, latents: Float[Tensor, "B N D"], state: Float[Tensor, "B S"], actions: Float[Tensor, "B H A"]
    ) -> Float[Tensor, "B H N D"]:
        """P(a_{1:H}; s, z): the latents after each of H actions, each predicted from those predicted before.

        Args:
            latents: those of the current frame, from `target`.
            state: the actor's current state.
            actions: the actions to take. Each later state is the state before plus the action.
        """
        seen, states = latents.unsqueeze(1), state.unsqueeze(1)
        for k in range(1, actions.shape[1] + 1):
            seen = torch.cat([seen, self.predict(seen, states, actions[:, :k])[:, -1:]], 1)
            moved = states[:, -1:] + actions[:, k - 1 : k] if self.config.states else states[:, -1:]
            states = torch.cat([states, moved], 1)
        return seen[:, 1:]

    @property
    def action_space(self) -> Steps:
        """The possible actions of a step: along each axis up to the largest in training."""
        return Steps(tuple(self.action_limit.tolist()))

    def forward(self, views: Trajectory) -> Float[Tensor, ""]:
        """The loss: one step ahead from what really was, and some steps ahead from predictions (eq. 4)."""
        z = self.target(views.target)
        teacher = losses.l1(self.predict(z[:, :-1], views.states, views.actions), z[:, 1:])
        R = self.config.rollout
        if R == 1:
            return teacher
        return teacher + self._ahead(views, z)

    def _ahead(self, views: Trajectory, z: Float[Tensor, "B T N D"]) -> Float[Tensor, ""]:
        """The error of a rollout from the first frame."""
        R = self.config.rollout
        ahead = self.rollout(z[:, 0], views.states[:, 0], views.actions[:, :R])
        return losses.l1(ahead, z[:, 1 : R + 1]) if self.config.rollout_mean else losses.l1(ahead[:, -1], z[:, R])

    def trained(self) -> dict[str, nn.Module]:
        """The encoder, which is frozen, and the predictor."""
        return {"encoder": self.encoder, "predictor": self.predictor}

    def features(self, x: Float[Tensor, "B 3 ..."]) -> Float[Tensor, "B D"]:
        """The frozen encoder's latents of an image or of a clip's frames in [0, 1], averaged."""
        return self._encode(x if x.ndim == 5 else x.unsqueeze(2)).mean((1, 2))

    def latents(self, x: Float[Tensor, "B 3 ..."]) -> Float[Tensor, "B N D"]:
        """z of an image, or of the middle frame of a clip: the encoder is frozen, so it cannot collapse."""
        x = x.unsqueeze(2) if x.ndim == 4 else x
        middle = x.shape[2] // 2
        return self.target(x[:, :, middle : middle + 1])[:, 0]

    @torch.no_grad()
    def measures(self, views: Trajectory) -> dict[str, float]:
        """The loss, its two parts, and the errors to compare them with.

        - `teacher`: error one step ahead; `copy`: the same of predicting no change.
        - `rollout`: error as many steps ahead as the loss looks; `copy_rollout`: the same of predicting no change.
        - `shuffled`: `teacher` with another clip's actions. It is as low as `teacher` if the model ignores actions.
        """
        z, R = self.target(views.target), self.config.rollout
        others = views.actions.roll(1, 0)
        told = {"teacher": views.actions, "shuffled": others}
        errors = {n: losses.l1(self.predict(z[:, :-1], views.states, a), z[:, 1:]).item() for n, a in told.items()}
        ahead = self.rollout(z[:, 0], views.states[:, 0], views.actions[:, :R])
        errors["rollout"] = losses.l1(ahead[:, -1], z[:, R]).item()
        total = errors["teacher"] + (self._ahead(views, z).item() if R > 1 else 0.0)
        copies = {
            "copy": losses.l1(z[:, :-1], z[:, 1:]).item(),
            "copy_rollout": losses.l1(z[:, 0], z[:, R]).item(),
        }
        return {"loss": total, **errors, **copies}

    def _encode(self, frames: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B T N D"]:
        """Each frame separately; for an encoder of clips it is repeated to fill a tubelet (§3.1)."""
        x = frames.transpose(1, 2).flatten(0, 1)
        if isinstance(self.encoder.config, VideoViTConfig):
            x = x.unsqueeze(2).expand(-1, -1, self.encoder.config.tubelet, -1, -1)
        return self.in_chunks(self.encoder, x).unflatten(0, (len(frames), -1))


def encoder_of(model: Method) -> ViT:
    """The encoder of a trained model that others can stand on: of a JEPA the target encoder, as the paper.

    Raises:
        ForetellError: it has none that gives latents patch by patch.
    """
    found = getattr(model, "target_encoder", None) or getattr(model, "encoder", None)
    if isinstance(found, ViT):
        return found
    raise ForetellError(
        f"{type(model).__name__} has no encoder of patches to stand on: give a model with a vision transformer, such "
        "as the shipped iwm-mini"
    )
