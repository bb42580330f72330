"""Shared by the fuzz tests: how many cases, how bytes are spoilt, how long a case may take."""

import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest


@pytest.fixture
def cases():
    """How many cases to try: SYMPHONY_FUZZ, or what takes a test some seconds."""
    return lambda usual: int(os.environ.get("SYMPHONY_FUZZ") or usual)


@pytest.fixture
def spoil():
    """Spoils bytes in one to six places, as disks, editors and attackers do."""
    return spoilt


def spoilt(rng: np.random.Generator, data: bytes, others: tuple[bytes, ...] = ()) -> bytes:
    """Bytes changed, cut, doubled, moved; a number made extreme; a piece of another in between."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        if not out:
            break
        at = int(rng.integers(len(out)))
        size = int(min(2 ** rng.uniform(0, 8), len(out) - at))
        part = bytes(out[at : at + size])
        match rng.integers(8):
            case 0:
                out[at] ^= 1 << rng.integers(8)
            case 1:
                out[at : at + size] = rng.bytes(size)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = part * int(rng.integers(1, 4))
            case 4:
                out[at : at + size] = rng.choice([b"\x00", b"\xff", b"\x7f", b"\x80"]) * size
            case 5:
                to = int(rng.integers(len(out)))
                out[to : to + size] = part
            case 6:
                del out[at:]
            case 7:
                other = others[rng.integers(len(others))] if others else part
                start = int(rng.integers(max(len(other), 1)))
                out[at:at] = other[start : start + size]
    return bytes(out)


@pytest.fixture
def bounded():
    """A block that fails when it takes longer than so many seconds; for Unix."""

    @contextmanager
    def within(seconds):
        def late(*_):
            raise TimeoutError(f"longer than {seconds} s")

        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    return within
