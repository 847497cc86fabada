"""Runs the benches and prints the Markdown that the README shows.

`python -m benchmarks [NAME ...] [--scale 0.1]`: each bench runs in a process of its own, so that its peak memory is its
own. Exit code 1 if one of them fails.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Scale, Table, machine, peak_mib, progress


def names() -> list[str]:
    """The benches there are, by name."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def run_here(name: str, scale: Scale) -> str:
    """The Markdown of one bench, run in this process."""
    table: Table = importlib.import_module(f"benchmarks.bench_{name}").run(scale)
    table.peak_mib = table.peak_mib or peak_mib()
    return table.markdown()


def main() -> int:
    """Run the benches that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())}")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the inputs in parts of the full size")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    if arguments.here:
        print(run_here(arguments.names[0], Scale(factor=arguments.scale)))
        return 0
    scaled = "" if arguments.scale == 1 else f", inputs at {arguments.scale} of the full size"
    print(f"Measured on {machine()}{scaled}.\n", flush=True)
    failed = False
    for name in arguments.names or names():
        progress(f"bench {name}")
        command = [sys.executable, "-m", "benchmarks", name, "--here", "--scale", str(arguments.scale)]
        failed |= subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
