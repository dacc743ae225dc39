"""What the rules refuse. Each refusal has a status and a stable code; `api.problems` renders them all."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that the rules refuse.

    detail: a sentence for the one who asked; by default the title.
    figures: further members of the answer, such as the limit that was missed.
    """

    status = 400
    code = "refused"
    title = "Refused"

    def __init__(self, detail: str | None = None, **figures: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.figures = figures


class Unauthenticated(Refusal):
    status, code, title = 401, "token_missing", "Sign in first: send an access token as 'Authorization: Bearer ...'"


class TokenInvalid(Refusal):
    status, code, title = 401, "token_invalid", "This is not a valid access token"


class TokenExpired(Refusal):
    status, code, title = 401, "token_expired", "The access token has expired: sign in again"


class TokenRevoked(Refusal):
    status, code, title = 401, "token_revoked", "This sign-in has ended: sign in again"


class WrongCredentials(Refusal):
    status, code, title = 401, "wrong_credentials", "Unknown email or wrong password"


class WrongPassword(Refusal):
    status, code, title = 400, "wrong_password", "The current password is not right"


class WeakPassword(Refusal):
    status, code, title = 422, "weak_password", "The password is too short"


class AccountSuspended(Refusal):
    status, code, title = 403, "account_suspended", "This account is not active: ask your organisation"


class RoleNotAllowed(Refusal):
    status, code, title = 403, "role_not_allowed", "Your role does not allow this"


class RegistrationRefused(Refusal):
    status, code, title = 403, "registration_refused", "This organisation does not let people register with this role"


class NotFound(Refusal):
    status, code, title = 404, "not_found", "There is no such thing, or it is not yours to see"


class EmailTaken(Refusal):
    status, code, title = 409, "email_taken", "Somebody has registered with this email address"


class UnknownJoinCode(Refusal):
    status, code, title = 404, "unknown_join_code", "No class has this join code"


class AlreadyEnrolled(Refusal):
    status, code, title = 409, "already_enrolled", "You are already in this class"


class NotYourClass(Refusal):
    status, code, title = 403, "not_your_class", "Only a teacher of this class may do this"


class NotClassMember(Refusal):
    status, code, title = 403, "not_class_member", "You are not in this class"


class ConsentRequired(Refusal):
    status, code, title = 403, "consent_required", "Read and accept the consent to face recognition first"


class FaceRejected(Refusal):
    status, code, title = 400, "face_rejected", "This picture cannot be used"


class DifferentPeople(Refusal):
    status, code, title = 400, "different_people", "The pictures are not all of the same person"


class FaceOfAnother(Refusal):
    status, code, title = 409, "face_of_another", "Somebody else has already enrolled this face"


class TooManyTemplates(Refusal):
    status, code, title = 409, "too_many_templates", "No more pictures can be stored: delete the old ones first"


class PictureTooLarge(Refusal):
    status, code, title = 413, "picture_too_large", "The picture is too large"


class FacesBusy(Refusal):
    status, code, title = 503, "faces_busy", "Too many pictures are waiting: try again in a moment"


class JobsBusy(Refusal):
    status, code, title = 503, "jobs_busy", "Too many jobs are waiting: try again in a moment"


class JobInterrupted(Refusal):
    status, code, title = 503, "job_interrupted", "The server was stopped before the job was done: send it again"


class UnexpectedFailure(Refusal):
    status, code, title = 500, "internal_server_error", "Something went wrong on the server; it has been logged"


class DatabaseUnavailable(Refusal):
    status, code, title = 503, "database_unavailable", "The database does not answer: try again in a moment"
