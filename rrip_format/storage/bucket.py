"""Making something in a bucket: staged on a local disk, then sent, so that nothing opens before it is complete."""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import DamagedError, StorageError, TargetError
from .access import Access
from .connecting import connect
from .event_loop import run
from .ranges import MERGED_BYTES
from .remote import Remote, gather_all
from .services import Absent, Request
from .workplace import Workplace, as_target_error

__all__ = ["BucketPlace", "connect_target", "name_in"]

_ROOT = "zarr.json"
"""What makes a folder open (spec section 9.5)."""

_BATCH = 256
"""Objects that are sent or read back at a time."""


def name_in(url: str) -> str:
    """Return the last part of the path of a URL."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2]


def connect_target(url: str) -> tuple[Remote, str]:
    """Connect with the service of a target.

    Raises
    ------
    TargetError
        If nothing can be written there.
    """
    if "::" in url or url.lower().startswith(("http://", "https://")):
        raise TargetError(f"{url}: nothing can be written there; name a bucket (s3://, gs://, az:// …) or a local file")
    return connect(url.rstrip("/"), Access())


class BucketPlace(Workplace):
    """The local folder in which a container for a bucket is made; publishing sends it.

    Its name follows from the URL, so that a later run on this machine finds what an interrupted one has left there. It
    is in the folder that ``RRIP_STAGING`` names, or else in the system's for temporary files.

    Parameters
    ----------
    url : str
    overwrite : bool
        Whether a container may be there already.
    verify : bool
        Read back what was sent, and compare.

    Raises
    ------
    TargetError
        If another process on this machine makes it, or nothing can be written there.
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
        """Send what was made, the root document of a folder last, and remove it here.

        Raises
        ------
        TargetError
            If it cannot be sent, or something has come to the target that may not be replaced.
        DamagedError
            If it does not read back as it was sent.
        """
        is_folder = self.container.is_dir()
        root = f"{self._path}/{_ROOT}" if is_folder else self._path
        if not self._replaces and is_there(self._remote, root):
            raise TargetError(f"{self.title}: has appeared meanwhile; remove it or pass --overwrite")
        try:
            if is_folder:
                self._send_folder(root)
            else:
                self._send([(root, self.container)])
        except StorageError as error:
            raise TargetError(f"{self.title}: cannot be written: {error}") from error
        self.discard()

    def _send_folder(self, root: str) -> None:
        self._remote.remove(root)  # what is replaced must not open beside parts of the new one
        files = (path for path in _files(self.container) if path != self.container / _ROOT)
        sent: set[str] = set()
        while batch := list(islice(files, _BATCH)):
            pairs = [(f"{self._path}/{path.relative_to(self.container).as_posix()}", path) for path in batch]
            self._send(pairs)
            sent.update(key for key, _ in pairs)
        self._send([(root, self.container / _ROOT)])
        old = self._remote.sizes(self._path) if self._replaces else None
        for key, _ in old or ():
            if f"{self._path}/{key}" not in sent and key != _ROOT:
                self._remote.remove(f"{self._path}/{key}")

    def _send(self, files: list[tuple[str, Path]]) -> None:
        """Send (path, local file), and compare what is there then."""
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
            raise StorageError(f"{path} is not there after it was sent") from error
        if found != wanted:
            raise DamagedError(f"{self.title}: {path} does not read back as it was sent; send it again")

    def discard(self) -> None:
        """Remove everything that is here."""
        super().discard()
        with suppress(OSError):
            self._staging.rmdir()


def is_there(remote: Remote, path: str) -> bool:
    """Whether there is an object."""
    try:
        run(remote.get(path, Request(0, 1)))
    except Absent:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _parts(file: Path) -> range:
    return range(0, max(1, file.stat().st_size), MERGED_BYTES)
