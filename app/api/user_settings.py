"""What people choose for themselves: their language, how times are shown, what is mailed to them when."""

from __future__ import annotations

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, caller, who_may
from app.schemas.user_settings import UserSettingsIn, UserSettingsOut
from app.services import errors
from app.services import user_settings as service
from app.services.user_settings import OwnSettings

user_settings = APIBlueprint("user_settings", __name__, tag="User settings")


@user_settings.get("/users/me/settings")
@who_may(ANYONE)
@user_settings.output(UserSettingsOut)
def read() -> OwnSettings:
    """One's own settings: what was chosen, and what holds"""
    return service.read(caller())


@user_settings.put("/users/me/settings")
@who_may(ANYONE)
@refuses(errors.UnknownChoice)
@user_settings.input(UserSettingsIn)
@user_settings.output(UserSettingsOut)
def change(json_data: UserSettingsIn) -> OwnSettings:
    """Choose one's language, how times are shown, and what is mailed when; what is not sent stays as it is"""
    return service.change(caller(), json_data.changes())
