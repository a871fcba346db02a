"""Runs of Llip and of VistaLLM: small ones that a laptop's processor finishes, and the paper's."""

from dataclasses import replace

from foretell.language.coarser import Outlining
from foretell.methods import LlipConfig, VistaConfig
from foretell.nn.decoder import DecoderConfig
from foretell.nn.guided import GuidedConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig
from foretell.recipes.recipe import Recipe
from foretell.train.loop import TrainConfig

EYES = ViTConfig(
    image_size=48, patch_size=8, width=96, depth=3, heads=3, registers=8, stem="convolution", init_std=None
)
READER = TextConfig(width=96, depth=2, heads=3, vocabulary=1024, length=32, causal=False)
STEPS = TrainConfig(
    steps=9_000, batch=64, optimizer="muon", lr=3e-3, lr_start=3e-4, weight_decay_end=0.04, monitor_every=1000
)


def llip() -> Recipe:
    """Llip of your own captioned images: the paper's method at 64 pixels, for a CPU. K = 8.

    foretell train llip --data captions:20000 --out runs/llip
    foretell evaluate runs/llip --data captions:512
    """
    encoder = ViTConfig(image_size=64, patch_size=8, width=192, depth=6, heads=3, registers=8)
    return Recipe(LlipConfig(encoder), TrainConfig(weight_decay_end=0.04))


def llip_mini() -> Recipe:
    """The model of words that ships: captioned scenes of 48 pixels, K = 8, by Muon on a convolutional stem.

    Several captions of an image a step, and captions that are listed for other images of the batch count as theirs.

    foretell train llip-mini --data captions:20000 --out runs/llip-mini
    """
    mixture = MixtureConfig(out=96, heads=6)
    model = LlipConfig(EYES, READER, mixture, captions_a_step=4, positives="true", crop=(1.0, 1.0))
    return Recipe(model, STEPS)


def vista() -> Recipe:
    """VistaLLM of pictures of 48 pixels, on the encoder of the shipped `llip-mini`, which goes on learning.

    foretell train vista --data questions:40000 --out runs/vista
    foretell evaluate runs/vista --data questions:576
    """
    model = VistaConfig(
        EYES,
        tokenizer=GuidedConfig(tokens=16, width=96, depth=2, heads=3),
        decoder=DecoderConfig(width=128, depth=4, heads=4),
        bins=48,
        outlines=Outlining(8, "spread"),
        smooth=0.7,
    )
    return Recipe(model, replace(STEPS, batch=32, lr=2e-3, lr_start=2e-4), encoder="llip-mini")


def llip_vitb16() -> Recipe:
    """Llip ViT-B/16, K = 64: batches of 32,768 for 390,625 steps of MetaCLIP's 2.5 billion pairs.

    Paper: COCO R@1 of images by captions 45.6, of captions by images 63.4. We trained none: we had no GPU. Width of the
    text tower and schedules are CLIP's.
    """
    encoder = ViTConfig(image_size=224, patch_size=16, width=768, depth=12, heads=12, registers=64)
    text = TextConfig(width=512, depth=12, heads=8, vocabulary=49_408, length=77, init_std=0.02)
    model = LlipConfig(encoder, text, MixtureConfig(out=512, heads=8), bias=-10.0, rows=256)
    train = TrainConfig(
        steps=390_625, batch=32_768, lr=5e-4, lr_start=0.0, lr_end=0.0, warmup=2000 / 390_625, weight_decay=0.2
    )
    return Recipe(model, replace(train, weight_decay_end=0.2, monitor_every=0))
