"""The load's own command-line arguments, beside Locust's."""

from __future__ import annotations

import math
import re
import time
from argparse import ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.arrivals import Schedule
from loadgen.users import DEFAULT_MIX, Mix, parse_mix

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the whole load is to be; the same for each of its workers."""

    base_url: str
    rate: float  # arrivals per second of all users together
    users: int  # each of them is rate / users arrivals per second
    seed: int
    run: str
    history: Path | None
    mix: Mix
    schedule: Schedule
    deadline_s: float


def add_arguments(parser: Any) -> None:
    """Add our arguments to Locust's parser; its web page then asks for them, too."""
    add = parser.add_argument
    add("--rate", type=_checked(positive), default=1000.0, help="arrivals per second of all users together")
    add("--seed", type=int, default=1, help="repeats all random choices")
    add("--run-id", type=_checked(run_id), default=_now(), help="begins each idempotency key")
    add("--history", default="", metavar="DIR", help="record each request in this folder")
    add("--mix", type=_checked(mix), default=DEFAULT_MIX, help=f"weights; default {DEFAULT_MIX}")
    add("--schedule", type=_checked(schedule), default=schedule("stratified"), help=", ".join(Schedule))
    add("--deadline", type=_checked(positive), default=2.0, help="seconds until a request is given up")
    add("--parent", type=int, default=0, include_in_web_ui=False, help="end with the process of this id")


def options_of(environment: Any) -> Options:
    """Return what Locust was given on the command line or its web page. Raises ValueError."""
    parsed = environment.parsed_options
    if not environment.host:
        raise ValueError("no --host given")
    return Options(
        base_url=environment.host, rate=positive(parsed.rate), users=parsed.users_total,
        seed=parsed.seed, run=run_id(parsed.run_id), mix=parse_mix(parsed.mix),
        history=Path(parsed.history) if parsed.history else None,
        schedule=Schedule(parsed.schedule), deadline_s=positive(parsed.deadline),
    )  # fmt: skip


def positive(text: str | float) -> float:
    """Return the number. Raises ValueError when it is not positive and finite."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError(f"{text} is not a positive number")
    return number


def run_id(text: str) -> str:
    """Return the text. Raises ValueError when it cannot begin an idempotency key."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError(f"{text!r} is not 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def mix(text: str) -> str:
    """Return the text. Raises ValueError when it is no mix."""
    parse_mix(text)
    return text


def schedule(text: str) -> str:
    """Return the text. Raises ValueError when there is no such schedule."""
    return Schedule(text).value


def _checked(check: Callable[[str], object]) -> Callable[[str], object]:
    def parse(text: str) -> object:
        try:
            return check(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error  # else argparse hides the message

    return parse


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
