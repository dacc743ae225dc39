"""Enrolling one's face: consent, what a picture must be, what is kept and what is not."""

from __future__ import annotations

import base64
import io
import zlib
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from PIL import Image, ImageFilter
from sqlalchemy import func, select

from app.extensions import db
from app.faces import ONE_PERSON, FacePool
from app.models import Consent, FaceTemplate
from app.services import face_data
from app.services.face_vault import unseal_all
from tests.conftest import Cast, Person
from tests.pictures import astronaut, data_url, encode, grace_hopper, group, variation
from tests.story import consent, enrol
from tests.test_races import at_once


@pytest.fixture
def eileen(student: Person) -> Person:
    consent(student)
    return student


def upload(person: Person, picture: bytes) -> Any:
    return person.post("/api/face-data/upload", {"image": data_url(picture)})


def kept(cast: Cast) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(FaceTemplate)) or 0


def test_no_picture_is_taken_without_consent(cast: Cast, student: Person) -> None:
    for path, body in (("upload", {"image": "x"}), ("multiple-upload", {"images": ["x", "y"]})):
        answer = student.post(f"/api/face-data/{path}", body)
        assert (answer.status_code, answer.json["code"]) == (403, "consent_required")
    assert kept(cast) == 0


def test_consent_is_kept_with_who_when_and_which_text(cast: Cast, eileen: Person) -> None:
    asked = eileen.get("/api/face-data/consent").json
    assert (asked["accepted"], asked["decided_text_version"]) == (True, asked["text_version"])
    with cast.app.app_context():
        decision = db.session.scalars(select(Consent)).one()
        assert (decision.user_id, decision.recorded_by_id, decision.accepted) == (eileen.id, eileen.id, True)
        assert decision.created_at.isoformat() == asked["decided_at"].replace("Z", "+00:00")


