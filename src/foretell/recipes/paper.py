"""The papers' own configurations, for GPUs: of ImageNet-1k, and of videos.

None of these was trained here, because there was no GPU. Sizes, masks, augmentations and schedules follow the papers
(I-JEPA §A.1, IWM §A, V-JEPA's appendix); the numbers to expect are the papers'. Values that IWM does not print are
taken from I-JEPA. The joint-embedding methods are the papers' in all but the optimiser: AdamW here, so the learning
rate and the weight decay are guesses.

Differs from all of them: photographs are stored at the size of the model. The shorter side is resized and the centre is
cut out (see `foretell.data`). Random crops are cut from this square. A crop of a third of the area is enlarged 1.7
times; the papers crop the original's pixels. Pixels outside the centre's square are never seen. The crops of
joint-embedding methods are cut to the picture where torchvision draws them again.
"""

from dataclasses import replace

from foretell.methods import (
    BYOLConfig,
    IJEPAConfig,
    IWMConfig,
    SimCLRConfig,
    VICRegConfig,
    VJEPAACConfig,
    VJEPAConfig,
)
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.recipes.recipe import Recipe
from foretell.train.loop import TrainConfig

VIT_B16 = ViTConfig(image_size=224, patch_size=16, width=768, depth=12, heads=12)
VIT_L16 = ViTConfig(image_size=224, patch_size=16, width=1024, depth=24, heads=16)
VIT_H14 = ViTConfig(image_size=224, patch_size=14, width=1280, depth=32, heads=16)
VIT_G16 = VideoViTConfig(
    image_size=256,
    patch_size=16,
    width=1408,
    depth=40,
    heads=22,
    mlp_ratio=48 / 11,
    positions="rotary-vjepa2",
    frames=64,
)
"""V-JEPA 2's: heads 64 wide."""
RESNET50 = ResNetConfig(name="resnet50", image_size=224, small_images=False)
IMAGENET = 1_281_167


def _epochs(epochs: int, batch: int, warmup: int, lr_start: float, rates_ahead: int = 0) -> TrainConfig:
    return TrainConfig(
        steps=epochs * IMAGENET // batch,
        batch=batch,
        warmup=warmup / epochs,
        lr_start=lr_start,
        rates_ahead=rates_ahead,
        checkpoint_every=5000,
    )


def _ijepa(encoder: ViTConfig, depth: int, noise: PositionNoise | None = None) -> IJEPAConfig:
    """As the released code begins: no output scaled by its depth, crops drawn again."""
    predictor = PredictorConfig(
        width=384, depth=depth, heads=encoder.heads, noise=noise or PositionNoise(), depth_scaled=False
    )
    return IJEPAConfig(replace(encoder, depth_scaled=False), predictor, crops_redrawn=True)


def iwm_inv_12x384() -> Recipe:
    """IWM^Inv_{12,384}: ViT-B/16 with a shallow predictor, which learns to ignore colour. 300 ImageNet epochs.

    Paper: linear 74.5, attentive 77.0, MRR 0.09.
    """
    model = IWMConfig(VIT_B16, PredictorConfig(width=384, depth=12, heads=12), crops_redrawn=True)
    return Recipe(model, _epochs(300, 1024, 40, 1e-4))


def iwm_equi_18x384() -> Recipe:
    """IWM^Equi_{18,384}: ViT-B/16 with a deep predictor, a strong world model. 300 ImageNet epochs.

    Paper: linear 67.5, attentive 75.1, predictor finetuning 83.3, MRR 0.79.
    """
    model = IWMConfig(VIT_B16, PredictorConfig(width=384, depth=18, heads=12), crops_redrawn=True)
    return Recipe(model, _epochs(300, 1024, 40, 1e-4))


def iwm_equi_36x512() -> Recipe:
    """IWM^Equi_{36,512}: ViT-L/16, the paper's largest. Paper: predictor finetuning 85.0, end to end 85.4."""
    model = IWMConfig(VIT_L16, PredictorConfig(width=512, depth=36, heads=16), crops_redrawn=True)
    return Recipe(model, _epochs(300, 1024, 40, 1e-4))


