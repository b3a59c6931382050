"""The Python API as people expect it: names, signatures, errors that say what was passed."""

from __future__ import annotations

import errno
import pickle

import pytest
from conftest import SUFFIXES

import rrip_format
from rrip_format.errors import FormatError, NotFoundError, RripError, SourceError, StorageError


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("read", ["open", "imread", "RripStore", "RripSlide", "validate", "repair"])
def test_a_missing_file_is_a_file_not_found_error(tmp_path, read, suffix):
    if read == "RripSlide":
        pytest.importorskip("openslide")
    path = tmp_path / f"nothing{suffix}"
    arguments = (path, tmp_path / "saved.rrip.tif") if read == "repair" else (path,)
    with pytest.raises(FileNotFoundError) as caught:
        getattr(rrip_format, read)(*arguments)
    assert isinstance(caught.value, RripError)
    assert isinstance(caught.value, FormatError) or read == "RripSlide"
    assert caught.value.errno == errno.ENOENT
    assert str(caught.value) == f"{path}: no such file or directory"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_a_missing_source_too(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or directory") as caught:
        rrip_format.convert(tmp_path / "nothing.svs", tmp_path / "a.rrip.zarr")
    assert isinstance(caught.value, SourceError)
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("kind", ["tif", "zip"])
def test_a_container_that_vanishes_while_it_is_open_is_no_missing_chunk(kinds, tmp_path, kind):
    """Readers above take a FileNotFoundError for "fill with the fill value"."""
    path = tmp_path / getattr(kinds, kind).name
    path.write_bytes(getattr(kinds, kind).read_bytes())
    with rrip_format.open(path) as slide:
        pickled = pickle.dumps(slide)
    path.unlink()
    with pytest.raises(StorageError, match="no such file") as caught:
        pickle.loads(pickled)
    assert not isinstance(caught.value, FileNotFoundError)


def test_a_url_that_is_not_there(kinds):
    pytest.importorskip("aiohttp")
    from kinds import serve

    with serve(kinds.zarr.parent) as server, pytest.raises(NotFoundError, match=r"nothing\.rrip\.tif") as caught:
        rrip_format.open(f"{server.url}/nothing.rrip.tif")
    assert isinstance(caught.value, FileNotFoundError)
