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
    retry_after: int | None = None
    """Seconds after which the same call may do better."""

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


class RefreshReused(Refusal):
    status, code, title = 401, "refresh_token_reused", "This refresh token was used before: sign in again"


class SecondFactorRequired(Refusal):
    status, code, title = 403, "second_factor_required", "Send the code of your authenticator app as well"


class WrongCode(Refusal):
    status, code, title = 401, "wrong_code", "This code is not right, or was used before"


class SecondFactorExists(Refusal):
    status, code, title = 409, "second_factor_exists", "The second factor is on: turn it off first"


class LinkInvalid(Refusal):
    status, code, title = 400, "link_invalid", "This link was used, replaced or has expired: ask for a new one"


class EmailUnconfirmed(Refusal):
    status, code, title = 403, "email_unconfirmed", "Follow the link in the mail that was sent to you first"


class OrganisationInactive(Refusal):
    status, code, title = 403, "organisation_inactive", "This organisation is deactivated"


class ScopeMissing(Refusal):
    status, code, title = 403, "scope_missing", "This API key was not given this right"


class WrongPassword(Refusal):
    status, code, title = 400, "wrong_password", "The current password is not right"


class WeakPassword(Refusal):
    status, code, title = 422, "weak_password", "The password is too easy to guess"


class AccountSuspended(Refusal):
    status, code, title = 403, "account_suspended", "This account is not active: ask your organisation"


class RoleNotAllowed(Refusal):
    status, code, title = 403, "role_not_allowed", "Your role does not allow this"


class AlreadySetUp(Refusal):
    status, code, title = 409, "already_set_up", "Rollcall is set up already: sign in"


class WrongSetupCode(Refusal):
    status, code, title = 403, "wrong_setup_code", "This is not the code that the server shows where it was started"


class RegistrationRefused(Refusal):
    status, code, title = 403, "registration_refused", "This organisation does not let people register with this role"


class NotFound(Refusal):
    status, code, title = 404, "not_found", "There is no such thing, or it is not yours to see"


class EmailTaken(Refusal):
    status, code, title = 409, "email_taken", "Somebody has registered with this email address"


class RollNumberTaken(Refusal):
    status, code, title = 409, "roll_number_taken", "Another student has this roll number"


class NameTaken(Refusal):
    status, code, title = 409, "name_taken", "There is one with this name or code already"


class BadgeTaken(Refusal):
    status, code, title = 409, "badge_taken", "Somebody else has this badge: take it from them first"


class InUse(Refusal):
    status, code, title = 409, "in_use", "Something still refers to this: change that first"


class UnknownChoice(Refusal):
    status, code, title = 400, "unknown_choice", "There is no such choice: see errors"


class TemplateRefused(Refusal):
    status, code, title = 400, "template_refused", "This template cannot be used: see errors"


class MissingFields(Refusal):
    status, code, title = 400, "missing_fields", "Some fields are missing: see errors"


class RoleNotGiven(Refusal):
    status, code, title = 403, "role_not_given", "You may not give or change this role"


class LastAdmin(Refusal):
    status, code, title = 409, "last_admin", "This is the organisation's last administrator"


class NotAStudent(Refusal):
    status, code, title = 409, "not_a_student", "Only students can be enrolled"


class DatesRefused(Refusal):
    status, code, title = 400, "dates_refused", "The end must come after the beginning"


class TooManySessions(Refusal):
    status, code, title = 400, "too_many_sessions", "There are more sessions in these days than one answer holds"


class NotATeacher(Refusal):
    status, code, title = 409, "not_a_teacher", "Only teachers and administrators can teach"


class SettingsRefused(Refusal):
    status, code, title = 422, "invalid_input", "Some settings make no sense together: see errors"


class UnreadableFile(Refusal):
    status, code, title = 400, "unreadable_file", "This file cannot be read"


class AddressRefused(Refusal):
    status, code, title = 400, "address_refused", "Nothing can be fetched from this address"


