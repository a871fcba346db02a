"""Small runs that a laptop's processor finishes."""

from dataclasses import replace

from foretell.augment import Photometric
from foretell.masking import TubeMasks
from foretell.methods import (
    BYOLConfig,
    IJEPAConfig,
    IWMConfig,
    LatentDecoderConfig,
    PixelsConfig,
    SimCLRConfig,
    VEDITConfig,
    VICRegConfig,
    VideoPixelsConfig,
    VJEPAACConfig,
    VJEPAConfig,
)
from foretell.nn.causal import CausalConfig
from foretell.nn.dit import DiTConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.recipes.recipe import Recipe
from foretell.train.loop import TrainConfig

SMALL = ViTConfig(image_size=64, patch_size=8, width=192, depth=6, heads=3)
VIDEO = TrainConfig(momentum=0.998, warmup=0.13, clip=10.0)
"""V-JEPA's schedules (§3.4), where they differ from I-JEPA's. But the rate is I-JEPA's; V-JEPA's rises from 2e-4 to
6.25e-4. The released code clips only after the warm-up.
"""
MINI = ViTConfig(image_size=32, patch_size=4, width=192, depth=4, heads=3)
CLIPS = VideoViTConfig(image_size=32, patch_size=8, width=128, depth=4, heads=4, positions="rotary")
AHEAD = PredictorConfig(width=96, depth=4, heads=4, positions="rotary")
FUTURE = TubeMasks(blocks=((0, 0.0),), visible=1.0, past=(0.125, 0.625))
"""The whole picture is visible for one to five eighths of a clip; the rest is predicted."""
SLOW = TrainConfig(steps=9000, batch=16, warmup=0.1, momentum=0.9998, clip=10.0)
"""A target encoder that hardly moves: a faster one ends in slow features, see docs/surprise.md."""
TURNED = replace(SLOW, batch=8, momentum=0.99, optimizer="muon")
"""Half as many clips as `SLOW`: Muon learns more from each, and most after a target encoder that follows fast."""
FILMS = {"fps": 8.0, "clips": 300}
"""Films at the pace of scenes, and every clip of a short one."""
DEEP = {"encoder": replace(CLIPS, depth=6), "predictor": replace(AHEAD, depth=6)}
"""Six blocks for four carry more for their time than wider ones."""
LONG = replace(TURNED, steps=32_000)
"""256,000 clips: 3.6 times as many as `TURNED`."""
THIN = ResNetConfig(name="resnet18", image_size=32, base=16)
JOINT = TrainConfig(steps=5000, weight_decay=1e-4, weight_decay_end=1e-4)
"""The decay is constant, as in the papers; they have 1e-6, times a LARS rate of about 1."""


def iwm() -> Recipe:
    """An image world model of your own photographs: 64 pixels, ViT-Ti/8 of half the depth."""
    return Recipe(IWMConfig(encoder=SMALL, predictor=PredictorConfig(width=96, depth=6, heads=3)), TrainConfig())


def ijepa() -> Recipe:
    """An I-JEPA of your own photographs: 64 pixels, ViT-Ti/8 of half the depth."""
    return Recipe(IJEPAConfig(encoder=SMALL, predictor=PredictorConfig(width=96, depth=4, heads=3)), TrainConfig())


def vjepa() -> Recipe:
    """A V-JEPA of your own videos: 16 frames of 64 pixels, tubelets of 2 × 8 × 8."""
    encoder = VideoViTConfig(image_size=64, patch_size=8, width=192, depth=6, heads=3)
    predictor = PredictorConfig(width=96, depth=6, heads=3)
    return Recipe(VJEPAConfig(encoder=encoder, predictor=predictor), replace(VIDEO, batch=32))


def vjepa_tiny() -> Recipe:
    """A V-JEPA of 8 frames of 32 pixels, tubelets of 2 × 8 × 8: some 130 clips a second on one thread.

    Clips are not mirrored and little cropped, so that places keep their meaning: docs/planning.md trains `vjepa-ac`
    on its encoder.
    """
    encoder = VideoViTConfig(image_size=32, patch_size=8, width=96, depth=3, heads=3, frames=8)
    predictor = PredictorConfig(width=48, depth=3, heads=3)
    model = VJEPAConfig(encoder, predictor, TubeMasks(visible=0.25), crop=(0.8, 1.0), flip=0.0)
    return Recipe(model, replace(VIDEO, steps=300, batch=32))


