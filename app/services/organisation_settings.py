"""What each organisation decides for itself. Every setting has a default and says what it means; the OpenAPI document
and the README's table come from here."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from app.faces.liveness import Challenge
from app.models import AlertKind, Organisation, Role, Status
from app.services.languages import SOURCE, require_language
from app.services.text import without_control_characters

Domain = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[\w-]+(\.[\w-]+)+$", max_length=253)
]
RegistrableRole = Literal[Role.TEACHER, Role.STUDENT, Role.EMPLOYEE, Role.PARENT]


class Evidence(StrEnum):
    LOCATION = "location"
    FACE = "face"
    CODE = "code"
    NETWORK = "network"


LateArrival = Literal["accept", "review", "refuse"]


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as wrong:
        raise ValueError("is no address range such as 10.0.0.0/8 or 2001:db8::/32") from wrong


Network = Annotated[str, StringConstraints(strip_whitespace=True, max_length=50), AfterValidator(_network)]


EdFi = Literal["In Attendance", "Tardy", "Unexcused Absence", "Excused Absence", "Early departure", "Partial"]
"""Ed-Fi's own values of AttendanceEventCategoryDescriptor."""


WHOLE = "whole"
"""The context in which settings are all there: only then can be told whether they make sense together."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Registration(_Part):
    rule: Literal["open", "domain", "invitation", "closed"] = Field(
        "invitation",
        description="Who may register. open: everybody; domain: who confirms an email address of one of `domains`; "
        "invitation: only who was invited; closed: nobody, not even by invitation: administrators make accounts",
    )
    domains: list[Domain] = Field([], max_length=100, description="For the rule domain", examples=[["school.example"]])
    roles: list[RegistrableRole] = Field(
        [Role.STUDENT], description="Roles to register with; nobody becomes an administrator by registering"
    )

    @model_validator(mode="after")
    def domains_for_their_rule(self, info: ValidationInfo) -> Self:
        if info.context == WHOLE and self.rule == "domain" and not self.domains:
            raise ValueError("the rule domain needs at least one of domains")
        return self


class Geofence(_Part):
    latitude: float | None = Field(
        None, strict=True, ge=-90, le=90, description="Of sessions that name no place, in degrees"
    )
    longitude: float | None = Field(None, strict=True, ge=-180, le=180, description="In degrees")
    radius: int = Field(100, strict=True, ge=5, le=100_000, description="In metres, of sessions that name none")
    max_accuracy: int = Field(
        100,
        strict=True,
        ge=1,
        le=10_000,
        description="In metres: a position that is less accurate than this is refused",
    )
    max_age: int = Field(
        300, strict=True, ge=1, le=86_400, description="In seconds: a position that is older than this is refused"
    )

    @model_validator(mode="after")
    def both_or_none(self, info: ValidationInfo) -> Self:
        if info.context == WHOLE and (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together")
        return self


def _each_once(challenges: list[Challenge]) -> list[Challenge]:
    return list(dict.fromkeys(challenges))


class FacePolicy(_Part):
    enabled: bool = Field(True, strict=True, description="Whether faces may be enrolled and recognised at all")
    tolerance: float | None = Field(
        None,
        strict=True,
        gt=0,
        le=0.6,
        description="Encodings further apart are of two people; null: the installation's",
    )
    false_match_rate: float = Field(
        1e-4,
        strict=True,
        ge=1e-7,
        le=1e-2,
        description="How often somebody who is not enrolled may be recognised as one of all with whom they are "
        "compared; who is not as near as that, and not beyond the tolerance, is uncertain",
    )
    keep_pictures_days: int = Field(
        0, strict=True, ge=0, le=365, description="How long pictures of a room are kept; 0: not at all"
    )
    parental_consent_under: int = Field(
        16,
        strict=True,
        ge=0,
        le=21,
        description="For students younger than this, in years, a parent consents (GDPR, article 8); 0: never. Who has "
        "no date of birth here consents themself",
    )
    liveness: bool = Field(
        False, strict=True, description="Whether who checks in by face must turn or blink before the camera when asked"
    )
    challenges: Annotated[list[Challenge], AfterValidator(_each_once)] = Field(
        default=["turn_left", "turn_right", "blink"],
        min_length=1,
        description="What may be asked for then. Not by default `move_closer`: a photograph can be brought closer, too",
    )


def _no_built_in_word(code: str) -> str:
    if code.lower() in set(Status):
        raise ValueError("this word is there already")
    return code


class DefinedStatus(_Part):
    """A status of the organisation's own, beside the five that there are."""

    code: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9_-]{1,20}$"),
        AfterValidator(_no_built_in_word),
    ] = Field(description="By which it is given, in capitals or not", examples=["SICK"])
    label: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
        AfterValidator(without_control_characters),
    ] = Field(examples=["Ill, with a note"])
    counts_as: Status = Field(description="In all rates and counts", examples=["excused"])
    colour: Annotated[str, StringConstraints(to_lower=True, pattern=r"^#[0-9A-Fa-f]{6}$")] = Field(
        "#6b7280", examples=["#6b7280"]
    )
    ed_fi: EdFi | None = Field(
        None, description="Ed-Fi AttendanceEventCategory; null: that of counts_as", examples=["Excused Absence"]
    )


