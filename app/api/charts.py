"""Attendance as pictures, SVG or PNG."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Response

from app.api.conditional import conditional
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.charts import ChartIn, ClassChartIn, TrendChartIn
from app.services import attendance_charts as service
from app.services import errors
from app.services.attendance_charts import Picture
from app.services.charts import Kind

charts = APIBlueprint("charts", __name__, tag="Charts")

MEDIA_TYPES: dict[Kind, str] = {"svg": "image/svg+xml", "png": "image/png"}
TEXT = "X-Alt-Text"
PICTURE: Any = {
    200: {
        "description": "The picture, which can be read in black and white",
        "headers": {
            TEXT: {
                "description": "What is to be seen on it, in words: UTF-8, percent-encoded. An SVG has it as <desc>",
                "schema": {"type": "string"},
            }
        },
        "content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()},
    }
}
SVG: Any = {"kind": "svg"}
PNG: Any = {"kind": "png"}


@charts.get("/reports/charts/person/<uuid:user_id>.svg", endpoint="person_svg", defaults=SVG)
@charts.get("/reports/charts/person/<uuid:user_id>.png", endpoint="person_png", defaults=PNG)
@who_may(ANYONE)
@conditional
@refuses(errors.DatesRefused)
@charts.input(ChartIn, location="query")
@charts.doc(responses=PICTURE)
def of_person(user_id: uuid.UUID, kind: Kind, query_data: ChartIn) -> Response:
    """A calendar of a person's attendance: for staff, their parents, and themselves"""
    return _answer(service.of_person(caller(), user_id, query_data.days, kind), kind)


@charts.get("/reports/charts/trend.svg", endpoint="trend_svg", defaults=SVG)
@charts.get("/reports/charts/trend.png", endpoint="trend_png", defaults=PNG)
@who_may(STAFF)
@conditional
@refuses(errors.NotFound, errors.DatesRefused)
@charts.input(TrendChartIn, location="query")
@charts.doc(responses=PICTURE)
def trend(kind: Kind, query_data: TrendChartIn) -> Response:
    """The attendance rate over time"""
    return _answer(service.trend(caller(), query_data.wanted, query_data.interval, kind), kind)


@charts.get("/reports/charts/classes.svg", endpoint="classes_svg", defaults=SVG)
@charts.get("/reports/charts/classes.png", endpoint="classes_png", defaults=PNG)
@who_may(STAFF)
@conditional
@refuses(errors.DatesRefused)
@charts.input(ClassChartIn, location="query")
@charts.doc(responses=PICTURE)
def of_classes(kind: Kind, query_data: ClassChartIn) -> Response:
    """What the records of each class come to, the lowest rates first: thirty classes at most"""
    return _answer(service.of_classes(caller(), query_data.wanted, kind), kind)


def _answer(picture: Picture, kind: Kind) -> Response:
    return Response(picture.content, mimetype=MEDIA_TYPES[kind], headers={TEXT: quote(picture.text)})
