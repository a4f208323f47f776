"""Waits are conditions with deadlines, never bare sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class TooLate(Exception):
    """A condition did not come true before its deadline."""


def wait_until(condition: Callable[[], T | None], *, within_s: float, what: str, every_s: float = 0.1) -> T:
    """Return the first true value of `condition`, asked every `every_s` seconds. Raises TooLate."""

    def give_up(_: object) -> T:
        raise TooLate(f"not within {within_s:g} s: {what}")

    attempts = Retrying(
        retry=retry_if_result(lambda value: not value),
        stop=stop_after_delay(within_s),
        wait=wait_fixed(every_s),
        retry_error_callback=give_up,
    )
    value = attempts(condition)
    if value is None:  # unreachable: only a true value ends the attempts
        raise TooLate(what)
    return value
