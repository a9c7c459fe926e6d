"""The one place that talks to the C library: freed memory is kept, not handed back.

By default glibc maps every large tensor afresh and unmaps it when it is freed, so that each step
of training or scoring pays for hundreds of thousands of page faults: a quarter of a Cnn10 step in
fp32, a third of its prediction.
"""

import ctypes
import sys

# Numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_PAD_BYTES = 2**28


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next tensor; return whether it does.

    Holds for the whole process, whose memory then stays at its highest until it ends. Where the C
    library is another one nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _PAD_BYTES))
    taken = [mallopt(name, value) == 1 for name, value in settings]
    return all(taken)
