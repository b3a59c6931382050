"""Write a container into a bucket: first to a local disk, then by upload, so that it opens only when complete."""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ..errors import DamagedError, StorageError, TargetError
from .access import Access, url_path
from .connecting import connect
from .event_loop import run
from .ranges import MERGED_BYTES
from .remote import Remote, gather_all
from .services import Absent, NoBucket, Request
from .workplace import Workplace, as_target_error

__all__ = ["BATCH", "BucketPlace", "connect_target", "name_in"]

_ROOT = "zarr.json"
"""The document without which a folder does not open (spec section 9.5)."""

BATCH = 256
"""Objects that are uploaded or read back at a time."""


def name_in(url: str) -> str:
    """Return the last part of a URL's path."""
    return url_path(url).rstrip("/").rpartition("/")[2]


def connect_target(url: str) -> tuple[Remote, str]:
    """Connect to the service of a target.

    Raises
    ------
    TargetError
        If the target is not writable, such as one on a web server.
    """
    if "::" in url or url.lower().startswith(("http://", "https://")):
        raise TargetError(f"{url}: is not writable; name a bucket (s3://, gs://, az:// …) or a local file")
    return connect(url.rstrip("/"), Access())


class BucketPlace(Workplace):
    """The local folder in which a container for a bucket is written; publishing uploads it.

    Its name is derived from the URL, so that a later run on this machine finds the files of an interrupted one. It is
    in the folder ``RRIP_STAGING``, by default in the system's folder for temporary files.

    Parameters
    ----------
    url : str
        The target.
    overwrite : bool
        Whether an existing container may be replaced.
    verify : bool
        Whether uploaded files are read back and compared.

    Raises
    ------
    TargetError
        If another process on this machine is writing it, or the target is not writable.
    """

    def __init__(self, url: str, *, overwrite: bool = False, verify: bool = True) -> None:
        self._remote, self._path = connect_target(url)
        self.title, self._replaces, self._verify = url, overwrite, verify
        staging = os.environ.get("RRIP_STAGING") or Path(tempfile.gettempdir()) / f"rrip-{getpass.getuser()}"
        self._staging = Path(staging) / hashlib.sha256(url.encode()).hexdigest()[:16]
        with as_target_error(self._staging):
            self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(self._staging / name_in(url), overwrite=True)

    def publish(self) -> None:
        """Upload the container, the root document of a folder last, and remove the local folder.

        Raises
        ------
        TargetError
            If the upload fails, or something has appeared at the target that may not be replaced.
        DamagedError
            If an uploaded file does not read back unchanged.
        """
        is_folder = self.container.is_dir()
        root = f"{self._path}/{_ROOT}" if is_folder else self._path
        if not self._replaces and is_there(self._remote, root):
            raise TargetError(f"{self.title}: has appeared in the meantime; remove it or pass --overwrite")
        try:
            if is_folder:
                self._send_folder(root)
            else:
                self._send([(root, self.container)])
        except BaseException as error:
            failure = error
            if isinstance(error, StorageError | Absent):
                failure = TargetError(f"{self.title}: cannot be written: {error}")
            failure.add_note(f"what was sent to {self.title} is still there, and opens only if it is complete")
            if failure is error:
                raise
            raise failure from error
        self.discard()

    def _send_folder(self, root: str) -> None:
        self._remote.remove(root)  # the old container must not open with parts of the new one
        files = (path for path in _files(self.container) if path != self.container / _ROOT)
        sent: set[str] = set()
        while batch := list(islice(files, BATCH)):
            pairs = [(f"{self._path}/{path.relative_to(self.container).as_posix()}", path) for path in batch]
            self._send(pairs)
            sent.update(key for key, _ in pairs)
        self._send([(root, self.container / _ROOT)])
        old = self._remote.sizes(self._path) if self._replaces else None
        for key, _ in old or ():
            if f"{self._path}/{key}" not in sent and key != _ROOT:
                self._remote.remove(f"{self._path}/{key}")

    def _send(self, files: list[tuple[str, Path]]) -> None:
        """Upload pairs (path, local file), and verify them."""
        self._remote.put_all([(path, os.fspath(file)) for path, file in files])
        if self._verify:
            run(self._compare(files))

    async def _compare(self, files: list[tuple[str, Path]]) -> None:
        await gather_all([self._compare_part(path, file, at) for path, file in files for at in _parts(file)])

    async def _compare_part(self, path: str, file: Path, at: int) -> None:
        with file.open("rb") as local:
            local.seek(at)
            wanted = local.read(MERGED_BYTES)
        try:
            found = (await self._remote.get(path, Request(at, len(wanted)))).data if wanted else b""
        except Absent as error:
            raise StorageError(f"{path} is missing after its upload; convert again") from error
        if found != wanted:
            raise DamagedError(f"{self.title}: {path} does not read back as it was uploaded; convert again")

    def discard(self) -> None:
        """Remove the local folder."""
        super().discard()
        with suppress(OSError):
            self._staging.rmdir()


def is_there(remote: Remote, path: str) -> bool:
    """Return whether an object exists; `StorageError` if not even its bucket does."""
    try:
        run(remote.get(path, Request(0, 1)))
    except NoBucket as error:
        raise StorageError(f"{path}: the bucket does not exist: {error}; make it first") from error
    except Absent:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _parts(file: Path) -> range:
    return range(0, max(1, file.stat().st_size), MERGED_BYTES)
