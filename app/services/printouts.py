"""Attendance to be printed, as PDF in the organisation's name: the register of a class, and a person's report.

Both show the records that count (`services.figures`). The font has Latin, Greek, Cyrillic, Arabic and Hebrew letters,
which are joined and run as their scripts do; what it lacks, such as Chinese, is printed as boxes.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from app import clock
from app.extensions import db
from app.models import Class, Organisation, Session, Status, User
from app.services.caller import Caller
from app.services.classes import class_names
from app.services.errors import DatesRefused
from app.services.export import Line, Wanted, rows
from app.services.figures import By, Figure, Filters, figures, total
from app.services.records import visible_person
from app.services.sessions import Days
from app.services.statuses import StatusView, statuses_of

USUAL = 31
"""How far it goes back where nobody says."""
LONGEST = timedelta(days=400)
FONT, MARGIN, ROW = "DejaVu", 10, 5.5
"""The margin and a row's height in millimetres."""
NAME, ROLL, MARK, SUM = 52, 20, 8.5, 9
"""Widths of the register's columns, in millimetres."""
SUMS = [*Status]
BOX = "\N{WHITE SQUARE}"
UNSEEN = {"Cf", "Mn", "Me"}
"""Kinds of characters that only change how others look."""


def class_register(caller: Caller, class_id: uuid.UUID, days: Days) -> bytes:
    """A page, or more, with a row for each student of the class and a column for each session that was held.

    days: by default the last month's.

    Raises:
        NotFound: there is no such class.
        DatesRefused: the days end before they begin, or are too many.
    """
    row = caller.get(Class, class_id)
    days = _span(caller, days)
    filters = Filters(days=days, class_id=class_id)
    found = list(rows(caller, Wanted(filters), Session.starts_at.label("starts_at")))
    of_people = {key[0]: figure for key, figure in figures(caller, filters, By.PERSON).items()}
    paper = Paper(caller, f"Register: {row.name}", days, "landscape")
    _Register(paper, [line for line, _ in found], of_people).draw()
    return paper.file()


def person_report(caller: Caller, user_id: uuid.UUID, days: Days) -> bytes:
    """A person's counts and rate, as a whole and by class, and each of their records: for staff, their parents and
    themselves.

    days: by default the last month's.

    Raises:
        NotFound: there is no such person, or they are not the caller's to see.
        DatesRefused: the days end before they begin, or are too many.
    """
    user = visible_person(caller, user_id)
    days = _span(caller, days)
    filters = Filters(days=days, student_id=user_id)
    lines = [line for line, _ in rows(caller, Wanted(filters))]
    found = {class_id: figure for (class_id,), figure in figures(caller, filters, By.CLASS).items()}
    by_class = [(name, found[class_id]) for class_id, name in class_names(caller, found).items()]
    paper = Paper(caller, f"Attendance: {user.name}", days, "portrait")
    _person(paper, user, lines)
    _summary(paper, [*sorted(by_class, key=lambda one: one[0].casefold()), ("All", total(caller, filters))])
    _records(paper, lines)
    return paper.file()


def _span(caller: Caller, days: Days) -> Days:
    first, last = days.bounds(caller.today, USUAL)
    if not timedelta(0) <= last - first < LONGEST:
        raise DatesRefused(f"end_date must not come before start_date, nor {LONGEST.days} days after it")
    return Days(first, last)


@cache
def _fonts() -> Path:
    import matplotlib as mpl  # noqa: PLC0415 - large, and most processes print nothing

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


