"""Joint embedding: two views of a photograph should have the same embedding, and different photographs different ones.

    h = encode(x)      z = project(h)      loss(z, z′) is small where z ≈ z′ and embeddings do not collapse

Nothing is masked or predicted. The loss compares z, which is not used after training; the features are h.

B batch · D width · K projector's output
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from foretell.augment import Photometric, distort, to_float
from foretell.capabilities import EncodesPatches
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.nn.projector import Projector
from foretell.nn.resnet import ResNet, ResNetConfig
from foretell.nn.vit import ViT, ViTConfig, pool
from foretell.views import Pair

if TYPE_CHECKING:
    from foretell.data import Batch


class _Named:
    """Tells files' encoders apart: of a union pydantic would build one after the other and take what fits best."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic import Discriminator, Tag  # only files need it: `foretell.methods` does without

        def kind(config: Any) -> str:
            named = "name" in config if isinstance(config, Mapping) else isinstance(config, ResNetConfig)
            return "resnet" if named else "vit"

        vit, resnet = Annotated[ViTConfig, Tag("vit")], Annotated[ResNetConfig, Tag("resnet")]
        return handler.generate_schema(Annotated[vit | resnet, Discriminator(kind)])


EncoderConfig = Annotated[ViTConfig | ResNetConfig, _Named()]
"""A ViT's or a ResNet's. Files say no more than the fields: a ResNet has a `name`."""


class JointEmbedding(Method):
    """An encoder and a projector. A method is a subclass that says what loss two views have.

    Args:
        config: has `encoder`, `projector`, `crop` (area of the random crops, as a share of the photograph).
        augment: the colour augmentations of the first and of the second view.
    """

    def __init__(self, config: Any, augment: tuple[Photometric, Photometric]) -> None:
        super().__init__(config)
        self.augment = augment
        self.encoder = build(config.encoder)
        self.projector = Projector(config.projector, self.encoder.width)

    def views(self, batch: Batch, generator: torch.Generator) -> Pair:
        """Two random crops of each photograph, their colours distorted.

        Raises:
            ForetellError: one photograph alone, in training: batch norm and the losses compare several.
        """
        if self.training and len(batch) < 2:
            raise ForetellError(
                f"{type(self).__name__} compares photographs, and a part of a step has only one: "
                "use a larger --batch or a smaller --accumulate"
            )
        x, size = to_float(batch.pixels), self.config.encoder.image_size
        first, second = (distort(x, size, generator, augment, self.config.crop) for augment in self.augment)
        return Pair(first, second)

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B C ..."]:
        """x′: the second of the two views."""
        return self.views(batch, generator).target

    def features(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B D"]:
        """h: the encoder's latents of x in [0, 1], averaged over places."""
        return pool(self.in_chunks(self.encoder, x))

    @property
    def patch_encoder(self) -> ViT:
        """The encoder, where it is a vision transformer (see `lacks`)."""
        if not isinstance(self.encoder, ViT):
            raise AttributeError("a ResNet has no patches")  # `isinstance` with a protocol finds none then
        return self.encoder

    def lacks(self, capability: type) -> str | None:
        """As `Method.lacks`: a ResNet has no patches."""
        if capability is EncodesPatches and not isinstance(self.encoder, ViT):
            return f"the encoder of this {type(self).__name__} is a ResNet, which has no patches"
        return super().lacks(capability)

    def project(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B K"]:
        """z: the vectors that the loss compares."""
        return self.in_chunks(self.projector, self.features(x))

    def trained(self) -> dict[str, nn.Module]:
        """The encoder and the projector."""
        return {"encoder": self.encoder, "projector": self.projector}

    def gather(self, z: Float[Tensor, "B K"]) -> Float[Tensor, "all K"]:
        """Embeddings of all processes, in float32: losses that compare photographs compare those of the whole batch.

        Gradients flow back to every process, whose mean, which DDP and FSDP take, is then that of one process with
        the whole batch. Parts of a step (`accumulate`) are not seen together. Outside of training nothing is gathered.
        """
        z = z.float()
        if self.training and dist.is_initialized() and dist.get_world_size() > 1:
            from torch.distributed.nn.functional import all_gather

            z = torch.cat(list(all_gather(z)))
        return z


def build(config: EncoderConfig) -> ViT | ResNet:
    """The encoder of a configuration, freshly initialised."""
    return ViT(config) if isinstance(config, ViTConfig) else ResNet(config)
