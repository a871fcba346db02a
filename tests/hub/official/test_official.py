"""Recognised files, refused files, and the limits of an untrained predictor."""

import gzip
import json
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import foretell
from foretell import hub
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.finetune import FinetuneConfig
from foretell.finetune.classifier import parts
from foretell.hub import formats
from foretell.hub.official import FAMILIES
from foretell.hub.official.found import read


@pytest.fixture
def bare(layouts, tmp_path, encoder_only):
    """An encoder alone, loaded."""
    torch.save(layouts.encoder(torch.Generator().manual_seed(0)), tmp_path / "encoder.pt")
    with encoder_only():
        return foretell.load(tmp_path / "encoder.pt")


def archived(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__)


def test_names_do_not_matter_only_contents_do(layouts, tmp_path):
    content = layouts.checkpoint()
    torch.save(content, tmp_path / "model.safetensor")
    torch.save(content["encoder"], tmp_path / "ijepa.pth.tar")
    save_file({k: v for k, v in content["encoder"].items()}, tmp_path / "other")
    names = {
        file: [family.name for family in FAMILIES if family.recognise(read(tmp_path / file))]
        for file in ("model.safetensor", "ijepa.pth.tar", "other")
    }
    assert names == {"model.safetensor": ["facebookresearch/ijepa"], "ijepa.pth.tar": ["timm"], "other": ["timm"]}


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (
            lambda p: torch.save({"weight": torch.zeros(2), "layer.0.bias": torch.zeros(2)}, p),
            r"it holds layer\.0\.bias, weight",
        ),
        (lambda p: torch.save(torch.zeros(3), p), "holds a Tensor, expected a dictionary"),
        (lambda p: torch.save({}, p), "it holds nothing"),
        (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0 a photograph"), "not a whole safetensors file"),
        (lambda p: p.write_bytes(b""), "file is an empty file, expected"),
        (lambda p: p.write_text("\n<!DOCTYPE html><html>404</html>"), "file is a web page, and not the requested file"),
        (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "is a pointer of Git LFS"),
        (lambda p: p.write_bytes(gzip.compress(b"x" * 999)), "is a gzip archive: unpack it first"),
        (archived, "is a tar archive: unpack it first"),
        (
            lambda p: torch.save({"encoder": {}, "loss": np.float64(0.5)}, p),
            r"file holds numpy\.\S+scalar, which could run code and is not opened, expected tensors and plain values",
        ),
        (lambda p: p.write_bytes(b"PK\x03\x04 and no more"), "it is damaged"),
        (lambda p: p.write_bytes(b"\x80\x02 and no more"), "it is damaged"),
        (
            lambda p: save_file({"a": torch.zeros(1)}, p),
            "has no known kind .it holds a.: expected a model of foretell, or",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(write, said, tmp_path):
    write(tmp_path / "file")
    with pytest.raises(ForetellError, match=said) as error:
        foretell.load(tmp_path / "file")
    assert "\n" not in str(error.value)


def test_a_checkpoint_cut_short_is_refused(layouts, tmp_path):
    torch.save(layouts.checkpoint(), tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-5000])
    with pytest.raises(ForetellError, match="it is damaged"):
        foretell.load(tmp_path / "cut")


def test_folders_of_another_kind_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    save_file({"embeddings.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ForetellError, match=r"config.json says model_type 'bert'; it holds embeddings\.weight"):
        foretell.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ForetellError, match="no weights beside config"):
        foretell.load(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ForetellError, match="no weight_map"):
        foretell.load(tmp_path)


def test_a_repository_is_downloaded_with_all_that_its_family_needs(layouts, tmp_path, monkeypatch, encoder_only):
    import huggingface_hub

    from foretell.hub.official import huggingface

    torch.save(layouts.checkpoint(), tmp_path / "meta")
    model = foretell.load(tmp_path / "meta")
    huggingface.save(model, tmp_path / "folder")
    asked = {}

    def download(repository, allow_patterns):
        asked[repository] = allow_patterns
        return str(tmp_path / "folder")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with encoder_only():
        loaded = foretell.load("hf://facebook/ijepa_vith14_1k")
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(loaded.encode(images), model.target_encoder(images))
    said = {"config.json", "preprocessor_config.json", "video_preprocessor_config.json"}
    assert said <= set(asked["facebook/ijepa_vith14_1k"])


def test_an_untrained_predictor_is_never_put_to_work(bare, tmp_path):
    images = torch.rand(1, 3, 32, 32)
    with pytest.raises(ForetellError, match="predictor was never trained"):
        bare.imagine(images)
    for mode in ("predictor", "end-to-end"):
        with pytest.raises(ForetellError, match="use mode predictor-random or encoder"):
            parts(bare, mode)
    for mode in ("predictor-random", "encoder"):
        parts(bare, mode)
    assert FinetuneConfig().mode == "predictor"  # so the default refuses

    again = foretell.load(hub.save(bare, tmp_path / "saved"))
    assert again.untrained == "predictor"
    assert "which is untrained" in (tmp_path / "saved" / "README.md").read_text()
    again.untrained = None
    assert foretell.load(hub.save(again, tmp_path / "saved")).untrained is None


def test_a_fresh_predictor_is_the_same_each_time_and_leaves_chance_alone(layouts, tmp_path, encoder_only):
    torch.save(layouts.encoder(torch.Generator().manual_seed(0)), tmp_path / "encoder.pt")
    before = torch.get_rng_state()
    loaded = []
    for _ in range(2):
        with encoder_only():
            loaded.append(foretell.load(tmp_path / "encoder.pt").predictor.state_dict())
    assert all(torch.equal(t, loaded[1][name]) for name, t in loaded[0].items())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_step_goes_through_an_official_model(bare):
    bare.train()
    views = bare.views(
        Batch(pixels=torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)), torch.Generator().manual_seed(0)
    )
    bare(views).backward()
    assert all(p.grad is not None for p in bare.predictor.parameters())


def test_a_form_that_is_unknown_is_refused(bare, tmp_path):
    with pytest.raises(ForetellError, match="format is 'onyx', expected one of huggingface, onnx, timm, torchvision"):
        formats.export(bare, tmp_path, "onyx")
