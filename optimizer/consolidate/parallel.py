"""The same work on many parts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


class Spread(Protocol):
    """As `map`: the results in the order of the parts."""

    def __call__(self, work: Callable[[Part], Result], parts: Iterable[Part], /) -> Iterator[Result]: ...


@contextmanager
def side_by_side(workers: int) -> Iterator[Spread]:
    """`map` over so many threads; over none of its own for one."""
    if workers == 1:
        yield map
        return
    with ThreadPoolExecutor(workers) as threads:
        yield threads.map
