# SPDX-License-Identifier: BSL-1.0
"""A figure: what it is, which way is better, how it is printed."""

import re
from typing import NamedTuple, Optional


class Figure(NamedTuple):
    """A metric, and what the process used of the machine meanwhile."""

    value: float
    unit: str
    cpu: Optional[float] = None  # seconds: of the whole program; of a server, under this load
    peak: Optional[float] = None  # MiB resident, at most, since it was started


def more_is_better(metric):
    return re.search(r"rate$|ticks$", metric) is not None


def number(value):
    return "-" if value is None else f"{value:.4g}" if value < 1e4 else f"{value:.0f}"
