"""Portals. Each part is as its own call answers it; of lists the latest, and how many there are."""

from __future__ import annotations

from pydantic import Field

from app.schemas.alerts import AlertPageOut
from app.schemas.assessments import AssessmentPageOut, GradedOut, GradedSubjectOut
from app.schemas.base import Out
from app.schemas.behaviour import BehaviourCountsOut, BehaviourPageOut
from app.schemas.check_in import ReviewPageOut
from app.schemas.dashboards import PersonDashboardOut, TeacherDashboardOut
from app.schemas.leave import LeavePageOut
from app.schemas.notifications import NotificationPageOut
from app.schemas.participations import ParticipationPageOut
from app.schemas.teacher_assignments import TeacherAssignmentOut


class MessagesOut(Out):
    messages: NotificationPageOut = Field(description="One's notifications, messages among them")
    unread: int = Field(examples=[2])


class TeacherPortalOut(MessagesOut):
    attendance: TeacherDashboardOut
    assignments: list[TeacherAssignmentOut] = Field(description="Of the terms that it is today")
    reviews: ReviewPageOut = Field(description="Check-ins that wait for a review")
    alerts: AlertPageOut = Field(description="Open ones, of students who are in one's classes")


class StudentLifeOut(Out):
    attendance: PersonDashboardOut
    marks: GradedOut = Field(description="Of the last 365 days")
    subjects: list[GradedSubjectOut] = Field(description="Of the last 365 days")
    behaviour: BehaviourCountsOut = Field(description="Notes of the last 365 days that the family may see")


class FamilyPortalOut(MessagesOut):
    assessments: AssessmentPageOut
    notes: BehaviourPageOut = Field(description="Behaviour notes that the family may see")
    participations: ParticipationPageOut
    leave_requests: LeavePageOut


class StudentPortalOut(FamilyPortalOut):
    student: StudentLifeOut


class ParentPortalOut(FamilyPortalOut):
    children: list[StudentLifeOut]
