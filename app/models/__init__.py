"""The tables."""

from app.models.audit import AuditChain, AuditEntry
from app.models.base import Base, Tenant
from app.models.classes import Class, ClassTeacher, Enrolment, TeacherRole
from app.models.counts import DayCount
from app.models.exports import Export, ExportPart
from app.models.faces import Consent, ConsentText, FaceTemplate, Gallery, LikenessPermit
from app.models.gates import CredentialKind, Direction, Gate, GateCredential, Passage
from app.models.jobs import Job, JobPart, JobStatus
from app.models.leave import LeaveAttachment, LeaveRequest, LeaveStatus
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
from app.models.recognitions import Recognition, RecognitionPicture, SeenFace
from app.models.repeats import RepeatableCall
from app.models.reports import Frequency, ReportKind, ReportRecipient, ReportSchedule, Weekday
from app.models.sessions import Attempt, Record, RecordMark, Session, Source, Status, Verification
from app.models.sign_in import ApiKey, Identity, Link, LinkKind, SecondFactor, SignIn, SingleSignOn
from app.models.structure import Department, Holiday, Subject, Term
from app.models.timetables import CalendarFeed, Timetable

__all__ = [
    "ApiKey",
    "Attempt",
    "AuditChain",
    "AuditEntry",
    "Base",
    "CalendarFeed",
    "Class",
    "ClassTeacher",
    "Consent",
    "ConsentText",
    "CredentialKind",
    "DayCount",
    "Department",
    "Direction",
    "EmergencyContact",
    "Enrolment",
    "Export",
    "ExportPart",
    "FaceTemplate",
    "Frequency",
    "Gallery",
    "Gate",
    "GateCredential",
    "Guardian",
    "Holiday",
    "Identity",
    "Job",
    "JobPart",
    "JobStatus",
    "LeaveAttachment",
    "LeaveRequest",
    "LeaveStatus",
    "LikenessPermit",
    "Link",
    "LinkKind",
    "Mail",
    "MailStatus",
    "Organisation",
    "Passage",
    "Recognition",
    "RecognitionPicture",
    "Record",
    "RecordMark",
    "RepeatableCall",
    "ReportKind",
    "ReportRecipient",
    "ReportSchedule",
    "Role",
    "SecondFactor",
    "SeenFace",
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
    "Timetable",
    "User",
    "UserStatus",
    "Verification",
    "Weekday",
]