def test_consent_to_an_older_text_is_asked_again(eileen: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.consents.TEXT_VERSION", "2027-01")
    assert eileen.get("/api/face-data/consent").json["accepted"] is False
    assert upload(eileen, encode(astronaut())).json["code"] == "consent_required"


def test_withdrawing_consent_deletes_the_templates(cast: Cast, eileen: Person) -> None:
    assert upload(eileen, encode(astronaut())).status_code == 201
    assert eileen.post("/api/face-data/consent", {"accepted": False}).json["accepted"] is False
    assert kept(cast) == 0
    assert upload(eileen, encode(astronaut())).json["code"] == "consent_required"


def test_what_is_stored_is_told_and_never_the_encoding(cast: Cast, eileen: Person) -> None:
    stored = upload(eileen, encode(astronaut())).json
    assert (stored["stored"], stored["quality"]["width"] >= 80, stored["quality"]["sharpness"] > 15) == (1, True, True)
    assert (abs(stored["quality"]["yaw"]) < 15, 25 < stored["quality"]["brightness"] < 200) == (True, True)
    mine = eileen.get("/api/face-data/my-data").json
    assert ([face["id"] for face in mine["faces"]], mine["stored"], mine["consent"]["accepted"]) == (
        [stored["id"]],
        1,
        True,
    )
    assert set(mine["faces"][0]) == {"id", "quality", "created_at"}


def test_templates_are_encrypted(cast: Cast, eileen: Person) -> None:
    upload(eileen, encode(astronaut()))
    with cast.app.app_context():
        sealed = db.session.scalars(select(FaceTemplate.encoding)).one()
        (encoding,) = unseal_all([sealed])
    assert encoding is not None
    assert encoding.shape == (128,)
    assert encoding.tobytes() not in sealed


def test_deleting_really_deletes_and_one_may_enrol_again(cast: Cast, eileen: Person) -> None:
    upload(eileen, encode(astronaut()))
    assert eileen.delete("/api/face-data/delete").status_code == 200
    assert (kept(cast), eileen.get("/api/face-data/my-data").json["faces"]) == (0, [])
    assert upload(eileen, encode(astronaut())).status_code == 201


def small(person: Image.Image) -> Image.Image:
    return person.resize((person.width * 3 // 5, person.height * 3 // 5))


def long_gif() -> bytes:
    frames = [Image.new("L", (1, 1), n % 256) for n in range(10_000)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 x 60,000 pixels."""
    tiny = bytearray(encode(Image.new("1", (1, 1)), "PNG"))
    tiny[16:24] = (60_000).to_bytes(4, "big") * 2
    tiny[29:33] = zlib.crc32(tiny[12:29]).to_bytes(4, "big")
    return bytes(tiny)


@pytest.mark.parametrize(
    ("picture", "status", "code"),
    [
        (lambda: encode(Image.new("RGB", (640, 480), "grey")), 400, "no_face"),
        (lambda: encode(group(astronaut(), grace_hopper())), 400, "several_faces"),
        (lambda: encode(small(astronaut())), 400, "face_too_small"),
        (lambda: encode(grace_hopper().filter(ImageFilter.GaussianBlur(4))), 400, "face_too_blurred"),
        (lambda: b"This is a text called me.jpg", 400, "not_an_image"),
        (lambda: b"", 400, "not_an_image"),
        (lambda: encode(astronaut())[:10_000], 400, "not_an_image"),
        (long_gif, 400, "not_an_image"),
        (bomb, 413, "picture_too_large"),
        (lambda: b"\xff\xd8\xff" + bytes(11_000_000), 413, "picture_too_large"),
    ],
)
def test_a_picture_that_cannot_be_used_is_refused_with_the_reason(
    cast: Cast, eileen: Person, picture: Any, status: int, code: str
) -> None:
    answer = upload(eileen, picture())
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert (answer.json["image"], kept(cast)) == (0, 0)


@pytest.mark.parametrize(
    ("picture", "limit"), [(small(astronaut()), 80), (grace_hopper().filter(ImageFilter.GaussianBlur(4)), 15)]
)
def test_a_face_that_would_not_be_recognised_is_refused_with_its_figure_and_the_limit(
    eileen: Person, picture: Image.Image, limit: float
) -> None:
    answer = upload(eileen, encode(picture)).json
    assert answer["limit"] == limit
    assert 0 < answer["figure"] < limit
    assert f" {int(answer['figure'])}" in answer["detail"]


def rotated(person: Image.Image) -> bytes:
    """As a phone writes it: pixels on their side, and a note which way is up."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(person.rotate(90, expand=True), exif=exif)


def photo_of_12_megapixels() -> bytes:
    return encode(astronaut().resize((1400, 1400)).crop((-1300, -800, 2700, 2200)), quality=90)


@pytest.mark.parametrize(
    ("picture", "body"),
    [
        (lambda: encode(astronaut(), "PNG"), "data_url"),
        (lambda: encode(astronaut(), "WEBP"), "base64"),
        (lambda: encode(astronaut().convert("CMYK")), "multipart"),
        (lambda: rotated(astronaut()), "data_url"),
        (photo_of_12_megapixels, "multipart"),
    ],
)
def test_pictures_of_every_kind_are_taken_in_every_way(eileen: Person, picture: Any, body: str) -> None:
    data = picture()
    match body:
        case "data_url":
            answer = eileen.post("/api/face-data/upload", {"image": data_url(data, "image/png")})
        case "base64":
            answer = eileen.post("/api/face-data/upload", {"image": base64.encodebytes(data).decode()})
        case _:
            answer = eileen.post("/api/face-data/upload", data={"image": (io.BytesIO(data), "me.jpg")})
    assert answer.status_code == 201, answer.text


def test_pictures_of_different_people_are_refused_as_a_whole(cast: Cast, eileen: Person) -> None:
    answer = enrol(eileen, [encode(astronaut()), encode(grace_hopper())])
    assert (answer.status_code, answer.json["code"], kept(cast)) == (400, "different_people", 0)
    upload(eileen, encode(astronaut()))
    later = upload(eileen, encode(grace_hopper()))
    assert (later.status_code, later.json["code"], kept(cast)) == (400, "different_people", 1)


def test_one_bad_picture_among_several_is_named_and_nothing_stored(cast: Cast, eileen: Person) -> None:
    answer = enrol(eileen, [encode(astronaut()), b"no picture"])
    assert (answer.status_code, answer.json["code"], answer.json["image"]) == (400, "not_an_image", 1)
    assert (list(answer.json["errors"]), kept(cast)) == (["images.1"], 0)


def test_of_two_who_enrol_one_face_at_once_one_does(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [cast.student(), cast.student()]
    for person in people:
        consent(person)
    with cast.app.app_context():
        analyses = face_data.analyse([encode(astronaut())], wanted=ONE_PERSON)
    monkeypatch.setattr(face_data, "analyse", lambda *_, **__: analyses)
    body = {"image": data_url(b"the same")}
    answers = at_once(lambda number: people[number].post("/api/face-data/upload", body), 2)
    assert (answers, kept(cast)) == ({201: 1, 409: 1}, 1)


def test_nobody_enrols_another_persons_face(cast: Cast, eileen: Person) -> None:
    upload(eileen, encode(astronaut()))
    thief = cast.student()
    answer = enrol(thief, [encode(variation(astronaut(), 5))])
    assert (answer.status_code, answer.json["code"], kept(cast)) == (409, "face_of_another", 1)
    elsewhere = cast.student(organisation_id=cast.other_organisation())
    assert enrol(elsewhere, [encode(astronaut())]).status_code == 201, "another organisation must not learn of it"


def test_only_so_many_pictures_are_stored(cast: Cast, eileen: Person) -> None:
    pictures = [encode(variation(astronaut(), n)) for n in range(7)]
    assert enrol(eileen, pictures[:6]).json["stored"] == 6
    answer = enrol(eileen, pictures[:2])
    assert (answer.status_code, answer.json["code"], answer.json["most"]) == (409, "too_many_templates", 7)
    assert enrol(eileen, pictures[6:]).json["stored"] == 7
    assert kept(cast) == 7


def test_who_enrols_while_the_server_stops_is_asked_to_try_again(
    cast: Cast, eileen: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = ProcessPoolExecutor(1)
    stopped.shutdown()
    monkeypatch.setattr(FacePool, "_started", lambda _: stopped)
    monkeypatch.setattr(cast.app.extensions["face_pool"], "_read", {})
    answer = upload(eileen, encode(astronaut()))
    assert (answer.status_code, answer.json["code"], kept(cast)) == (503, "faces_busy", 0)


@pytest.mark.parametrize("images", [[], ["x"], ["x"] * 8])
def test_several_means_two_to_seven(eileen: Person, images: list[str]) -> None:
    answer = eileen.post("/api/face-data/multiple-upload", {"images": images})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["images"])
