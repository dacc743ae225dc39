"""What checking in to a session asks for: the session's own rules over its class's over its organisation's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.services.organisation_settings import LONGEST, Evidence, LateArrival, Network, OrganisationSettings

Corner = tuple[
    Annotated[float, Field(strict=True, ge=-90, le=90)], Annotated[float, Field(strict=True, ge=-180, le=180)]
]


class Site(BaseModel):
    """A circle (latitude, longitude, radius) or a polygon."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = Field("", examples=["Main hall"])
    latitude: float | None = Field(None, strict=True, ge=-90, le=90, description="In degrees", examples=[38.7223])
    longitude: float | None = Field(None, strict=True, ge=-180, le=180, description="In degrees", examples=[-9.1393])
    radius: int | None = Field(
        None, strict=True, ge=5, le=100_000, description="In metres; by default the organisation's", examples=[100]
    )
    polygon: list[Corner] | None = Field(
        None,
        min_length=3,
        max_length=200,
        description="Its corners in order, each latitude and longitude in degrees; the last is joined to the first",
    )

    @model_validator(mode="after")
    def circle_or_polygon(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together")
        if (self.latitude is None) == (self.polygon is None):
            raise ValueError("a site is either a circle (latitude and longitude) or a polygon")
        return self


class Policy(BaseModel):
    """What a session or a class decides for itself; what it leaves out is decided one level up."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    requires: list[Evidence] | None = Field(
        None, max_length=4, description="The evidence that a check-in needs", examples=[["location"]]
    )
    opens_before: int | None = Field(None, strict=True, ge=0, le=LONGEST, description="In minutes before the start")
    grace: int | None = Field(None, strict=True, ge=0, le=LONGEST, description="In minutes after the start")
    close_after: int | None = Field(None, strict=True, ge=0, le=LONGEST, description="In minutes after the end")
    sites: list[Site] | None = Field(None, max_length=50, description="Where it is: within any of them will do")
    networks: list[Network] | None = Field(None, max_length=50, examples=[["10.0.0.0/8"]])
    liveness: bool | None = Field(
        None, strict=True, description="Whether a face must turn or blink before the camera when asked"
    )
    late_arrival: LateArrival | None = Field(
        None, description="Of check-ins that were made without network and sent too late"
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything decided. sites: none of a polygon and a radius missing; networks: CIDR; times in minutes."""

    requires: frozenset[Evidence]
    opens_before: int
    grace: int
    close_after: int
    sites: tuple[Site, ...]
    networks: tuple[str, ...]
    liveness: bool
    late_arrival: LateArrival


def rules(settings: OrganisationSettings, *policies: dict[str, Any]) -> Rules:
    """policies: as they are kept, the more general first: a class's, then a session's.

    Where nobody says what is required, it is the location, if a session or a class has a site of its own.
    """
    decided: dict[str, Any] = {}
    for policy in policies:
        decided |= {name: value for name, value in policy.items() if value is not None}
    sites = decided.get("sites")
    requires = decided.get("requires", settings.requires)
    if requires is None:
        requires = [Evidence.LOCATION] if sites else []
    return Rules(
        requires=frozenset(map(Evidence, requires)),
        opens_before=decided.get("opens_before", settings.opens_before),
        grace=decided.get("grace", settings.grace),
        close_after=decided.get("close_after", settings.close_after),
        sites=tuple(_site(settings, site) for site in sites or _default_site(settings)),
        networks=tuple(decided.get("networks", settings.networks)),
        liveness=decided.get("liveness", settings.faces.liveness),
        late_arrival=decided.get("late_arrival", settings.late_arrival),
    )


def kept(policy: Policy | None) -> dict[str, Any]:
    """As the database has it."""
    return policy.model_dump(mode="json", exclude_none=True) if policy else {}


def _site(settings: OrganisationSettings, site: dict[str, Any]) -> Site:
    default = {} if site.get("polygon") else {"radius": settings.geofence.radius}
    return Site.model_construct(**{"name": "", "latitude": None, "longitude": None, "radius": None, "polygon": None}
                                | default | site)  # fmt: skip


def _default_site(settings: OrganisationSettings) -> list[dict[str, Any]]:
    place = settings.geofence
    if place.latitude is None:
        return []
    return [{"latitude": place.latitude, "longitude": place.longitude, "radius": place.radius}]
