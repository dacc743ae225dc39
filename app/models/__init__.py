"""The tables."""

from app.models.base import Base, Tenant
from app.models.classes import Class, Enrolment
from app.models.faces import Consent, FaceTemplate
from app.models.jobs import Job, JobStatus
from app.models.people import Organisation, Role, SignIn, User, UserStatus
from app.models.sessions import Record, Session, Status

__all__ = [
    "Base",
    "Class",
    "Consent",
    "Enrolment",
    "FaceTemplate",
    "Job",
    "JobStatus",
    "Organisation",
    "Record",
    "Role",
    "Session",
    "SignIn",
    "Status",
    "Tenant",
    "User",
    "UserStatus",
]
