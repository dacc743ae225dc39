"""The attendance rate, for every class there could be."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Status
from app.services.counting import FIGURES
from app.services.rates import STATUSES, Counts

some = st.integers(0, 500)
weights = st.floats(0, 1)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    by_status = {status: draw(some) for status in Status}
    return Counts.of(sum(by_status.values()) + draw(some), by_status, draw(weights))


@pytest.mark.parametrize(
    ("found", "rate"),
    [
        (Counts(10, present=8, late=1, absent=1), 0.9),
        (Counts(10, 0.5, present=8, late=1, absent=1), 0.85),
        (Counts(10, present=8, excused=1, leave=1), 1.0),
        (Counts(10), 0.0),
        (Counts(0), None),
        (Counts(2, excused=1, leave=1), None),
    ],
)
def test_the_rate_is_of_those_who_were_to_come(found: Counts, rate: float | None) -> None:
    assert found.rate == rate


@given(counts())
def test_a_rate_is_a_share_and_there_is_none_of_nobody(found: Counts) -> None:
    to_come = found.expected - found.excused - found.leave
    assert (found.rate is None) == (to_come == 0)
    assert found.rate is None or 0 <= found.rate <= 1
    if found.rate == 1 and found.late_weight < 1:
        assert found.present == to_come


@given(counts())
def test_who_comes_raises_it_and_who_is_excused_does_not_lower_it(found: Counts) -> None:
    if not found.unmarked or found.rate is None:
        return
    came = replace(found, present=found.present + 1)
    assert came.rate is not None
    assert came.rate > found.rate
    excused = replace(found, excused=found.excused + 1)
    assert excused.rate is None or excused.rate >= found.rate
    absent = replace(found, absent=found.absent + 1)
    assert absent.rate == found.rate


@given(counts(), weights)
def test_the_more_being_late_counts_the_higher_it_is(found: Counts, weight: float) -> None:
    lower, higher = (replace(found, late_weight=each).rate for each in sorted((found.late_weight, weight)))
    assert (lower is None) == (higher is None)
    assert lower is None or higher is None or lower <= higher


def test_counts_are_in_the_order_in_which_they_are_summed() -> None:
    assert tuple(field.name for field in fields(Counts))[2:] == STATUSES == FIGURES[1:]
