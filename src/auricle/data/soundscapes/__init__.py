"""Soundscapes: labelled events placed into backgrounds, with labels that are exact to a sample.

After Scaper (Salamon, MacConnell, Cartwright, Li and Bello, "Scaper: A Library for Soundscape
Synthesis and Augmentation", WASPAA 2017) and the synthetic part of DESED (Turpault et al., DCASE
2019): every figure of a soundscape is drawn, kept in its record, and decides it. What differs:

- An event's signal-to-noise ratio is that of its mean power to the mean power of the background
  over the event's own extent, not to that of the whole background; levels are RMS, not LUFS.
- An event begins and ends where it is heard: what is more than `trim_db` below its loudest 10 ms is
  cut from both ends before it is placed.
- Pitch is changed by resampling, and with it the event's length.

A soundscape depends on the seed, its number, the configuration and the sounds alone, not on which
worker makes it or on how many there are.
"""

from auricle.data.soundscapes.folder import MixReport, mix_folder
from auricle.data.soundscapes.mixer import MixConfig, Mixed, Mixer, Source, sources_of
from auricle.data.soundscapes.record import Soundscape, audible, render

__all__ = [
    "MixConfig",
    "MixReport",
    "Mixed",
    "Mixer",
    "Soundscape",
    "Source",
    "audible",
    "mix_folder",
    "render",
    "sources_of",
]
