import pytest
import torch
from torchvision import models

from foretell.errors import ForetellError
from foretell.nn.resnet import ResNet, ResNetConfig
from foretell.nn.vit import pool


def theirs(name):
    network = getattr(models, name)(weights=None)
    network.fc = torch.nn.Identity()
    return network.eval()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_by_default_it_is_torchvisions_network_with_its_weights(name):
    reference = theirs(name)
    own = ResNet(ResNetConfig(name, 64, small_images=False)).eval()
    own.net.load_state_dict(reference.state_dict())  # strict: every name and shape is the same
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = reference((x - own.mean) / own.std)
        torch.testing.assert_close(pool(own(x)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_it_starts_as_torchvisions_network_does(name):
    reference, own = theirs(name), ResNet(ResNetConfig(name, small_images=False))
    for (key, a), b in zip(reference.state_dict().items(), own.net.state_dict().values(), strict=True):
        torch.testing.assert_close(a.float().mean(), b.float().mean(), atol=0.01, rtol=0.2, msg=key)
        if a.numel() > 1:
            torch.testing.assert_close(a.std(), b.std(), atol=1e-6, rtol=0.1, msg=key)


@pytest.mark.parametrize(("name", "widened"), [("resnet18", ("conv2", "bn2")), ("resnet50", ("conv3", "bn3"))])
def test_a_last_width_changes_only_what_the_last_stage_gives(name, widened):
    plain = ResNet(ResNetConfig(name, base=8)).net.state_dict()
    wide = ResNet(ResNetConfig(name, base=8, last_width=100)).net.state_dict()
    changed = {key for key in plain if plain[key].shape != wide[key].shape}
    assert plain.keys() == wide.keys()
    assert {key.split(".")[0] for key in changed} == {"layer4"}
    reads = {f"layer4.{place}.conv1.weight" for place in range(1, 4)}  # later blocks read what the first one gives
    for key in changed - reads:
        assert wide[key].shape[0] == 100
        assert key.split(".")[2] in (*widened, "downsample")
    for key in changed & reads:
        assert wide[key].shape[1] == 100
        assert wide[key].shape[0] == plain[key].shape[0]


@pytest.mark.parametrize("last_width", [None, 24, 100])
def test_latents_are_rectified_and_as_wide_as_asked_for(last_width):
    network = ResNet(ResNetConfig(base=4, last_width=last_width))
    latents = network(torch.rand(2, 3, 32, 32))
    assert latents.shape == (2, 16, last_width or 32)
    assert network.width == latents.shape[-1]
    assert (latents >= 0).all()
    assert (latents == 0).any()
    latents.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_what_cannot_be_is_refused():
    with pytest.raises(ForetellError, match="last_width is 0"):
        ResNetConfig(last_width=0)
