"""Group commit: what arrives while a transaction is under way is done together in the next one.

When a school comes at nine o'clock, statements and transactions of their own are what takes longest. Nobody waits who
comes alone, and nobody is answered before what they brought is saved. Source: D. J. DeWitt et al., Implementation
Techniques for Main Memory Database Systems, SIGMOD 1984.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

MOST = 16
"""So many in one transaction, so that none takes long."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    turn: Event = field(default_factory=Event)
    answer: list[Answer] = field(default_factory=list)
    has_failed: bool = False


class GroupCommit(Generic[Asked, Answer]):
    """Whoever comes when nobody is at work works for all who wait; after them the next who came meanwhile.

    work: an answer for each that is asked, in order; what it saves for all of them is saved, or nothing is.
    patience: seconds after which who waits does their own work, where it may be done twice. None: they wait.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Sequence[Answer]], patience: float | None = None) -> None:
        self._work, self._patience = work, patience
        self._lock = Lock()
        self._waiting: list[_Waiting[Asked, Answer]] = []
        self._is_working = False

    def do(self, asked: Asked) -> Answer:
        """The answer to one; raises what the work on it alone does."""
        one = _Waiting[Asked, Answer](asked)
        with self._lock:
            self._waiting.append(one)
            is_first, self._is_working = not self._is_working, True
        if not is_first and not one.turn.wait(self._patience) and self._gives_up(one):
            one.has_failed = True
        if not one.answer and not one.has_failed:
            self._work_for_all()
        if one.has_failed:  # perhaps by another's fault
            (answer,) = self._work([asked])
            return answer
        return one.answer[0]

    def _gives_up(self, one: _Waiting[Asked, Answer]) -> bool:
        """Unless it is their turn just now."""
        with self._lock:
            if one.turn.is_set():
                return False
            if one in self._waiting:
                self._waiting.remove(one)
            return True

    def _work_for_all(self) -> None:
        with self._lock:
            some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            answers = self._work([one.asked for one in some])
            for one, answer in zip(some, answers, strict=True):
                one.answer.append(answer)
        except BaseException as error:
            for one in some:
                one.has_failed = True
            if not isinstance(error, Exception):
                raise
        finally:
            self._leave(some)

    def _leave(self, done: Sequence[_Waiting[Asked, Answer]]) -> None:
        with self._lock:
            following = self._waiting[:1]
            self._is_working = bool(following)
            for one in (*done, *following):
                one.turn.set()
