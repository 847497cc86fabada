"""The engine's process of `up`: `python -m innkeeper.runtime.engine_process HOME PARENT`, started by `serve.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.runtime.live import serve_engine


def main() -> None:
    """Serve a home while the process PARENT lives; exits 1 with the reason when it cannot go on."""
    try:
        serve_engine(Path(sys.argv[1]), int(sys.argv[2]))
    except InnkeeperError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