def vjepa_ac() -> Recipe:
    """A V-JEPA 2-AC of your own episodes: it predicts a frozen encoder's latents after an action. Four frames a clip.

    foretell train vjepa-tiny --data pusher --out runs/tiny
    foretell train vjepa-ac --data pusher:8192 --encoder runs/tiny --out runs/ac
    foretell plan runs/ac --benchmark reach

    Six minutes of one free thread, with `vjepa-tiny` and the making of both sets. Expect a `teacher` of 0.081, and of
    0.111 with the actions of other clips.
    """
    predictor = CausalConfig(width=48, depth=2, heads=3, residual=True)
    model = VJEPAACConfig(encoder=MINI, predictor=predictor, frames=4)
    muon = TrainConfig(steps=1500, batch=16, optimizer="muon", lr=3e-3, lr_start=4e-4)
    train = replace(muon, weight_decay_end=0.04, clip=1.0)
    return Recipe(model, train, encoder="iwm-mini")


def pixels() -> Recipe:
    """The control of `ijepa`: the same in everything, but it predicts pixels and not latents."""
    return Recipe(PixelsConfig(encoder=SMALL, predictor=PredictorConfig(width=96, depth=4, heads=3)), TrainConfig())


def flexpredict() -> Recipe:
    """An I-JEPA with stochastic positions (FlexPredict) of your own photographs: 64 pixels, ViT-Ti/8 of half the depth.

    Any other method takes the same switch: --model.predictor.noise.sigma 0.25.
    """
    predictor = PredictorConfig(width=96, depth=4, heads=3, noise=PositionNoise(0.25))
    return Recipe(IJEPAConfig(encoder=SMALL, predictor=predictor), TrainConfig())


def iwm_mini() -> Recipe:
    """The image world model that ships as `iwm-mini`: 32 pixels, jitter twice the paper's strength, trained by Muon.

    foretell train iwm-mini --data cifar10 tiny-imagenet-32 --out runs/iwm-mini
    python tools/ship.py runs/iwm-mini iwm-mini --data cifar10/test-00000-of-00001.parquet

    About an hour of one thread that computes in bfloat16. Expect MRR 0.612 (0.575 to 0.648) among 256 on CIFAR-10's
    test set, where chance is 0.024, and a linear probe of 0.52. Seed 0, once. The shipped run's first 2,020 steps
    followed the schedule of 18,000 steps.
    """
    augment = Photometric(brightness=0.8, contrast=0.8, saturation=0.4, hue=0.2)
    predictor = PredictorConfig(width=96, depth=6, heads=3, init_std=None)
    model = IWMConfig(encoder=MINI, predictor=predictor, augment=augment)
    return Recipe(model, TrainConfig(steps=14_000, batch=64, optimizer="muon", lr=3e-3, momentum=0.98))


def decoder() -> Recipe:
    """A decoder of a world model's latents, to look at what it imagines. `foretell decoder MODEL` trains one.

    foretell decoder iwm-mini --data cifar10 tiny-imagenet-32 --out runs/decoder

    Some ten minutes of one thread. Expect an absolute error of 0.017 on CIFAR-10's test pictures, of a range from 0 to
    1, where the best constant picture has 0.205. Seed 0, once. A decoder that the shipped video model has: 900 steps of
    8 clips (--data scenes:6000), an error of 0.024 where the best constant clip has 0.083.
    """
    train = TrainConfig(steps=1000, batch=32, lr=2e-3, weight_decay=0.0, weight_decay_end=0.0)
    return Recipe(LatentDecoderConfig(), train, encoder="iwm-mini")


