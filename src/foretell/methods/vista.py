"""VistaLLM: Pramanick et al., "Jack of All Tasks, Master of Many: Designing General-Purpose Coarse-to-Fine
Vision-Language Model", CVPR 2024, arXiv:2312.12423.

    zᵢ = W T(E(xᵢ), q)                      each picture's patches become Q tokens that the question q guides   §3.1
    p(a | x, q) = Πₜ p(aₜ | z₁ … zₙ, q, a<ₜ)     a causal language model says the answer a, token by token
    loss = −log p(a | x, q)                 of the answer's tokens alone

One model for all tasks: words, boxes and outlines are tokens of one vocabulary, and a place is said in bins (§3.2,
`foretell.language.places`). An outline is said in few points, more of them where it bends (`Outlining`). Questions can
be about several pictures.

Differs from the paper:
- The language model is small and learned from the start; the paper's is Vicuna of 7 or 13 billion parameters. A
  pretrained one can take its place, and learns by LoRA (`language`, `foretell.nn.adapted`).
- The encoder may learn, too, unless it is `frozen`; the paper's is EVA-CLIP, frozen. Where it is a Llip's, its text
  tower and mixture show where the question's words look: `looks`, a token a head. A small stem may learn beside it.
- Both stages of training are the same, but for their data; the paper's second trains fewer parts.
- Numbers near the true one are a little right (`smooth`), and begin with vectors alike. 0 is the paper's loss.
- An answer of n tokens weighs n^(1 − balance), so that outlines do not drown answers of a word. 0 is the paper's loss.
- A reply keeps to the grammar of places and always ends (`foretell.nn.speech.Grammar`).
- Places are said from left to right (`foretell.language.coarser`).

B questions · P pictures of all · S their side · N patches · Q tokens a picture · D width · L tokens · b of a group
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from foretell.augment import to_float
from foretell.errors import NOT_NEGATIVE, SHARE, ForetellError, Range, within
from foretell.language.coarser import Outlining, as_said
from foretell.language.places import Places
from foretell.method import Method
from foretell.methods.llip import Llip
from foretell.methods.vjepa_ac import encoder_of
from foretell.nn.adapted import LanguageConfig, adapted
from foretell.nn.decoder import Decoder, DecoderConfig, greedy
from foretell.nn.guided import GuidedConfig, GuidedTokenizer, Looks
from foretell.nn.mixture import Mixture, MixtureConfig
from foretell.nn.sequences import Sequences, Turn, in_groups, near_entropy, padded, sequences
from foretell.nn.speech import RESERVE, Grammar, Speech, without_symbols
from foretell.nn.stem import Stem
from foretell.nn.text import TextConfig, TextTower
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig
from foretell.nn.vocabulary import BYTES, END, FIRST, PAD, START, Vocabulary
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch, Dataset, Questions

GROUP = 8
"""Questions of like length that are computed together: the fewer, the less is computed of what fills them up."""
AT_ONCE = 64
"""Questions that are answered together."""


@dataclass(frozen=True)
class LookingConfig:
    """What a Llip has for texts."""

    text: TextConfig = field(default_factory=TextConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)


@dataclass(frozen=True)
class VistaConfig:
    """What a VistaLLM is built from."""

    encoder: ViTConfig = field(default_factory=lambda: ViTConfig(stem="convolution", init_std=None))
    """Of pictures; that of `--encoder`, where one is given."""
    frozen: bool = False
    """Whether the encoder stays as it is given."""
    looks: LookingConfig | None = None
    """How words look at pictures from the start: as the Llip of `--encoder` does; None where it is none."""
    fine: int = 0
    """Channels a patch of a stem of convolutions beside the encoder, for the edges that it leaves out; 0 for none."""
    tokenizer: GuidedConfig = field(default_factory=GuidedConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    """A pretrained language model in the decoder's place; none where it has no name."""
    words: int = 1024
    """Tokens of words at most, 259 or more; of the tokenizer's alone, where a language model brings its own."""
    bins: int = 1000
    """Of a coordinate. Small pictures need no more than two a pixel."""
    outlines: Outlining = field(default_factory=Outlining)
    pictures: int = 4
    """Of a question at most."""
    longest: int = 384
    """Tokens of an answer at most."""
    smooth: float = 1.0
    """Deviation, in bins, of the numbers that count as right around the true one."""
    balance: float = 0.5
    """How much less a token of a long answer weighs: as n^−balance of n tokens."""

    def __post_init__(self) -> None:
        within(self, words=Range(FIRST + BYTES, 2**20, whole=True), bins=Range(2, 9999, whole=True))
        within(self, pictures=Range(1, 100, whole=True), longest=Range(RESERVE + 1, 100_000, whole=True))
        within(self, smooth=NOT_NEGATIVE, balance=SHARE, fine=Range(0, 10_000, whole=True))

    @property
    def image_size(self) -> int:
        """Pixels a side of pictures."""
        return self.encoder.image_size

    @property
    def reads(self) -> Questions:
        """What the method reads: questions about pictures."""
        from foretell.data import Questions

        return Questions(self.encoder.image_size)


