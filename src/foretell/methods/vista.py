"""VistaLLM: Pramanick et al., "Jack of All Tasks, Master of Many: Designing General-Purpose Coarse-to-Fine
Vision-Language Model", CVPR 2024, arXiv:2312.12423.

    zᵢ = W T(E(xᵢ), q)                      each picture's patches become Q tokens that the question q guides   §3.1
    p(a | x, q) = Πₜ p(aₜ | z₁ … zₙ, q, a<ₜ)     a causal language model says the answer a, token by token
    loss = −log p(a | x, q)                 of the answer's tokens alone

One model for all tasks: words, boxes and outlines are tokens of one vocabulary, and a place is said in bins (§3.2,
`foretell.language.places`). An outline is said in few points, more of them where it bends (`Outlining`). Questions can
be about several pictures.

Differs from the paper:
- The language model is small and learned from the start; the paper's is Vicuna of 7 or 13 billion parameters.
- All is learned in one stage, the encoder too unless it is `frozen`; the paper's encoder is EVA-CLIP, frozen.
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
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from foretell.augment import to_float
from foretell.errors import NOT_NEGATIVE, SHARE, ForetellError, Range, within
from foretell.language.coarser import Outlining, as_said
from foretell.language.places import Places
from foretell.method import Method
from foretell.methods.vjepa_ac import encoder_of
from foretell.nn.decoder import Decoder, DecoderConfig, greedy
from foretell.nn.guided import GuidedConfig, GuidedTokenizer
from foretell.nn.speech import RESERVE, Grammar, Speech
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig
from foretell.nn.vocabulary import BYTES, END, FIRST, PAD, START
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch, Dataset, Questions

GROUP = 8
"""Questions of like length that are computed together: the fewer, the less is computed of what fills them up."""
AT_ONCE = 64
"""Questions that are answered together."""


@dataclass(frozen=True)
class VistaConfig:
    """What a VistaLLM is built from."""

    encoder: ViTConfig = field(default_factory=lambda: ViTConfig(stem="convolution", init_std=None))
    """Of pictures; that of `--encoder`, where one is given."""
    frozen: bool = False
    """Whether the encoder stays as it is given."""
    tokenizer: GuidedConfig = field(default_factory=GuidedConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    words: int = 1024
    """Tokens of words at most, 259 or more."""
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
        within(self, smooth=NOT_NEGATIVE, balance=SHARE)

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
class Sequences:
    """Some questions, and perhaps answers, of like length."""

    tokens: Int[Tensor, "b L"]
    """Filled up in front."""
    pictures: Int[Tensor, " p"]
    """The numbers of their pictures, in order."""
    answered: Bool[Tensor, "b L"]
    """Which tokens are of answers."""


@dataclass(frozen=True)
class AskedPictures:
    """A training problem: questions about pictures, and their answers."""

    images: Float[Tensor, "P 3 S S"]
    """In [0, 1], those of a question one behind the other."""
    instructions: Int[Tensor, "P L"]
    """The question of each picture, filled up with `PAD`."""
    groups: tuple[Sequences, ...]


@register("vista", VistaConfig)
class Vista(Method):
    """Answer questions about pictures in words, boxes and outlines."""

    config: VistaConfig
    entrances = (*Method.entrances, "answer", "see")

    def __init__(self, config: VistaConfig) -> None:
        super().__init__(config)
        c = config
        self.speech = Speech(c.words, Places(c.bins), c.pictures)
        self.encoder = ViT(c.encoder)
        if c.frozen:
            self.encoder.requires_grad_(False)
        self.tokenizer = GuidedTokenizer(c.tokenizer, self.encoder.width, c.encoder.grid, len(self.speech))
        self.project = nn.Linear(c.tokenizer.width, c.decoder.width)
        self.decoder = Decoder(c.decoder, len(self.speech), self.speech.bins)
        self._known: dict[tuple[str, str], tuple[list[int], list[int]]] = {}

    @classmethod
    def begin(cls, config: VistaConfig, encoder: Method | None = None) -> Vista:
        """A model that is yet to be trained; `encoder` is a trained model of images, whose encoder it begins with.

        Raises:
            ForetellError: that model has no encoder of images.
        """
        if encoder is None:
            return cls(config)
        found = encoder_of(encoder)
        if isinstance(found.config, VideoViTConfig):
            raise ForetellError(
                f"VistaLLM looks at pictures, and {type(encoder).__name__} at clips: give --encoder llip-mini"
            )
        built = cls(replace(config, encoder=found.config))
        built.encoder.load_state_dict(found.state_dict())
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
        chunks = [data.batch(chunk) for chunk in torch.arange(len(data)).split(1024)]
        self.speech.learn(
            text for batch in chunks for name in ("question", "answer") for text in batch.ragged(name).texts()
        )
        self._known.clear()

    def views(self, batch: Batch, generator: torch.Generator) -> AskedPictures:
        """The questions and answers of a batch as tokens, in groups of like length."""
        pixels = batch.ragged("pixels")
        counts = pixels.offsets.diff().tolist()
        texts = zip(batch.ragged("question").texts(), batch.ragged("answer").texts(), strict=True)
        known = [self._tokens(question, answer) for question, answer in texts]
        assert isinstance(pixels.values, Tensor)
        rows = [(self._prompt(question, n), answer) for (question, answer), n in zip(known, counts, strict=True)]
        instructions = [question for (question, _), n in zip(known, counts, strict=True) for _ in range(n)]
        return self._asked(pixels.values, instructions, rows, counts, GROUP)

    def _asked(
        self,
        pixels: UInt8[Tensor, "P 3 S S"],
        instructions: Sequence[Sequence[int]],
        rows: Sequence[tuple[list[int], list[int]]],
        counts: Sequence[int],
        group: int,
    ) -> AskedPictures:
        device = pixels.device
        first = [sum(counts[:n]) for n in range(len(counts))]
        order = sorted(range(len(rows)), key=lambda n: len(rows[n][0]) + len(rows[n][1]))
        groups = []
        for start in range(0, len(order), group):
            some = order[start : start + group]
            tokens = padded([rows[n][0] + rows[n][1] for n in some], "left")
            lengths = torch.tensor([len(rows[n][1]) for n in some]).unsqueeze(1)
            answered = torch.arange(tokens.shape[1]) >= tokens.shape[1] - lengths
            numbers = torch.tensor([first[n] + k for n in some for k in range(counts[n])])
            groups.append(Sequences(tokens.to(device), numbers.to(device), answered.to(device)))
        return AskedPictures(to_float(pixels), padded(instructions, "right").to(device), tuple(groups))

    def _tokens(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        """A question and its answer, said in the model's bins; every epoch asks for them again."""
        if (found := self._known.get((question, answer))) is None:
            asked = self.speech.ids(self._said(question))[: self.config.tokenizer.length]
            told = [*self.speech.ids(self._said(answer)), END][: self.config.longest]
            found = self._known[question, answer] = asked, told
        return found

    def _said(self, text: str) -> str:
        return as_said(text, self.speech.places, self.config.outlines, self.config.image_size)

    def _prompt(self, question: Sequence[int], pictures: int) -> list[int]:
        """`<image_1>` and the place of its tokens, and so on; then the question, and where the answer starts."""
        shown = [self.speech.picture] * self.config.tokenizer.tokens
        marks = [self.speech.numbers[f"<image_{k + 1}>"] for k in range(pictures)]
        return [*(token for mark in marks for token in (mark, *shown)), *question, START]

    def forward(self, views: AskedPictures) -> Float[Tensor, ""]:
        """The cross-entropy of answers."""
        return self._scores(views)[0]

    def _scores(self, views: AskedPictures) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss, and the share of tokens that are the likeliest."""
        tokens = self.see(views.images, views.instructions)
        losses, weights, right = [], [], []
        for group in views.groups:
            h = self.decoder(self.embedded(group, tokens), group.tokens != PAD)
            asked = group.answered[:, 1:]
            logits, targets = self.decoder.head(h[:, :-1][asked]), group.tokens[:, 1:][asked]
            losses.append(self.entropy(logits, targets))
            weights.append(
                (group.answered.sum(1, keepdim=True).float() ** -self.config.balance).expand_as(asked)[asked]
            )
            right.append(logits.detach().argmax(-1) == targets)
        weight = torch.cat(weights)
        return (torch.cat(losses) * weight).sum() / weight.sum(), torch.cat(right).float().mean()

    def see(self, images: Float[Tensor, "P 3 S S"], instructions: Int[Tensor, "P L"]) -> Float[Tensor, "P Q D"]:
        """The tokens of pictures, each guided by its question."""
        found = self.tokenizer(self.encoder(images), instructions, instructions != PAD)
        return self.project(found)

    def embedded(self, group: Sequences, tokens: Float[Tensor, "P Q D"]) -> Float[Tensor, "b L D"]:
        """Tokens embedded, and pictures in their places."""
        h = self.decoder.embed(group.tokens)
        shown = (group.tokens == self.speech.picture).unsqueeze(-1)
        return h.masked_scatter(shown, tokens[group.pictures].to(h.dtype))

    def entropy(self, logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Cross-entropy; of a number with a normal distribution around it (`smooth`), cut at three deviations."""
        scores, bins = logits.float().log_softmax(-1), self.speech.bins
        loss = -scores.gather(1, targets.unsqueeze(1))[:, 0]
        reach = int(3 * self.config.smooth)
        numbers = (targets >= bins.start) & (targets < bins.stop)
        if not reach or not numbers.any():
            return loss
        near = torch.arange(-reach, reach + 1, device=targets.device)
        at = targets[numbers].unsqueeze(1) + near
        share = (-0.5 * (near / self.config.smooth) ** 2).exp() * ((at >= bins.start) & (at < bins.stop))
        share = share / share.sum(1, keepdim=True)
        smooth = -(scores[numbers].gather(1, at.clamp(bins.start, bins.stop - 1)) * share).sum(1)
        return loss.masked_scatter(numbers, smooth)

    @torch.no_grad()
    def answer(self, pictures: Sequence[UInt8[Tensor, "_ 3 S S"]], questions: Sequence[str]) -> list[str]:
        """The reply to each question about its pictures: words, and places in the model's bins.

        Args:
            pictures: those of each question, of the model's size; one or more, and no more than `config.pictures`.
            questions: words. Places in them are in bins of 1/10,000, as data has them.

        Raises:
            ForetellError: no question, one without words, too long, or with no picture or too many; pictures of another
                size.
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
        order = sorted(range(len(asked)), key=lambda n: len(asked[n]))
        at_once = min(AT_ONCE, self.chunk or AT_ONCE)
        self.eval()
        try:
            for some in (order[first : first + at_once] for first in range(0, len(order), at_once)):
                counts = [len(pictures[n]) for n in some]
                rows = [(self._prompt(asked[n], len(pictures[n])), []) for n in some]
                instructions = [asked[n] for n in some for _ in pictures[n]]
                pixels = torch.cat([pictures[n] for n in some]).to(device)
                problem = self._asked(pixels, instructions, rows, counts, len(some))
                (group,) = problem.groups
                h = self.embedded(group, self.see(problem.images, problem.instructions))
                said = greedy(self.decoder, h, group.tokens != PAD, grammar, self.config.longest)
                by_length = sorted(range(len(rows)), key=lambda n: len(rows[n][0]))  # as the group has them
                for place, reply in zip(by_length, said, strict=True):
                    replies[some[place]] = self.speech.text(reply)
        finally:
            self.train(training)
        return replies

    def _checked(self, number: int, pictures: UInt8[Tensor, "_ 3 S S"], question: str) -> list[int]:
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
        asked = self.speech.ids(self._said(question))
        if len(asked) > c.tokenizer.length:
            raise ForetellError(
                f"question {number} has {len(asked)} tokens, expected {c.tokenizer.length} or fewer: ask in fewer words"
            )
        return asked

    def trained(self) -> dict[str, nn.Module]:
        """The encoder, what makes its patches tokens, and the language model; a frozen encoder is not trained."""
        seeing = {} if self.config.frozen else {"encoder": self.encoder}
        return {**seeing, "tokenizer": nn.ModuleList([self.tokenizer, self.project]), "decoder": self.decoder}

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "P 3 S S"]:
        """The pictures of all questions, as they are: a question knows left from right, and colours."""
        values = batch.ragged("pixels").values
        assert isinstance(values, Tensor)
        return to_float(values)

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


def padded(rows: Sequence[Sequence[int]], side: str) -> Int[Tensor, "b L"]:
    """Rows of tokens of one length, filled up with `PAD` on the left or the right."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD, padding_side=side)
