"""Attendance as pictures: who may see them, what they say, and that they need no colours."""

from __future__ import annotations

import io
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from app.extensions import db
from app.models import Class, Department, Role, User
from app.services.charts import BarChart, Line, LineChart, draw
from tests.api import test_dashboards as dashboards
from tests.api.test_dashboards import fill, lesson
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

SVG = "{http://www.w3.org/2000/svg}"
OTHERS = ("trend", "classes")
room = dashboards.room


def path_of(person: Person | uuid.UUID, kind: str = "svg") -> str:
    return f"/reports/charts/person/{person.id if isinstance(person, Person) else person}.{kind}"


def text_of(person: Person, path: str) -> str:
    """What a picture says in words: the same in its header and, of an SVG, in itself."""
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    said = unquote(answer.headers["X-Alt-Text"])
    if answer.mimetype == "image/svg+xml":
        root = ET.fromstring(answer.data)  # noqa: S314 - our own
        assert (root.get("role"), root.findtext(f"{SVG}desc")) == ("img", said)
        assert root.findtext(f"{SVG}title")
    return said


def test_a_persons_days_are_counted_by_what_they_were(room: Classroom) -> None:
    ada = room.students["Ada"]
    for day, *statuses in (
        ("2026-03-02", "present", "present"),
        ("2026-03-03", "late"),
        ("2026-03-04", "absent"),
        ("2026-03-05", "present", "absent"),
        ("2026-03-06", "excused"),
        ("2026-03-09", "present", "leave"),
        ("2026-02-27", "absent"),
    ):
        for status in statuses:
            lesson(room, day, Ada=status, Grace="absent")
    said = "Ada, 2026-03-01 to 2026-03-31: attendance 71.4 %. Days with records: 6; 2 present, 1 late, 1 absent, "
    said += "1 excused or on leave, 1 there in part."  # 4 + 1 of 9 - 2
    for kind in ("svg", "png"):
        assert text_of(ada, f"{path_of(ada, kind)}?start_date=2026-03-01&end_date=2026-03-31") == said
    assert text_of(ada, path_of(ada)).startswith("Ada, 2025-09-12 to 2026-03-12: attendance 62.5 %.")


