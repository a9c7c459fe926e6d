"""Auricle: train, judge and run sound classifiers and sound event detectors.

The public names are resolved lazily, so that `import auricle` and `auricle.load("x.onnx")`
never touch torch.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = ("create_model", "evaluate", "export", "load", "train")

__all__ = ["__version__", "create_model", "evaluate", "export", "load", "train"]

if TYPE_CHECKING:
    from auricle.api import create_model, evaluate, export, load, train


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module("auricle.api"), name)
    raise AttributeError(f"module 'auricle' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
