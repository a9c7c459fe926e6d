"""Read the tensors out of a checkpoint of another program, and never run code in it."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from auricle.core.errors import ArtifactError

WRAPPERS = ("model", "state_dict", "model_state_dict")
"""Keys under which programs keep the state dict beside their own notes: audioset_tagging_cnn
(`pytorch/main.py`: iteration, model, sampler), PyTorch Lightning, the PyTorch tutorial."""

_HEAD_BYTES = 512
_FORBIDDEN = re.compile(r"GLOBAL (\S+)")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the state dict in the checkpoint at `path`, on the processor.

    It may be wrapped (`WRAPPERS`), and its keys may begin with `module.` (DataParallel): both
    are taken off. Raises `ArtifactError` for a file that is not there, is a Git-LFS pointer or a
    web page, is cut short, holds code, or holds anything but tensors. Nothing in it is executed.
    """
    _refuse_other_files(path)
    content = _load(path)
    for _ in WRAPPERS:
        inner = next((content[key] for key in WRAPPERS if _is_mapping(content, key)), None)
        if inner is None:
            break
        content = inner
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        found = f"'{strange[0]}' is no tensor" if strange else "it is empty"
        raise ArtifactError(
            f"{path} holds no state dict ({found}). Save one with: "
            "torch.save(network.state_dict(), PATH)"
        )
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return dict(content)


def _is_mapping(content: Mapping[str, Any], key: str) -> bool:
    return isinstance(content.get(key), Mapping)


def _refuse_other_files(path: Path) -> None:
    """Raise for files that are no checkpoint, each by its name."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise ArtifactError(f"{path} is empty: fetch it again")
    if head.startswith(b"version https://git-lfs"):
        raise ArtifactError(
            f"{path} is a Git-LFS pointer, not the weights it points to: run 'git lfs pull' in its "
            "repository, or download the file itself"
        )
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ArtifactError(
            f"{path} is a web page, not weights: the address gave a page instead of the file. "
            "Fetch it again with the address of the file itself"
        )
    if path.suffix == ".pdparams":
        raise ArtifactError(
            f"{path} is PaddlePaddle's format, a pickle that torch's safe reader does not take: "
            "nothing in it was executed. The same networks are published as panns/cnn6, "
            "panns/cnn10 and panns/cnn14"
        )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return load_file(str(path))
        with warnings.catch_warnings(), torch.serialization.safe_globals(_arrays_of_numbers()):
            warnings.simplefilter("ignore")  # of pickles that no torch wrote
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, ValueError, KeyError,
        IndexError, TypeError, AttributeError, OverflowError, UnicodeDecodeError, OSError,
    ) as error:  # fmt: skip
        raise ArtifactError(_what_is_wrong(path, error)) from None
    if not isinstance(content, Mapping):
        raise ArtifactError(
            f"{path} holds a {type(content).__name__}, not the state dict of a network. Save one "
            "with: torch.save(network.state_dict(), PATH)"
        )
    return content


def _what_is_wrong(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())
    forbidden = _FORBIDDEN.search(reason)
    if forbidden:
        return (
            f"{path} holds code ({forbidden[1]}) beside its weights; nothing in it was executed, "
            "and it is not loaded. Where you trust it, load it in the program that wrote it and "
            "save its state dict alone: torch.save(network.state_dict(), PATH)"
        )
    # In place of torch's advice on how to run it all the same, and of its talk of the zip library.
    if isinstance(error, (pickle.UnpicklingError, EOFError)) or "PytorchStreamReader" in reason:
        reason = "it is damaged, cut short or none"
    return (
        f"{path} is no whole checkpoint ({reason[:120] or type(error).__name__}); nothing in it "
        "was executed. If it was downloaded, fetch it again"
    )


def _arrays_of_numbers() -> list[Any]:
    """What arrays of numbers are pickled with: some PANNs files keep the sampler's order."""
    from numpy._core.multiarray import _reconstruct, scalar

    kinds = {type(np.dtype(kind)) for kind in (np.int64, np.int32, np.float32, np.float64, bool)}
    old = [(_reconstruct, "numpy.core.multiarray._reconstruct")]
    old += [(scalar, "numpy.core.multiarray.scalar")]
    return [*old, _reconstruct, scalar, np.ndarray, np.dtype, *kinds]
