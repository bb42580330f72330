"""The command ``symphony``: train a model, let it compose, and measure what it copied.

``symphony COMMAND --help`` explains each. Bad input ends with one sentence and exit code 2;
Ctrl-C with 130, and nothing lost.
"""

from __future__ import annotations

import sys

from symphony.errors import SymphonyError

__all__ = ["main"]


def main() -> None:
    """Run the command; see the module's docstring for how it ends."""
    try:
        from symphony.cli.app import app
        from symphony.cli.commands import add_controls

        add_controls(sys.argv[1:])
        app.cli(prog="symphony", description=__doc__)
    except SymphonyError as error:
        print(f"symphony: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("symphony: stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
