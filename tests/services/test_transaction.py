"""One transaction a service: whole or not at all, and again when the database had to choose who gives way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymysql
import pytest
from psycopg import errors
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.models import Organisation
from app.services.transaction import ATTEMPTS, transaction
from tests.conftest import Cast

DEADLOCKS = [errors.DeadlockDetected(), errors.SerializationFailure(), pymysql.OperationalError(1213, "Deadlock found")]


def failing(times: int, cause: Exception) -> Callable[[], str]:
    """Saves an organisation, and is ended by the database so many times."""
    left = iter([True] * times)

    @transaction
    def service() -> str:
        db.session.add(Organisation(name="Village School", time_zone="UTC"))
        db.session.flush()
        if next(left, False):
            raise OperationalError("INSERT", {}, cause)
        return "saved"

    return service


def saved(cast: Cast) -> int:
    return db.session.query(Organisation).filter_by(name="Village School").count()


@pytest.mark.parametrize("cause", DEADLOCKS, ids=lambda cause: type(cause).__name__)
def test_who_gave_way_is_tried_again_and_saved_once(cast: Cast, cause: Exception) -> None:
    with cast.app.app_context():
        assert failing(2, cause)() == "saved"
        assert saved(cast) == 1


@pytest.mark.parametrize(
    ("times", "cause"), [(ATTEMPTS, DEADLOCKS[0]), (1, pymysql.OperationalError(2006, "gone away"))]
)
def test_what_does_not_get_better_is_raised_and_leaves_nothing(cast: Cast, times: int, cause: Exception) -> None:
    with cast.app.app_context():
        with pytest.raises(OperationalError):
            failing(times, cause)()
        assert saved(cast) == 0


def test_a_transaction_inside_another_is_a_programming_error(cast: Cast) -> None:
    @transaction
    def outer() -> Any:
        return failing(0, DEADLOCKS[0])()

    with cast.app.app_context():
        with pytest.raises(RuntimeError, match="owns its transaction"):
            outer()
        assert failing(0, DEADLOCKS[0])() == "saved"


@pytest.mark.parametrize("how", ["by place", "by name"])
def test_who_is_tried_again_is_given_the_same_values(cast: Cast, how: str) -> None:
    left = iter([True])

    @transaction
    def service(values: dict[str, Any]) -> Any:
        taken = values.pop("status")
        if next(left, False):
            raise OperationalError("INSERT", {}, DEADLOCKS[0])
        return taken

    given = {"status": "suspended"}
    with cast.app.app_context():
        assert (service(given) if how == "by place" else service(values=given)) == "suspended"
