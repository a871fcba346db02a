"""The command line. Thin: flags come from the dataclasses, work is done elsewhere.

Every wrong input ends in one sentence on standard error and a status that is not 0.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, make_dataclass
from functools import lru_cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Literal, TextIO, TypeVar

import tyro
from tyro.conf import Positional, arg

from foretell import __version__
from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.formats import Encoder, Format, Precision
from foretell.leverage import FinetuneConfig
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig

if TYPE_CHECKING:
    import torch

DATA = (
    "folder of images (class sub-folders optional), Hugging Face image parquet (file or folder), "
    "torchvision:NAME:ROOT for a torchvision data set on disk, or `photographs` for the bundled ones"
)
MODEL = (
    "name of a shipped model (see `foretell models`), a run's or a model's folder, official I-JEPA weights "
    "(file or folder), or a Hugging Face repository"
)
Parsed = TypeVar("Parsed")


def train(args: list[str]) -> None:
    """Train a world model: foretell train METHOD --data DATA --out RUN [--steps N] [--seed S] [--resume]."""
    from foretell.train.run import run

    method = _first(args, "train", "METHOD", {name: _summary(recipe) for name, recipe in RECIPES.items()})
    recipe = RECIPES[method]()
    resume = Annotated[bool, arg(help="go on with the run in --out, with the same flags")]
    schema = make_dataclass(
        "Train",
        [
            ("data", Annotated[str, arg(help=DATA)]),
            ("out", Annotated[Path, arg(help="folder of the run: config, metrics, checkpoints and the model")]),
            ("model", type(recipe.model), field(default=recipe.model)),
            ("train", Annotated[TrainConfig, arg(name="")], field(default=recipe.train)),
            ("resume", resume, field(default=False)),
        ],
    )
    flags = _parse(schema, args[1:], f"train {method}", inspect.getdoc(RECIPES[method]))
    run(flags.model, flags.train, flags.data, flags.out, resume=flags.resume)


@dataclass(frozen=True)
class Evaluate:
    """Measure a model: probes, collapse, and how well it knows what a change does (MRR)."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[str, arg(help=DATA)]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False
    out: Annotated[Path | None, arg(help="also write the JSON here")] = None
    bank: Annotated[int, arg(help="augmented targets an image that a prediction is ranked among")] = 256
    images: Annotated[int, arg(help="images whose predictions are ranked")] = 64
    queries: Annotated[int, arg(help="predictions an image and parameter")] = 16
    seed: int = 0
    device: str = "auto"


def evaluate(args: list[str]) -> None:
    """Measure a model: foretell evaluate MODEL --data DATA [--json]."""
    from foretell import evaluate, hub
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = _parse(Evaluate, args, "evaluate")
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    learn, test = model.train_test(flags.data, seed=flags.seed)
    report = evaluate.evaluate(
        model,
        learn,
        test,
        seed=flags.seed,
        device=device,
        bank=flags.bank,
        images=flags.images,
        queries=flags.queries,
    )
    if flags.out:
        flags.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(flags.out, report)
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        from rich.console import Console

        Console().print(evaluate.table(report))


