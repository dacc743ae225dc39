"""Whose face may be kept, by whose word, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import func, select

from app import clock
from app.extensions import db, settings
from app.models import Enrolment, FaceTemplate, Role, StudentProfile, User, UserStatus
from app.services import face_report, face_retention, retention
from app.services.consents import years_before
from app.services.vault import SEALED
from tests.api.test_gates import add_gate, outcome
from tests.conftest import Cast, Person
from tests.factories import make
from tests.pictures import astronaut, data_url, encode
from tests.story import Classroom, consent, enrol, names
from tests.test_races import at_once, twin

PICTURE = encode(astronaut())


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def publish(admin: Person, *, requires_new_consent: bool, text: str = "I allow it.") -> Any:
    body = {"text": text, "requires_new_consent": requires_new_consent}
    answer = admin.post("/api/face-data/consent-texts", body)
    assert answer.status_code == 201, answer.text
    return answer.json


def decide(person: Person, accepted: bool, child: Person | None = None, **values: Any) -> Any:
    path = f"/api/face-data/students/{child.id}/consent" if child else "/api/face-data/consent"
    return person.post(path, {"accepted": accepted} | values)


def told(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json.get("code")


def born(cast: Cast, student: Person, day: date) -> None:
    with cast.app.app_context():
        profile = db.session.scalar(select(StudentProfile).where(StudentProfile.user_id == student.id))
        if profile is None:
            make(StudentProfile, organisation_id=student.organisation_id, user_id=student.id, date_of_birth=day)
        else:
            profile.date_of_birth = day
            db.session.commit()


def minor(cast: Cast) -> tuple[Person, Person]:
    """A child of about ten years, and their parent."""
    child = cast.student(first_name="Eileen")
    born(cast, child, years_before(clock.today("UTC"), 10))
    return child, cast.parent(child)


def kept(cast: Cast) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(FaceTemplate)) or 0


# the text


def test_an_organisations_own_text_is_asked_instead_of_the_built_in_one(admin: Person, student: Person) -> None:
    built_in = student.get("/api/face-data/consent").json
    publish(admin, requires_new_consent=True, text="We of this school …")
    asked = student.get("/api/face-data/consent").json
    assert (asked["text"], asked["text_version"], asked["decided_at"]) == ("We of this school …", "1", None)
    assert built_in["text"] != asked["text"]


@pytest.mark.parametrize("requires_new_consent", [False, True])
def test_a_consent_holds_until_a_text_wants_a_new_one(
    admin: Person, student: Person, requires_new_consent: bool
) -> None:
    consent(student)
    publish(admin, requires_new_consent=False)
    publish(admin, requires_new_consent=requires_new_consent)
    assert student.get("/api/face-data/consent").json["accepted"] is not requires_new_consent
    publish(admin, requires_new_consent=False)
    assert student.get("/api/face-data/consent").json["accepted"] is not requires_new_consent
    assert decide(student, True).json["decided_text_version"] == "3"
    assert student.get("/api/face-data/consent").json["accepted"] is True


def test_nobody_is_recognised_by_a_consent_that_holds_no_longer(cast: Cast, admin: Person) -> None:
    room, gate = Classroom.open(cast), add_gate(admin)
    eileen = room.join("Eileen")
    enrol(eileen, [PICTURE])
    assert names(room.recognise(PICTURE).json["recognised"]) == {"Eileen"}
    publish(admin, requires_new_consent=True)
    seen = room.recognise(PICTURE).json
    assert (seen["recognised"], seen["unknown"], seen["not_seen"][0]["has_face_data"]) == ([], 1, False)
    assert outcome(gate, image=data_url(PICTURE)) == "unknown"
    body = {"session_id": lecture_now(room), "image": data_url(PICTURE)}
    assert "face_not_enrolled" in eileen.post("/api/attendance/check-in", body).text
    consent(eileen)
    assert names(room.recognise(PICTURE).json["recognised"]) == {"Eileen"}
    assert outcome(gate, image=data_url(PICTURE)) == "in"
    assert eileen.post("/api/attendance/check-in", body).status_code == 201


def lecture_now(room: Classroom) -> str:
    """A session that asks for a face."""
    now = clock.now()
    times = {"start_time": now.isoformat(), "end_time": (now + timedelta(hours=1)).isoformat()}
    body = {"session_name": "Lecture 7", "class_id": room.id, "policy": {"requires": ["face"]}} | times
    return str(room.teacher.post("/api/admin/sessions", body).json["id"])


def test_nobody_consents_to_a_text_that_was_replaced_while_they_read(admin: Person, student: Person) -> None:
    read = student.get("/api/face-data/consent").json["text_version"]
    publish(admin, requires_new_consent=False)
    assert told(decide(student, True, text_version=read)) == (409, "consent_text_changed")
    assert decide(student, False, text_version=read).status_code == 200, "a withdrawal is never refused"
    assert decide(student, True, text_version="1").status_code == 200


def test_texts_are_numbered_and_kept_for_everybody_of_the_organisation(cast: Cast, admin: Person) -> None:
    made = [publish(admin, requires_new_consent=new, text=f"{new}") for new in (True, False)]
    assert [text["version"] for text in made] == ["1", "2"]
    for role in (Role.PARENT, Role.EMPLOYEE):
        assert cast.person(role).get("/api/face-data/consent-texts").json["items"] == made[::-1]
    elsewhere = cast.student(organisation_id=cast.other_organisation())
    assert elsewhere.get("/api/face-data/consent-texts").json["total"] == 0
    assert elsewhere.get("/api/face-data/consent").json["text_version"] not in {"1", "2"}


def test_texts_published_at_once_have_different_numbers(cast: Cast, admin: Person) -> None:
    body = {"text": "I allow it.", "requires_new_consent": True}
    assert at_once(lambda _: twin(cast, admin).post("/api/face-data/consent-texts", body), 5) == {201: 5}
    texts = admin.get("/api/face-data/consent-texts?sort=number").json["items"]
    assert [text["version"] for text in texts] == ["1", "2", "3", "4", "5"]


# children


def test_a_child_cannot_consent_and_a_guardian_can(cast: Cast) -> None:
    child, parent = minor(cast)
    assert child.get("/api/face-data/consent").json["parental_consent_required"] is True
    assert told(decide(child, True)) == (403, "parental_consent_required")
    given = decide(parent, True, child)
    assert (given.status_code, given.json["accepted"], given.json["decided_by_id"]) == (200, True, str(parent.id))
    assert child.post("/api/face-data/upload", {"image": data_url(PICTURE)}).status_code == 201
    seen = parent.get(f"/api/face-data/students/{child.id}").json
    assert (seen["stored"], set(seen["faces"][0]), seen["consent"]) == (
        1,
        {"id", "quality", "created_at"},
        child.get("/api/face-data/my-data").json["consent"],
    )


@pytest.mark.parametrize("who", ["child", "parent"])
def test_either_withdraws_a_childs_consent(cast: Cast, who: str) -> None:
    child, parent = minor(cast)
    decide(parent, True, child)
    child.post("/api/face-data/upload", {"image": data_url(PICTURE)})
    withdrawn = decide(child, False) if who == "child" else decide(parent, False, child)
    assert (withdrawn.status_code, withdrawn.json["accepted"], kept(cast)) == (200, False, 0)
    assert told(child.post("/api/face-data/upload", {"image": data_url(PICTURE)})) == (403, "consent_required")


def test_a_guardian_deletes_what_is_stored_and_the_consent_stays(cast: Cast) -> None:
    child, parent = minor(cast)
    decide(parent, True, child)
    child.post("/api/face-data/upload", {"image": data_url(PICTURE)})
    assert parent.delete(f"/api/face-data/students/{child.id}").status_code == 200
    assert (kept(cast), child.get("/api/face-data/consent").json["accepted"]) == (0, True)


def test_another_familys_child_is_as_good_as_none(cast: Cast) -> None:
    child, _ = minor(cast)
    _, stranger = minor(cast)
    path = f"/api/face-data/students/{child.id}"
    answers = [stranger.get(path), stranger.delete(path), decide(stranger, True, child)]
    assert {told(answer) for answer in answers} == {(404, "not_found")}


def test_who_comes_of_age_decides_and_until_then_the_guardians_word_stays(cast: Cast) -> None:
    child, parent = minor(cast)
    decide(parent, True, child)
    born(cast, child, years_before(clock.today("UTC"), 16))
    assert child.get("/api/face-data/consent").json["accepted"] is True, "the guardian's consent stays"
    assert told(decide(parent, True, child)) == (403, "student_decides")
    assert decide(parent, False, child).json["accepted"] is False, "and may be taken back"
    assert decide(child, True).json["accepted"] is True
    path = f"/api/face-data/students/{child.id}"
    assert {told(decide(parent, False, child)), told(parent.delete(path))} == {(403, "student_decides")}
    assert parent.get(path).json["consent"]["accepted"] is True


def test_what_a_child_of_unknown_age_allowed_holds_until_the_age_is_known(cast: Cast) -> None:
    child = cast.student()
    assert decide(child, True).json["accepted"] is True
    born(cast, child, years_before(clock.today("UTC"), 10))
    assert child.get("/api/face-data/consent").json["accepted"] is False
    assert decide(cast.parent(child), True, child).json["accepted"] is True


def test_the_organisation_sets_the_age(cast: Cast, admin: Person) -> None:
    child, parent = minor(cast)
    path = f"/api/admin/organizations/{admin.organisation_id}"
    for age, answer in ((10, (200, None)), (11, (403, "parental_consent_required")), (0, (200, None))):
        admin.put(path, {"settings": {"faces": {"parental_consent_under": age}}})
        assert told(decide(child, True)) == answer
    assert told(decide(parent, True, child)) == (403, "student_decides")


def test_a_birthday_begins_where_the_organisation_is(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """At eleven o'clock of the 11th in Greenwich it is the 12th in Auckland."""
    now = datetime(2026, 3, 11, 11, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    here, there = cast.student(), cast.student(organisation_id=cast.other_organisation())
    for student in (here, there):
        born(cast, student, date(2010, 3, 12))
    assert told(decide(here, True)) == (403, "parental_consent_required")
    assert decide(there, True).status_code == 200


@pytest.mark.parametrize(
    ("day", "birthday"),
    [
        (date(2026, 3, 12), date(2010, 3, 12)),
        (date(2024, 2, 29), date(2008, 2, 29)),
        (date(2032, 2, 29), date(2016, 2, 29)),
        (date(2416, 2, 29), date(2400, 2, 29)),
        (date(2116, 2, 29), date(2100, 2, 28)),
    ],
)
def test_sixteen_years_before_a_day(day: date, birthday: date) -> None:
    """Where there was no 29th of February, the 28th was the last."""
    assert years_before(day, 16) == birthday


# who, and the withdrawal


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.TEACHER, Role.ADMIN])
def test_everybody_who_can_be_recorded_enrols(cast: Cast, role: Role) -> None:
    person = cast.person(role)
    assert enrol(person, [PICTURE]).status_code == 201
    assert person.get("/api/face-data/my-data").json["stored"] == 1


