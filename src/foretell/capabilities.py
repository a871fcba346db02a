"""The capabilities of a model, as protocols: a command asks for the capability that it needs, and not for a class.

| protocol | a model that has it | asked for by |
|---|---|---|
| `EncodesPatches` | encodes an image or a clip patch by patch | attentive probes, search by pictures |
| `EncodesText` | encodes texts into the space of its images | search by words, zero-shot classes |
| `Predicts` | predicts latents of patches from other patches | finetuning a predictor, uncertainty, MRR |
| `Imagines` | predicts the latents after an action on a picture | imagining, search by an imagined change |
| `Foresees` | predicts the rest of a clip from its beginning | surprise |
| `Answers` | answers a question about pictures, in words and places | asking |
| `Forecasts` | predicts clips of the steps to come | what comes next, search by it |
| `Rolls` | predicts step by step what actions do over time | planning |
| `Classifies` | names classes | measures of classifiers |

A protocol lists by name the abilities of a class: methods, properties and plain attributes. (`isinstance` does not find
    a network that is an attribute.) `Method.lacks` adds reasons that depend on the single model: its predictor was
    never trained, or its encoder is a ResNet. `able` and `require` ask both.

B batch · C channels · N patches · K context patches · M blocks · L patches a block · D width · T tubelets
A action parameters · S states · H steps ahead · n texts · G width of what is kept of a text · E of embeddings
P latents a clip · C their width · K futures
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from foretell.actions import ActionSpace, PictureActions
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.nn.predictor import Predictor
    from foretell.nn.vit import ViT
    from foretell.problems import PaddedClips


@runtime_checkable
class EncodesPatches(Protocol):
    """Encodes an image or a clip patch by patch."""

    config: Any

    @property
    def patch_encoder(self) -> ViT:
        """The network that is evaluated and searched with: x in [0, 1] -> plain latents [B, N, D], not layer-normed.

        `grid(x)` gives the patches along each axis, `width` gives D, and `config.heads` the heads of a probe.
        """
        ...


@runtime_checkable
class EncodesText(Protocol):
    """Compares images with texts. A text may choose among several outputs of an image what it is compared with."""

    config: Any

    @property
    def scale(self) -> float:
        """What cosines are multiplied by before a softmax makes shares of them."""
        ...

    def outputs(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K D"]:
        """What is kept of images in [0, 1]."""
        ...

    def caption_vectors(self, texts: Sequence[str]) -> Float[Tensor, "n G"]:
        """What is kept of texts."""
        ...

    def similarity(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B n"]:
        """How well each text fits each image, of what was kept of both: a cosine, −1 to 1."""
        ...

    def mixed(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B _ E"]:
        """The unit vector of each image for each text; [B, 1, E] where texts have no say."""
        ...

    def apart(self, h: Float[Tensor, "B K D"]) -> Float[Tensor, "B K E"]:
        """The unit vector of each output alone: the nearest of an image's K to a text is near `similarity`."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "n E"]:
        """A unit vector a text, in the space of `features` and `apart`."""
        ...


@runtime_checkable
class Answers(Protocol):
    """Answers questions about one or several pictures, in words, boxes and outlines."""

    config: Any
    """It has `image_size`, `bins` of the places in replies (see `foretell.language.places.Places`), and `pictures`, the
    most that a question may be about.
    """

    def answer(self, pictures: Sequence[UInt8[Tensor, "_ 3 S S"]], questions: Sequence[str]) -> list[str]:
        """The reply to each question about its pictures, as the model says it: places are among the words.

        Places in questions are in bins of 1/10,000, as data has them.
        """
        ...