@dataclass(frozen=True)
class Finetune:
    """Make a classifier of a world model by finetuning its predictor, its encoder, or both."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[tuple[str, ...], arg(help=f"labelled images: {DATA}. Several tune one predictor for all")]
    out: Annotated[Path, arg(help="folder for the classifier")]
    finetune: Annotated[FinetuneConfig, arg(name="")] = field(default_factory=FinetuneConfig)
    compare: Annotated[bool, arg(help="with several data sets: also tune a predictor for each alone")] = False
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False
    device: str = "auto"


def finetune(args: list[str]) -> None:
    """Make a classifier of a model: foretell finetune MODEL --data DATA --out OUT [--mode predictor|encoder|...]."""
    from foretell import hub, leverage
    from foretell.data import train_test
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = _parse(Finetune, args, "finetune")
    _empty(flags.out)
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    leverage.require_trained(model, flags.finetune.mode)  # before the data is read, which can take minutes
    size, seed = model.config.encoder.image_size, flags.finetune.seed
    tasks = {spec: train_test(spec, size, seed=seed) for spec in flags.data}
    if len(tasks) == 1:
        classifier, report = leverage.finetune(model, *tasks[flags.data[0]], flags.finetune)
        results = {flags.data[0]: report}
    else:
        classifier, report = leverage.multitask(model, tasks, flags.finetune, compare=flags.compare)
        results = report["tasks"]
    leverage.save_classifier(classifier, flags.out)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, result in results.items():
        for label, a in (("", result["accuracy"]), (" with a predictor of its own", result.get("separate"))):
            if a:
                interval = f"({a['low']:.3f} to {a['high']:.3f})"
                print(f"{name}: accuracy {a['value']:.3f} {interval}{label}; chance {a['chance']:.3f}")


@dataclass(frozen=True)
class Imagine:
    """Ask a model for a change, and see the picture its prediction comes nearest to."""

    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    bank: Annotated[int, arg(help="versions of the photograph the prediction is held against")] = 256
    sweep: Annotated[
        tuple[str, ...], arg(help="parameters to draw a row of; without any change asked for: colours")
    ] = ()
    seed: int = 0


def imagine(args: list[str]) -> None:
    """Draw what a model imagines: foretell imagine MODEL IMAGE --out grid.png [--hue 0.1] [--blur 1.5] [...]."""
    from foretell import hub, leverage

    if not args:
        raise Usage("imagine needs a MODEL first, and none is given (see foretell imagine --help)")
    if args[0] in ("-h", "--help"):
        print("usage: foretell imagine MODEL IMAGE --out grid.png [--PARAMETER VALUE ...]\n")
        print(f"MODEL is a {MODEL}.\n`foretell imagine MODEL --help` lists the changes it knows.")
        sys.exit(0)
    model = hub.load(args[0])
    parameters = leverage.actions_of(model).parameters
    # the model's own action space becomes flags: nothing here knows what the parameters mean
    changes = [
        (
            p.name,
            Annotated[bool if p.switch else float | None, arg(help=f"{p.help}; {p.low:g} to {p.high:g} {p.unit}")],
            False if p.switch else None,
        )
        for p in parameters
    ]
    schema = make_dataclass("Imagine", changes, bases=(Imagine,), frozen=True)
    flags = _parse(schema, args[1:], f"imagine {args[0]}", inspect.getdoc(Imagine))
    values = {p.name: float(value) for p in parameters if (value := getattr(flags, p.name)) not in (None, False)}
    image = leverage.read_image(flags.image, model.config.encoder.image_size)
    asked = leverage.imagine(model, image, values, bank=flags.bank, seed=flags.seed) if values else None
    swept = flags.sweep or (() if values else tuple(p.name for p in parameters if not p.destructive))
    rows = leverage.sweep(model, image, *swept, bank=flags.bank, seed=flags.seed) if swept else {}
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    leverage.draw(asked, rows).save(flags.out)


@dataclass(frozen=True)
class Uncertainty:
    """Draw where a model with stochastic positions is unsure of what it does not see, and where it is wrong."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    contexts: Annotated[int, arg(help="how many sets of visible patches to draw")] = 4
    draws: Annotated[int, arg(help="how often each is answered, with other draws of the places")] = 32
    seed: int = 0


def uncertainty(args: list[str]) -> None:
    """Draw where a model is unsure: foretell uncertainty MODEL IMAGE --out unsure.png (stochastic positions)."""
    from foretell import hub, leverage

    flags = _parse(Uncertainty, args, "uncertainty")
    model = hub.load(flags.model)
    image = leverage.read_image(flags.image, model.config.encoder.image_size)
    found = leverage.uncertainty(model, image, contexts=flags.contexts, draws=flags.draws, seed=flags.seed)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    leverage.draw_uncertainty(found).savefig(flags.out, dpi=150)


