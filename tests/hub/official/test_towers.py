"""CLIP, SigLIP and SigLIP 2 with random weights: the numbers are those of transformers."""

import pytest
import tokenizers
import torch
import transformers

from foretell import hub
from foretell.capabilities import EncodesText, require
from foretell.errors import ForetellError
from foretell.label import ask
from foretell.methods import VistaConfig, begin
from foretell.methods.vjepa_ac import encoder_of

TEXTS = ["a dog", "a red apple"]
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = SMALL | {
    "vocab_size": 64,
    "max_position_embeddings": 12,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def config(kind):
    vision = SMALL | {"patch_size": 8}
    if kind == "clip":
        return transformers.CLIPConfig(
            text_config=WORDS | {"projection_dim": 24},
            vision_config=vision | {"image_size": 32, "projection_dim": 24},
            projection_dim=24,
        )
    if kind == "siglip":
        return transformers.SiglipConfig(text_config=WORDS, vision_config=vision | {"image_size": 32})
    return transformers.Siglip2Config(text_config=WORDS, vision_config=vision | {"num_patches": 16})


@pytest.fixture(scope="module", params=["clip", "siglip", "siglip2"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config(request.param)).save_pretrained(path)
    known = {"<s>": 0, "<pad>": 1, "</s>": 2, "a": 3, "dog": 4, "red": 5, "apple": 6, "<unk>": 7}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="<unk>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    plain.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=plain, **named).save_pretrained(path)
    (path / "preprocessor_config.json").write_text('{"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}')
    return path


def theirs(folder, x):
    """transformers' own logits of pictures in [0, 1], without what is added to all."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    kind = model.config.model_type
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = {"padding": True} if kind == "clip" else {"padding": "max_length", "max_length": 12}
    told = tokenizer(TEXTS, return_tensors="pt", **padding)
    x = (x - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    given = {"input_ids": told["input_ids"]}
    if kind == "clip":
        given["attention_mask"] = told["attention_mask"]
    if kind == "siglip2":
        cut = transformers.models.siglip2.image_processing_pil_siglip2.convert_image_to_patches
        patches = [torch.from_numpy(cut(one.numpy(), 8)) for one in x]
        shapes = torch.tensor([[4, 4]] * len(x))
        given |= {"pixel_values": torch.stack(patches), "spatial_shapes": shapes}
        given["pixel_attention_mask"] = torch.ones(len(x), 16, dtype=torch.int64)
    else:
        given["pixel_values"] = x
    with torch.no_grad():
        found = model(**given)
    return found.logits_per_image - getattr(model, "logit_bias", torch.zeros(1))


def test_similarities_are_those_of_transformers(folder):
    model = hub.load(folder)
    assert require(model, EncodesText, "this") is model
    x = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        ours = model.similarity(model.outputs(x), model.caption_vectors(TEXTS)) * model.scale
        torch.testing.assert_close(ours, theirs(folder, x), rtol=1e-5, atol=1e-5)
        fast = model.features(x) @ model.encode_text(TEXTS).T * model.scale
        torch.testing.assert_close(fast, ours, rtol=1e-5, atol=1e-5)


def test_they_label_pictures(folder):
    model = hub.load(folder)
    found = ask(model, torch.rand(2, 3, 32, 32), TEXTS)
    assert sum(found[0].scores.values()) == pytest.approx(1)
    assert found[0].looked is None


def test_they_are_not_trained_here(folder):
    model = hub.load(folder)
    assert model.config.reads.size == 32
    with pytest.raises(ForetellError, match="used as it is"):
        model.views(None, torch.Generator())
    with pytest.raises(ForetellError, match="empty"):
        model.encode_text(["a dog", " "])


def test_a_folder_without_a_tokenizer_says_so(tmp_path):
    transformers.AutoModel.from_config(config("clip")).save_pretrained(tmp_path)
    with pytest.raises(ForetellError, match="tokenizer"):
        hub.load(tmp_path)


def test_the_image_tower_of_siglip_is_a_vit_that_others_stand_on(folder):
    towers = hub.load(folder)
    x = torch.rand(2, 3, 32, 32)
    if towers.config.kind != "siglip":
        with pytest.raises(ForetellError, match="give a SigLIP"):
            begin(VistaConfig(), towers)
        return
    pixels = (x - towers.mean) / towers.std
    expected = towers.towers.vision_model(pixels).last_hidden_state
    torch.testing.assert_close(encoder_of(towers).eval()(x), expected, rtol=1e-5, atol=1e-5)
    assert begin(VistaConfig(frozen=True), towers).encoder.config.gelu == "tanh"