class SingleSignOnFailed(Refusal):
    status, code, title = 400, "single_sign_on_failed", "Signing in with your organisation did not work: begin again"


class ProviderUnavailable(Refusal):
    status, code, title = 503, "provider_unavailable", "Your organisation's sign-in does not answer: try again later"


class ChangedMeanwhile(Refusal):
    status, code, title = 409, "changed_meanwhile", "Somebody saved one of these at the same moment: send it again"


class RowsRefused(Refusal):
    status, code, title = 422, "rows_refused", "Some rows are wrong, so nothing was saved: see rows"


class UnknownJoinCode(Refusal):
    status, code, title = 404, "unknown_join_code", "No class has this join code"


class AlreadyEnrolled(Refusal):
    status, code, title = 409, "already_enrolled", "You are already in this class"


class NotYourClass(Refusal):
    status, code, title = 403, "not_your_class", "Only a teacher of this class may do this"


class NotClassMember(Refusal):
    status, code, title = 403, "not_class_member", "You are not in this class"


class MarksRefused(Refusal):
    status, code, title = 422, "marks_refused", "Some marks are wrong, so nothing was saved: see errors"


class NotYourSubject(Refusal):
    status, code, title = 403, "not_your_subject", "Only the subject's teacher or an administrator may do this"


class AssessmentsRefused(Refusal):
    status, code, title = 400, "assessments_refused", "Some of this is wrong, so nothing was saved: see errors"


class NotYourAssessment(Refusal):
    status, code, title = 403, "not_your_assessment", "Only who recorded this, or a teacher of its class, may do this"


class NotYourSession(Refusal):
    status, code, title = 403, "not_your_session", "Only who made this session, or an administrator, may do this"


class NotYourTimetable(Refusal):
    status, code, title = 403, "not_your_timetable", "Only who made this timetable, or an administrator, may do this"


class SessionClosed(Refusal):
    status, code, title = 409, "session_closed", "This session is closed: reopen it first"


class OwnRecord(Refusal):
    status, code, title = 403, "own_record", "Nobody decides on their own check-in"


class SessionNotBegun(Refusal):
    status, code, title = 409, "session_not_begun", "This session has not begun: cancel it, if it is not held"


class SessionCancelled(Refusal):
    status, code, title = 409, "session_cancelled", "This session is cancelled: restore it first"


class TimetableRefused(Refusal):
    status, code, title = 422, "timetable_refused", "No sessions can be made from this timetable"


class NotOverridden(Refusal):
    status, code, title = 409, "not_overridden", "The office has not decided this record"


class LeaveOverlaps(Refusal):
    status, code, title = 409, "leave_overlaps", "Leave was asked for on some of these days already"


class LeaveDecided(Refusal):
    status, code, title = 409, "leave_decided", "This leave request was decided or withdrawn already"


class AlertClosed(Refusal):
    status, code, title = 409, "alert_closed", "This alert is closed: what it said holds no more"


class LeaveBegun(Refusal):
    status, code, title = 409, "leave_begun", "This leave has begun: only staff can withdraw it"


class OwnLeave(Refusal):
    status, code, title = 403, "own_leave", "Nobody decides on their own leave"


class NotYourLeave(Refusal):
    status, code, title = 403, "not_your_leave", "Only who asked for this leave may do this"


class NotYourNote(Refusal):
    status, code, title = 403, "not_your_note", "Only who wrote this note, or an administrator, may do this"


class NothingToFollowUp(Refusal):
    status, code, title = 409, "nothing_to_follow_up", "Nothing was to be done about this note"


class ParticipationTaken(Refusal):
    status, code, title = 409, "participation_taken", "Some are entered for this event on this day: see errors"


class AssignmentTaken(Refusal):
    status, code, title = 409, "assignment_taken", "This teacher has this subject in this class and term already"


class TooManyPeople(Refusal):
    status, code, title = 400, "too_many_people", "A message goes to 1,000 people at the most: divide them"


class NobodyToTell(Refusal):
    status, code, title = 409, "nobody_to_tell", "None of these people has an account"