def _different_codes(statuses: list[DefinedStatus]) -> list[DefinedStatus]:
    if len({status.code.lower() for status in statuses}) < len(statuses):
        raise ValueError("two have the same code")
    return statuses


class Retention(_Part):
    """In days, after which it is deleted."""

    sign_ins: int = Field(90, strict=True, ge=1, le=3650, description="Ended sign-ins, with their device and address")
    mails: int = Field(90, strict=True, ge=1, le=3650, description="Sent and failed mails, with their addresses")
    locations: int = Field(90, strict=True, ge=1, le=3650, description="Where people tried to check in")
    faces: int = Field(1095, strict=True, ge=1, le=1095, description="Face templates, at the latest")
    faces_after_leaving: int = Field(
        30,
        strict=True,
        ge=0,
        le=1095,
        description="Face templates of who has left: is not active, or is a student whose last class has ended",
    )
    recognitions: int = Field(
        30,
        strict=True,
        ge=1,
        le=365,
        description="Recognitions that nobody has confirmed, and the faces of the others; a face stays as long as its "
        "picture, the counts of a confirmation stay",
    )
    passages: int = Field(1095, strict=True, ge=1, le=3650, description="When people went in and out at gates")
    notifications: int = Field(365, strict=True, ge=1, le=3650, description="What people were told")


def _language(code: str, info: ValidationInfo) -> str:
    """One that was decided on stays, whatever becomes of it: mails are in English then."""
    return code if info.context == WHOLE else require_language(code)


TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class DayRules(_Part):
    """What a day at the gates counts; times of day are where the organisation is."""

    late_after: TimeOfDay | None = Field(
        None,
        description="Who first comes in at a gate later than this time of day is late; null: nobody",
        examples=["09:15"],
    )
    full_minutes: int = Field(360, strict=True, ge=1, le=1440, description="So many minutes inside are a full day")
    half_minutes: int = Field(180, strict=True, ge=1, le=1440, description="So many minutes inside are half a day")
    ends_at: TimeOfDay | None = Field(
        None,
        description="Until when a past day counts for who came in and was not seen going out; null: not at all",
        examples=["17:00"],
    )

    @model_validator(mode="after")
    def half_is_less(self, info: ValidationInfo) -> Self:
        if info.context == WHOLE and self.half_minutes > self.full_minutes:
            raise ValueError("half_minutes cannot be more than full_minutes")
        return self


class Grade(_Part):
    """A grade, which everything has that reaches its bound and no higher one."""

    grade: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=20),
        AfterValidator(without_control_characters),
    ] = Field(examples=["A"])
    from_percent: float = Field(strict=True, ge=0, le=100, examples=[90.0])

    def __str__(self) -> str:
        return f"{self.grade} from {self.from_percent:g}"


def _usable(scale: list[Grade]) -> list[Grade]:
    if len({grade.grade for grade in scale}) < len(scale):
        raise ValueError("two are the same grade")
    if len({grade.from_percent for grade in scale}) < len(scale):
        raise ValueError("two begin at the same percentage")
    if all(grade.from_percent for grade in scale):
        raise ValueError("one must begin at 0, so that everything has a grade")
    return scale