def test_whose_calendar_one_may_see(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    seeing = [ada, room.teacher, cast.teacher(), cast.person(Role.ADMIN), cast.parent(ada)]
    not_seeing = [
        room.students["Grace"],
        cast.person(Role.EMPLOYEE),
        cast.parent(room.students["Grace"]),
        cast.person(Role.ADMIN, cast.other_organisation()),
    ]
    assert [person.get(path_of(ada)).status_code for person in seeing] == [200] * 5
    for person in not_seeing:
        answer = person.get(f"/api{path_of(ada)}")
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert room.teacher.get(path_of(uuid.uuid4(), "png")).status_code == 404


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_are_for_staff(cast: Cast, name: str) -> None:
    for role in Role:
        allowed = role in {Role.SUPER_ADMIN, Role.ADMIN, Role.TEACHER}
        person = cast.person(role)
        assert person.get(f"/reports/charts/{name}.svg").status_code == (200 if allowed else 403), role


def test_the_trend_by_day_week_and_month(room: Classroom) -> None:
    lesson(room, "2026-02-09", Ada="present", Grace="absent", Mary="absent")
    lesson(room, "2026-02-10", Ada="present", Grace="present", Mary="late")
    lesson(room, "2026-02-16", Ada="present", Grace="present", Mary="absent")
    lesson(room, "2026-03-02", Ada="present", Grace="absent", Mary="leave")
    lesson(room, "2026-03-03", Ada="leave", Grace="leave", Mary="leave")
    path = "/reports/charts/trend.svg?start_date=2026-02-01&interval="
    days = "2026-02-01 to 2026-03-12"
    assert text_of(room.teacher, path + "day") == (
        f"Attendance by day, {days}: lowest 33.3 % (2026-02-09), highest 100 % (2026-02-10), latest 50 % (2026-03-02)."
    )
    assert text_of(room.teacher, path + "week") == (
        f"Attendance by week, {days}: lowest 50 % (2026-03-02), highest 66.7 % (2026-02-09), latest 50 % (2026-03-02)."
    )
    assert text_of(room.teacher, path + "month") == (
        f"Attendance by month, {days}: lowest 50 % (2026-03), highest 66.7 % (2026-02), latest 50 % (2026-03)."
    )
    assert room.teacher.get(path + "year").status_code == 422


def test_the_trend_of_a_class_or_a_department(room: Classroom, cast: Cast) -> None:
    other = Classroom.open(cast)
    other.join("Emmy")
    lesson(room, "2026-03-11", Ada="present", Grace="absent")
    lesson(other, "2026-03-12", Emmy="absent")
    with cast.app.app_context():
        science = make(Department, organisation_id=room.teacher.organisation_id, name="Science").id
        foreign = make(Class, organisation_id=cast.other_organisation()).id
        one = update(User).where(User.id == room.students["Ada"].id)
        db.session.execute(one.values(department_id=science))
        db.session.commit()
    path = "/reports/charts/trend.svg?interval=month"
    assert "month, 2025" in text_of(room.teacher, path)
    assert "latest 33.3 %" in text_of(room.teacher, path)
    assert "month, Astronomy, 2025" in text_of(room.teacher, f"{path}&class_id={room.id}")
    assert "latest 50 %" in text_of(room.teacher, f"{path}&class_id={room.id}")
    assert "latest 100 %" in text_of(room.teacher, f"{path}&department=science")
    assert text_of(room.teacher, f"{path}&department=Arts").endswith("no records.")
    for id_ in (foreign, uuid.uuid4()):
        assert room.teacher.get(f"{path}&class_id={id_}").status_code == 404


def test_classes_stand_beside_each_other_the_lowest_rate_first(room: Classroom, cast: Cast) -> None:
    other = Classroom.open(cast)
    other.teacher.put(f"/classes/{other.id}/update", {"name": "<Maths> & $x_1$"})
    other.join("Emmy")
    lesson(room, "2026-03-11", Ada="present", Grace="absent", Mary="excused")
    lesson(other, "2026-03-12", Emmy="late")
    said = text_of(room.teacher, "/reports/charts/classes.svg?start_date=2026-03-01")
    assert said == (
        "Attendance by class, 2026-03-01 to 2026-03-12: "
        "2 classes, from Astronomy with 50 % to <Maths> & $x_1$ with 100 %."
    )
    drawn = room.teacher.get("/reports/charts/classes.svg").text
    assert "&lt;Maths&gt; &amp; $x_1$" in drawn
    assert "<Maths>" not in drawn


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("name", ["person", *OTHERS])
def test_without_records_there_is_a_picture_that_says_so(cast: Cast, name: str) -> None:
    teacher = cast.teacher()
    path = path_of(teacher, "png") if name == "person" else f"/reports/charts/{name}.png"
    said = text_of(teacher, path)
    assert "attendance unknown. Days with records: 0" in said if name == "person" else said.endswith("no records.")
    picture = Image.open(io.BytesIO(teacher.get(path).data))
    assert (picture.format, picture.info["Description"]) == ("PNG", said)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("name", ["person", *OTHERS])
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_pictures_are_read_without_colours(room: Classroom, name: str, kind: str) -> None:
    for day, status in enumerate(("present", "late", "absent", "excused", "leave"), 1):
        lesson(room, f"2026-03-0{day}", Ada=status, Grace="present")
    path = path_of(room.students["Ada"], kind) if name == "person" else f"/reports/charts/{name}.{kind}"
    answer = room.teacher.get(path)
    assert answer.mimetype == {"svg": "image/svg+xml", "png": "image/png"}[kind]
    if kind == "svg":
        colours = set(re.findall(r"#([0-9a-f]{6})\b", answer.text))
        assert len(colours) > 2
        assert all(colour[:2] == colour[2:4] == colour[4:] for colour in colours)
        assert len(re.findall("<pattern ", answer.text)) == {"person": 4, "trend": 0, "classes": 4}[name]
    else:
        red, green, blue = np.moveaxis(np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB")), 2, 0)
        assert (red == green).all()
        assert (green == blue).all()


@pytest.mark.parametrize("name", ["person", *OTHERS])
def test_days_that_make_no_sense_are_refused(cast: Cast, name: str) -> None:
    teacher = cast.teacher()
    path = path_of(teacher) if name == "person" else f"/reports/charts/{name}.svg"
    for query, status in (
        ("start_date=2026-03-02&end_date=2026-03-01", 400),
        ("start_date=0001-01-01&end_date=9999-12-31", 400 if name == "person" else 200),
        ("start_date=9999-01-01&end_date=9999-12-31", 200),
        ("end_date=0001-01-01", 200),
        ("start_date=2024-01-01&end_date=2024-12-31", 200),
        ("start_date=soon", 422),
    ):
        answer = teacher.get(f"{path}?{query}")
        assert answer.status_code == status, query
        if status == 400:
            assert answer.json["code"] == "dates_refused"


def test_a_picture_that_one_has_is_not_sent_again(room: Classroom) -> None:
    ada = room.students["Ada"]
    for kind in ("svg", "png"):
        tag = ada.get(path_of(ada, kind)).headers["ETag"]
        again = ada.get(path_of(ada, kind), headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
    lesson(room, "2026-03-12", Ada="present")
    assert ada.get(path_of(ada, "png"), headers={"If-None-Match": tag}).status_code == 200


def test_statements_do_not_grow_with_the_records(room: Classroom, cast: Cast) -> None:
    paths = [path_of(room.students["Ada"]), *(f"/reports/charts/{name}.svg" for name in OTHERS)]
    numbers: list[Any] = []
    for more in (1, 66):
        fill(room, cast, more)
        for path in paths:
            with counted(cast.app) as said:
                assert room.teacher.get(path).status_code == 200
            numbers.append(len(said))
    assert numbers[:3] == numbers[3:]


def test_pictures_drawn_at_once_are_those_drawn_alone() -> None:
    bars = BarChart("Bars", "Records", ["A", "B"], {"present": [3, 4], "absent": [2, 0]}, ["60 %", "100 %"])
    line = LineChart("Line", "Day", "%", [Line("attendance", [1, 2, 3], [50, 60, 70], marked=True)])
    wanted: list[Any] = [(bars, "svg"), (line, "svg"), (bars, "png"), (line, "png")] * 3
    alone = [draw(*one) for one in wanted]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda one: draw(*one), wanted)) == alone