class AttachmentTooLarge(Refusal):
    status, code, title = 413, "attachment_too_large", "The file is larger than 5 MB"


class TooManyAttachments(Refusal):
    status, code, title = 409, "too_many_attachments", "This request has five attachments already"


class CheckInRefused(Refusal):
    status, code, title = 403, "check_in_refused", "You cannot check in here now"


class AlreadyCheckedIn(Refusal):
    status, code, title = 409, "already_checked_in", "You have checked in already"


class NotCheckedIn(Refusal):
    status, code, title = 409, "not_checked_in", "Check in first"


class AlreadyCheckedOut(Refusal):
    status, code, title = 409, "already_checked_out", "You have checked out already"


class NothingToReview(Refusal):
    status, code, title = 409, "nothing_to_review", "Nobody has checked in here: change the record instead"


class RecognitionConfirmed(Refusal):
    status, code, title = 409, "recognition_confirmed", "This recognition was confirmed already: change marks instead"


class ConfirmationRefused(Refusal):
    status, code, title = 422, "confirmation_refused", "Some of it is wrong, so nothing was saved: see errors"


class ConsentRequired(Refusal):
    status, code, title = 403, "consent_required", "Read and accept the consent to face recognition first"


class ConsentTextChanged(Refusal):
    status, code, title = 409, "consent_text_changed", "There is a newer text since: read that one first"


class ParentalConsentRequired(Refusal):
    status, code, title = 403, "parental_consent_required", "At your age a parent consents: ask one of yours to do so"


class StudentDecides(Refusal):
    status, code, title = 403, "student_decides", "Your child is old enough to decide on this"


class FacesOff(Refusal):
    status, code, title = 403, "faces_off", "This organisation does not use face recognition"


class FaceRejected(Refusal):
    status, code, title = 400, "face_rejected", "This picture cannot be used"


class DifferentPeople(Refusal):
    status, code, title = 400, "different_people", "The pictures are not all of the same person"


class FaceOfAnother(Refusal):
    status, code, title = 409, "face_of_another", "Somebody else has enrolled this face, or one like it"


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


class NotResendable(Refusal):
    status, code, title = 409, "not_resendable", "Only mail that failed, or may not have been sent, can be sent again"


class NoEmailAddress(Refusal):
    status, code, title = 409, "no_email_address", "Your account has no email address"


class ReportRefused(Refusal):
    status, code, title = 422, "report_refused", "This report cannot be sent so"


class NotYourReport(Refusal):
    status, code, title = 403, "not_your_report", "Teachers have reports of their own classes sent to themselves only"


class TooManyWebhooks(Refusal):
    status, code, title = 409, "too_many_webhooks", "There are twenty webhooks already: delete one first"


class WebhookOff(Refusal):
    status, code, title = 409, "webhook_off", "This webhook is turned off: turn it on first"


class DeliveryUnderway(Refusal):
    status, code, title = 409, "delivery_underway", "This is being sent right now: see what becomes of it"


class UnexpectedFailure(Refusal):
    status, code, title = 500, "internal_server_error", "Something went wrong on the server; it has been logged"


class DatabaseUnavailable(Refusal):
    status, code, title = 503, "database_unavailable", "The database does not answer: try again in a moment"


class NotOpened(Refusal):
    status, code, title = 503, "key_missing", "The server no longer has the key with which this was encrypted"


class CursorInvalid(Refusal):
    status, code, title = 422, "cursor_invalid", "This is not the `next` of a page of this list in this order"


class IdempotencyKeyInvalid(Refusal):
    status, code, title = 400, "idempotency_key_invalid", "An Idempotency-Key has 1 to 255 printable ASCII characters"


class IdempotencyKeyReused(Refusal):
    status, code, title = 422, "idempotency_key_reused", "This Idempotency-Key was another call's: use a new one"


class CallInProgress(Refusal):
    status, code, title = 409, "call_in_progress", "The first call with this Idempotency-Key is still being done"
    retry_after = 1