def _different(types: list[str]) -> list[str]:
    if len(set(types)) < len(types):
        raise ValueError("two are the same")
    return types


AssessmentType = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[\w-]{1,40}$")]


class AssessmentRules(_Part):
    types: Annotated[list[AssessmentType], AfterValidator(_different)] = Field(
        ["quiz", "test", "exam", "assignment"],
        min_length=1,
        max_length=50,
        description="What assessments there are, by short codes",
    )
    scale: Annotated[list[Grade], AfterValidator(_usable)] = Field(
        [
            Grade(grade=grade, from_percent=bound)
            for grade, bound in (("A", 90), ("B", 80), ("C", 70), ("D", 60), ("F", 0))
        ],
        max_length=50,
        description="The grades, each with `grade` and `from_percent`, from which on it is given; one begins at 0",
    )
    rank: bool = Field(False, strict=True, description="Whether students' averages tell their place among the others")
    high_performer: float = Field(
        85, strict=True, ge=0, le=100, description="An average from this on is a high performer's, in percent"
    )


Category = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(without_control_characters),
]


class Behaviour(_Part):
    categories: list[Category] = Field(
        ["participation", "homework", "respect", "disruption", "bullying", "other"],
        max_length=50,
        description="What behaviour notes are about; staff may write another",
    )


def _each_kind_once(kinds: list[AlertKind]) -> list[AlertKind]:
    return list(dict.fromkeys(kinds))


class AtRisk(_Part):
    """When staff are alerted to a student; attendance is low below `low_attendance`."""

    kinds: Annotated[list[AlertKind], AfterValidator(_each_kind_once)] = Field(
        list(AlertKind), description="What alerts there are"
    )
    days: int = Field(
        30, strict=True, ge=1, le=366, description="Attendance and behaviour of so many days, to today, count"
    )
    marks_days: int = Field(90, strict=True, ge=1, le=366, description="Marks of so many days, to today, count")
    marks_below: float = Field(50, strict=True, ge=0, le=100, description="An average below this is low, in percent")
    negative_notes: int = Field(
        3, strict=True, ge=1, le=1000, description="So many negative behaviour notes are an alert"
    )
    consecutive_absences: int = Field(
        3, strict=True, ge=1, le=1000, description="So many sessions missed in a row are an alert"
    )
    min_sessions: int = Field(
        3, strict=True, ge=1, le=1000, description="Of fewer sessions no alert of low attendance is raised"
    )
    min_assessments: int = Field(
        1, strict=True, ge=1, le=1000, description="Of fewer assessments no alert of low marks is raised"
    )


class MailSender(_Part):
    name: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\r\n]*$")] | None = Field(
        None, description="Shown as the sender of mails; by default the organisation's name", examples=["Front office"]
    )
    reply_to: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        None, description="Where answers go", examples=["office@school.example"]
    )


