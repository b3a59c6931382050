"""Misbehaving cases for the harness of damage, in a separate module so that child processes start fast."""

from __future__ import annotations

import ctypes
import time


def misbehave():
    def case(number):
        match number:
            case 1:
                ctypes.string_at(0)
            case 2:
                return "", "refused", str(len(bytearray(400 << 20)))
            case 3:
                raise KeyError("no error of ours")
            case 4:
                time.sleep(1e6)
        return "", "equal", ""

    return case
