"""The templates that a process keeps follow what happens to them, here and on other servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, select, update

from app import clock
from app.extensions import db
from app.models import Consent, FaceTemplate, Gallery, Guardian, LikenessPermit, Organisation, Role, StudentProfile
from app.services import face_retention, face_vault, gallery, retention, vault
from app.services.caller import Caller
from app.services.consents import TEXT_VERSION, years_before
from app.services.face_vault import seal, unseal_all
from app.services.gallery import Galleries, Held
from app.services.organisation_settings import settings_of
from app.services.transaction import transaction
from tests.conftest import Cast, Person
from tests.factories import make


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many templates each load has decrypted."""
    counts: list[int] = []

    def count(kept: list[bytes]) -> Any:
        counts.append(len(kept))
        return unseal_all(kept)

    monkeypatch.setattr(gallery, "unseal_all", count)
    return counts


def templates(cast: Cast, person: Person, count: int = 1, **values: Any) -> None:
    """As many, the first of them pointing the first way; who has none yet consents."""
    own: dict[str, Any] = {"organisation_id": person.organisation_id, "user_id": person.id}
    with cast.app.app_context():
        if db.session.scalar(select(Consent.id).where(Consent.user_id == person.id)) is None:
            make(Consent, **own, accepted=True, text_version=TEXT_VERSION, recorded_by_id=person.id)
        for row in np.eye(128, dtype=np.float32)[:count]:
            make(FaceTemplate, **own, encoding=seal(row), **values)


def caller(organisation_id: uuid.UUID) -> Caller:
    organisation = db.session.get_one(Organisation, organisation_id)
    decided = settings_of(organisation.settings)
    return Caller(uuid.uuid4(), organisation_id, Role.ADMIN, organisation.time_zone, decided)


def held(cast: Cast, person: Person, server: Galleries | None = None) -> Held:
    """The gallery of the person's organisation, as this server has it; without one, as the first has."""
    first = cast.app.extensions["galleries"]
    cast.app.extensions["galleries"] = server or first
    try:
        with cast.app.app_context():
            return gallery.gallery(caller(person.organisation_id))  # type: ignore[arg-type]
    finally:
        cast.app.extensions["galleries"] = first


def knows(cast: Cast, person: Person, server: Galleries | None = None) -> bool:
    return person.id in held(cast, person, server).place


def guardian_of(cast: Cast, student: Person) -> Person:
    parent = cast.person(Role.PARENT)
    with cast.app.app_context():
        make(Guardian, organisation_id=student.organisation_id, student_id=student.id, parent_id=parent.id)
    return parent


def guardian_deletes(cast: Cast, student: Person) -> None:
    assert guardian_of(cast, student).delete(f"/api/face-data/students/{student.id}").status_code == 200


def permit_goes(cast: Cast, student: Person) -> None:
    admin = cast.person(Role.ADMIN)
    with cast.app.app_context():
        own = {"organisation_id": student.organisation_id, "user_id": student.id}
        make(LikenessPermit, **own, given_by_id=admin.id)
    assert admin.delete(f"/api/face-data/users/{student.id}/likeness-permit").status_code == 200


def erase(cast: Cast, student: Person) -> None:
    assert cast.person(Role.ADMIN).post(f"/api/admin/users/{student.id}/erase", {}).status_code == 200


def retain(cast: Cast, student: Person) -> None:
    with cast.app.app_context():
        db.session.execute(update(FaceTemplate).values(created_at=clock.now() - timedelta(days=1100)))
        db.session.commit()
        retention.clean_up()


def ask_anew(cast: Cast, student: Person) -> None:
    body = {"text": "I allow it.", "requires_new_consent": True}
    assert cast.person(Role.ADMIN).post("/api/face-data/consent-texts", body).status_code == 201


def born(cast: Cast, student: Person) -> None:
    with cast.app.app_context():
        day = clock.today("UTC") - timedelta(days=3650)
        make(StudentProfile, organisation_id=student.organisation_id, user_id=student.id, date_of_birth=day)


