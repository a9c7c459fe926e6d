"""CAM++: the context that its gates see."""

import pytest
import torch

from auricle.models.campplus import Segments


@pytest.mark.parametrize("frames", [1, 9, 10, 11, 20, 37])
def test_context_is_the_clips_mean_plus_the_segments(frames):
    """The last segment is averaged over its true length."""
    x = torch.randn(2, 3, 1, frames, generator=torch.Generator().manual_seed(0))
    segments = Segments(x, length=10)
    context = segments.spread(segments.context(x))
    of_segments = [part.mean(3, keepdim=True).expand_as(part) for part in x.split(10, dim=3)]
    torch.testing.assert_close(context, x.mean(3, keepdim=True) + torch.cat(of_segments, 3))
