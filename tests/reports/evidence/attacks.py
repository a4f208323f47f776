"""What somebody might do to a bundle, and which check must find it. The bench counts the same list."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.evidence import runs, signoff, statement, sums
from reports.evidence.keys import LocalKey
from tests.reports.drilled import SPEC
from tests.reports.evidence import bundles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reports.evidence.bundles import Sealed


RECOVERY = SPEC.recovery.name


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One way to tamper; `other` is another genuine bundle by the same key."""

    name: str
    do: Callable[[Sealed, Sealed], object]
    found_by: str  # the check that must name it
    insider: bool = False  # has the key, and signs properly: only measuring again can tell
    with_runs: bool = False  # takes the run ledger to be found


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file, in the form in which it was written."""
    value = json.loads(path.read_text())
    change(value)
    text = json.dumps(value, indent=1, sort_keys=path.name == "record.json", ensure_ascii=False)
    path.write_text(text + "\n")


def _write(name: str, content: bytes = b"x") -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, _: Sealed) -> None:
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).write_bytes(content)

    return do


def _swap(made: Sealed, _: Sealed) -> None:
    one, two = made.folder / "record.json", made.folder / "plan.json"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def _link(made: Sealed, _: Sealed) -> None:
    path = made.folder / "record.json"
    outside = made.folder.parent / "elsewhere.json"
    path.rename(outside)
    path.symlink_to(outside)


def _hard_link(made: Sealed, _: Sealed) -> None:
    os.link(made.folder / "record.json", made.folder.parent / "second-name.json")


def _pipe(made: Sealed, _: Sealed) -> None:
    (made.folder / "record.json").unlink()
    os.mkfifo(made.folder / "record.json")


def _replace_folder(made: Sealed, _: Sealed) -> None:
    (made.folder / "history").rename(made.folder.parent / "elsewhere")
    (made.folder / "history").symlink_to(made.folder.parent / "elsewhere")


def _relist(made: Sealed, _: Sealed) -> None:
    edit(made.folder / "record.json", lambda record: record.update(verdict="PASSED"))
    (made.folder / sums.SUMS).write_text(sums.listing(made.folder))


def _dos_lines(made: Sealed, _: Sealed) -> None:
    path = made.folder / "SHA256SUMS"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def _take(*names: str) -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, other: Sealed) -> None:
        for name in names:
            shutil.copyfile(other.folder / name, made.folder / name)

    return do


def _take_all(made: Sealed, other: Sealed) -> None:
    shutil.rmtree(made.folder)
    shutil.copytree(other.folder, made.folder)


def _drop(name: str) -> Callable[[Sealed, Sealed], object]:
    return lambda made, _: (made.folder / name).unlink()


def _drop_seal(made: Sealed, other: Sealed) -> None:
    _unseal(made, other)
    path = made.folder / "history" / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"5xx"', b'"4xx"'))


def _cut_tail(made: Sealed, _: Sealed) -> None:
    path = made.folder / "history" / "requests-0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-20]))


def _forge_seal(made: Sealed, _: Sealed) -> None:
    edit(made.folder / "record.json", lambda record: record.update(verdict="PASSED"))
    bundles.close_again(made, LocalKey.at(made.folder.parent / "another-key.pem"))


def _insider(name: str, change: Callable[[Any], object]) -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, _: Sealed) -> None:
        edit(made.folder / name, change)
        bundles.close_again(made)

    return do


def _drop_and_sign(name: str) -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, _: Sealed) -> None:
        (made.folder / name).unlink()
        bundles.close_again(made)

    return do


def _insider_bytes(name: str, old: bytes, new: bytes) -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, _: Sealed) -> None:
        path = made.folder / name
        content = path.read_bytes()
        if old not in content:
            raise AssertionError(f"{name} does not hold {old!r}")
        path.write_bytes(content.replace(old, new, 1))
        bundles.close_again(made)

    return do


def _lower_limits(made: Sealed, _: Sealed) -> None:
    """Both where it was frozen and where it is reported."""

    def raise_limit(value: Any) -> None:
        value["objectives"][0]["limit"] = 3000

    edit(made.folder / "plan.json", raise_limit)
    edit(made.folder / "record.json", raise_limit)
    bundles.close_again(made)


def ease_everywhere(made: Sealed, _: Sealed) -> None:
    """On the page of promises, in the plan that froze it, and in record and reports as if it had been so."""
    page = made.folder / "objectives.py"
    page.write_bytes(page.read_bytes().replace(b"    30, ", b"    3000, ", 1))

    def promise(planned: Any) -> None:
        planned["hashes"][page.name] = sums.sha256(page)
        next(one for one in planned["objectives"] if one["name"] == RECOVERY)["limit"] = 3000

    edit(made.folder / "plan.json", promise)
    eased = [replace(one, limit=3000) if one.name == RECOVERY else one for one in SPEC.objectives]
    recovery = next(one for one in eased if one.name == RECOVERY)
    bundles.record_again(made, replace(SPEC, objectives=tuple(eased), recovery=recovery))
    bundles.close_again(made)


def _slower_history(made: Sealed, _: Sealed) -> None:
    """Rewrite the raw history, and everything that rests on it, as if it had always been so."""
    path = made.folder / "history" / "requests-0.jsonl"
    path.write_text(path.read_text().replace('"failed", "timeout", 0', '"ok", "", 200'))
    bundles.checkpoint(path)
    bundles.record_again(made)
    bundles.close_again(made)


def _foreign_requests(made: Sealed, other: Sealed) -> None:
    _take("history/requests-0.jsonl", "history/requests-0.chain")(made, other)
    bundles.close_again(made)


def _one_more_allure(made: Sealed, _: Sealed) -> None:
    result = {"name": "x", "fullName": "x", "historyId": "x", "status": "passed"}
    (made.folder / "allure-results" / "x-result.json").write_text(json.dumps(result))
    bundles.close_again(made)


def _green_allure(made: Sealed, _: Sealed) -> None:
    for path in (made.folder / "allure-results").glob("*-result.json"):
        path.write_bytes(path.read_bytes().replace(b'"failed"', b'"passed"'))
    bundles.close_again(made)


def _ticked(made: Sealed, _: Sealed) -> None:
    (made.folder / "runbook-x.md").write_text("# X\n\n- [x] Verify it: done, 1.0 s\n\nOutcome: finished\n")
    bundles.close_again(made)


def _sign_off_taken_away(made: Sealed, _: Sealed) -> None:
    path = signoff.write(made.folder, bundles.word(made), LocalKey.at(made.folder.parent / "a-key.pem"))
    word = {"by": "A", "decision": "rejected", "sha256": sums.sha256(path)}
    runs.Runs(made.runs).note(made.record["run"], runs.SIGNED_OFF, **word)
    shutil.rmtree(path.parent)


def _independent_of_oneself(made: Sealed, _: Sealed) -> None:
    """As a version of ours would that does not refuse it."""
    told = {**asdict(bundles.word(made)), "signer": made.fingerprint}
    predicate = {**told, "public_key": made.key.public_pem.decode("ascii")}
    subject = {sums.SEAL: sums.sha256(made.folder / sums.SEAL)}
    (made.folder / sums.SIGN_OFFS).mkdir()
    envelope = statement.seal(statement.statement(signoff.KIND, predicate, subject), made.key)
    (made.folder / sums.SIGN_OFFS / "0001.dsse.json").write_bytes(envelope)


def _unseal(made: Sealed, _: Sealed) -> None:
    for name in ("SEAL.txt", "SEAL.txt.sig", "SHA256SUMS", "signer.pub.pem", "attestation.dsse.json"):
        (made.folder / name).unlink()


def _edit_runs(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Sealed, Sealed], object]:
    def do(made: Sealed, _: Sealed) -> None:
        lines = made.runs.read_bytes().splitlines(keepends=True)
        made.runs.write_bytes(b"".join(change(lines)))

    return do


OUTSIDERS = (
    Attack(name="a file added", do=_write("note.txt"), found_by="files"),
    Attack(name="a hidden file added", do=_write("history/.hidden"), found_by="files"),
    Attack(name="a file in a new folder", do=_write("deep/er/note.txt"), found_by="files"),
    Attack(name="a file named with a line break", do=_write("a\nb"), found_by="files"),
    Attack(name="a false sign-off", do=_write("sign-offs/0001.dsse.json"), found_by="sign-off"),
    Attack(name="an empty folder", do=lambda made, _: (made.folder / "empty").mkdir(), found_by="files"),
    Attack(name="a file removed", do=_drop("chart.csv"), found_by="files"),
    Attack(
        name="a file renamed",
        do=lambda made, _: (made.folder / "chart.csv").rename(made.folder / "chart2.csv"),
        found_by="files",
    ),
    Attack(name="two files swapped", do=_swap, found_by="hashes"),
    Attack(name="a link to the same content", do=_link, found_by="files"),
    Attack(name="a folder replaced by a link", do=_replace_folder, found_by="files"),
    Attack(name="a second name outside (hard link)", do=_hard_link, found_by="files"),
    Attack(name="a pipe in place of a file", do=_pipe, found_by="files"),
    Attack(name="an edit, and the list rewritten", do=_relist, found_by="seal"),
    Attack(name="an empty list", do=_write("SHA256SUMS", b""), found_by="files"),
    Attack(name="the list with DOS line ends", do=_dos_lines, found_by="files"),
    Attack(name="no signature", do=_drop("SEAL.txt.sig"), found_by="seal"),
    Attack(name="no statement", do=_drop("attestation.dsse.json"), found_by="seal"),
    Attack(name="no seal at all, and an event edited", do=_drop_seal, found_by="chain"),
    Attack(name="the tail of the requests cut off", do=_cut_tail, found_by="hashes"),
    Attack(name="all rewritten, signed by another key", do=_forge_seal, found_by="signer"),
    Attack(name="another run's history", do=_take("history/requests-0.jsonl"), found_by="hashes"),
    Attack(name="another run's statement", do=_take("attestation.dsse.json"), found_by="statement"),
    Attack(name="another run's signature", do=_take("SEAL.txt.sig"), found_by="signature"),
    Attack(name="another run's seal, signed", do=_take("SEAL.txt", "SEAL.txt.sig"), found_by="seal"),
    Attack(name="an older genuine bundle under this name", do=_take_all, found_by="run"),
)

INSIDERS = (
    Attack(
        name="the recovery time made shorter",
        do=_insider("record.json", lambda r: r["objectives"][0]["measured"].update(high=1.0, low=0.5)),
        found_by="figures",
    ),
    Attack(
        name="a verdict turned",
        do=_insider("record.json", lambda r: r["objectives"][0].update(verdict="PASSED")),
        found_by="figures",
    ),
    Attack(
        name="the whole verdict turned",
        do=_insider("record.json", lambda r: r.update(verdict="PASSED", exit_code=0)),
        found_by="figures",
    ),
    Attack(
        name="a limit eased in the record",
        do=_insider("record.json", lambda r: r["objectives"][0].update(limit=3000)),
        found_by="figures",
    ),
    Attack(name="a limit eased in plan and record", do=_lower_limits, found_by="plan"),
    Attack(
        name="a limit eased on the page, in plan, record and reports", do=ease_everywhere, found_by="plan"
    ),
    Attack(
        name="a promise left out",
        do=_insider("record.json", lambda r: r["objectives"].pop()),
        found_by="figures",
    ),
    Attack(
        name="a line of the timeline left out",
        do=_insider("record.json", lambda r: r["timeline"].pop(3)),
        found_by="figures",
    ),
    Attack(
        name="failed requests counted as good",
        do=_insider("record.json", lambda r: r["load"].update(failed=0)),
        found_by="figures",
    ),
    Attack(
        name="planted defects kept silent",
        do=_insider("record.json", lambda r: r["staging"].update(defects=[])),
        found_by="figures",
    ),
    Attack(
        name="a discrepancy invented",
        do=_insider("reconciliation.json", lambda found: found.append({"kind": "x"})),
        found_by="figures",
    ),
    Attack(
        name="the page rewritten",
        do=_insider_bytes("report.html", b"FAILED", b"PASSED"),
        found_by="figures",
    ),
    Attack(
        name="the chart redrawn", do=_insider_bytes("chart.svg", b"</svg>", b" </svg>"), found_by="figures"
    ),
    Attack(name="a drill's chart taken away", do=_drop_and_sign("chart.svg"), found_by="figures"),
    Attack(name="the chart's numbers", do=_insider_bytes("chart.csv", b"\n", b"\n\n"), found_by="figures"),
    Attack(
        name="JUnit made green", do=_insider_bytes("junit.xml", b"<failure", b"<system"), found_by="figures"
    ),
    Attack(name="Allure's results made green", do=_green_allure, found_by="figures"),
    Attack(name="a result more for Allure", do=_one_more_allure, found_by="figures"),
    Attack(name="a step of a runbook that nobody took", do=_ticked, found_by="figures"),
    Attack(
        name="another load in what was begun",
        do=_insider("drill.json", lambda d: d["traffic"].update(rate=9.0)),
        found_by="plan",
    ),
    Attack(
        name="somebody else made the one who ran it",
        do=_insider("record.json", lambda r: r["executor"].update(user="nobody")),
        found_by="figures",
    ),
    Attack(
        name="a request's outcome in the raw history",
        do=_insider_bytes("history/requests-0.jsonl", b'"failed", "timeout", 0', b'"ok", "", 200'),
        found_by="chain",
    ),
    Attack(
        name="an event in the raw history",
        do=_insider_bytes("history/events.jsonl", b'"5xx"', b'"4xx"'),
        found_by="chain",
    ),
    Attack(
        name="what was read back",
        do=_insider_bytes("history/final.jsonl", b'"cents": 100', b'"cents": 200'),
        found_by="chain",
    ),
    Attack(
        name="a receipt taken out of what was read back",
        do=_insider_bytes("history/receipts.jsonl", b'"r-0-1"', b""),
        found_by="chain",
    ),
    Attack(name="no receipts", do=_drop_and_sign("history/receipts.jsonl"), found_by="chain"),
    Attack(
        name="a line of the ledger",
        do=_insider_bytes("ledger.jsonl", b'"read back"', b'"looked at"'),
        found_by="chain",
    ),
    Attack(
        name="the page of promises",
        do=_insider_bytes("objectives.py", b"    30, ", b"    3000, "),
        found_by="plan",
    ),
    Attack(
        name="the page of drills",
        do=_insider_bytes("catalogue.py", b"SLO, LATENCY", b"LATENCY"),
        found_by="plan",
    ),
    Attack(
        name="a reason for doubt left out",
        do=_insider("journal.json", lambda j: j["run"][0].update(status="failed")),
        found_by="journal",
    ),
    Attack(
        name="another run's requests, chained",
        do=_foreign_requests,
        found_by="run",
    ),
    Attack(
        name="an independent word with the key that sealed the drill",
        do=_independent_of_oneself,
        found_by="sign-off",
    ),
    Attack(
        name="history, checkpoints and record, all rewritten",
        do=_slower_history,
        found_by="run ledger",
        with_runs=True,
    ),
)

RUN_LEDGER = (
    Attack(name="a sign-off taken away", do=_sign_off_taken_away, found_by="sign-off", with_runs=True),
    Attack(
        name="its tail cut off", do=_edit_runs(lambda lines: lines[:1]), found_by="run ledger", with_runs=True
    ),
    Attack(
        name="a line cut out", do=_edit_runs(lambda lines: lines[1:]), found_by="run ledger", with_runs=True
    ),
    Attack(name="the seal taken away", do=_unseal, found_by="run ledger", with_runs=True),
    Attack(name="emptied", do=_edit_runs(lambda _: []), found_by="run ledger", with_runs=True),
    Attack(
        name="a line edited",
        do=_edit_runs(lambda lines: [line.replace(b"FAILED", b"PASSED") for line in lines]),
        found_by="run ledger",
        with_runs=True,
    ),
)