@dataclass(frozen=True)
class AskedPictures:
    """A training problem: questions about pictures, and their answers."""

    images: Float[Tensor, "P 3 S S"]
    """In [0, 1], those of a question one behind the other."""
    owner: Int[Tensor, " P"]
    """The number of the question of each."""
    instructions: Int[Tensor, "B L"]
    """The questions, filled up with `PAD`."""
    words: Int[Tensor, "B W"] | None
    """The same for Llip's text tower; None where the model has none."""
    groups: tuple[Sequences, ...]


@register("vista", VistaConfig)
class Vista(Method):
    """Answer questions about pictures in words, boxes and outlines."""

    config: VistaConfig
    entrances = (*Method.entrances, "answer", "see")

    def __init__(self, config: VistaConfig) -> None:
        super().__init__(config)
        c = config
        own = Speech(Vocabulary(c.words, c.words), Places(c.bins), c.pictures)
        self.speech, self.decoder = (
            (own, Decoder(c.decoder, len(own), own.bins)) if not c.language.name else adapted(c.language, own)
        )
        self.asking = None if self.speech is own else own
        self.encoder = ViT(c.encoder)
        if c.frozen:
            self.encoder.requires_grad_(False)
        self.stem = Stem(c.encoder.patch_size, c.fine) if c.fine else None
        self.text = self.mixture = None
        known, registers = self.encoder.width + c.fine, 0
        if c.looks is not None and c.tokenizer.guided:
            self.text = TextTower(c.looks.text)
            self.mixture = Mixture(c.looks.mixture, self.encoder.width, c.looks.text.width)
            known, registers = known + c.looks.mixture.heads, self.encoder.width
        self.tokenizer = GuidedTokenizer(c.tokenizer, known, c.encoder.grid, len(self.guide), registers)
        self.project = nn.Linear(c.tokenizer.width, self.decoder.width)
        self._known: dict[tuple[str, str], Turn] = {}

    @property
    def guide(self) -> Speech:
        """The tokens in which the tokenizer of pictures sees questions."""
        return self.asking or self.speech

    @classmethod
    def begin(cls, config: VistaConfig, encoder: Method | None = None) -> Vista:
        """A model that is yet to be trained; `encoder` is a trained model of images, whose encoder it begins with.

        Raises:
            ForetellError: that model has no encoder of images.
        """
        config = replace(config, language=config.language.pinned())
        if encoder is None:
            return cls(config)
        found = encoder_of(encoder)
        if isinstance(found.config, VideoViTConfig):
            raise ForetellError(
                f"VistaLLM looks at pictures, and {type(encoder).__name__} at clips: give --encoder llip-mini"
            )
        looks = None
        if isinstance(encoder, Llip) and encoder.config.mixture.by == "text":
            looks = LookingConfig(encoder.config.text, encoder.config.mixture)
        built = cls(replace(config, encoder=found.config, looks=looks))
        built.encoder.load_state_dict(found.state_dict())
        if isinstance(encoder, Llip) and built.text is not None and built.mixture is not None:
            built.text.load_state_dict(encoder.text.state_dict())
            built.mixture.load_state_dict(encoder.mixture.state_dict())
        return built

    def train(self, mode: bool = True) -> Vista:
        """As of every module; a frozen encoder's running means stay as they are, too."""
        super().train(mode)
        if self.config.frozen:
            self.encoder.eval()
        return self

    def prepare(self, data: Dataset) -> None:
        """Learn the vocabulary from the questions and answers of the data.

        Raises:
            ForetellError: the data has none.
        """
        if not {"question", "answer"} <= {*data.columns}:
            raise ForetellError(
                f"VistaLLM learns from questions with answers, found {', '.join(data.columns)}: give data such as "
                "questions:20000 (docs/language.md)"
            )
        if not self.guide.learned:  # else it begins with the weights of a former stage, and so with its words
            chunks = [data.batch(chunk) for chunk in torch.arange(len(data)).split(1024)]
            columns = [batch.ragged(name) for batch in chunks for name in ("question", "answer")]
            self.guide.learn(text for column in columns for text in column.texts())

    def views(self, batch: Batch, generator: torch.Generator) -> AskedPictures:
        """The questions and answers of a batch as tokens, in groups of like length."""
        pixels = batch.ragged("pixels")
        questions, answers = batch.ragged("question").texts(), batch.ragged("answer").texts()
        known = [self._tokens(*pair) for pair in zip(questions, answers, strict=True)]
        return self._asked(torch.as_tensor(pixels.values), pixels.offsets.diff().tolist(), questions, known, GROUP)

    def _asked(
        self,
        pixels: UInt8[Tensor, "P 3 S S"],
        counts: Sequence[int],
        questions: Sequence[str],
        known: Sequence[Turn],
        group: int,
    ) -> AskedPictures:
        """Questions, `known` as tokens with their answers, about so many pictures each."""
        device = pixels.device
        rows = [(self._prompt(each.question, n), each.answer) for each, n in zip(known, counts, strict=True)]
        owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        words = None if self.text is None else self.text.tokens([without_symbols(text) or "?" for text in questions])
        return AskedPictures(
            to_float(pixels),
            owner.to(device),
            padded([each.guide for each in known], "right").to(device),
            None if words is None else words.to(device),
            sequences(rows, counts, group, device),
        )

    def _tokens(self, question: str, answer: str) -> Turn:
        """A question and its answer, said in the model's bins; every epoch asks for them again."""
        if (found := self._known.get((question, answer))) is None:
            asked, most = self._asks(question), self.config.tokenizer.length
            told = [*self.speech.ids(self._said(answer)), END][: self.config.longest]
            found = self._known[question, answer] = Turn(asked.guide[:most], asked.question[:most], told)
        return found

    def _asks(self, question: str) -> Turn:
        """A question without its answer."""
        said = self._said(question)
        asked = self.speech.ids(said)
        return Turn(asked if self.asking is None else self.asking.ids(said), asked, [])

    def _said(self, text: str) -> str:
        return as_said(text, self.speech.places, self.config.outlines, self.config.image_size)

    @property
    def tokens(self) -> int:
        """Q: of a picture; those of a Llip's heads included."""
        return self.config.tokenizer.tokens + (0 if self.mixture is None else self.mixture.config.heads)

    def _prompt(self, question: Sequence[int], pictures: int) -> list[int]:
        """`<image_1>` and the place of its tokens, and so on; then the question, and where the answer starts."""
        shown = [self.speech.picture] * self.tokens
        marks = [self.speech.numbers[f"<image_{k + 1}>"] for k in range(pictures)]
        return [*(token for mark in marks for token in (mark, *shown)), *question, START]

    def forward(self, views: AskedPictures) -> Float[Tensor, ""]:
        """The cross-entropy of answers."""
        return self._scores(views)[0]

    def _scores(self, views: AskedPictures) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss, and the share of tokens that are the likeliest."""
        tokens = self.see(views)
        losses, weights, right = [], [], []
        for group in views.groups:
            h = self.decoder(self.embedded(group, tokens), group.tokens != PAD)
            asked = group.answered[:, 1:]
            logits, targets = self.decoder.head(h[:, :-1][asked]), group.tokens[:, 1:][asked]
            losses.append(near_entropy(logits, targets, self.speech.bins, self.config.smooth))
            weights.append(
                (group.answered.sum(1, keepdim=True).float() ** -self.config.balance).expand_as(asked)[asked]
            )
            right.append(logits.detach().argmax(-1) == targets)
        weight = torch.cat(weights)
        return (torch.cat(losses) * weight).sum() / weight.sum(), torch.cat(right).float().mean()

    def see(self, views: AskedPictures) -> Float[Tensor, "P Q D"]:
        """The tokens of pictures, each guided by its question."""
        looks = None
        if self.text is None or self.mixture is None:
            found = [self.encoder(views.images)]
        else:
            latents, registers, shares = self.encoder.encode_looking(views.images)
            g = self.text(views.words)[views.owner]
            weights = self.mixture.weights(registers, g).diagonal().permute(2, 0, 1)  # of each picture's own question
            looks = Looks(registers, weights, weights @ shares)
            found = [latents, looks.shares.transpose(1, 2) * shares.shape[-1]]  # 1 for a patch like any other
        if self.stem is not None:
            found.append(self.stem(views.images - 0.5))
        asked = views.instructions[views.owner]
        return self.project(self.tokenizer(torch.cat(found, -1), asked, asked != PAD, looks))

    def embedded(self, group: Sequences, tokens: Float[Tensor, "P Q D"]) -> Float[Tensor, "b L D"]:
        """Tokens embedded, and pictures in their places."""
        h = self.decoder.embed(group.tokens)
        shown = (group.tokens == self.speech.picture).unsqueeze(-1)
        return h.masked_scatter(shown, tokens[group.pictures].to(h.dtype))

    @torch.no_grad()
    def answer(self, pictures: Sequence[UInt8[Tensor, "_ 3 S S"]], questions: Sequence[str]) -> list[str]:
        """The reply to each question about its pictures: words, and places in the model's bins.

        Args:
            pictures: those of each question, of the model's size; one or more, and no more than `config.pictures`.
            questions: words. Places in them are in bins of 1/10,000, as data has them.

        Raises:
            ForetellError: no question; one without words, too long, or with no, too many, or pictures of another size.
        """
        if len(pictures) != len(questions):
            raise ForetellError(
                f"there are {len(pictures)} lists of pictures and {len(questions)} questions, expected a list for each"
            )
        asked = [self._checked(number, *pair) for number, pair in enumerate(zip(pictures, questions, strict=True), 1)]
        if not asked:
            raise ForetellError("there are no questions, expected one or more with its pictures")
        training, device = self.training, self.project.weight.device
        grammar, replies = Grammar(self.speech), [""] * len(asked)
        self.eval()
        try:
            for some in in_groups([len(each.question) for each in asked], min(AT_ONCE, self.chunk or AT_ONCE)):
                pixels = torch.cat([pictures[n] for n in some]).to(device)
                known, texts = [asked[n] for n in some], [questions[n] for n in some]
                views = self._asked(pixels, [len(pictures[n]) for n in some], texts, known, len(some))
                (group,) = views.groups
                h = self.embedded(group, self.see(views))
                said = greedy(self.decoder, h, group.tokens != PAD, grammar, self.config.longest)
                for number, reply in zip(group.questions.tolist(), said, strict=True):
                    replies[some[number]] = self.speech.text(reply)
        finally:
            self.train(training)
        return replies

    def _checked(self, number: int, pictures: UInt8[Tensor, "_ 3 S S"], question: str) -> Turn:
        """The tokens of a question that can be asked."""
        c, S = self.config, self.config.image_size
        if not question.strip():
            raise ForetellError(f"question {number} is empty, expected words")
        if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, S, S):
            raise ForetellError(
                f"the pictures of question {number} are {list(pictures.shape)}, expected [n, 3, {S}, {S}]"
            )
        if not 1 <= len(pictures) <= c.pictures:
            raise ForetellError(
                f"question {number} is about {len(pictures)} pictures, expected 1 to {c.pictures}: this model takes no "
                "more"
            )
        asked, most = self._asks(question), c.tokenizer.length
        if (tokens := max(len(asked.guide), len(asked.question))) > most:
            raise ForetellError(f"question {number} has {tokens} tokens, expected {most} or fewer: ask in fewer words")
        return asked

    def trained(self) -> dict[str, nn.Module]:
        """The encoder, what makes its patches tokens, and the language model; a frozen encoder is not trained."""
        seeing = {} if self.config.frozen else {"encoder": self.encoder}
        parts = (self.tokenizer, self.project, self.stem, self.text, self.mixture)
        tokenizer = nn.ModuleList(part for part in parts if part is not None)
        return {**seeing, "tokenizer": tokenizer, "decoder": self.decoder}

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "P 3 S S"]:
        """The pictures of all questions, as they are: a question knows left from right, and colours."""
        return to_float(torch.as_tensor(batch.ragged("pixels").values))

    def features(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """The encoder's latents of pictures in [0, 1], averaged."""
        return self.in_chunks(self.encoder, x).mean(1)

    @property
    def example(self) -> str:
        """Python for the model card: ask a question."""
        S = self.config.image_size
        return (
            f"# pictures: for each question uint8 [n, 3, {S}, {S}]\n"
            'model.answer([pictures], ["where is the red dog?"])  # ["<b_st><bin_12>…<b_ed>"]'
        )

    @torch.no_grad()
    def measures(self, views: AskedPictures) -> dict[str, float]:
        """The loss, the same with the pictures of other questions (`blind`), and the share of answers' tokens that are
        the likeliest (`right`).
        """
        loss, right = self._scores(views)
        other, _ = self._scores(replace(views, images=views.images.roll(1, 0)))
        return {"loss": loss.item(), "blind": other.item(), "right": right.item()}
