"""Saved models load unchanged, and bad files are refused in a sentence."""

import json
import pickle

import pytest
import torch

import foretell
from foretell import hub
from foretell.errors import ForetellError
from foretell.hub.files import brief, finite, from_config, read_weights, to_config, write_weights
from foretell.hub.formats import export
from foretell.methods import IJEPA, IWM, METHODS, IJEPAConfig, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

ENCODER, PREDICTOR = ViTConfig(16, 4, 32, 2, 2), PredictorConfig(16, 2, 2)
MODELS = [
    IWM(IWMConfig(ENCODER, PREDICTOR)),
    IWM(IWMConfig(ENCODER, PREDICTOR, conditioning="sequence")),
    IJEPA(IJEPAConfig(ENCODER, PREDICTOR)),
]


@pytest.fixture
def saved(tmp_path):
    return hub.save(MODELS[0], tmp_path / "model")


@pytest.mark.parametrize("model", MODELS, ids=["iwm", "sequence", "ijepa"])
def test_a_saved_model_comes_back_equal(model, tmp_path):
    loaded = foretell.load(hub.save(model, tmp_path))
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert not loaded.training
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in model.state_dict().items())


def test_half_precision_halves_the_file_and_changes_little(tmp_path):
    hub.save(MODELS[0], tmp_path / "whole")
    hub.save(MODELS[0], tmp_path / "half", dtype=torch.float16)
    whole, half = ((tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half"))
    assert half < 0.6 * whole
    x = torch.rand(2, 3, 16, 16)
    loaded = foretell.load(tmp_path / "half")
    assert loaded.encode(x).dtype == torch.float32
    torch.testing.assert_close(loaded.encode(x), MODELS[0].encode(x), atol=0.02, rtol=0)


def test_every_method_is_built_from_its_configuration_as_json():
    for kind, config in METHODS.values():
        model = kind(config())
        again = from_config(json.loads(json.dumps(to_config(model))))
        assert again.config == model.config


def test_a_weights_file_loads_by_its_own_path(saved):
    assert foretell.load(saved / "model.safetensors").config == MODELS[0].config


def spoil_config(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "expected a JSON object"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "cannot be read as JSON"),
        (lambda f: spoil_config(f, lambda c: c.update(method="dino")), "method is 'dino'"),
        (lambda f: spoil_config(f, lambda c: c.update(method=[])), r"method is \[\], expected one of"),
        (
            lambda f: spoil_config(f, lambda c: c["model"]["encoder"].update(width="wide")),
            "model.encoder.width is 'wide'",
        ),
        (
            lambda f: spoil_config(f, lambda c: c["model"]["encoder"].update(rope=True)),
            "model.encoder.rope is not a field",
        ),
        (
            lambda f: spoil_config(f, lambda c: c["model"]["encoder"].update(depth=3)),
            "missing: context_encoder.blocks.2",
        ),
        (
            lambda f: spoil_config(f, lambda c: c["model"]["encoder"].update(depth=1)),
            "unexpected: context_encoder.blocks.1",
        ),
        (lambda f: spoil_config(f, lambda c: c["model"]["predictor"].update(width=32)), "of another shape"),
        (lambda f: spoil_config(f, lambda c: c.update(classifier={})), "load_classifier"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "is an empty file"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x00" * 4096), "not a whole safetensors file"),
    ],
)
def test_spoiled_folders_are_refused_in_a_sentence(saved, spoil, said):
    spoil(saved)
    with pytest.raises(ForetellError, match=said):
        foretell.load(saved)


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("encoder", {"heads": 0}, "encoder heads is 0, expected"),
        ("encoder", {"std": [0.2, float("nan"), 0.2]}, "encoder std is 0.2, nan, 0.2, expected above 0"),
        ("encoder", {"width": 3_000_000_000}, "encoder width is 3000000000, expected"),
        ("encoder", {"depth": 10_000_000}, "encoder depth is 10000000, expected"),
        ("encoder", {"positions": "rotary", "heads": 16}, "rotary positions turn pairs"),
        ("predictor", {"width": 15}, "predictor width 15 is not a multiple of heads 2"),
        ("masks", {"scale": [0.2, 0.1]}, "masks scale is 0.2 to 0.1, expected"),
    ],
)
def test_numbers_that_cannot_be_are_refused_with_the_files_name(saved, part, changes, said):
    spoil_config(saved, lambda c: c["model"][part].update(changes))
    with pytest.raises(ForetellError, match=f"^{saved}/config.json: {said}"):
        foretell.load(saved)


