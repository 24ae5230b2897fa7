"""PostgreSQL connections that give up a server that has gone silent.

The server's own time limits hold only while it runs: one whose machine is frozen, or whose network
has a hole, keeps a connection open and never answers.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import cache
from typing import Any, TypeVar

__all__ = ["connect_with_patience"]

T = TypeVar("T")

#: seconds to wait for an answer: more than the server gives any statement.
PATIENCE_SECONDS = 40.0


def connect_with_patience(
    dialect: Any, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Make a connection; a listener for SQLAlchemy's event ``do_connect``."""
    return _patient_class(dialect.dbapi).connect(*arguments, **options)


@cache
def _patient_class(driver: Any) -> Any:
    plain = driver.Connection

    def wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return plain.wait(self, _patient(gen, PATIENCE_SECONDS), *args, **kwargs)
        except TimeoutError as error:
            self.pgconn.finish()
            raise driver.OperationalError(str(error)) from None

    return type("PatientConnection", (plain,), {"wait": wait})


def _patient(waiting: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """What psycopg waits with: it yields what it waits for, and is sent 0 now and then."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise TimeoutError(f"there was no answer for {seconds:g} seconds")
            wanted = waiting.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
