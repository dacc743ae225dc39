"""The tables."""

from app.models.audit import AuditChain, AuditEntry
from app.models.base import Base, Tenant
from app.models.classes import Class, ClassTeacher, Enrolment, TeacherRole
from app.models.faces import Consent, FaceTemplate
from app.models.jobs import Job, JobPart, JobStatus
from app.models.mail import Mail, MailStatus
from app.models.people import (
    EmergencyContact,
    Guardian,
    Organisation,
    Role,
    StudentProfile,
    User,
    UserStatus,
)
from app.models.sessions import Attempt, Record, Session, Source, Status, Verification
from app.models.sign_in import ApiKey, Identity, Link, LinkKind, SecondFactor, SignIn, SingleSignOn
from app.models.structure import Department, Holiday, Subject, Term

__all__ = [
    "ApiKey",
    "Attempt",
    "AuditChain",
    "AuditEntry",
    "Base",
    "Class",
    "ClassTeacher",
    "Consent",
    "Department",
    "EmergencyContact",
    "Enrolment",
    "FaceTemplate",
    "Guardian",
    "Holiday",
    "Identity",
    "Job",
    "JobPart",
    "JobStatus",
    "Link",
    "LinkKind",
    "Mail",
    "MailStatus",
    "Organisation",
    "Record",
    "Role",
    "SecondFactor",
    "Session",
    "SignIn",
    "SingleSignOn",
    "Source",
    "Status",
    "StudentProfile",
    "Subject",
    "TeacherRole",
    "Tenant",
    "Term",
    "User",
    "UserStatus",
    "Verification",
]
