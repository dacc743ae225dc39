"""The files of a OneRoster archive: their columns, and what stands in a row of them.

Source: 1EdTech OneRoster CSV Binding 1.2.1, https://www.imsglobal.org/spec/oneroster/v1p2/bind/csv
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from app.services.errors import UnreadableFile
from app.services.tables import BadCell, Row, csv_columns, read_csv, require_small, write_csv
from app.services.text import one_spelling, without_control_characters

VERSIONS = ("1.1", "1.2")
MANIFEST = "manifest"
TO_BE_DELETED = "tobedeleted"
SEXES = ("male", "female", "unspecified", "other")
_COMMON = "sourcedId status dateLastModified "
COLUMNS = {
    "orgs": (_COMMON + "name type identifier parentSourcedId").split(),
    "academicSessions": (_COMMON + "title type startDate endDate parentSourcedId schoolYear").split(),
    "courses": (_COMMON + "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes").split(),
    "classes": (
        _COMMON + "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects "
        "subjectCodes periods"
    ).split(),
    "users": (
        _COMMON + "enabledUser username userIds givenName familyName middleName identifier email sms phone "
        "agentSourcedIds grades password userMasterIdentifier preferredGivenName preferredMiddleName "
        "preferredFamilyName primaryOrgSourcedId pronouns"
    ).split(),
    "roles": (
        _COMMON + "userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId"
    ).split(),
    "demographics": (
        _COMMON + "birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican "
        "nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity "
        "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus"
    ).split(),
    "enrollments": (
        _COMMON + "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate"
    ).split(),
}  # fmt: skip
OTHER_FILES = (
    "categories classResources courseResources lineItemLearningObjectiveIds lineItems lineItemScoreScales resources "
    "resultLearningObjectiveIds results resultScoreScales scoreScales userProfiles userResources"
).split()
"""Of which Rollcall has nothing: a manifest says of each that it is absent."""


class Mode(StrEnum):
    BULK = "bulk"
    """All there is: what is not in the file is gone."""
    DELTA = "delta"
    """What has changed; what is gone is marked."""
    ABSENT = "absent"


def _day(value: str) -> date:
    day = date.fromisoformat(value)
    if not 1900 <= day.year <= 2200:  # noqa: PLR2004 - beyond, it is a slip
        raise ValueError("is no date that can be meant")
    return day


Plain = AfterValidator(without_control_characters)
Key = Annotated[str, StringConstraints(max_length=255), Plain]
Title = Annotated[str, StringConstraints(max_length=200), Plain]
Name = Annotated[str, StringConstraints(max_length=100), Plain]
Code = Annotated[str, StringConstraints(max_length=50), Plain]
Phone = Annotated[str, StringConstraints(max_length=40), Plain]
Year = Annotated[str, StringConstraints(max_length=20), Plain]
Keys = Annotated[tuple[str, ...], BeforeValidator(lambda value: [v.strip() for v in value.split(",") if v.strip()])]
Day = Annotated[date, BeforeValidator(_day)]
Word = Annotated[str, BeforeValidator(str.lower)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(one_spelling)]


class Entry(BaseModel):
    """A row of a file; a blank is None, and a column that Rollcall has no place for is left out."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda name: name.replace("_", ""))

    line: int
    sourced_id: Key


class Org(Entry):
    name: Title
    type: Word
    identifier: Code | None = None
    parent_sourced_id: Key | None = None


class AcademicSession(Entry):
    title: Title
    start_date: Day
    end_date: Day
    """Exclusive."""
    school_year: Year | None = None


class Course(Entry):
    title: Title
    course_code: Code | None = None
    org_sourced_id: Key | None = None


class ClassEntry(Entry):
    title: Title
    course_sourced_id: Key | None = None
    school_sourced_id: Key | None = None
    term_sourced_ids: Keys = ()


class UserEntry(Entry):
    """role: of OneRoster 1.1, which has no roles.csv."""

    enabled_user: bool = True
    given_name: Name
    family_name: Name | None = None
    username: Name | None = None
    identifier: Code | None = None
    email: Email | None = None
    sms: Phone | None = None
    phone: Phone | None = None
    agent_sourced_ids: Keys = ()
    primary_org_sourced_id: Key | None = None
    role: Word | None = None


class RoleEntry(Entry):
    user_sourced_id: Key
    role_type: Word = "primary"
    role: Word
    org_sourced_id: Key | None = None


class Demographics(Entry):
    """sourced_id: the user's."""

    birth_date: Day | None = None
    sex: Annotated[str, StringConstraints(max_length=40), Plain] | None = None


