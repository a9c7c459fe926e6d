"""Registries: a part is one file and one line.

A registry knows the names of the modules that register parts and imports them on first use,
so that listing a room's modules costs nothing and importing a room loads no part.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Generic, TypeVar

from auricle.core.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one kind by name.

    `modules` are imported, relative to `package`, when a name is first looked up. Raises
    `UnknownName`, naming the nearest known name, for a name that nobody registered.
    """

    def __init__(self, kind: str, package: str, modules: tuple[str, ...]) -> None:
        self.kind = kind
        self._package = package
        self._modules = modules
        self._loaded = False
        self._parts: dict[str, T] = {}

    def add(self, name: str, part: T) -> T:
        """Register `part` under `name`; a name can be taken once."""
        if name in self._parts:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._parts[name] = part
        return part

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of `add`."""
        return lambda part: self.add(name, part)

    def __getitem__(self, name: object) -> T:
        self._load()
        # Names come out of YAML and JSON, where they may be anything.
        if not isinstance(name, str) or name not in self._parts:
            raise unknown_name(self.kind, str(name), self._parts)
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._parts))

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._parts

    def __len__(self) -> int:
        self._load()
        return len(self._parts)

    def _load(self) -> None:
        if not self._loaded:
            for module in self._modules:
                import_module(f"{self._package}.{module}")
            self._loaded = True
