"""The methods by name. A method enters itself by a decorator, and the rest of the library then knows it.

    @register("rotation", RotationConfig)
    class Rotation(Method):
        ...

Methods come from three places:

- `foretell.methods`: every file of that package is imported, and its classes register.
- A file that somebody names: `foretell train path/to/rotation.py:Rotation --data …`, `--method` of any other command,
  or `from_file`. The file is run.
- An installed package, with an entry point in the group `foretell.methods`: the method's name -> `module:Class`. The
  module is imported when its method is requested by name.

No other module is ever run. A run's folder records where its method came from, and that record is only shown to people.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from foretell.errors import ForetellError, near
from foretell.method import Method

M = TypeVar("M", bound=Method)
GROUP = "foretell.methods"
"""The entry point group of packages that bring a method."""


class Registered(NamedTuple):
    """A method."""

    kind: type[Method]
    """The model's class. It is built from a configuration."""
    config: type
    """The dataclass of its configurations."""


METHODS: dict[str, Registered] = {}
"""Name -> the method. The name is what a saved model's config.json has. Fill it by importing `foretell.methods`."""
_recipes: dict[str, Callable[[], Any]] = {}


def register(name: str, config: type, *, recipe: Callable[[], Any] | None = None) -> Callable[[type[M]], type[M]]:
    """Enter a class into the methods.

    Args:
        name: its name in `foretell train` and config.json.
        config: the frozen dataclass that a model is built from. `foretell train` makes a flag of each field.
        recipe: gives the `Recipe` that `foretell train` starts from. Its docstring is the command's help. None for the
            defaults of the configuration and of the training.

    Raises:
        ForetellError: another class has the name.
    """

    def enter(kind: type[M]) -> type[M]:
        known = METHODS.get(name)
        if known and (known.kind.__module__, known.kind.__qualname__) != (kind.__module__, kind.__qualname__):
            taken = f"{known.kind.__module__}.{known.kind.__qualname__}"
            raise ForetellError(f"the method {name!r} is {taken} already: register {kind.__qualname__} by another name")
        METHODS[name] = Registered(kind, config)
        if recipe is not None:
            _recipes[name] = recipe
        return kind

    return enter


def find(name: str) -> Registered | None:
    """The method of that name, also of an installed package; None where there is none.

    Raises:
        ForetellError: the package that has it cannot be imported, or does not register it.
    """
    if name not in METHODS and (point := packaged().get(name)):
        package = _package(point)
        try:
            point.load()
        except Exception as error:  # a foreign module can raise any error
            raise ForetellError(f"the method {name!r} of package {package} cannot be imported: {error}") from error
        if name not in METHODS:
            raise ForetellError(
                f"package {package} has an entry point {name!r}, but {point.value} does not register a method of that "
                f'name: decorate it with @foretell.registry.register("{name}", …)'
            )
    return METHODS.get(name)


def packaged() -> dict[str, EntryPoint]:
    """Name -> entry point of each method of an installed package; nothing is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def from_file(place: str) -> str:
    """Run a file that registers a method.

    Args:
        place: `path/to/file.py:Name`, Name that of the class.

    Returns:
        The method's name.

    Raises:
        ForetellError: there is no such file or class, the file fails, or the class is not registered.
    """
    file, _, wanted = place.rpartition(":")
    path = Path(file).expanduser().resolve()
    if path.suffix != ".py" or not wanted.isidentifier():
        raise ForetellError(f"{place!r} is not the place of a method, expected path/to/file.py:Name")
    if not path.is_file():
        raise ForetellError(f"{place}: there is no file {path}")
    module = f"foretell_method_{path.stem}_{crc32(str(path).encode()):08x}"
    if module not in sys.modules:
        spec = spec_from_file_location(module, path)
        if spec is None or spec.loader is None:
            raise ForetellError(f"{path} cannot be imported as a module of Python")
        sys.modules[module] = made = module_from_spec(spec)  # dataclasses look their module up
        try:
            spec.loader.exec_module(made)
        except Exception as error:
            del sys.modules[module]
            for name in [name for name, entry in METHODS.items() if entry.kind.__module__ == module]:
                del METHODS[name]
            known = isinstance(error, ForetellError)
            reason = str(error) if known else f"it fails with {type(error).__name__}: {error}"
            raise ForetellError(f"{path}: {reason}") from error
    for name, entry in METHODS.items():
        if (entry.kind.__module__, entry.kind.__qualname__) == (module, wanted):
            return name
    if wanted not in vars(sys.modules[module]):
        raise ForetellError(f"{path} has no {wanted}")
    raise ForetellError(f"{path}: {wanted} is not registered: decorate it with @foretell.registry.register")


def is_place(word: str) -> bool:
    """Whether a word is the place of a method in a file, and not a name."""
    return word.rpartition(":")[0].endswith(".py")


def recipe_of(name: str) -> Callable[[], Any] | None:
    """The function that gives the `foretell.recipes.Recipe` of a registered method."""
    return _recipes.get(name)


def source(name: str) -> str | None:
    """The source of a method: `/path/to/file.py:Name` or `package NAME`; None where it comes with foretell."""
    kind = METHODS[name].kind
    module = kind.__module__
    if module.partition(".")[0] == "foretell":
        return None
    point = packaged().get(name)
    if point and point.module == module:
        return f"package {_package(point)}"
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{file}:{kind.__qualname__}" if file else None


def unknown(name: object, source: object = None) -> str:
    """A sentence about a method that is not known.

    Args:
        name: the method's name, as a file has it.
        source: the method's source, from a run's config.json. It is shown, and never run.
    """
    if not isinstance(source, str):
        known = (*METHODS, *packaged())
        return f"method is {name!r}, expected one of {', '.join(known)}{near(str(name), known)}"
    missing = f"method is {name!r}, which is not known here; it came from {source}"
    if source.startswith("package "):
        return f"{missing}: install that package"
    python = f'(in Python: foretell.registry.from_file("{source}"))'
    return f"{missing}: if you trust that file, add --method {source} {python}"


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module
