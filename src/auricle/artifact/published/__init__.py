"""Published checkpoints: what there is, where it is, how it is read. Importing imports no torch."""

from auricle.artifact.published.base import Published
from auricle.core.registry import Registry

PUBLISHED: Registry[Published] = Registry(
    "published checkpoint", __name__, ("panns", "efficientat", "speakers", "transformers")
)
"""By name, such as `panns/cnn14`."""
