"""Layer 3: pictures from result files."""

from auricle.report.confusion import draw_confusion

__all__ = ["draw_confusion"]