def test_a_size_that_the_weights_do_not_have_takes_no_memory(saved):
    spoil_config(saved, lambda c: c["model"]["encoder"].update(width=100_000, heads=1))
    with pytest.raises(ForetellError, match="does not fit the model that it describes"):
        foretell.load(saved)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_no_numbers_are_refused_by_name(saved, odd, dtype, tmp_path):
    path, name = saved / "model.safetensors", "predictor.norm.weight"
    tensors = {each: t.to(dtype) for each, t in read_weights(path).items()}
    tensors[name][3] = odd
    write_weights(path, tensors, {"format": "foretell"})
    with pytest.raises(ForetellError, match=f"NaN or infinity in {name}, expected finite"):
        foretell.load(saved)
    tensors[name][3] = 1.0
    write_weights(path, tensors, {"format": "foretell"})
    model = foretell.load(saved)
    model.predictor.norm.weight.data[0] = odd
    with pytest.raises(ForetellError, match=f"the model holds NaN or infinity in {name}"):
        export(model, tmp_path / "out", "foretell")
    finite({"none": torch.empty(0), "count": torch.tensor(3), "mask": torch.tensor([True])}, "x")
    finite({"tiny": torch.ones(3).to(torch.float8_e4m3fn)}, "x")


def test_a_truncated_file_is_refused(saved):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ForetellError, match="not a whole safetensors file"):
        foretell.load(saved)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a file ran code",))


@pytest.mark.parametrize("write", [lambda p: p.write_bytes(pickle.dumps(Bomb())), lambda p: torch.save(Bomb(), p)])
def test_a_pickle_runs_no_code(saved, write):
    write(saved / "model.safetensors")
    with pytest.raises(ForetellError, match="could run code"):
        foretell.load(saved)
    other = saved / "checkpoint.pth.tar"
    write(other)
    with pytest.raises(ForetellError, match="could run code"):
        foretell.load(other)


@pytest.mark.parametrize("name", ["no-such-model", "/no/such/folder", "./nor/this"])
def test_a_name_that_is_nothing_is_refused_with_what_there_is(name):
    with pytest.raises(ForetellError, match="there is no model"):
        foretell.load(name)


def test_a_hub_repository_that_cannot_be_had_is_refused(monkeypatch):
    import huggingface_hub

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ForetellError, match="no network"):
        foretell.load("hf://somebody/something")


def test_a_mistyped_folder_asks_nobody(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **kwargs: pytest.fail("the hub was asked"))
    with pytest.raises(ForetellError, match=r"no model 'runs/frist': .* hf://runs/frist would ask"):
        foretell.load("runs/frist")
    with pytest.raises(ForetellError, match="expected hf://user/name"):
        foretell.load("hf://frist")


def test_a_full_disk_keeps_what_was_there(saved, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = (saved / "model.safetensors").read_bytes()
    monkeypatch.setattr("foretell.hub.files.save_file", full)
    with pytest.raises(ForetellError, match="No space left"):
        hub.save(MODELS[0], saved)
    assert (saved / "model.safetensors").read_bytes() == before
    assert sorted(p.name for p in saved.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_an_account_names_everything_in_few_words():
    names = [f"blocks.{n}.norm1.bias" for n in (0, 1, 2, 5)] + ["norm.weight", "mix.4.bias"]
    assert brief(names) == "blocks.0–2|5.norm1.bias, mix.4.bias, norm.weight"


def test_checkpoints_and_lone_weights_load_by_their_own_paths(saved, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (saved / "config.json").replace(tmp_path / "config.json")
    tensors = {f"model.{name}": t for name, t in MODELS[0].state_dict().items()} | {"optimizer.a|b": torch.zeros(1)}
    write_weights(tmp_path / "checkpoints" / "step-00000001.safetensors", tensors, {"step": "1"})
    loaded = foretell.load(tmp_path / "checkpoints" / "step-00000001.safetensors")
    assert torch.equal(loaded.predictor.embed.weight, MODELS[0].predictor.embed.weight)
    with pytest.raises(ForetellError, match=r"config\.json is missing"):
        foretell.load(saved / "model.safetensors")


def test_an_unfinished_run_loads_its_newest_whole_checkpoint(saved, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (saved / "config.json").rename(tmp_path / "config.json")
    tensors = {f"model.{name}": t for name, t in MODELS[0].state_dict().items()}
    first, last = (tmp_path / "checkpoints" / f"step-0000000{step}.safetensors" for step in (1, 2))
    for path in (first, last):
        write_weights(path, tensors, {"step": path.stem[-1]})
    last.write_bytes(last.read_bytes()[:1000])
    assert foretell.load(tmp_path).config == MODELS[0].config
    first.unlink()
    with pytest.raises(ForetellError, match=r"step-00000002\.safetensors is not a whole"):
        foretell.load(tmp_path)


def test_weights_keep_names_types_and_values(tmp_path):
    tensors = {"a.b": torch.arange(6).view(2, 3).T, "c": torch.tensor(1.5, dtype=torch.float16)}
    write_weights(tmp_path / "w.safetensors", tensors)
    back = read_weights(tmp_path / "w.safetensors")
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], t) and back[name].dtype == t.dtype for name, t in tensors.items())