def ijepa_vitb16() -> Recipe:
    """I-JEPA ViT-B/16, 600 ImageNet epochs. Paper: linear 72.9."""
    return Recipe(_ijepa(VIT_B16, 6), _epochs(600, 2048, 15, 1e-4, rates_ahead=1))


def ijepa_vitl16() -> Recipe:
    """I-JEPA ViT-L/16, 600 ImageNet epochs. Paper: linear 77.5."""
    return Recipe(_ijepa(VIT_L16, 12), _epochs(600, 2048, 15, 1e-4, rates_ahead=1))


def ijepa_vith14() -> Recipe:
    """I-JEPA ViT-H/14, 300 ImageNet epochs. Paper: linear 79.3, in under 72 hours on 16 A100."""
    return Recipe(_ijepa(VIT_H14, 12), _epochs(300, 2048, 40, 2e-4, rates_ahead=1))


def flexpredict_vitb16() -> Recipe:
    """FlexPredict ViT-B/16, 600 ImageNet epochs. Paper: linear 72.6, where I-JEPA has 70.9."""
    return _flexpredict(VIT_B16, depth=6, sigma=0.25, train=_flexible(600, 15, 8e-4))


def flexpredict_vitl16() -> Recipe:
    """FlexPredict ViT-L/16, 600 ImageNet epochs. Paper: linear 77.1, where I-JEPA has 76.1."""
    return _flexpredict(VIT_L16, depth=12, sigma=0.25, train=_flexible(600, 15, 8e-4))


def flexpredict_vith14() -> Recipe:
    """FlexPredict ViT-H/14, 300 ImageNet epochs. Paper: linear 79.0, where I-JEPA has 78.2."""
    return _flexpredict(VIT_H14, depth=12, sigma=0.2, train=_flexible(300, 40, 1e-3))


def vjepa_vitl16() -> Recipe:
    """V-JEPA ViT-L/16, 90,000 steps of 3072 clips. Paper, frozen: Kinetics-400 80.8, Something-Something v2 69.5."""
    return _vjepa(width=1024, depth=24)


def vjepa_vith16() -> Recipe:
    """V-JEPA ViT-H/16, 90,000 steps of 3072 clips. Paper, frozen: Kinetics-400 82.0, Something-Something v2 71.4."""
    return _vjepa(width=1280, depth=32)


def _vjepa(width: int, depth: int) -> Recipe:
    """The paper stretches its schedules by a quarter and cuts that off; here they end with the run."""
    encoder = VideoViTConfig(224, 16, width, depth, heads=16, depth_scaled=False, positions="resized-vjepa")
    predictor = PredictorConfig(width=384, depth=12, heads=16, depth_scaled=False, positions="resized-vjepa")
    model = VJEPAConfig(encoder, predictor, stride=4, token_per_mask=True)
    train = TrainConfig(steps=90_000, batch=3072, warmup=12 / 90, lr_start=2e-4, lr=6.25e-4, momentum=0.998, clip=10.0)
    return Recipe(model, replace(train, checkpoint_every=5000))


def vjepa2_vitg() -> Recipe:
    """V-JEPA 2 ViT-g/16, its first 240,000 steps: 3072 clips of 16 frames of 256 pixels, a constant learning rate.

    `vjepa2-vitg-384` goes on from there.
    """
    return _vjepa2(256, 16, TrainConfig(steps=240_000, warmup=0.05, lr_start=1e-4, lr=5.25e-4, lr_end=5.25e-4))


def vjepa2_vitg_384() -> Recipe:
    """V-JEPA 2 ViT-g/16, its last 12,000 steps: clips of 64 frames of 384 pixels. Paper: Kinetics-400 87.3.

    foretell train vjepa2-vitg-384 --data CLIPS --init runs/vjepa2-vitg --out runs/vjepa2-vitg-384

    The learning rate falls along a cosine here, and along a line in the paper.
    """
    return _vjepa2(384, 64, TrainConfig(steps=12_000, warmup=0.0, lr_start=5.25e-4, lr=5.25e-4, lr_end=1e-6))