@dataclass(frozen=True)
class Surprise:
    """Measure how surprised a video model is: at videos, or at pairs of possible and impossible clips (--benchmark)."""

    what: Annotated[
        Positional[tuple[str, ...]], arg(help=f"{MODEL}; then videos. Nothing with --benchmark", metavar="MODEL VIDEO")
    ] = ()
    plot: Annotated[Path | None, arg(help="draw the curves under film strips here (PNG)")] = None
    benchmark: Annotated[
        Literal["scenes", "pairs", "intphys"] | None,
        arg(help="score pairs: made here (scenes), PROPERTY/possible|impossible/NAME, or IntPhys' dev set"),
    ] = None
    model: Annotated[str, arg(help="with --benchmark: the model to score")] = "vjepa-mini"
    pixels: Annotated[str | None, arg(help="with --benchmark: a model of video-pixels, as a baseline")] = None
    data: Annotated[Path | None, arg(help="with --benchmark pairs or intphys: the folder")] = None
    pairs: Annotated[int, arg(help="with --benchmark scenes: pairs of each property, an even number")] = 100
    context: Annotated[tuple[int, ...], arg(help="frames seen of a window; by default 2 to 10 sixteenths of it")] = ()
    stride: Annotated[int, arg(help="frames between two windows")] = 2
    json: Annotated[bool, arg(help="print JSON")] = False
    seed: int = 0
    device: str = "auto"


def surprise(args: list[str]) -> None:
    """Measure surprise: foretell surprise MODEL VIDEO... [--plot out.png] | --benchmark scenes [--model NAME]."""
    from foretell.train.world import enter

    flags = _parse(Surprise, args, "surprise")
    device = enter(flags.device).device
    if flags.benchmark:
        if flags.what:
            raise Usage(f"--benchmark takes no videos, found {flags.what[0]!r}; --model names the model")
        _benchmark(flags, flags.benchmark, device)
    elif len(flags.what) < 2:
        raise Usage("surprise needs a MODEL and a VIDEO (see foretell surprise --help)")
    else:
        _videos(flags, device)


def _videos(flags: Surprise, device: torch.device) -> None:
    """Surprise at each video by itself."""
    import torch

    from foretell import hub
    from foretell import surprise as measure
    from foretell.data.video import read_video

    name, *paths = flags.what
    model = measure.as_video(hub.load(name, device))
    found = {}
    for path in paths:
        video = torch.from_numpy(read_video(path, model.config.encoder.image_size, **model.pace)).transpose(0, 1)
        contexts = flags.context or None
        found[path] = video, measure.surprise(model, video.unsqueeze(0), contexts=contexts, stride=flags.stride)
    if flags.plot:
        flags.plot.parent.mkdir(parents=True, exist_ok=True)
        measure.draw(found).savefig(flags.plot, dpi=120)
    report = {path: measure.told(one) for path, (_, one) in found.items()}
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for path, one in report.items():
        print(f"{path}: mean {one['mean']:.3f}, largest {one['largest']:.3f}, peak at frame {one['peak']}")