def test_parents_do_not(cast: Cast) -> None:
    parent = cast.person(Role.PARENT)
    assert told(decide(parent, True)) == (403, "role_not_allowed")
    assert told(parent.post("/api/face-data/upload", {"image": "x"})) == (403, "role_not_allowed")


def test_after_a_withdrawal_nothing_is_left_and_nobody_knows_the_face(cast: Cast, admin: Person) -> None:
    room, gate = Classroom.open(cast), add_gate(admin)
    eileen = room.join("Eileen")
    enrol(eileen, [PICTURE, PICTURE])
    assert outcome(gate, image=data_url(PICTURE)) == "in"
    assert decide(eileen, False).status_code == 200
    with cast.app.app_context():
        assert [column for column in SEALED if db.session.scalar(select(func.count(column)))] == []
    assert outcome(gate, image=data_url(PICTURE)) == "unknown"
    seen = room.recognise(PICTURE).json
    assert (seen["recognised"], seen["uncertain"], seen["not_seen"][0]["has_face_data"]) == ([], [], False)


# for how long


def left(cast: Cast, person: Person, days: int) -> None:
    """The person was in a class that they left so many days ago."""
    today = clock.today("UTC")
    dates = {"starts_on": today - timedelta(days=400), "ends_on": today - timedelta(days=days), "is_current": None}
    with cast.app.app_context():
        make(Enrolment, organisation_id=person.organisation_id, student_id=person.id, **dates)


