"""What people's days at the gates come to."""

from __future__ import annotations

from dataclasses import replace

from apiflask import APIBlueprint

from app.api.policy import ANYONE, caller, who_may
from app.schemas.gates import DayPageOut, DaysOfPeopleIn, MyDaysIn
from app.services import days as service
from app.services.days import DayView
from app.services.paging import Page

days = APIBlueprint("days", __name__, tag="Days")


@days.get("/attendance/days")
@who_may(ANYONE)
@days.input(DaysOfPeopleIn, location="query")
@days.output(DayPageOut)
def list_days(query_data: DaysOfPeopleIn) -> Page[DayView]:
    """How long people were inside, by day: staff see everybody's, parents their children's, all their own"""
    return service.list_days(caller(), query_data.wanted(caller().today), query_data.paging)


@days.get("/attendance/my-days")
@who_may(ANYONE)
@days.input(MyDaysIn, location="query")
@days.output(DayPageOut)
def my_days(query_data: MyDaysIn) -> Page[DayView]:
    """How long oneself was inside, by day"""
    wanted = replace(query_data.wanted(caller().today), user_id=caller().user_id)
    return service.list_days(caller(), wanted, query_data.paging)
