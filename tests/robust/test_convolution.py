import torch
from torch.nn import functional as F

from foretell.nn.efficientnet import WIDTH, EfficientNetLite0
from foretell.robust.convolution import ConvolutionalTwins


def test_networks_side_by_side_are_the_networks_alone():
    x = torch.rand(2, 3, 16, 16)
    twins = ConvolutionalTwins(2, 3, torch.Generator().manual_seed(0))
    assert (twins(x) == 0).all()  # no opinion before anything is learned
    with torch.no_grad():
        for parameter in twins.parameters:
            parameter.normal_(0, 0.2)
        found = twins(x)
    assert found.shape == (2, 2, 2, 3)
    number = 3  # twin B of the second run
    z = x * 4 - 2
    for weight, bias in zip(twins.weights[:-1], twins.biases[:-1], strict=True):
        kernel = weight[number].T.unflatten(1, (-1, 3, 3))
        z = F.conv2d(z, kernel, bias[number, 0], 2, 1).relu()
    alone = z.mean((2, 3)) @ twins.weights[-1][number] + twins.biases[-1][number]
    torch.testing.assert_close(found[1, 1], alone)


def test_efficientnet_has_the_names_and_sizes_of_its_weights():
    network = EfficientNetLite0().eval()
    tensors = network.state_dict()
    assert len(tensors) == 296
    assert tensors["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)
    assert "_blocks.0._expand_conv.weight" not in tensors
    with torch.no_grad():
        assert network.features(torch.rand(1, 3, 64, 64)).shape == (1, WIDTH)
