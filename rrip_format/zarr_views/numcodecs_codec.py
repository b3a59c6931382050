"""The numcodecs codec ``rrip``, which decodes packets, for readers of Zarr version 2 (spec section 9.8)."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ndarray_copy

from ..errors import read_only
from ..family.packet import decode_packet
from ..spec.metadata import parse_codec

__all__ = ["RripPacket"]


class RripPacket(Codec):  # type: ignore[misc]  # numcodecs has no types
    """Decoder of packets.

    Parameters
    ----------
    level : int
        Level of the array.
    coding : mapping
        The ``coding`` object of the metadata (spec section 8.2).

    Raises
    ------
    FormatError
        If the coding breaks a rule of the spec, or has no such level.
    """

    codec_id = "rrip"

    def __init__(self, level: int, coding: dict[str, Any]) -> None:
        self.level, self._coding = parse_codec(level, coding)

    def encode(self, buf: Any) -> NoReturn:
        """Raise :class:`ReadOnlyError`, since changing a pixel would mean to encode a family again."""
        raise read_only()

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a packet to RGB, (3, side, side) uint8; raise :class:`DamagedError` if it is damaged."""
        return ndarray_copy(decode_packet(self._coding, self.level, ensure_bytes(buf)), out)

    def get_config(self) -> dict[str, Any]:
        """Return the codec's entry in a ``.zarray``."""
        return {"id": self.codec_id, "level": self.level, "coding": self._coding.to_json()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create the codec from its entry in a ``.zarray``."""
        return cls(config.get("level"), config.get("coding"))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"RripPacket(level={self.level})"
