"""The page of `auricle data check`: every suspect with its picture and a player.

One HTML file that needs nothing else: sounds and pictures lie inside it as data. Whatever comes
from the data set (names of files, labels, messages of decoders) is escaped, and the page forbids
scripts and outside resources to itself.
"""

import base64
import html
import io
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import soundfile

from auricle.audio import load, resample
from auricle.audio.spectrogram import log_mel_spectrogram
from auricle.core.errors import AuricleError
from auricle.core.reporting import one_line
from auricle.core.types import Clip, Waveform
from auricle.core.units import format_duration
from auricle.core.writing import write_text
from auricle.data.check import SEVERITIES, CheckReport, Finding
from auricle.data.manifest import Manifest

PREVIEW_S = 6.0
"""How much of a clip can be heard inside the page."""
MOST_SUSPECTS = 500
MOST_CLIPS = 6
"""How many clips of one suspect are shown side by side."""

_PREVIEW_HZ = 24000
_COLUMNS, _BANDS = 200, 48
_RANGE_DB = 70.0
_MEGABYTE = 1_000_000


def write_check_page(
    path: str | Path,
    report: CheckReport,
    manifest: Manifest,
    *,
    title: str = "data check",
    link: bool = False,
    most_mb: float = 40.0,
) -> int:
    """Write the findings of a check as one HTML page, the worst first; return the sounds in it.

    The first `PREVIEW_S` seconds of a clip are embedded, until the page holds `most_mb` megabytes
    of sound and pictures; later suspects are listed without. With `link` the players take the files
    themselves, by paths relative to the page: a small page that must stay where it is. A clip that
    cannot be decoded is listed with its reason. Raises `WriteError`.
    """
    page = _Page(Path(path), manifest, link, most_mb * _MEGABYTE)
    suspects = list(_suspects(report.findings))
    sections = [page.section(suspect) for suspect in suspects[:MOST_SUSPECTS]]
    left_out = len(suspects) - len(sections)
    more = f"<p>and {left_out:,} more, which the JSON report has</p>" if left_out > 0 else ""
    text = _FRAME.format(
        title=_escape(title),
        policy=_POLICY_LINKED if link else _POLICY,
        style=_STYLE,
        summary=_summary(report),
        kinds=_kinds(report.findings),
        sections="\n".join(sections) or "<p>Nothing was found.</p>",
        more=more,
    )
    write_text(path, text)
    return page.sounds


@dataclass(frozen=True)
class _Suspect:
    """Findings about the same clips, shown together."""

    findings: list[Finding] = field(default_factory=list)


def _suspects(findings: Sequence[Finding]) -> Iterator[_Suspect]:
    """Gather findings about the same clips, each where its worst one stands."""
    gathered: dict[object, _Suspect] = {}
    for number, finding in enumerate(findings):
        key = finding.rows or finding.paths or number
        gathered.setdefault(key, _Suspect()).findings.append(finding)
    yield from gathered.values()


class _Page:
    """What is shared by the sections: where the page lies, and how much room is left in it."""

    def __init__(self, path: Path, manifest: Manifest, link: bool, room_bytes: float) -> None:
        self.folder = path.absolute().parent
        self.manifest = manifest
        self.link = link
        self.room_bytes = room_bytes
        self.sounds = 0
        self.anchored: set[str] = set()

    def section(self, suspect: _Suspect) -> str:
        """Return a suspect as HTML."""
        lines = "".join(
            f'<p><b class="{one.severity}">{one.severity}: {one.kind.replace("_", " ")}</b> '
            f"{_escape(one.detail)}</p>"
            for one in suspect.findings
        )
        first = suspect.findings[0]
        if first.rows:
            cards = [self.card(self.manifest.clips[row]) for row in first.rows[:MOST_CLIPS]]
        else:
            cards = [f"<figure>{_name(path)}</figure>" for path in first.paths[:MOST_CLIPS]]
        more = len(first.rows or first.paths) - len(cards)
        rest = f"<p>and {more:,} more clips</p>" if more > 0 else ""
        new = {one.kind: None for one in suspect.findings if one.kind not in self.anchored}
        self.anchored.update(new)
        anchors = "".join(f'<a id="{kind}"></a>' for kind in new)
        return f'<section>{anchors}{lines}<div class="clips">{"".join(cards)}</div>{rest}</section>'

    def card(self, clip: Clip) -> str:
        """Return one clip as HTML: name, labels, picture, player."""
        facts = [("labels", ", ".join(clip.labels)), ("split", clip.split), ("fold", clip.fold)]
        facts += [("group", clip.group), ("stretch", _stretch(clip))]
        words = " · ".join(f"{name}: {_escape(value)}" for name, value in facts if value)
        return f"<figure>{_name(clip.path)}<p>{words}</p>{self.sound(clip)}</figure>"

    def sound(self, clip: Clip) -> str:
        """Return the picture and the player of a clip, or why there is none."""
        if self.room_bytes <= 0:
            return "<p>not embedded: the page is full</p>"
        try:
            duration_s = _shown_s(clip)
            sound = load(clip.path, offset_s=clip.onset_s, duration_s=duration_s)
            picture = _data("image/png", _picture(sound))
            # What lies inside a pack is no file that a browser could play.
            linked = self.link and os.path.isfile(clip.path)
            player = self._linked(clip) if linked else _data(*_preview(sound))
        except (AuricleError, OSError, soundfile.SoundFileError):
            return "<p>it cannot be decoded</p>"
        self.room_bytes -= len(picture) + len(player)
        self.sounds += 1
        return (
            f'<img src="{picture}" alt="spectrogram" width="{_COLUMNS}" height="{2 * _BANDS}">'
            f'<audio controls preload="none" src="{player}"></audio>'
        )

    def _linked(self, clip: Clip) -> str:
        try:
            path = os.path.relpath(os.path.abspath(clip.path), self.folder)
        except ValueError:  # another drive
            path = os.path.abspath(clip.path)
        end = "" if clip.offset_s is None else f",{clip.offset_s:g}"
        part = f"#t={clip.onset_s:g}{end}" if clip.onset_s or end else ""
        # "./": a name such as "data:x" must not be read as a scheme.
        address = quote(os.fsencode(path.replace(os.sep, "/")))
        return html.escape(f"{'' if os.path.isabs(path) else './'}{address}{part}", quote=True)


