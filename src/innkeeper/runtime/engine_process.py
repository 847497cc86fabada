"""The engine's process of `up`: `python -m innkeeper.runtime.engine_process HOME PARENT LOG`, started by `serve.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import structlog

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.runtime.live import serve_engine
from innkeeper.runtime.logs import Form, begin


def main() -> None:
    """Serve a home while the process PARENT lives; exits 1 with the reason in the log when it cannot go on."""
    begin(cast("Form", sys.argv[3]), "engine")
    try:
        serve_engine(Path(sys.argv[1]), int(sys.argv[2]))
    except InnkeeperError as error:
        # The code and the place; the message may name a customer.
        structlog.get_logger().error("engine cannot go on", action="end", reason=error.code, where=error.where)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