def stored(cast: Cast, person: Person, days: int = 100) -> None:
    """A template of the person, so many days old."""
    made = clock.now() - timedelta(days=days)
    with cast.app.app_context():
        make(FaceTemplate, organisation_id=person.organisation_id, user_id=person.id, created_at=made)


def cleaned(cast: Cast) -> int:
    """How many templates are left once what is due is deleted."""
    with cast.app.app_context():
        retention.clean_up()
    return kept(cast)


@pytest.mark.parametrize(("days", "count"), [(29, 1), (31, 0)])
def test_a_student_who_left_their_last_class_is_forgotten_after_a_while(
    cast: Cast, student: Person, days: int, count: int
) -> None:
    stored(cast, student)
    left(cast, student, days)
    left(cast, student, 300)
    assert cleaned(cast) == count


def test_who_is_in_another_class_or_was_never_in_one_is_kept(cast: Cast, student: Person) -> None:
    stored(cast, cast.student())
    stored(cast, student)
    left(cast, student, 100)
    with cast.app.app_context():
        make(Enrolment, organisation_id=student.organisation_id, student_id=student.id, ends_on=None)
    assert cleaned(cast) == 2


def test_who_enrolled_after_leaving_has_as_long_from_then_on(cast: Cast, student: Person) -> None:
    left(cast, student, 100)
    stored(cast, student, days=29)
    stored(cast, student, days=31)
    assert cleaned(cast) == 1


