"""ESC-10: the ten classes of ESC-50 that have a free licence; see `auricle.data.readers.esc50`.

Out of the archive of ESC-50 it is read with `--data.reader esc10`; by itself only its own old
layout, the folders `001 - Dog bark` to `010 - Fire crackling`, is taken for it.
"""

from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.esc50 import CITATION, HOME, EscReader

READERS.add(
    "esc10",
    EscReader(
        About(
            "ESC-10: the ten classes of ESC-50 under a free licence, out of the same archive",
            licence="CC BY 3.0",
            citation=CITATION,
            home=HOME,
            totals={"clips": 400, "classes": 10},
        ),
        only_esc10=True,
    ),
)
