"""What is known of a published checkpoint. Importing this imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from auricle.core.audioset import audioset_labels
from auricle.core.config import Tree, merge
from auricle.core.download import Checksum
from auricle.core.types import Label


@dataclass(frozen=True)
class Published:
    """A file that somebody published, and the network and front-end that it was made with.

    `model` is a preset, `options` further keys of the model section; the front-end is the
    preset's own. `labels` names the list that its scores go by (None: it gives embeddings only,
    or its classes are not of sound). `figure` is what was published of it, `figure_source`
    where. `checksum` and `size_bytes` are None where nobody states them, `facts` says who does.
    `layout` is `transformers` for a repository on the hub, whose name is the published name; else
    `url` is a file, a state dict as torch saves it. `verified` says whether this very file was
    ever loaded here, not only its layout.
    """

    model: str
    file: str
    url: str
    licence: str
    facts: str
    labels: Literal["audioset"] | None = None
    figure: str = ""
    figure_source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    checksum: Checksum | None = None
    size_bytes: int | None = None
    layout: Literal["torch", "transformers"] = "torch"
    verified: bool = False

    @property
    def model_section(self) -> Tree:
        """The model section of a configuration that builds its network."""
        return merge({"name": self.model}, self.options)

    def label_list(self) -> tuple[Label, ...] | None:
        """Return the labels of its scores, in their order."""
        return audioset_labels() if self.labels == "audioset" else None
