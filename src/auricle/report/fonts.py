"""Fonts that hold the scripts in which people name their classes."""

# Families that hold scripts which matplotlib's own font lacks, where they are installed.
_OTHER_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Arial")


def installed_fonts() -> list[str]:
    """Return matplotlib's own font and those of other scripts that are installed."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_FONTS if name in installed)]