def vjepa_mini() -> Recipe:
    """A video model that shipped before `vjepa-deep`: 16 frames of 32 pixels, the future predicted from the past.

    It has squared error instead of the paper's absolute error: docs/surprise.md shows the effect.

    foretell train vjepa-mini --data scenes:30000 --out runs/vjepa-mini
    """
    return Recipe(VJEPAConfig(encoder=CLIPS, predictor=AHEAD, masks=FUTURE, crop=(1.0, 1.0), loss="l2"), SLOW)


def vjepa_mini_pixels() -> Recipe:
    """The control of `vjepa-mini`: the same in everything, but it predicts pixels and not latents."""
    return Recipe(VideoPixelsConfig(encoder=CLIPS, predictor=AHEAD, masks=FUTURE, crop=(1.0, 1.0)), SLOW)


def vjepa_muon() -> Recipe:
    """A video model that shipped before `vjepa-deep`: `vjepa-mini` by Muon, from half the clips, with some of films.

    foretell train vjepa-muon --data scenes:30000 FILMS FILMS FILMS FILMS --out runs/vjepa-muon

    Some 17 minutes on one thread that computes in bfloat16. Expect `moving` 0.57, and 93, 92 and 92 % of the pairs of
    `foretell surprise --benchmark scenes` (three seeds).
    """
    return Recipe(replace(vjepa_mini().model, **FILMS), TURNED)


def vjepa_muon_pixels() -> Recipe:
    """The control of `vjepa-muon`: the same in everything, but it predicts pixels and not latents."""
    return Recipe(replace(vjepa_mini_pixels().model, **FILMS), TURNED)


def vjepa_deep() -> Recipe:
    """The video model that ships as `vjepa-deep`: `vjepa-muon` with six blocks for four, and from 3.6 times the clips.

    foretell train vjepa-deep --data scenes:30000 FILMS FILMS FILMS FILMS --out runs/vjepa-deep

    Some 90 minutes on one thread that computes in bfloat16. Expect `moving` 0.55, and 95 % of the pairs of `foretell
    surprise --benchmark scenes` (three seeds).
    """
    return Recipe(replace(vjepa_muon().model, **DEEP), LONG)


def vjepa_deep_pixels() -> Recipe:
    """The control of `vjepa-deep`: the same in everything, but it predicts pixels and not latents."""
    return Recipe(replace(vjepa_muon_pixels().model, **DEEP), LONG)


def simclr() -> Recipe:
    """SimCLR of your own photographs: 32 pixels, ResNet-18 a quarter as wide, the paper's settings for CIFAR-10 (§B.9).

    Jitter of half strength, no blur, temperature 0.5. Some 60 photographs a second on one thread.
    """
    augment = Photometric(
        brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, blur_probability=0.0, solarize_probability=0.0
    )
    return Recipe(SimCLRConfig(encoder=THIN, augment=augment, temperature=0.5), JOINT)


def vicreg() -> Recipe:
    """VICReg of your own photographs: 32 pixels, ResNet-18 a quarter as wide."""
    return Recipe(VICRegConfig(encoder=THIN), JOINT)


def byol() -> Recipe:
    """BYOL of your own photographs: 32 pixels, ResNet-18 a quarter as wide."""
    return Recipe(BYOLConfig(encoder=THIN), JOINT)


def simclr_vit() -> Recipe:
    """SimCLR with a ViT: 64 pixels, the encoder of `iwm` and `ijepa`, to compare with them."""
    return Recipe(SimCLRConfig(encoder=SMALL, projector=ProjectorConfig(width=512, out=128)), JOINT)


def vedit() -> Recipe:
    """VEDIT of procedures: forecasts, plans and names steps from latents of clips.

    foretell train vedit --data coin:COIN.json.gz --out runs/vedit

    Clips need an encoder, by default the shipped video model; data with latents of its own does not use it. A clip of
    the shipped model has eight latents, one a tubelet: their mean would lose the order of time.
    """
    denoiser = DiTConfig(width=96, depth=2, heads=4)
    train = TrainConfig(
        steps=3000, batch=128, optimizer="muon", lr=5e-3, lr_end=0.0, weight_decay_end=0.04, precision="fp32", clip=1.0
    )
    return Recipe(VEDITConfig(denoiser, latents=8), train, encoder="vjepa-deep")
