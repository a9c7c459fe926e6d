"""`python -m auricle`, which torchrun needs."""

import sys

from auricle.cli import main

if __name__ == "__main__":
    sys.exit(main())
