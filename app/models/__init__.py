"""The tables."""

from app.models.alerts import Alert, AlertKind
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
from app.models.notifications import (
    Event,
    EventKind,
    Mailing,
    Notification,
    NotificationKind,
    NotificationTemplate,
    TimeFormat,
    UserSettings,
)
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
from app.models.school import (
    Assessment,
    BehaviourKind,
    BehaviourNote,
    Participation,
    ParticipationStatus,
    SentMessage,
    TeacherAssignment,
)
from app.models.sessions import Attempt, Record, RecordMark, Session, Source, Status, Verification
from app.models.sign_in import ApiKey, Identity, Link, LinkKind, SecondFactor, SignIn, SingleSignOn
from app.models.structure import Department, Holiday, Subject, Term
from app.models.timetables import CalendarFeed, Timetable
from app.models.webhooks import DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent

__all__ = [
    "Alert",
    "AlertKind",
    "ApiKey",
    "Assessment",
    "Attempt",
    "AuditChain",
    "AuditEntry",
    "Base",
    "BehaviourKind",
    "BehaviourNote",
    "CalendarFeed",
    "Class",
    "ClassTeacher",
    "Consent",
    "ConsentText",
    "CredentialKind",
    "DayCount",
    "DeliveryStatus",
    "Department",
    "Direction",
    "EmergencyContact",
    "Enrolment",
    "Event",
    "EventKind",
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
    "Mailing",
    "Notification",
    "NotificationKind",
    "NotificationTemplate",
    "Organisation",
    "Participation",
    "ParticipationStatus",
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
    "SentMessage",
    "Session",
    "SignIn",
    "SingleSignOn",
    "Source",
    "Status",
    "StudentProfile",
    "Subject",
    "TeacherAssignment",
    "TeacherRole",
    "Tenant",
    "Term",
    "TimeFormat",
    "Timetable",
    "User",
    "UserSettings",
    "UserStatus",
    "Verification",
    "Webhook",
    "WebhookDelivery",
    "WebhookEvent",
    "Weekday",
]
