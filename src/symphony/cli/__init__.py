"""The command ``symphony``: train a model, let it compose, and measure what it copied.

``symphony COMMAND --help`` explains each. Bad input ends with one sentence and exit code 2;
Ctrl-C with 130, and nothing lost.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Any, NoReturn

from symphony.errors import SymphonyError

__all__ = ["main"]


def main() -> None:
    """Run the command; see the module's docstring for how it ends."""
    for stream in (sys.stdout, sys.stderr):  # a name in signs that a terminal lacks ends nothing
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn  # type: ignore[assignment]
            _run()
        print(end="", flush=True)  # a full disk shows only now
    except SymphonyError as error:
        _end(2, str(error))
    except KeyboardInterrupt:
        _end(130, "stopped.")
    except BrokenPipeError:  # whoever read our output has read enough
        _silence()
        sys.exit(0)
    except OSError as error:
        if error.filename is not None:
            raise
        _silence()
        _end(2, f"the output can't be written: {error.strerror or error}.")


def _run() -> None:
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version

        print(version("deep-symphony"))
        return
    from symphony.cli.app import app
    from symphony.cli.commands import add_controls

    add_controls(sys.argv[1:])
    app.cli(prog="symphony", description=__doc__)


def _warn(message: Warning | str, *_: Any) -> None:
    """A warning as a sentence, without the line of code it came from."""
    print(f"symphony: {message}", file=sys.stderr)


def _end(code: int, why: str) -> NoReturn:
    print(f"symphony: {why}", file=sys.stderr)
    sys.exit(code)


def _silence() -> None:
    """Let the interpreter's last flush of standard output go nowhere, and not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