def _vjepa2(size: int, frames: int, train: TrainConfig) -> Recipe:
    """The predictor has V-JEPA's width and depth."""
    encoder = replace(VIT_G16, image_size=size, frames=frames)
    predictor = PredictorConfig(width=384, depth=12, heads=12, positions="rotary-vjepa2")
    model = VJEPAConfig(encoder, predictor, fps=4.0)
    constant = {"momentum": 0.99925, "momentum_end": 0.99925, "weight_decay": 0.04, "weight_decay_end": 0.04}
    return Recipe(model, replace(train, batch=3072, checkpoint_every=5000, **constant))


def vjepa2_ac_vitg() -> Recipe:
    """V-JEPA 2-AC: 300 M parameters on a frozen ViT-g/16 of 256 pixels, 62 hours of robots; 16 frames, 4 a second.

    Paper: 10 tries each, averaged over two laboratories: reach 100 %, grasp a cup 65 %, pick and place it 80 %. The
    learning rate falls along a cosine here; the paper keeps it until the last 15 of 315 epochs.
    """
    predictor = CausalConfig(width=1024, depth=24, heads=16, positions="rotary-vjepa2")
    model = VJEPAACConfig(VIT_G16, predictor, actions=7, states=7, frames=16, fps=4.0, rollout_mean=True)
    train = TrainConfig(
        steps=315 * 300,
        batch=256,
        warmup=15 / 315,
        lr_start=7.5e-5,
        lr=4.25e-4,
        lr_end=0.0,
        weight_decay_end=0.04,
        rates_ahead=1,
    )
    return Recipe(model, train, encoder="facebook/vjepa2-vitg-fpc64-256")


def _flexpredict(encoder: ViTConfig, depth: int, sigma: float, train: TrainConfig) -> Recipe:
    return Recipe(_ijepa(encoder, depth, PositionNoise(sigma)), train)


def _flexible(epochs: int, warmup: int, lr: float) -> TrainConfig:
    """Noise makes training sensitive to the rate: lower than I-JEPA's, and not so low at the end (§A)."""
    return replace(_epochs(epochs, 2048, warmup, 2e-4, rates_ahead=1), lr=lr, lr_end=1e-4)


def _joint(epochs: int, batch: int, momentum: float = 0.996) -> TrainConfig:
    constant = replace(_epochs(epochs, batch, 10, 1e-6), weight_decay=1e-4, weight_decay_end=1e-4)
    return replace(constant, momentum=momentum)


def simclr_resnet50() -> Recipe:
    """SimCLR, ResNet-50, batches of 4096, 1000 ImageNet epochs. Paper: linear 69.3."""
    model = SimCLRConfig(encoder=RESNET50, projector=ProjectorConfig(width=2048, out=128))
    return Recipe(model, _joint(1000, 4096))


def vicreg_resnet50() -> Recipe:
    """VICReg, ResNet-50, expander of 3 layers of 8192, batches of 2048, 1000 ImageNet epochs. Paper: linear 73.2."""
    model = VICRegConfig(encoder=RESNET50, projector=ProjectorConfig(width=8192, out=8192, layers=3))
    return Recipe(model, _joint(1000, 2048))


def vicreg_resnet50_wide() -> Recipe:
    """Expand or Narrow's widest: VICReg, ResNet-50 whose last stage gives 32768 channels, K = 8192.

    Paper: four images of five have at least half of their activations exactly 0. Other widths are a flag away:
    `--model.encoder.last-width 512`. The paper does not give the length of the training; 100 ImageNet epochs here.
    """
    model = VICRegConfig(
        encoder=replace(RESNET50, last_width=32768), projector=ProjectorConfig(width=8192, out=8192, layers=3)
    )
    return Recipe(model, _joint(100, 2048))


def simclr_resnet50_wide() -> Recipe:
    """Expand or Narrow: SimCLR, ResNet-50 whose last stage gives 32768 channels, linear projector to K = 32.

    Paper: linear 67.4. The paper does not give the length of the training; 100 ImageNet epochs here.
    """
    model = SimCLRConfig(encoder=replace(RESNET50, last_width=32768), projector=ProjectorConfig(out=32, layers=1))
    return Recipe(model, _joint(100, 4096))


def byol_resnet50() -> Recipe:
    """BYOL, ResNet-50, batches of 4096, 1000 ImageNet epochs. Paper: linear 74.3."""
    model = BYOLConfig(encoder=RESNET50, projector=ProjectorConfig(width=4096, out=256))
    return Recipe(model, _joint(1000, 4096))
