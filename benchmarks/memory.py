"""Memory of processes over minutes: sampled from outside, told as a level and a slope with its uncertainty.

The first minute is left out: what is made once (caches, the first seal) is not growth. Neighbouring samples are not
independent, so the slope is fitted to means of ten seconds. Used by `bench_ingest.py` and `bench_up.py`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

_EVERY_SECONDS = 1.0
_BEGIN_SECONDS = 60.0
_BLOCK_SECONDS = 10.0
#: The 97.5% quantile of Student's t for 16 degrees of freedom: 18 blocks of the last three minutes, two parameters.
_T = 2.12

Samples = list[tuple[float, float]]


class Line(NamedTuple):
    """The median of each minute and the highest sample in MiB; MiB a minute with half the width of its 95% interval."""

    minutes: list[float]
    most: float
    slope: float
    margin: float

    def told(self) -> str:
        """For the table."""
        minutes = ", ".join(f"{mib:,.0f}" for mib in self.minutes)
        return f"by minute {minutes} MiB, at most {self.most:,.0f}; {self.slope:+.1f} ± {self.margin:.1f} MiB/min"


@contextmanager
def sampled(pids: Mapping[str, int]) -> Iterator[dict[str, Samples]]:
    """Samples of each process while it lasts: seconds since the beginning, MiB."""
    found: dict[str, Samples] = {name: [] for name in pids}
    closing = threading.Event()

    def look() -> None:
        begin = time.monotonic()
        while not closing.wait(_EVERY_SECONDS):
            for name, pid in pids.items():
                found[name].append((time.monotonic() - begin, resident_mib(pid)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        closing.set()
        thread.join()


def line(samples: Sequence[tuple[float, float]]) -> Line:
    """The minutes, and the slope after the first one, by least squares."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for at, mib in samples:
        if at >= _BEGIN_SECONDS:
            blocks.setdefault(int(at / _BLOCK_SECONDS), []).append((at / 60, mib))
    whole = [block for block in blocks.values() if len(block) > _BLOCK_SECONDS / _EVERY_SECONDS / 2]
    points = [(fmean(at for at, _ in block), fmean(mib for _, mib in block)) for block in whole]
    middle, level = (fmean(part) for part in zip(*points, strict=True))
    spread = sum((x - middle) ** 2 for x, _ in points)
    slope = sum((x - middle) * (y - level) for x, y in points) / spread
    rest = sum((y - level - slope * (x - middle)) ** 2 for x, y in points)
    margin = _T * (rest / (len(points) - 2) / spread) ** 0.5
    minutes: dict[int, list[float]] = {}
    for at, mib in samples:
        minutes.setdefault(int(at / 60), []).append(mib)
    medians = [median(each) for each in minutes.values() if len(each) > 1]
    return Line(medians, max(mib for _, mib in samples), slope, margin)


def resident_mib(pid: int) -> float:
    """What a process holds in memory now, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
