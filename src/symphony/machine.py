"""The code and the machine it runs on: what a card says of them, and Ctrl-C."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def mixed_seed(seed: int, step: int) -> int:
    """One seed of 32 bits from two numbers; torch's generators on a CPU read no more.

    The odd factor, 2³² divided by the golden ratio, keeps the steps of small seeds far apart.
    """
    return (seed * 2_654_435_769 + step) % 2**32


def versions() -> dict[str, str]:
    """Versions of the code, of Python, and of the libraries that decide what a run gives."""
    from symphony import __version__

    found = {"deep-symphony": __version__, "commit": commit(), "python": platform.python_version()}
    for name in ("torch", "numpy", "lightning-fabric", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # copied there rather than installed
            found[name] = "unknown"
    return {name: value for name, value in found.items() if value}


def commit() -> str:
    """``git describe`` of the checkout this code lies in; empty where there is none."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name],
            cwd=here,
            capture_output=True,
        )
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):  # no git
        return ""
    return done.stdout.strip() if tracked.returncode == 0 and done.returncode == 0 else ""


def processor() -> str:
    """How many cores of which processor."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):  # not Linux, or an Arm core that doesn't say
        pass
    return f"{os.cpu_count()} CPU cores, {name}"


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event set by Ctrl-C, so that a step is never cut in two; a second Ctrl-C ends at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
