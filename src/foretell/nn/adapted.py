"""A causal language model of Hugging Face in the place of the small decoder, adapted by LoRA (Hu et al. 2021,
arXiv:2106.09685).

    W x → W x + (α / r) B A x       beside every frozen linear map W; A and B of rank r are learned, B from 0

Its words keep their tokens and vectors. Symbols of places, pictures' marks, and where an answer starts and ends are
tokens more. Their vectors are learned, from the mean of the known ones, as VistaLLM's code has it. What is saved is
what was learned: the language model itself stays where it lies.

Differs from the paper: numbers begin near the mean as points of a line, neighbours alike (`foretell.nn.decoder`).

B texts · L tokens of the longest · M with those before · D width · V tokens of all
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import POSITIVE, ForetellError, Range, within
from foretell.extras import needed
from foretell.nn.decoder import on_a_line
from foretell.nn.pretrained import PURPOSE, fingerprint, located, readable
from foretell.nn.speech import Speech
from foretell.nn.vocabulary import END, FIRST, START

LEARNED = ("lora_", "symbols.", "answers.")
"""Parts of the names of what is learned, and so saved."""


@dataclass(frozen=True)
class LanguageConfig:
    """A pretrained causal language model, and how it is adapted."""

    name: str = ""
    """`smollm2`, a folder, a .gguf file, or hf://owner/name that was downloaded before; empty for none."""
    digest: str = ""
    """Tells its weights and words from others; found when training begins."""
    rank: int = 16
    """r of LoRA."""
    alpha: float = 32.0
    """α of LoRA."""

    def __post_init__(self) -> None:
        within(self, "language", rank=Range(1, 10_000, whole=True), alpha=POSITIVE)

    def pinned(self) -> LanguageConfig:
        """The same, with the fingerprint of the model that lies here."""
        return replace(self, digest=fingerprint(located(self.name))) if self.name else self

    def folder(self) -> Path:
        """Where the model lies.

        Raises:
            ForetellError: there is none, or another than in training.
        """
        path = located(self.name)
        if self.digest and (found := fingerprint(path)) != self.digest:
            raise ForetellError(
                f"{path} holds another language model (fingerprint {found}) than the one of training, expected "
                f"{self.digest}: its words would have other tokens. Put the old one there"
            )
        return path


class PretrainedWords:
    """The vocabulary of a pretrained language model, its tokens moved up by `FIRST`.

    Args:
        folder: of the model.

    Raises:
        MissingExtra: transformers is not installed.
        ForetellError: it has no tokenizer, or that of another model.
    """

    def __init__(self, folder: Path) -> None:
        transformers = needed("transformers", PURPOSE)
        with readable(folder):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            tokens = transformers.AutoConfig.from_pretrained(folder).get_text_config().vocab_size
        if len(self._tokenizer) > tokens:  # an embedding may have more
            raise ForetellError(
                f"the tokenizer of {folder} has {len(self._tokenizer):,} tokens, expected {tokens:,} or fewer: it is "
                "that of another model"
            )
        self.size = FIRST + tokens
        ends = {END: self._tokenizer.eos_token_id, START: self._tokenizer.bos_token_id}
        self.ends = {own: FIRST + token for own, token in ends.items() if token is not None}
        """What the model itself says where an answer ends and starts; nothing where it has no token for that."""

    def learned(self) -> bool:
        """It is."""
        return True

    def learn(self, texts: Iterable[str]) -> None:
        """Nothing: the words are known."""

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        return [FIRST + i for i in self._tokenizer.encode(text.strip(), add_special_tokens=False)]

    def text(self, ids: Sequence[int]) -> str:
        """The text that tokens stand for."""
        return self._tokenizer.decode([i - FIRST for i in ids], skip_special_tokens=True).strip()


