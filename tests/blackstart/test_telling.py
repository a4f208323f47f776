"""People hear of something long while it lasts, seldomer the longer it lasts, and of nothing afterwards."""

from __future__ import annotations

import threading

import pytest

from blackstart import telling


def test_it_is_told_while_somebody_waits_and_never_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY_S_MIN", 0.01)
    told: list[float] = []
    twice = threading.Event()

    def tell(elapsed_s: float) -> None:
        told.append(elapsed_s)
        if len(told) > 1:
            twice.set()

    with telling.telling(tell):
        assert twice.wait(10)
    at_the_end = len(told)

    assert told == sorted(told)
    assert not any(thread.name.startswith("telling") for thread in threading.enumerate())
    assert len(told) == at_the_end


def test_what_goes_wrong_in_the_telling_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY_S_MIN", 0.01)
    asked = threading.Event()

    def tell(_: float) -> None:
        asked.set()
        raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError, match="nobody listens"), telling.telling(tell):
        assert asked.wait(10)


def test_the_pauses_grow_but_not_beyond_what_looks_hung() -> None:
    assert [telling.pause_s(seconds) for seconds in (0, 40, 100, 200, 7200)] == [2, 2, 5, 10, 10]
