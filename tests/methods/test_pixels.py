import pytest
import torch

from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.methods import Pixels, PixelsConfig, VideoPixelsConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig, patchify

torch.manual_seed(0)
MODEL = Pixels(PixelsConfig(ViTConfig(16, 4, 12, 1, 3), PredictorConfig(12, 1, 3)))
IMAGES = torch.randint(256, (4, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_targets_are_normalised_pixels_of_each_patch():
    y = torch.rand(2, 3, 16, 16)
    patches = patchify(y, (4, 4))
    expected = (patches - patches.mean(-1, keepdim=True)) / patches.std(-1, correction=0, keepdim=True)
    assert torch.allclose(MODEL.target(y), expected, atol=1e-3)


def test_the_loss_is_the_mean_squared_difference_to_the_pixels():
    views = MODEL.views(Batch(pixels=IMAGES), torch.Generator().manual_seed(0))
    prediction = MODEL.predict(
        MODEL.encode(views.context, views.context_index), views.context_index, views.target_index
    )
    y = MODEL.target(views.target)
    targets = torch.stack([y[b][views.target_index[b]] for b in range(4)])
    assert prediction.shape == targets.shape == (*views.target_index.shape, 48)
    assert torch.allclose(MODEL(views), (prediction - targets).square().mean())


def test_what_is_evaluated_is_the_trained_encoder():
    model = Pixels(MODEL.config)
    with torch.no_grad():
        for p in model.context_encoder.parameters():
            p.add_(1.0)
    model.update_target(0.996)
    assert all(map(torch.equal, model.target_encoder.parameters(), model.context_encoder.parameters()))


def test_pixels_are_not_centred():
    with pytest.raises(ForetellError, match="centred needs latent targets"):
        VideoPixelsConfig(centred=True)
