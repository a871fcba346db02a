"""Run by torchrun from `test_world.py`: every kind of method takes a step, split over processes, and is watched."""

import sys
from pathlib import Path

import numpy as np

from foretell.data import Captioned, Episodes, Images, Videos
from foretell.data.columns import several_texts
from foretell.masking import TubeMasks
from foretell.methods import METHODS
from foretell.methods.ijepa import IJEPAConfig
from foretell.methods.iwm import IWMConfig
from foretell.methods.llip import LlipConfig
from foretell.methods.pixels import PixelsConfig, VideoPixelsConfig
from foretell.methods.vicreg import VICRegConfig
from foretell.methods.vjepa import VJEPAConfig
from foretell.methods.vjepa_ac import VJEPAACConfig
from foretell.nn.causal import CausalConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.text import TextConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.world import enter, leave

IMAGE = ViTConfig(16, 4, 12, 1, 3)
VIDEO = VideoViTConfig(16, 4, 12, 1, 3, frames=8, tubelet=2)
NOISY = PredictorConfig(12, 1, 3, noise=PositionNoise(0.25))
PREDICTOR = PredictorConfig(12, 1, 3)
MASKS = TubeMasks(visible=0.25)
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3, 16, 16), dtype=np.uint8)
PHOTOGRAPHS, CLIPS = Images(PIXELS[:, 0], None, (), (), ""), Videos(PIXELS, None, (), (), "")
STEPS = np.random.default_rng(1).random((8, 7, 2), dtype=np.float32)
TOLD = {"states": STEPS[..., :1], "actions": STEPS[..., 1:], "state_names": ("x",), "action_names": ("dx",)}
CAPTIONS = several_texts([[f"picture {i}", f"number {i}"] for i in range(8)])
CAPTIONED = Captioned(PIXELS[:, 0], None, (), (), "", captions=CAPTIONS)
WORDS = TextConfig(12, 1, 3, vocabulary=300, length=16), MixtureConfig(out=12, heads=3)
EPISODES = Episodes(PIXELS, None, (), (), "", **TOLD)
RUNS = [
    (IJEPAConfig(IMAGE, NOISY), PHOTOGRAPHS),
    (IWMConfig(IMAGE, PREDICTOR), PHOTOGRAPHS),
    (PixelsConfig(IMAGE, PREDICTOR), PHOTOGRAPHS),
    (VICRegConfig(IMAGE, ProjectorConfig(width=16, out=8)), PHOTOGRAPHS),
    (VJEPAConfig(VIDEO, PREDICTOR, MASKS), CLIPS),
    (VideoPixelsConfig(VIDEO, PREDICTOR, MASKS), CLIPS),
    (LlipConfig(ViTConfig(16, 4, 12, 1, 3, registers=2), *WORDS, positives="true"), CAPTIONED),
    (VJEPAACConfig(IMAGE, CausalConfig(12, 1, 3), actions=1, states=1, frames=8), EPISODES),
]


def main(out: Path) -> None:
    """Train and watch each method for a step; a folder each."""
    world = enter("cpu")
    for config, data in RUNS:
        kind = next(kind for kind, schema in METHODS.values() if type(config) is schema)
        train = TrainConfig(steps=1, batch=8, shard=True, monitor_every=1, precision="fp32", device="cpu")
        Trainer(kind(config), data, train, out / kind.__name__, world).run()
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
