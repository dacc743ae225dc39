"""The calls: one blueprint per resource, all under /api."""

from __future__ import annotations

from apiflask import APIFlask
from flask import redirect
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.wrappers import Response

from app.api import aliases, openapi, policy, problems, repeats
from app.api.alerts import alerts
from app.api.api_keys import api_keys
from app.api.assessments import assessments
from app.api.attendance import attendance
from app.api.audit import audit
from app.api.auth import auth
from app.api.behaviour import behaviour
from app.api.calendar_feeds import calendar_feeds
from app.api.charts import charts
from app.api.check_in import check_in
from app.api.classes import classes
from app.api.dashboards import dashboards
from app.api.days import days
from app.api.face_data import face_data
from app.api.gates import gates
from app.api.health import health
from app.api.imports import imports
from app.api.jobs import jobs
from app.api.leave import leave
from app.api.live import live
from app.api.mail import mail
from app.api.messages import messages
from app.api.notification_templates import notification_templates
from app.api.notifications import notifications
from app.api.oneroster import oneroster
from app.api.organisations import organisations
from app.api.pages import pages
from app.api.participations import participations
from app.api.performance import performance
from app.api.policy import PUBLIC, who_may
from app.api.portals import portals
from app.api.recognitions import recognitions
from app.api.report_schedules import report_schedules
from app.api.reports import reports
from app.api.reports_export import exports
from app.api.reviews import reviews
from app.api.sessions import sessions
from app.api.single_sign_on import single_sign_on
from app.api.strict_json import StrictJSON
from app.api.structure import structure
from app.api.students import students
from app.api.teacher_assignments import teacher_assignments
from app.api.timetables import timetables
from app.api.user_settings import user_settings
from app.api.users import users
from app.api.webhooks import webhooks


def register(app: APIFlask) -> None:
    app.json = StrictJSON(app)
    problems.register(app)
    openapi.register(app)
    app.before_request(policy.identify)
    repeats.register(app)
    app.wsgi_app = aliases.CanonicalPaths(app.wsgi_app)  # type: ignore[method-assign]
    app.url_map.strict_slashes = False
    for blueprint in (
        auth,
        single_sign_on,
        api_keys,
        users,
        user_settings,
        students,
        organisations,
        oneroster,
        structure,
        classes,
        face_data,
        sessions,
        timetables,
        calendar_feeds,
        check_in,
        reviews,
        attendance,
        assessments,
        recognitions,
        reports,
        report_schedules,
        leave,
        behaviour,
        participations,
        teacher_assignments,
        messages,
        gates,
        days,
        dashboards,
        portals,
        performance,
        alerts,
        charts,
        audit,
        exports,
        imports,
        jobs,
        live,
        mail,
        notification_templates,
        webhooks,
        notifications,
        pages,
        health,
    ):
        app.register_blueprint(blueprint, url_prefix="/api")
    _register_pages(app)


def _register_pages(app: APIFlask) -> None:
    """The page to try the calls in the browser, from files that came with the installation; `/` leads to it."""
    page = get_swaggerui_blueprint("/api/docs", "/api/openapi.json", {"app_name": "Rollcall", "validatorUrl": None})
    app.register_blueprint(page)

    @app.get("/api")
    @app.doc(hide=True)
    def front_door() -> Response:
        return redirect("/api/docs")

    for endpoint in ("front_door", "openapi.spec", "swagger_ui.show"):
        app.view_functions[endpoint] = who_may(PUBLIC)(app.view_functions[endpoint])