class NotificationRules(_Part):
    """Who is told what, and when it is mailed; times of day are where the organisation is."""

    absence_delay: int = Field(
        15,
        strict=True,
        ge=0,
        le=1440,
        description="So many minutes after a session has closed, guardians are told who is absent still",
    )
    guardians_without_account: bool = Field(
        False,
        strict=True,
        description="Whether guardians of whom only an address is known are mailed of absences",
    )
    escalate_after: int = Field(
        3, strict=True, ge=2, le=100, description="After so many absences in a row those of `escalate_to` are told"
    )
    escalate_to: list[Literal["guardians", "teachers", "admins"]] = Field(
        ["guardians", "teachers"],
        max_length=3,
        description="teachers: those who lead the student's classes; none: nobody is told",
    )
    at_risk_to_guardians: bool = Field(
        True, strict=True, description="Whether guardians are told of alerts, as the student's teachers are"
    )
    quiet_from: TimeOfDay | None = Field(
        None, description="From this time of day to `quiet_until` no notification is mailed", examples=["21:00"]
    )
    quiet_until: TimeOfDay | None = Field(
        None, description="Then what fell into the quiet hours is mailed", examples=["07:00"]
    )
    digest_at: TimeOfDay = Field("17:00", description="When those who want one mail a day get it")

    @model_validator(mode="after")
    def from_and_until(self, info: ValidationInfo) -> Self:
        if info.context == WHOLE and (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until belong together")
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            raise ValueError("quiet_until must be another time than quiet_from")
        return self


LONGEST = 1440
"""Minutes: no session opens longer before its start, nor stays open longer after its end."""


class OrganisationSettings(_Part):
    opens_before: int = Field(
        15, strict=True, ge=0, le=LONGEST, description="Check-in opens so many minutes before a session"
    )
    grace: int = Field(
        10, strict=True, ge=0, le=LONGEST, description="So many minutes after the start one is present, then late"
    )
    close_after: int = Field(
        15,
        strict=True,
        ge=0,
        le=LONGEST,
        description="So many minutes after its end a session closes; who is unmarked is absent",
    )
    requires: list[Evidence] | None = Field(
        None,
        max_length=4,
        description="The evidence that a check-in needs: location, face, code, network; null: the location, where "
        "the session or its class has a site of its own, else nothing",
    )
    networks: list[Network] = Field(
        [], max_length=50, description="Address ranges (CIDR) from which the network passes", examples=[["10.0.0.0/8"]]
    )
    late_arrival: LateArrival = Field(
        "review",
        description="A check-in made without network and sent after the session has closed: accept it, have it "
        "reviewed, or refuse it",
    )
    timetable_days: int = Field(
        28, strict=True, ge=1, le=366, description="Timetables' sessions are made so many days ahead"
    )
    late_weight: float = Field(
        1.0, strict=True, ge=0, le=1, description="What being late counts in the attendance rate"
    )
    low_attendance: float = Field(0.75, strict=True, ge=0, le=1, description="A rate below this is low")
    required_rate: float = Field(
        0.75, strict=True, ge=0, le=1, description="The rate that everybody is to reach by the end of a term"
    )
    statuses: Annotated[list[DefinedStatus], AfterValidator(_different_codes)] = Field(
        [],
        max_length=50,
        description="Statuses of its own, each with `code`, `label`, `counts_as` (one of the five that there are), "
        "`colour` and `ed_fi` (Ed-Fi AttendanceEventCategory)",
    )
    language: Annotated[str, Field(max_length=20), AfterValidator(_language)] = Field(
        SOURCE,
        description="Of mails and notifications, for who has not chosen another: en, ar, or one that was added",
        examples=["ar"],
    )
    registration: Registration = Field(default_factory=Registration)
    geofence: Geofence = Field(default_factory=Geofence)
    faces: FacePolicy = Field(default_factory=FacePolicy)
    day: DayRules = Field(default_factory=DayRules)
    assessments: AssessmentRules = Field(default_factory=AssessmentRules)
    at_risk: AtRisk = Field(default_factory=AtRisk)
    retention: Retention = Field(default_factory=Retention)
    behaviour: Behaviour = Field(default_factory=Behaviour)
    mail: MailSender = Field(default_factory=MailSender)
    notifications: NotificationRules = Field(default_factory=NotificationRules)


def settings_of(decided: dict[str, Any]) -> OrganisationSettings:
    """An organisation's settings, from what it decided otherwise than the defaults."""
    return _read(json.dumps(decided))


@lru_cache(1024)
def _read(decided: str) -> OrganisationSettings:
    """Every request asks for them, and they hardly ever change. Many share what is returned: nobody changes it."""
    return OrganisationSettings.model_validate_json(decided, context=WHOLE)


def decide(organisation: Organisation, changes: dict[str, Any]) -> None:
    """Change some settings; what is not named stays. `changes` fit OrganisationSettings.

    Raises:
        ValidationError: together with what stays they make no sense, such as a latitude without a longitude.
    """
    merged = _merge(organisation.settings, changes)
    decided = OrganisationSettings.model_validate(merged, context=WHOLE)
    organisation.settings = decided.model_dump(mode="json", exclude_unset=True)


def _merge(kept: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    parts = {name: value for name, value in changes.items() if isinstance(value, dict)}
    return kept | changes | {name: _merge(kept.get(name, {}), part) for name, part in parts.items()}