@pytest.mark.parametrize(
    "way",
    [
        lambda _, student: student.post("/api/face-data/consent", {"accepted": False}),
        lambda _, student: student.delete("/api/face-data/delete"),
        guardian_deletes,
        permit_goes,
        erase,
        retain,
        ask_anew,
        born,
    ],
    ids=["withdraw", "delete", "guardian", "permit", "erase", "retention", "text", "birth"],
)
def test_whose_face_is_no_longer_held_is_out_at_the_next_use_on_every_server(
    cast: Cast, way: Callable[[Cast, Person], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_retention, "AT_ONCE", 1)
    student, other = cast.student(), Galleries()
    templates(cast, student, 2)
    assert knows(cast, student)
    assert knows(cast, student, other)
    way(cast, student)
    assert not knows(cast, student)
    assert not knows(cast, student, other)


def test_a_birthday_and_another_age_count_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    student, now = cast.student(), clock.now()
    templates(cast, student)
    with cast.app.app_context():
        day = years_before(clock.today("UTC"), 16) + timedelta(days=40)
        make(StudentProfile, organisation_id=student.organisation_id, user_id=student.id, date_of_birth=day)
    assert not knows(cast, student)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=60))
    assert knows(cast, student)
    with cast.app.app_context():
        row = db.session.get_one(Organisation, student.organisation_id)
        before, row.settings = row.settings, row.settings | {"faces": {"parental_consent_under": 18}}
        db.session.commit()
    assert not knows(cast, student)
    with cast.app.app_context():
        db.session.get_one(Organisation, student.organisation_id).settings = before
        db.session.commit()
    assert knows(cast, student)


def test_what_another_process_writes_is_seen(cast: Cast) -> None:
    first, second = cast.student(), cast.student()
    templates(cast, first)
    templates(cast, second)
    assert held(cast, first).people == [first.id, second.id]
    with cast.app.app_context():
        elsewhere = create_engine(db.engine.url)
    with elsewhere.begin() as process:
        process.execute(update(Gallery).values(mark=uuid.uuid4()))
        process.execute(FaceTemplate.__table__.delete().where(FaceTemplate.user_id == first.id))  # type: ignore[attr-defined]
    elsewhere.dispose()
    assert held(cast, first).people == [second.id]


def test_only_what_is_new_is_decrypted(cast: Cast, opened: list[int]) -> None:
    student, other = cast.student(), cast.student()
    templates(cast, student, 3)
    before = held(cast, student)
    templates(cast, other, 2)
    assert len(held(cast, student).ids) == 5
    with cast.app.app_context():
        vault.rotate_key()
    after = held(cast, student)
    assert opened == [3, 2]
    assert np.array_equal(after.templates.encodings[: len(before.ids)], before.templates.encodings)
    assert set(after.rows_of([other.id])) == set(after.rows_without(student.id)) == {3, 4}  # type: ignore[list-item, arg-type]


def test_what_no_key_opens_leaves_everybody_else_known(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    student, other = cast.student(), cast.student()
    templates(cast, student)
    own: dict[str, Any] = {"organisation_id": other.organisation_id, "user_id": other.id}
    with cast.app.app_context():
        make(Consent, **own, accepted=True, text_version=TEXT_VERSION, recorded_by_id=other.id)
        make(FaceTemplate, **own, encoding=b"sealed elsewhere")
    told: list[Any] = []
    monkeypatch.setattr(face_vault.log, "warning", lambda *said, **values: told.append((*said, values)))
    assert held(cast, student).people == [student.id]
    assert told == [("templates_not_opened", {"count": 1})]


def test_threads_that_need_the_same_templates_load_them_once(cast: Cast, opened: list[int]) -> None:
    student, start = cast.student(), Barrier(4)
    templates(cast, student, 3)

    def use(_: int) -> Held:
        start.wait()
        with cast.app.app_context():
            return gallery.gallery(caller(student.organisation_id))  # type: ignore[arg-type]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(use, range(4)))
    assert opened == [3]
    assert all(one is found[0] for one in found)


def test_the_organisation_used_longest_ago_makes_room(
    cast: Cast, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "MOST", 5 * 128 * 4)
    people = [cast.student(organisation_id=cast.other_organisation()) for _ in range(3)]
    for person in people:
        templates(cast, person, 2)
    for index in (0, 1, 0, 2, 0, 1):
        assert len(held(cast, people[index]).ids) == 2
    assert opened == [2, 2, 2, 2], "of the first two, then the third, and the second again"


def test_what_comes_to_nothing_leaves_what_is_held_as_it_was(cast: Cast) -> None:
    student = cast.student()
    templates(cast, student)
    assert len(held(cast, student).ids) == 1
    seen = []

    @transaction
    def enrol_and_fail() -> None:
        own: dict[str, Any] = {"organisation_id": student.organisation_id, "user_id": student.id}
        db.session.add(FaceTemplate(**own, encoding=seal(np.ones(128, np.float32)), width=100, sharpness=50.0))
        db.session.flush()
        seen.append(len(gallery.gallery(caller(student.organisation_id)).ids))  # type: ignore[arg-type]
        raise LookupError

    with cast.app.app_context(), pytest.raises(LookupError):
        enrol_and_fail()
    assert (seen, len(held(cast, student).ids)) == ([2], 1)


def test_an_organisation_is_compared_with_its_own_people_only(cast: Cast) -> None:
    here, there = cast.student(), cast.student(organisation_id=cast.other_organisation())
    templates(cast, here)
    templates(cast, there)
    assert (held(cast, here).people, held(cast, there).people) == ([here.id], [there.id])