def _shown_s(clip: Clip) -> float:
    whole_s = np.inf if clip.offset_s is None else clip.offset_s - clip.onset_s
    return min(PREVIEW_S, whole_s)


def _stretch(clip: Clip) -> str:
    if not clip.onset_s and clip.offset_s is None:
        return ""
    end = "the end" if clip.offset_s is None else f"{clip.offset_s:g}"
    return f"{clip.onset_s:g} to {end} s"


def _name(path: str) -> str:
    folder, name = os.path.split(path)
    return f'<figcaption title="{_escape(path)}">{_escape(name or folder)}</figcaption>'


def _escape(text: str) -> str:
    return html.escape(one_line(text), quote=True)


def _summary(report: CheckReport) -> str:
    counts = [f"{len([one for one in report.findings if one.severity == severity]):,} {severity}s"
              for severity in SEVERITIES]  # fmt: skip
    rates = ", ".join(f"{rate} Hz ({count:,})" for rate, count in report.sample_rates.items())
    return _escape(
        f"{report.clips:,} clips, {format_duration(report.duration_s)} in all, median "
        f"{format_duration(report.median_s)}; {rates}. Found: {', '.join(counts)}."
    )


def _kinds(findings: Sequence[Finding]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
    return " ".join(
        f'<a href="#{kind}">{kind.replace("_", " ")} ({count:,})</a>'
        for kind, count in counts.items()
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _preview(sound: Waveform) -> tuple[str, bytes]:
    """Encode a sound small: MP3, which every browser plays, else WAV."""
    rate = min(_PREVIEW_HZ, sound.sample_rate)
    samples = resample(sound.samples, sound.sample_rate, rate).clip(-1, 1)
    content = io.BytesIO()
    if "MP3" in soundfile.available_formats() and rate in _MP3_RATES_HZ:
        soundfile.write(content, samples, rate, format="MP3", compression_level=0.5)
        return "audio/mpeg", content.getvalue()
    soundfile.write(content, samples, rate, format="WAV", subtype="PCM_16")
    return "audio/wav", content.getvalue()


_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000)


def _picture(sound: Waveform) -> bytes:
    """Return the spectrogram of a sound as PNG, from its loudest 70 dB down."""
    level_db = log_mel_spectrogram(sound.samples, sound.sample_rate, bands=_BANDS, columns=_COLUMNS)
    depth = (level_db - level_db.max()) / _RANGE_DB + 1
    return _png(np.rint(255 * depth.clip(0, 1)).astype(np.uint8)[::-1])


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode `(height, width)` of palette indices as PNG (W3C PNG, 2nd edition)."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # filter 0: none
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", _palette().tobytes()),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)),
            chunk(b"IEND", b""),
        )
    )


def _palette() -> npt.NDArray[np.uint8]:
    """Return 256 colours from black over violet and orange to white."""
    stops = np.array([[0, 0, 8], [70, 20, 110], [190, 55, 85], [250, 160, 60], [255, 255, 225]])
    at = np.linspace(0, len(stops) - 1, 256)
    columns = [np.interp(at, np.arange(len(stops)), stops[:, colour]) for colour in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)


_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
_POLICY_LINKED = _POLICY.replace("media-src data:", "media-src data: 'self' file:")

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
nav a { margin-right: 1em; white-space: nowrap; }
section { border-top: 1px solid #8888; padding: .6em 0 1em; }
section p { margin: .3em 0; overflow-wrap: anywhere; }
.clips { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: .4em 0; width: 250px; font-size: 13px; }
figcaption { font-weight: 600; overflow-wrap: anywhere; }
img { width: 100%; height: 96px; image-rendering: pixelated; border-radius: 4px; }
audio { width: 100%; height: 36px; }
.error { color: #c62828; } .warning { color: #b26a00; } .note { color: #5b7083; }
"""

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
<nav>{kinds}</nav>
{sections}
{more}
</body>
</html>
"""
