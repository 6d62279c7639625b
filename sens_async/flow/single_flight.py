"""One call at a time for each key, shared by everyone who asks for it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from sens_async.errors import SessionClosed, copy_of

__all__ = ["SingleFlight"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Flight(Generic[V]):
    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[V]) -> None:
        self.task = task
        self.waiters = 0


class SingleFlight(Generic[K, V]):
    """Joins concurrent calls of equal key into one.

    The work runs in a task of its own: whoever asked first may be cancelled without failing the
    others, and only when nobody waits any more is the work cancelled too. Nothing is remembered:
    the first call after the work ended starts it anew.

    Args:
        name: For the tasks, as in `"upload"`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._flights: dict[K, _Flight[V]] = {}
        self._tasks: set[asyncio.Task[V]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<SingleFlight {self._name} in_flight={len(self._flights)}>"

    async def do(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """Wait for the call of `key` that is under way, or start it with `make`.

        Cancellation: ends this wait; the work goes on while others wait for it.

        Raises:
            SessionClosed: Closed before the work was done.
            Exception: What the work raised, a copy for each waiter, since raising one object
                from many tasks would pile up their tracebacks in it.
        """
        if self._is_closed:
            raise self._closed()
        flight = self._flights.get(key)
        if flight is None or flight.task.done():
            flight = self._start(key, make)
        flight.waiters += 1
        task = flight.task
        try:
            await asyncio.wait((task,))
        finally:
            flight.waiters -= 1
            if not flight.waiters and not task.done():
                task.cancel()
                self._forget(key, flight)
        if task.cancelled() and self._is_closed:
            raise self._closed()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise copy_of(error)
        return task.result()

    async def aclose(self) -> None:
        """Cancel all work and wait for its end; its waiters get `SessionClosed`."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, key: K, make: Callable[[], Awaitable[V]]) -> _Flight[V]:
        task = asyncio.create_task(_call(make), name=f"sens-async {self._name}")
        flight = _Flight(task)
        self._flights[key] = flight
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._ended(key, flight))
        return flight

    def _ended(self, key: K, flight: _Flight[V]) -> None:
        self._tasks.discard(flight.task)
        self._forget(key, flight)
        if not flight.task.cancelled():
            # Looked at even if all waiters are gone, or asyncio logs that nobody did.
            flight.task.exception()

    def _forget(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _closed(self) -> SessionClosed:
        return SessionClosed(f"the session was closed before its {self._name} was done")


async def _call(make: Callable[[], Awaitable[V]]) -> V:
    return await make()