class Enrollment(Entry):
    """end_date: exclusive."""

    class_sourced_id: Key
    user_sourced_id: Key
    role: Word
    primary: bool = False
    begin_date: Day | None = None
    end_date: Day | None = None


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class File(Generic[E]):
    """keys: of every row, readable or not. removed: the lines of those that are marked as gone, by key."""

    mode: Mode = Mode.ABSENT
    columns: frozenset[str] = frozenset()
    entries: Sequence[E] = ()
    keys: frozenset[str] = frozenset()
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Package:
    orgs: File[Org]
    sessions: File[AcademicSession]
    courses: File[Course]
    classes: File[ClassEntry]
    users: File[UserEntry]
    roles: File[RoleEntry]
    demographics: File[Demographics]
    enrollments: File[Enrollment]
    bad: Sequence[BadCell]


def read_package(archive: bytes) -> Package:
    """What stands in the archive; rows that cannot be read are in `bad`.

    Raises:
        UnreadableFile: it is no OneRoster archive, or lacks a file that its manifest names.
    """
    packed = _unpacked(archive)
    modes = _modes(packed)
    bad: list[BadCell] = []

    def read(name: str, entry: type[E]) -> File[E]:
        mode = modes[name]
        return File() if mode == Mode.ABSENT else _file(name, mode, packed, entry, bad)

    return Package(
        read("orgs", Org),
        read("academicSessions", AcademicSession),
        read("courses", Course),
        read("classes", ClassEntry),
        read("users", UserEntry),
        read("roles", RoleEntry),
        read("demographics", Demographics),
        read("enrollments", Enrollment),
        bad,
    )


def _unpacked(archive: bytes) -> dict[str, bytes]:
    """Those files that are read, by name."""
    require_small(archive)
    wanted = {f"{name}.csv".lower(): name for name in (MANIFEST, *COLUMNS)}
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            return {wanted[n.lower()]: packed.read(n) for n in packed.namelist() if n.lower() in wanted}
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UnreadableFile("This archive is damaged, encrypted or packed in a way that is not understood") from error


def _modes(packed: Mapping[str, bytes]) -> dict[str, Mode]:
    rows = _rows(MANIFEST, packed)
    said = {row.values.get("propertyname", "").lower(): row.values.get("value", "").lower() for row in rows}
    if said.get("oneroster.version") not in VERSIONS:
        raise UnreadableFile(f"manifest.csv: oneroster.version must be {' or '.join(VERSIONS)}")
    try:
        return {name: Mode(said.get(f"file.{name}".lower(), Mode.ABSENT)) for name in COLUMNS}
    except ValueError as error:
        raise UnreadableFile("manifest.csv: each file is bulk, delta or absent") from error


def _rows(name: str, packed: Mapping[str, bytes]) -> list[Row]:
    if name not in packed:
        raise UnreadableFile(f"{name}.csv is missing in this archive")
    try:
        return read_csv(packed[name])
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}.csv: {error.detail}") from error


def _file(name: str, mode: Mode, packed: Mapping[str, bytes], model: type[E], bad: list[BadCell]) -> File[E]:
    columns = csv_columns(packed[name]) if name in packed else frozenset[str]()
    rows = _rows(name, packed)
    required = {f.alias: to_camel(n) for n, f in model.model_fields.items() if f.is_required() and n != "line"}
    missing = [column for alias, column in required.items() if alias not in columns]
    bad += [BadCell(1, column, "this column is missing", f"{name}.csv") for column in missing]
    keys: dict[str, int] = {}
    entries, removed = [], {}
    for row in rows:
        key = row.values.get("sourcedid", "")
        if key and key in keys:
            bad.append(BadCell(row.line, "sourcedId", f"stands on line {keys[key]} already", f"{name}.csv"))
        elif row.values.get("status", "").lower() == TO_BE_DELETED and key:
            removed[key] = row.line
        elif not missing:
            entries += _entry(name, row, model, bad)
        keys[key] = row.line
    return File(mode, columns, entries, frozenset(keys), removed)


def _entry(name: str, row: Row, model: type[E], bad: list[BadCell]) -> list[E]:
    """One, or none where a cell is bad."""
    try:
        return [model.model_validate(row.values | {"line": row.line})]
    except ValidationError as error:
        names = {f.alias: to_camel(n) for n, f in model.model_fields.items()}
        bad += [
            BadCell(
                row.line, names.get(str(wrong["loc"][0])), wrong["msg"].removeprefix("Value error, "), f"{name}.csv"
            )
            for wrong in error.errors()
        ]
        return []


def write_package(files: Mapping[str, Iterable[Mapping[str, Any]]]) -> bytes:
    """An archive of these files as bulk, with each row's values by column; the others are absent."""
    manifest = {"manifest.version": "1.0", "oneroster.version": VERSIONS[-1]}
    manifest |= {f"file.{name}": Mode.BULK if name in files else Mode.ABSENT for name in (*COLUMNS, *OTHER_FILES)}
    manifest |= {"source.systemName": "Rollcall"}
    written = {MANIFEST: write_csv(["propertyName", "value"], manifest.items())}
    for name, rows in files.items():
        columns = COLUMNS[name]
        written[name] = write_csv(columns, ([row.get(column) for column in columns] for row in rows))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in written.items():
            packed.writestr(f"{name}.csv", text)
    return archive.getvalue()