@runtime_checkable
class Predicts(EncodesPatches, Protocol):
    """Predicts latents of patches from the latents of other patches; see `foretell.jepa.JEPA` for the verbs."""

    actions: PictureActions | None

    @property
    def patch_predictor(self) -> Predictor:
        """The network that `predict` asks."""
        ...

    def encode(self, x: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_x: the context encoder's latents of the visible patches of x in [0, 1]."""
        ...

    def target(self, y: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_y: the latents that a prediction is compared with, without gradient."""
        ...

    def predict(
        self,
        s_x: Float[Tensor, "B K D"],
        context_index: Int[Tensor, "B K"] | None = None,
        target_index: Int[Tensor, "B M L"] | None = None,
        action: Float[Tensor, "B A"] | None = None,
        grid: tuple[int, ...] | None = None,
        chance: torch.Generator | None = None,
    ) -> Float[Tensor, "B M L _"]:
        """ŝ_y: the predicted target latents at other places, after an action."""
        ...


@runtime_checkable
class Imagines(Protocol):
    """Predicts the latents of a whole picture after an action."""

    config: Any
    actions: PictureActions

    def target(self, y: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_y: the latents that a prediction is compared with, without gradient."""
        ...

    def imagine(
        self, x: Float[Tensor, "B C ..."], action: Float[Tensor, "_ A"] | None = None
    ) -> Float[Tensor, "B N D"]:
        """The latents of x in [0, 1] after an action."""
        ...


@runtime_checkable
class Foresees(Predicts, Protocol):
    """Predicts the rest of a clip from its beginning."""

    def divide(self, x: Float[Tensor, "B 3 F H W"], seen: int) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B L"]]:
        """The patches of a clip's first `seen` tubelets, and all others."""
        ...

    def foresee(self, x: Float[Tensor, "B 3 F H W"], seen: int) -> Float[Tensor, "B L D"]:
        """The model's prediction of a clip after its first `seen` tubelets."""
        ...


@runtime_checkable
class Forecasts(Protocol):
    """Predicts latents of the clips of a procedure that are not seen, several times over."""

    config: Any
    """Its `encoder` is of the clips, or None; it has `latents` and `channels` (P and C), and `horizon`, steps ahead."""

    def encode(self, clips: UInt8[Tensor, "n 3 F H W"] | Float[Tensor, "n 3 F H W"]) -> Float[Tensor, "n P C"]:
        """The latents of clips."""
        ...

    def scaled(self, latents: Float[Tensor, "*some C"]) -> Float[Tensor, "*some C"]:
        """Latents, standardised channel by channel: those that are compared."""
        ...

    def sample(
        self, seen: PaddedClips, asked: PaddedClips, samples: int, generator: torch.Generator, euler: int | None = None
    ) -> Float[Tensor, "B K T P C"]:
        """K futures of each procedure: latents of the clips asked for."""
        ...


@runtime_checkable
class Rolls(Protocol):
    """Predicts the effect of a sequence of actions, step by step."""

    config: Any
    """It has `actions` and `states`, how many numbers each has, and `frames`, one more than the steps it learned."""

    @property
    def action_space(self) -> ActionSpace:
        """The possible actions of a step, within the limits of the training."""
        ...

    def target(self, frames: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B T N D"]:
        """The latents of each single frame in [0, 1]."""
        ...

    def rollout(
        self, latents: Float[Tensor, "B N D"], state: Float[Tensor, "B S"], actions: Float[Tensor, "B H A"]
    ) -> Float[Tensor, "B H N D"]:
        """The latents after each of H actions."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Names one of its classes."""

    classes: tuple[str, ...]

    def __call__(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B classes"]:
        """Logits of images in [0, 1], at the size of the model's images."""
        ...

    def classify(self, images: Any) -> list[tuple[str, float]]:
        """The likeliest class of each image, and its probability; of anything that `foretell.preprocess` takes."""
        ...


IMAGES, VIDEOS = "iwm-mini", "vjepa-deep"
"""The shipped models that a refusal names."""
WORDS = "the shipped llip-mini does"
NEEDED: dict[type, tuple[str, str]] = {
    EncodesPatches: ("encodes patches", f"the shipped {IMAGES} (images) and {VIDEOS} (videos) do"),
    EncodesText: ("knows words", f"{WORDS}, or name a folder of CLIP or SigLIP"),
    Answers: ("answers questions", "train one with `foretell train vista --data questions:20000`"),
    Predicts: ("predicts patch latents", f"the shipped {IMAGES} (images) and {VIDEOS} (videos) do"),
    Imagines: ("can be told of a change to a picture", f"use an IWM, such as the shipped {IMAGES}"),
    Foresees: ("predicts the rest of a clip", f"use a V-JEPA, such as the shipped {VIDEOS}"),
    Forecasts: ("forecasts the steps of a procedure", "train one with `foretell train vedit --encoder vjepa-deep`"),
    Rolls: ("foresees what actions do", "train one with `foretell train vjepa-ac`"),
    Classifies: ("names classes", f"make one with `foretell finetune {IMAGES}`"),
}
"""protocol -> what such a model does, and where there is one."""

P = TypeVar("P")


def lacking(model: object, capability: type) -> str | None:
    """Why a model cannot do something, as a clause; None where it can."""
    asked = getattr(model, "lacks", None)
    if asked is not None and (reason := asked(capability)):
        return reason
    return None if isinstance(model, capability) else f"{type(model).__name__} does not"


def able(model: object, capability: type[P]) -> P | None:
    """The model, as one that can do something; None where it cannot."""
    if lacking(model, capability) is not None:
        return None
    assert isinstance(model, capability)
    return model


def require(model: object, capability: type[P], purpose: str) -> P:
    """The model, as one that can do something.

    Args:
        model: any model.
        capability: a protocol of this module.
        purpose: the use that needs it: the subject of the error's sentence.

    Raises:
        ForetellError: the model cannot; the message names one that can.
    """
    if (found := able(model, capability)) is not None:
        return found
    does, instead = NEEDED[capability]
    raise ForetellError(f"{purpose} needs a model that {does}; {lacking(model, capability)}: {instead}")