@pytest.mark.parametrize(("days", "count"), [(29, 1), (31, 0)])
@pytest.mark.parametrize("status", ["inactive", "suspended"])
def test_an_employee_who_is_no_longer_active_is_forgotten_after_a_while(
    cast: Cast, status: str, days: int, count: int
) -> None:
    employee = cast.person(Role.EMPLOYEE)
    stored(cast, employee)
    assert cleaned(cast) == 1
    with cast.app.app_context():
        user = db.session.get_one(User, employee.id)
        user.status, user.inactive_on = UserStatus(status), clock.today("UTC") - timedelta(days=days)
        db.session.commit()
    assert cleaned(cast) == count


def test_the_grace_is_the_organisations_and_each_deletion_is_audited(
    cast: Cast, admin: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_retention, "AT_ONCE", 2)
    for _ in range(5):
        stored(cast, student)
    left(cast, student, 5)
    assert cleaned(cast) == 5
    path = f"/api/admin/organizations/{admin.organisation_id}"
    admin.put(path, {"settings": {"retention": {"faces_after_leaving": 4}}})
    assert cleaned(cast) == 0
    log = admin.get("/api/admin/audit?entity=face_templates&action=delete").json
    assert ({entry["person_id"] for entry in log["items"]}, log["total"]) == ({str(student.id)}, 5)
    assert {entry["before"]["encoding"] for entry in log["items"]} == {"(secret)"}


# likenesses


def test_a_twin_enrols_once_an_administrator_permits_it_with_a_reason(cast: Cast, admin: Person) -> None:
    enrol(cast.student(), [PICTURE])
    twin_ = cast.student()
    assert told(enrol(twin_, [PICTURE])) == (409, "face_of_another")
    path = f"/api/face-data/users/{twin_.id}/likeness-permit"
    assert told(admin.post(path, {})) == (422, "invalid_input")
    assert admin.post(path, {"reason": "Twins"}).status_code == 201
    assert admin.post(path, {"reason": "Twins"}).status_code == 201, "a second time changes nothing"
    assert enrol(twin_, [PICTURE]).status_code == 201
    log = admin.get("/api/admin/audit?entity=likeness_permits").json["items"]
    assert [(entry["person_id"], entry["reason"]) for entry in log] == [(str(twin_.id), "Twins")]
    assert admin.delete(path).status_code == 200
    assert (twin_.get("/api/face-data/my-data").json["stored"], kept(cast)) == (0, 1)
    assert told(enrol(twin_, [PICTURE])) == (409, "face_of_another")
    assert admin.delete(path).status_code == 404


# the report


def test_the_report_counts_what_is_held_and_shows_nobody(cast: Cast, admin: Person, student: Person) -> None:
    people = [student, cast.student(), cast.student()]
    for person in people:
        consent(person)
    publish(admin, requires_new_consent=True)
    consent(people[0])
    decide(people[1], False)
    stored(cast, people[0], days=10)
    stored(cast, people[0], days=1090)
    stored(cast, people[2], days=100)
    left(cast, people[2], 15)
    elsewhere = cast.student(organisation_id=cast.other_organisation())
    stored(cast, elsewhere)
    found = admin.get("/api/face-data/report")
    assert found.status_code == 200, found.text
    report = found.json
    assert (report["templates"], report["people"], report["due_soon"], report["likeness_permits"]) == (3, 2, 2, 0)
    assert [(one["people"], one["counts"]) for one in report["consents"]] == [(1, False), (1, True)]
    assert (clock.now() - datetime.fromisoformat(report["oldest"])).days == 1090
    assert report["sealed_with_older_key"] == 0
    assert str(student.id) not in found.text


def test_the_report_counts_what_waits_for_the_newest_key(
    cast: Cast, admin: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_report, "AT_ONCE", 1)
    enrol(student, [PICTURE, PICTURE])
    with cast.app.app_context():
        keys = [SecretStr(Fernet.generate_key().decode()), *settings().face_keys]
        monkeypatch.setattr(settings(), "face_keys", keys)
    assert admin.get("/api/face-data/report").json["sealed_with_older_key"] == 2
    assert cast.app.test_cli_runner().invoke(args=["faces", "rotate-key"]).exit_code == 0
    assert admin.get("/api/face-data/report").json["sealed_with_older_key"] == 0
    with cast.app.app_context():
        monkeypatch.setattr(settings(), "face_keys", [SecretStr(Fernet.generate_key().decode())])
    report = admin.get("/api/face-data/report").json
    assert (report["sealed_with_older_key"], report["sealed_with_no_key"]) == (0, 2)
