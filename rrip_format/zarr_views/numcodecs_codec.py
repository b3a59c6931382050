"""The numcodecs codec ``rrip``: a packet to pixels, for readers of Zarr version 2 (spec section 9.8)."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ndarray_copy

from ..errors import FormatError, ReadOnlyError
from ..family.packet import decode_packet
from ..spec.metadata import parse_coding

__all__ = ["RripPacket"]


class RripPacket(Codec):  # type: ignore[misc]  # numcodecs has no types
    """Decoder of packets.

    Parameters
    ----------
    level : int
    coding : mapping
        The ``coding`` object of the metadata (spec section 8.2).

    Raises
    ------
    FormatError
        If the coding breaks a rule of the spec, or has no such level.
    """

    codec_id = "rrip"

    def __init__(self, level: int, coding: dict[str, Any]) -> None:
        self._coding = parse_coding(coding)
        if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level < self._coding.geometry.levels:
            raise FormatError(
                f"codec rrip: level is {level!r}, expected 0 … {self._coding.geometry.levels - 1}",
                rule="array.document",
            )
        self.level = level

    def encode(self, buf: Any) -> NoReturn:
        """Raise: a change of one pixel would have to re-encode a family."""
        raise ReadOnlyError("an RRIP container is read-only through Zarr: make a new one with 'rrip convert'")

    def decode(self, buf: Any, out: Any = None) -> Any:
        """RGB, (3, side, side) uint8, of one packet; :class:`DamagedError` if it is not one."""
        return ndarray_copy(decode_packet(self._coding, self.level, ensure_bytes(buf)), out)

    def get_config(self) -> dict[str, Any]:
        """What ``.zarray`` says of this codec."""
        return {"id": self.codec_id, "level": self.level, "coding": self._coding.to_json()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The codec that ``.zarray`` describes."""
        return cls(config.get("level"), config.get("coding"))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"RripPacket(level={self.level})"