class Paper(FPDF):
    """A4 with the organisation's name above, and the day and the page's number below."""

    def __init__(self, caller: Caller, title: str, days: Days, orientation: str) -> None:
        super().__init__(orientation, format="A4")
        self.name = db.session.get_one(Organisation, caller.organisation_id).name
        self.heading, self.days, self.printed_on = one_line(title), days, caller.today
        self.statuses = statuses_of(caller.settings)
        self.add_font(FONT, fname=_fonts() / "DejaVuSans.ttf")
        self.add_font(FONT, "B", _fonts() / "DejaVuSans-Bold.ttf")
        self.letters: Any = self.fonts[FONT.lower()].cmap  # type: ignore[union-attr]
        self.set_text_shaping(True)
        self.set_title(self.heading)
        self.set_author(one_line(self.name))
        self.set_creation_date(clock.now())
        self.set_margin(MARGIN)
        self.c_margin = 0.4
        self.set_auto_page_break(True, 2 * MARGIN)
        self.add_page()

    def header(self) -> None:
        self.write_line(self.name, 9)
        self.write_line(f"{self.heading}, {self.days.first} – {self.days.last}", 13, "B")  # noqa: RUF001 - from, to
        self.ln(2)

    def footer(self) -> None:
        self.set_y(-1.5 * MARGIN)
        self.set_font(FONT, size=7)
        self.cell(0, ROW, f"{self.printed_on}", align="L")
        self.set_x(MARGIN)
        self.cell(0, ROW, f"{self.page_no()} / {{nb}}", align="R")

    def write_line(self, text: str, size: float = 8, style: str = "") -> None:
        self.set_font(FONT, style, size)
        self.cell(0, size * 0.6, self.fitting(text, self.epw), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def write_row(self, cells: Iterable[tuple[str, float]], style: str = "", size: float = 7) -> None:
        """The cells with their widths, next to each other."""
        self.set_font(FONT, style, size)
        for text, width in cells:
            self.cell(width, ROW, self.fitting(text, width), border=1, align="L" if width > 2 * SUM else "C")
        self.ln(ROW)

    def write_heading(self, cells: Iterable[tuple[str, float]]) -> None:
        self.write_row(cells, "B", 6)

    def fitting(self, text: str, width: float) -> str:
        """The beginning of the text that the width holds, which is written next."""
        self.set_text_shaping(not text.isascii())  # which takes long, and Latin letters need none
        if len(text) <= 1 and text.isascii():
            return text
        text, room = self.printable(text), width - 2 * self.c_margin
        if self.get_string_width(text) <= room:
            return text
        while text and self.get_string_width(f"{text}…") > room:
            text = text[: -max(1, len(text) // 8)]
        return f"{text}…"

    def printable(self, text: str) -> str:
        """With a box for each letter that the font lacks: left out, somebody would have no name, or another's."""
        known = self.letters
        return "".join(
            BOX if ord(c) not in known and unicodedata.category(c) not in UNSEEN else c for c in one_line(text)
        )

    @property
    def has_room(self) -> bool:
        return not self.will_page_break(ROW)

    def letter(self, line: Line) -> str:
        return self._status(line).letter

    def label(self, line: Line) -> str:
        return self._status(line).label

    def _status(self, line: Line) -> StatusView:
        known = {view.code: view for view in self.statuses}
        return known.get(line.code or line.status.value) or known[line.status.value]

    def file(self) -> bytes:
        return bytes(self.output())


class _Register:
    """As many sessions beside each other as the page holds; then the next ones, below or on the next page."""

    def __init__(self, paper: Paper, lines: Sequence[Line], of_people: dict[Any, Figure]) -> None:
        self.paper, self.of_people = paper, of_people
        self.marks = {(line.student_id, line.session_id): paper.letter(line) for line in lines}
        self.sessions = list({line.session_id: line.date for line in lines}.items())
        people = [line for line in {line.student_id: line for line in lines}.values() if line.student_id in of_people]
        self.people = sorted(people, key=lambda line: (line.last_name.casefold(), line.first_name.casefold()))

    def draw(self) -> None:
        if not self.people:
            self.paper.write_line("No attendance was taken in this time.")
            return
        width = int((self.paper.epw - NAME - ROLL) / MARK)
        for begin in range(0, len(self.sessions), width):
            if begin:
                self.paper.add_page()
            self._marks(self.sessions[begin : begin + width])
        self.paper.add_page()
        self._sums()
        self.paper.ln(2)
        self.paper.write_line("   ".join(f"{view.letter} = {view.label}" for view in self.paper.statuses), 7)

    def _marks(self, sessions: Sequence[tuple[uuid.UUID, date]]) -> None:
        heading = [("Name", NAME), ("Number", ROLL), *((f"{day:%m-%d}", MARK) for _, day in sessions)]
        self.paper.write_heading(heading)
        for line in self.people:
            self._begin_row(heading)
            marks = ((self.marks.get((line.student_id, session_id), ""), MARK) for session_id, _ in sessions)
            self.paper.write_row([*_named(line), *marks])

    def _sums(self) -> None:
        heading = [("Name", NAME), ("Number", ROLL), *((status.value.capitalize(), 2 * SUM) for status in SUMS)]
        heading += [("Sessions", 2 * SUM), ("Rate", 2 * SUM)]
        self.paper.write_heading(heading)
        for line in self.people:
            self._begin_row(heading)
            sums = _sums(self.of_people[line.student_id])
            self.paper.write_row([*_named(line), *((text, 2 * SUM) for text in sums)])

    def _begin_row(self, heading: Sequence[tuple[str, float]]) -> None:
        if not self.paper.has_room:
            self.paper.add_page()
            self.paper.write_heading(heading)


def _named(line: Line) -> list[tuple[str, float]]:
    name = ", ".join(part for part in (line.last_name, line.first_name) if part)
    return [(name, NAME), (line.roll_number or "", ROLL)]


def _sums(figure: Figure) -> list[str]:
    counted = [str(getattr(figure.counts, status.value)) for status in SUMS]
    return [*counted, str(figure.sessions), "–" if figure.rate is None else f"{figure.rate:.1%}"]  # noqa: RUF001


def _person(paper: Paper, user: User, lines: Sequence[Line]) -> None:
    number = lines[0].roll_number if lines else None
    known = {"Number": number, "Department": user.department}
    for name, value in known.items():
        if value:
            paper.write_line(f"{name}: {value}")
    paper.ln(2)


def _summary(paper: Paper, by_class: Sequence[tuple[str, Figure]]) -> None:
    width = 2 * SUM
    heading = ["Class", *(status.value.capitalize() for status in SUMS), "Sessions", "Rate"]
    widths = [NAME, *(width for _ in heading[1:])]
    paper.write_heading(zip(heading, widths, strict=True))
    for name, figure in by_class:
        paper.write_row(zip([name, *_sums(figure)], widths, strict=True), "B" if name == "All" else "")
    paper.ln(4)


def _records(paper: Paper, lines: Sequence[Line]) -> None:
    widths = (20, 40, 34, 22, 14, 14, 46)
    heading = ("Date", "Session", "Class", "Status", "In", "Out", "Remarks")
    paper.write_heading(zip(heading, widths, strict=True))
    for line in lines:
        if not paper.has_room:
            paper.add_page()
            paper.write_heading(zip(heading, widths, strict=True))
        times = (at.strftime("%H:%M") if at else "" for at in (line.checked_in, line.checked_out))
        cells = (str(line.date), line.session, line.class_ or "", paper.label(line), *times, line.remarks or "")
        paper.write_row(zip(cells, widths, strict=True))


def one_line(text: str) -> str:
    """Wide letters and the like become plain ones, which the font has."""
    return unicodedata.normalize("NFKC", " ".join(text.split()))
