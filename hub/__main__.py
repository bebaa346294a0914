"""The command ``tocsin``, and ``python -m hub``."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from hub.cli.app import app


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal's encoding lacks is printed as an escape, never a crash.
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="tocsin")


if __name__ == "__main__":
    main()
