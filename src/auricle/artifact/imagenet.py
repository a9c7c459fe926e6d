"""Weights of ImageNet for networks that read pictures, fetched when training begins."""

from pathlib import Path

from auricle.artifact.hub import hub_file
from auricle.artifact.published.reading import read_tensors
from auricle.core.download import DownloadError, cache_folder, download
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.reporting import Reporter
from auricle.models.base import SoundModel
from auricle.models.image import ImageNetwork


def load_imagenet(model: SoundModel, *, reporter: Reporter | None = None) -> None:
    """Give a network for pictures the weights of ImageNet, if it is configured to begin with them.

    All layers but the last are filled; nothing pickled is executed. An artifact is rebuilt without
    this. Raises `ArtifactError` where the file cannot be had or does not fit, and says where to
    get it and where to put it; `ConfigError` where nobody published weights.
    """
    if not isinstance(model, ImageNetwork) or not model.imagenet:
        return
    source, name = model.imagenet_file()
    if "://" in source:
        path = _kept_or_fetched(source, name, reporter)
    else:
        found = hub_file(source, [name], reporter=reporter)
        assert found is not None  # only a folder may lack a file
        path = found
    weights = read_tensors(path)
    try:
        model.load_imagenet(weights)
    except (RuntimeError, ConfigError) as error:
        raise ArtifactError(
            f"{path} does not hold the weights of this network "
            f"({' '.join(str(error).split())[:300]}): delete the file to have it fetched anew, or "
            "leave --model.imagenet out"
        ) from None


def _kept_or_fetched(source: str, name: str, reporter: Reporter | None) -> Path:
    path = cache_folder() / "hub" / name
    if path.is_file():
        return path
    try:
        download(f"{source}/{name}", path, reporter=reporter)
    except DownloadError as error:
        raise ArtifactError(
            f"the weights of ImageNet are not on this machine and cannot be fetched ({error}). Get "
            f"{source}/{name} and put it into {path.parent}, or leave --model.imagenet out"
        ) from None
    return path