def _benchmark(flags: Surprise, name: str, device: torch.device) -> None:
    """Surprise at pairs."""
    from rich.console import Console

    from foretell import hub
    from foretell import surprise as measure

    model = measure.as_video(hub.load(flags.model, device))
    pixels = measure.as_video(hub.load(flags.pixels, device)) if flags.pixels else None
    encoder = model.config.encoder
    if name == "scenes":
        # seeds of validation pairs are never those of test pairs, nor of training clips
        test, validation = (
            measure.scenes(n, 2 * flags.seed + side, encoder.image_size, encoder.frames)
            for n, side in ((flags.pairs, 1), (max(flags.pairs // 4 * 2, 2), 0))
        )
    else:
        if flags.data is None:
            raise Usage(f"--benchmark {name} needs --data, the folder of its clips")
        test = measure.LAYOUTS[name](flags.data, encoder.image_size, model.config.fps, model.config.stride)
        validation = measure.scenes(20, 2 * flags.seed, encoder.image_size, encoder.frames)
    report = measure.benchmark(
        model,
        test,
        validation,
        pixels=pixels,
        contexts=flags.context or None,
        seed=flags.seed,
        progress="Measuring surprise",
    )
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        Console().print(measure.table(report))


def models(args: list[str]) -> None:
    """List the models that ship with foretell, or print one's card: foretell models [NAME]."""
    from foretell import hub

    @dataclass(frozen=True)
    class Models:
        """List the shipped models, or print one's card."""

        name: Annotated[Positional[str | None], arg(help="print this model's card", metavar="NAME")] = None

    flags = _parse(Models, args, "models")
    print(hub.card(flags.name) if flags.name else "\n".join(hub.models()))


@dataclass(frozen=True)
class Claims:
    """List the papers' findings and whether they hold here, or show one."""

    name: Annotated[Positional[str | None], arg(help="show this one with all its numbers", metavar="NAME")] = None


@dataclass(frozen=True)
class RunClaims:
    """Try findings again: train what they compare, measure it, and say whether they hold."""

    names: Annotated[Positional[tuple[str, ...]], arg(help="claims to run, or `all`", metavar="NAME")]
    data: Annotated[str, arg(help=f"labelled images: {DATA}")]
    other: Annotated[str | None, arg(help="another labelled data set, for claims about transfer or two tasks")] = None
    out: Annotated[Path, arg(help="folder for trainings and results; the same one again goes on")] = Path("runs/claims")
    seeds: Annotated[int, arg(help="trainings of each arm: their spread gives the intervals")] = 3


def claims(args: list[str]) -> None:
    """Try the papers' findings again: foretell claims [NAME] | foretell claims run NAME... --data DATA [--seeds N]."""
    from rich.console import Console
    from rich.markdown import Markdown

    from foretell.claims import CLAIMS, Claim, Data, details, overview, recorded, run
    from foretell.data import train_test

    def find(name: str) -> Claim:
        if name not in CLAIMS:
            raise Usage(f"{name!r} is not a claim; there are {', '.join(CLAIMS)}")
        return CLAIMS[name]

    def show(text: str) -> None:
        Console().print(Markdown(text))

    if args[:1] != ["run"]:
        name = _parse(Claims, args, "claims").name
        show(details(find(name), recorded(find(name))) if name else overview(CLAIMS.values()))
        return
    flags = _parse(RunClaims, args[1:], "claims run")

    @lru_cache
    def at(size: int) -> Data:
        other = Data(*train_test(flags.other, size)) if flags.other else None
        return Data(*train_test(flags.data, size), other)

    for claim in [find(name) for name in (CLAIMS if flags.names == ("all",) else flags.names)]:
        show(details(claim, run(claim, at, flags.out, range(flags.seeds))))


@dataclass(frozen=True)
class Export:
    """Write a model in another library's form, or official weights in foretell's."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    out: Annotated[Path, arg(help="folder to write")]
    format: Annotated[
        Format,
        arg(help="huggingface: one encoder, for transformers' IJepaModel; foretell: config.json and safetensors"),
    ] = "huggingface"
    encoder: Annotated[Encoder, arg(help="which encoder, for forms that hold one")] = "target"
    dtype: Annotated[Precision, arg(help="type to store numbers in")] = "float32"


def export(args: list[str]) -> None:
    """Write a model in another library's form: foretell export MODEL --out OUT [--format huggingface]."""
    from foretell import hub
    from foretell.hub import formats

    flags = _parse(Export, args, "export")
    _empty(flags.out)
    model = hub.load(flags.model)
    print(formats.export(model, flags.out, flags.format, flags.encoder, flags.dtype))


@dataclass(frozen=True)
class Demo:
    """Train a small image world model on bundled photographs, measure it, and write a report that explains it all."""

    out: Annotated[Path, arg(help="folder for the run and report.html")] = Path("demo")
    minutes: Annotated[float, arg(help="how long to train")] = 2.0
    seed: int = 0
    device: str = "auto"


def demo(args: list[str]) -> None:
    """See what a world model is: train one for two minutes, and open the report: foretell demo [--out demo]."""
    from foretell.demo import demo as show

    flags = _parse(Demo, args, "demo")
    show(flags.out, flags.minutes, flags.seed, flags.device)


@dataclass(frozen=True)
class InStore:
    """A knowledge of a store."""

    name: Annotated[Positional[str], arg(help="of the knowledge, or its contract id", metavar="NAME")]
    store: Annotated[Path, arg(help="folder of the store")]


@dataclass(frozen=True)
class KnowledgeCreate(InStore):
    """Make an empty knowledge; the store is made if need be."""

    model: Annotated[
        str, arg(help="what embeds it: a text model's name or folder, or a world model for photographs")
    ] = "bge-small-en-v1.5"
    title: str = ""
    description: str = ""
    category: Annotated[str, arg(help="such as 'Artificial Intelligence'")] = ""
    owner: str = ""
    public: Annotated[bool, arg(help="let everyone read it where it is served")] = False


@dataclass(frozen=True)
class KnowledgeAdd(InStore):
    """Add files: what was added before adds nothing, what has changed replaces its own entries."""

    files: Annotated[Positional[tuple[Path, ...]], arg(help="files and folders", metavar="FILE")]
    text: Annotated[str | None, arg(help="the column to search, of tables and records")] = None
    password: Annotated[str | None, arg(help="opens encrypted PDF files")] = None
    json: Annotated[bool, arg(help="print JSON instead of a sentence")] = False


@dataclass(frozen=True)
class KnowledgeList:
    """List the knowledges of a store."""

    store: Annotated[Path, arg(help="folder of the store")]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False


@dataclass(frozen=True)
class KnowledgeShow(InStore):
    """Show what a knowledge says of itself."""

    json: Annotated[bool, arg(help="print JSON instead of lines")] = False


@dataclass(frozen=True)
class KnowledgeSearch(InStore):
    """Find what is nearest in meaning."""

    query: Annotated[
        Positional[str], arg(help="a text, or a photograph's path in a knowledge of photographs", metavar="QUERY")
    ]
    top: Annotated[int, arg(help="how many results")] = 10
    level: Annotated[int, arg(help="how hard to look, 0 to 4; matters in large knowledges")] = 2
    filter: Annotated[
        tuple[str, ...], arg(help="conditions on metadata: lang=en 'year>=2020'; one field = twice: any of them")
    ] = ()
    rerank: Annotated[bool, arg(help="let a cross-encoder read the best and sort them")] = False
    hybrid: Annotated[bool, arg(help="also look for the query's words (BM25), and fuse the two rankings")] = False
    imagine: Annotated[
        tuple[str, ...], arg(help="photographs: look for the query as a world model imagines it: brightness=0.6")
    ] = ()
    json: Annotated[bool, arg(help="print JSON instead of text")] = False


@dataclass(frozen=True)
class KnowledgeExport(InStore):
    """Write a knowledge to a Parquet file."""

    out: Annotated[Path, arg(help="the file to write")]


@dataclass(frozen=True)
class KnowledgeImport:
    """Make a knowledge of a file that `export` wrote."""

    file: Annotated[Positional[Path], arg(help="the Parquet file", metavar="FILE")]
    store: Annotated[Path, arg(help="folder of the store")]
    name: Annotated[str | None, arg(help="what to call it; else what it was called")] = None


@dataclass(frozen=True)
class KnowledgeRemove(InStore):
    """Delete a knowledge and all that is in it, for ever."""


@dataclass(frozen=True)
class KnowledgeBackup:
    """Copy a whole store as it is now; the copy is a store."""

    store: Annotated[Path, arg(help="folder of the store")]
    out: Annotated[Path, arg(help="folder for the copy")]


KNOWLEDGE = {
    "create": KnowledgeCreate,
    "add": KnowledgeAdd,
    "list": KnowledgeList,
    "show": KnowledgeShow,
    "search": KnowledgeSearch,
    "export": KnowledgeExport,
    "import": KnowledgeImport,
    "remove": KnowledgeRemove,
    "backup": KnowledgeBackup,
}


def knowledge(args: list[str]) -> None:
    """Collections to search: foretell knowledge create|add|list|show|search|export|import|remove|backup."""
    from foretell.search import Knowledge, Store
    from foretell.search.models import load_model

    action = _first(args, "knowledge", "COMMAND", {name: _summary(schema) for name, schema in KNOWLEDGE.items()})
    match _parse(KNOWLEDGE[action], args[1:], f"knowledge {action}"):
        case KnowledgeCreate() as f:
            load_model(f.model)  # a misspelt name is noticed now, not when files are added
            about = {"title": f.title, "description": f.description, "category": f.category, "owner": f.owner}
            with Knowledge.create(f.store, f.name, model=f.model, public=f.public, **about) as made:
                print(made.about.contract_id)
        case KnowledgeAdd() as f:
            if not f.files:
                raise Usage("knowledge add needs a FILE, and none is given (see foretell knowledge add --help)")
            with Knowledge.open(f.store, f.name) as opened:
                added = opened.add(*f.files, text=f.text, password=f.password, progress=True)
            for file, reason in added.skipped:
                print(f"foretell: skipped {file}: {reason}", file=sys.stderr)
            if not added.files + added.unchanged:
                raise ForetellError("no file could be used")
            if f.json:
                print(json.dumps(asdict(added), indent=2))
            else:
                gone = f", {added.removed} removed" if added.removed else ""
                print(f"{added.entries} entries of {added.files} files added{gone}; {added.unchanged} files unchanged")
        case KnowledgeList() as f:
            every = Knowledge.list(f.store)
            if f.json:
                print(json.dumps([asdict(about) for about in every], indent=2))
            elif every:
                print(_table({each.name: f"{each.count} entries  {each.model}  {each.title}" for each in every}))
        case KnowledgeShow() as f:
            with Knowledge.open(f.store, f.name) as opened:
                about = asdict(opened.about)
            print(json.dumps(about, indent=2) if f.json else _table({k: str(v) for k, v in about.items()}))
        case KnowledgeSearch() as f:
            from foretell.search.filters import parse

            changes = _changes(f.imagine)
            with Knowledge.open(f.store, f.name) as opened:
                hits = opened.search(
                    f.query,
                    f.top,
                    level=f.level,
                    filter=parse(f.filter) if f.filter else None,
                    rerank=f.rerank,
                    hybrid=f.hybrid,
                    imagine=changes,
                )
            if f.json:
                print(json.dumps({"results": [asdict(hit) for hit in hits]}, indent=2, ensure_ascii=False))
                return
            for hit in hits:
                page = f"page {hit.page}" if hit.page is not None else ""
                where = "  ".join(filter(None, (str(hit.metadata.get("source", "")), page)))
                print(f"{hit.score:.3f}  {hit.id}  {where}\n{hit.text}\n")
        case KnowledgeExport() as f:
            with Knowledge.open(f.store, f.name) as opened:
                opened.export(f.out)
        case KnowledgeImport() as f:
            with Knowledge.import_(f.store, f.file, f.name) as made:
                print(made.about.contract_id)
        case KnowledgeRemove() as f:
            Knowledge.remove(f.store, f.name)
        case KnowledgeBackup() as f:
            with contextlib.closing(Store(f.store, create=False)) as store:
                store.backup(f.out)


@dataclass(frozen=True)
class Serve:
    """Serve a store over HTTP: its own API, and what Dria's clients send."""

    data: Annotated[Path, arg(help="folder of the store; made if need be", aliases=["--store"])]
    host: Annotated[str, arg(help="address to listen at; 0.0.0.0 for all of this machine's")] = "127.0.0.1"
    port: Annotated[int, arg(help="0 for any that is free")] = 8000
    rate: Annotated[float, arg(help="requests a second of one key or address; 0 for no limit")] = 50.0
    body: Annotated[int, arg(help="megabytes of a request at most")] = 32
    upload: Annotated[int, arg(help="megabytes of an uploaded file at most")] = 256
    cors: Annotated[tuple[str, ...], arg(help="origins whose pages may call it from a browser")] = ()


def serve(args: list[str]) -> None:
    """Serve a store over HTTP: foretell serve --data DIR [--host ADDRESS] [--port PORT]."""
    flags = _parse(Serve, args, "serve")
    if flags.rate < 0 or flags.body < 1 or flags.upload < 1:
        raise Usage("rate, body and upload cannot be negative, and body and upload not 0")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a request must not start a download
    from foretell.search.extra import needed

    for module in ("fastapi", "uvicorn", "orjson", "prometheus_client", "google.protobuf"):
        needed(module)
    from foretell.search import Store, keys
    from foretell.search.serve.app import serve as run
    from foretell.search.serve.settings import Settings

    settings = Settings(flags.rate, flags.body << 20, flags.upload << 20, flags.cors)
    with contextlib.closing(Store(flags.data)) as store:
        if not any(key.revoked is None for key in keys.every(store)):
            print(
                f"foretell: there is no key yet, so only public knowledges can be read: "
                f"foretell keys create NAME --scope write --store {flags.data}",
                file=sys.stderr,
            )
        run(store, flags.host, flags.port, settings)


@dataclass(frozen=True)
class KeysCreate:
    """Make a key and print it; it cannot be had again."""

    name: Annotated[Positional[str], arg(help="what the key is called", metavar="NAME")]
    store: Annotated[Path, arg(help="folder of the store", aliases=["--data"])]
    scope: Annotated[
        Literal["read", "write", "admin"], arg(help="what it allows: its owner's knowledges, or (admin) everyone's")
    ] = "read"
    owner: Annotated[str, arg(help="whose knowledges it reaches; by default those made here without --owner")] = ""


@dataclass(frozen=True)
class KeysList:
    """List the keys of a store, the revoked ones too."""

    store: Annotated[Path, arg(help="folder of the store", aliases=["--data"])]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False


@dataclass(frozen=True)
class KeysRevoke:
    """Let a key open nothing from now on."""

    name: Annotated[Positional[str], arg(help="what the key is called", metavar="NAME")]
    store: Annotated[Path, arg(help="folder of the store", aliases=["--data"])]


KEYS = {"create": KeysCreate, "list": KeysList, "revoke": KeysRevoke}


def keys(args: list[str]) -> None:
    """API keys of a store that is served: foretell keys create|list|revoke."""
    from foretell.search import Store
    from foretell.search import keys as of

    action = _first(args, "keys", "COMMAND", {name: _summary(schema) for name, schema in KEYS.items()})
    flags = _parse(KEYS[action], args[1:], f"keys {action}")
    with contextlib.closing(Store(flags.store, create=action == "create")) as store:
        match flags:
            case KeysCreate() as f:
                print(of.create(store, f.name, f.owner, f.scope))
            case KeysList() as f:
                every = of.every(store)
                if f.json:
                    print(json.dumps([asdict(key) for key in every], indent=2))
                elif every:
                    state = {key.name: f"revoked {key.revoked}" if key.revoked else "" for key in every}
                    print(_table({k.name: f"{k.scope:<6} {k.owner!r}  {k.created}  {state[k.name]}" for k in every}))
            case KeysRevoke() as f:
                of.revoke(store, f.name)


def _changes(words: Sequence[str]) -> dict[str, float] | None:
    """`brightness=0.6` and the like."""
    changes = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            changes[name] = float(value)
        except ValueError:
            raise Usage(f"imagine is {word!r}, expected PARAMETER=NUMBER, such as brightness=0.6") from None
    return changes or None


@dataclass(frozen=True)
class Scenes:
    """Write scenes with physics as video files and film strips, with a record of every factor."""

    out: Annotated[Path, arg(help="folder for the videos, strips and records")]
    n: Annotated[int, arg(help="clips, or pairs (an even number)")] = 16
    pairs: Annotated[
        str | None,
        arg(
            help="pairs of possible and impossible clips: permanence, shape, colour, continuity, solidity, gravity, "
            "support, inertia, collision, or all"
        ),
    ] = None
    hidden: Annotated[bool, arg(help="pairs whose violation happens behind a screen")] = False
    size: Annotated[int, arg(help="side of the picture in pixels, 16 or more; files show each four times as large")] = (
        64
    )
    frames: Annotated[int, arg(help="of a clip of two seconds, 8 or more")] = 16
    background: Annotated[Literal["constant", "colours", "textures"], arg(help="walls and floors")] = "constant"
    textures: Annotated[bool, arg(help="bodies, blocks and screens with patterns")] = False
    seed: int = 0


def scenes(args: list[str]) -> None:
    """Write scenes with physics to look at: foretell scenes --out DIR [--pairs PROPERTY] [--hidden] [--n N]."""
    from foretell.data.scenes import Variety, show

    flags = _parse(Scenes, args, "scenes")
    _empty(flags.out)
    written = show.write(
        flags.out,
        flags.n,
        flags.seed,
        property=flags.pairs,
        hidden=flags.hidden,
        size=flags.size,
        frames=flags.frames,
        variety=Variety(flags.background, flags.textures),
    )
    print(f"{len(written)} files in {flags.out}: {', '.join(path.name for path in written if path.suffix == '.png')}")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "demo": demo,
    "train": train,
    "evaluate": evaluate,
    "finetune": finetune,
    "imagine": imagine,
    "uncertainty": uncertainty,
    "surprise": surprise,
    "claims": claims,
    "models": models,
    "knowledge": knowledge,
    "serve": serve,
    "keys": keys,
    "scenes": scenes,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exits with 0, or with another status after one sentence on standard error."""
    name, *args = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        if name in ("-h", "--help"):
            print("foretell learns latent world models from images, and puts them to work.\n")
            print(_table({name: _summary(command) for name, command in COMMANDS.items()}))
            print("\n`foretell COMMAND --help` explains one.")
        elif name == "--version":
            print(__version__)
        elif name in COMMANDS:
            with _spoken():
                COMMANDS[name](args)
        else:
            raise Usage(f"{name!r} is not a command; there are {', '.join(COMMANDS)}")
    except ForetellError as error:
        print(f"foretell: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, Usage) else 1)
    except KeyboardInterrupt:
        print("foretell: interrupted", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def _spoken() -> Iterator[None]:
    """Warnings meant for a person, as one sentence on standard error."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, ForetellWarning):
            print(f"foretell: {message}", file=sys.stderr)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


class Usage(ForetellError):
    """The command's words are off; exit status 2."""


def _parse(schema: type[Parsed], args: list[str], prog: str, text: str | None = None) -> Parsed:
    """Parse flags; tyro's framed complaint becomes one sentence."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                schema,
                args=args,
                prog=f"foretell {prog}",
                description=text or inspect.getdoc(schema),
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.AvoidSubcommands),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise Usage(f"{_sentence(complaint.getvalue())} (see foretell {prog} --help)") from None


def _sentence(frame: str) -> str:
    """tyro's framed complaint in one sentence: its parts without the frame and the flags' help texts."""
    lines = (line.strip("│").rstrip() for line in frame.splitlines()[1:-1])
    text = dedent("\n".join(line if line.strip("─- ") else "" for line in lines))  # without the rules across it
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line:
            parts.append([])
        elif not line.startswith(" " * 5):  # help texts are indented deeper than what they are of
            parts[-1].append(line.strip())
    return "; ".join(" ".join(part) for part in parts if part and not part[0].startswith(("For full", "Argument")))


def _first(args: list[str], command: str, what: str, choices: dict[str, str]) -> str:
    """The leading word of a command, which decides its flags."""
    if args[:1] in (["-h"], ["--help"]):
        print(f"usage: foretell {command} {what} [flags]\n\n{_table(choices)}\n")
        print(f"`foretell {command} {what} --help` lists the flags.")
        sys.exit(0)
    if not args or args[0] not in choices:
        found = f"{args[0]!r} is not one" if args else "none is given"
        raise Usage(f"{command} needs a {what} first, and {found}; there are {', '.join(choices)}")
    return args[0]


def _empty(folder: Path) -> None:
    """Refuse to write over what somebody made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ForetellError(f"{folder} is not an empty folder: choose another --out")


def _summary(thing: Callable[..., object]) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())
