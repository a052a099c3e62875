"""Memory between the steps of a training. No torch: the ``lessons`` command imports this."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them


def keep_freed_memory() -> None:
    """Let malloc keep what is freed, up to 1 GB, for the next request. Does nothing without glibc (Linux).

    Each training step asks for the same tens of megabytes and frees them again. If they go back to the
    system in between, the next step pays a page fault for every 4 kB that it touches. Blocks above 32 MB, the
    largest limit that malloc takes, go back all the same. Source: ``man mallopt``.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_TRIM_THRESHOLD, 2**30)
    mallopt(M_MMAP_THRESHOLD, 2**25)