class PastTokens:
    """What a language model keeps of the tokens so far."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def keep(self, rows: Int[Tensor, " b"]) -> None:
        """Forget all texts but these."""
        self.cache.batch_select_indices(rows)


class Adapted(nn.Module):
    """A pretrained causal language model that learns by LoRA, with tokens of its own beside its words.

    Args:
        config: which one, and LoRA's size.
        folder: where it lies.
        speech: all tokens, with `PretrainedWords`.

    Raises:
        MissingExtra: transformers or peft is not installed.
        ForetellError: transformers cannot read it.
    """

    def __init__(self, config: LanguageConfig, folder: Path, speech: Speech) -> None:
        super().__init__()
        transformers, peft = needed("transformers", PURPOSE), needed("peft", PURPOSE)
        with readable(folder):
            kind = transformers.AutoModelForCausalLM
            if torch.empty(0).is_meta:  # only its shapes are asked for
                model = kind.from_config(transformers.AutoConfig.from_pretrained(folder))
            else:
                model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        model.requires_grad_(False)
        self.language = model.get_decoder()
        self.known = model.get_input_embeddings()
        self.said = model.get_output_embeddings()
        linear = sorted(name for name, module in self.language.named_modules() if isinstance(module, nn.Linear))
        lora = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=linear)
        peft.inject_adapter_in_model(lora, self.language)
        self.symbols, self.answers = (_more(table.weight.float(), speech) for table in (self.known, self.said))
        self.register_state_dict_post_hook(_learned_alone)
        self.register_load_state_dict_post_hook(_without_known)

    @property
    def width(self) -> int:
        """D."""
        return self.known.weight.shape[1]

    def embed(self, tokens: Int[Tensor, "*some"]) -> Float[Tensor, "*some D"]:
        """The vectors of tokens."""
        words = len(self.known.weight)
        known = (tokens >= FIRST) & (tokens < FIRST + words)
        own = torch.where(tokens < FIRST, tokens, (tokens - words).clamp_min(0))
        found = self.known((tokens - FIRST).clamp(0, words - 1))
        return torch.where(known.unsqueeze(-1), found, F.embedding(own, self.symbols.weight))

    def head(self, h: Float[Tensor, "*some D"]) -> Float[Tensor, "*some V"]:
        """Logits of the next token."""
        own = self.answers(h)
        return torch.cat([own[..., :FIRST], self.said(h), own[..., FIRST:]], -1)

    def forward(
        self, h: Float[Tensor, "B L D"], there: Bool[Tensor, "B M"], memory: list[PastTokens] | None = None
    ) -> Float[Tensor, "B L D"]:
        """What is known after each token, as `foretell.nn.decoder.Decoder`."""
        L, M = h.shape[1], there.shape[1]
        places = (there.cumsum(1) - 1)[:, M - L :].clamp_min(0)
        past = None if memory is None else memory[0].cache
        found = self.language(
            inputs_embeds=h,
            attention_mask=there.long(),
            position_ids=places,
            past_key_values=past,
            use_cache=past is not None,
        )
        return found.last_hidden_state

    def remember(self) -> list[PastTokens]:
        """A memory that holds nothing yet."""
        return [PastTokens(needed("transformers", PURPOSE).DynamicCache(config=self.language.config))]


def adapted(config: LanguageConfig, own: Speech) -> tuple[Speech, Adapted]:
    """A language model, and its words with the places and pictures of `own`."""
    folder = config.folder()
    speech = Speech(PretrainedWords(folder), own.places, own.pictures)
    return speech, Adapted(config, folder, speech)


def _more(known: Float[Tensor, "words D"], speech: Speech) -> nn.Linear:
    """Vectors of the tokens of `speech` that a language model does not know, from those that it knows."""
    words, D = known.shape
    mean, scale = known.mean(0), known.std()
    rows = mean + scale * torch.randn(len(speech) - words, D)
    line = torch.tensor(speech.bins) - words
    rows[line] = mean + scale * 2**0.5 * on_a_line(len(line), D).to(known)
    assert isinstance(speech.vocabulary, PretrainedWords)
    for own, meant in speech.vocabulary.ends.items():
        rows[own] = known[meant - FIRST]
    found = nn.Linear(D, len(rows), bias=False)
    found.weight.data.copy_(rows)
    return found


def _learned_alone(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    """Leave out of what is saved all that lies in the language model's own files."""
    for name in [name for name in state if name.startswith(prefix) and not _is_learned(name.removeprefix(prefix))]:
        del state[name]


def _without_known(module: nn.Module, keys: Any) -> None:
    """What lies in the language model's own files is not missing."""
    shared = {"remove_duplicate": False}  # what embeds may also say
    names = {name for name, _ in (*module.named_parameters(**shared), *module.named_buffers(**shared))}
    known = {name for name in names if not _is_learned(name)}
    keys.missing_keys[:] = [name for name in keys.missing_keys if not any(name.endswith(each) for each in known)]


def _is_learned(name: str) -> bool:
    return any(part in name for part in LEARNED)
