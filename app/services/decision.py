"""Whether somebody is there: decided from the time and the evidence alone, so that every case can be tried.

The rules are design's: what cannot be checked is refused, never waved through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal

from app.models import Status, Verification

Outcome = Literal["pass", "uncertain", "fail"]

_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Window:
    """When a session is. opens_before and grace in minutes."""

    starts_at: datetime
    ends_at: datetime
    opens_before: int
    grace: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence: what it shows, its figures (finite, or text), and the code of the refusal where it
    fails."""

    outcome: Outcome
    figures: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return {"outcome": self.outcome, **({"code": self.code} if self.code else {}), **self.figures}


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted with a status, to be reviewed where something is uncertain; or refused with a code.

    failed: the codes of all required pieces that failed. figures: those of the one that `refused` names.
    """

    status: Status | None
    verification: Verification
    refused: str | None
    failed: Sequence[str]
    figures: Mapping[str, Any]


def decide(arrival: Status | str, pieces: Mapping[str, Piece], requires: Collection[str]) -> Decision:
    """arrival: as `arrival` has it. pieces: what was sent, by its name. requires: the names of those that decide."""
    required = [pieces.get(name, Piece("fail", {}, f"{name}_missing")) for name in sorted(requires, key=_order)]
    failing = [piece for piece in required if piece.outcome == "fail"]
    failed = [str(piece.code) for piece in failing]
    if not isinstance(arrival, Status):
        return Decision(None, Verification.REJECTED, arrival, failed, {})
    if failing:
        return Decision(None, Verification.REJECTED, failed[0], failed, failing[0].figures)
    doubtful = any(piece.outcome == "uncertain" for piece in required)
    return Decision(arrival, Verification.PENDING if doubtful else Verification.VERIFIED, None, failed, {})


def _order(name: str) -> int:
    """What one can do something about comes first."""
    return ("location", "network", "code", "face").index(name)


def arrival(window: Window, now: datetime) -> Status | str:
    """Present up to so many minutes after the start, late until the end; else the code of the refusal."""
    if now < window.starts_at - timedelta(minutes=window.opens_before):
        return "too_early"
    if now > window.ends_at:
        return "too_late"
    return on_time(window, now)


def on_time(window: Window, now: datetime) -> Status:
    """Present, or late after the grace, however early or late it is otherwise."""
    return Status.PRESENT if now <= window.starts_at + timedelta(minutes=window.grace) else Status.LATE


def network(ranges: Sequence[str], address: str | None) -> Piece:
    """Whether an IP address is within any of the ranges (CIDR); an IPv4 address may be written as an IPv6 one."""
    if not ranges:
        return Piece("fail", {}, "no_network")
    figures = {"address": address}
    try:
        asked = ip_address(address or "")
    except ValueError:
        return Piece("fail", figures, "network_outside")
    if isinstance(asked, IPv6Address) and asked.ipv4_mapped:
        asked = asked.ipv4_mapped
    inside = any(asked in _range(one) for one in ranges)
    return Piece("pass", figures) if inside else Piece("fail", figures, "network_outside")


def _range(text: str) -> IPv4Network | IPv6Network:
    found = ip_network(text, strict=False)
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        return IPv4Network((found.network_address.packed[-4:], found.prefixlen - _MAPPED.prefixlen))
    return found
