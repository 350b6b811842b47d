"""The one hash of identifiers: MurmurHash3_x64_128 of their UTF-8 bytes, compiled.

Decoders hash every string of every event where it stands in the buffer, so the
hash must run inside compiled code; that rules out a library. 128 bits, because a
record must never be another customer's (see `features.keys`). Not keyed: who
chooses identifiers could aim at one key, but only inside their own tenant.

Source: Austin Appleby, SMHasher, MurmurHash3.cpp (public domain), seed 0.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import IS_JIT_ON, compiled, int64_1d, uint64_2d, welded

Hash = tuple[int, int]
"""Both halves (h1, h2) of a 128-bit hash, unsigned."""

_MASK = (1 << 64) - 1
_C1 = np.uint64(0x87C37B91114253D5)
_C2 = np.uint64(0x4CF5AD432745937F)
_M1 = np.uint64(0xFF51AFD7ED558CCD)
_M2 = np.uint64(0xC4CEB9FE1A85EC53)
_ADD1 = np.uint64(0x52DCE729)
_ADD2 = np.uint64(0x38495AB5)
_FIVE = np.uint64(5)
_R33 = np.uint64(33)
_ZERO = np.uint64(0)

uint8_1d = numba.types.Array(numba.uint8, 1, "C")
uint8_1d_readonly = numba.types.Array(numba.uint8, 1, "C", readonly=True)

load_u64: Any
"""Called with a uint8 array and a place: its 8 bytes from there as one number; not checked."""

if IS_JIT_ON:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def _load_compiled(typing_context: Any, buffer: Any, at: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            first = cgutils.gep_inbounds(builder, array.data, args[1])
            word = builder.bitcast(first, ir.IntType(64).as_pointer())
            return builder.load(word, align=1)

        return numba.uint64(buffer, numba.int64), generate

    load_u64 = _load_compiled

    @welded
    def mul_u64(a: Any, b: Any) -> Any:
        """Return a * b modulo 2**64."""
        return a * b

    @welded
    def add_u64(a: Any, b: Any) -> Any:
        """Return a + b modulo 2**64."""
        return a + b

else:

    def _load_plain(buffer: Any, at: Any) -> Any:
        return np.uint64(int.from_bytes(bytes(buffer[at : at + 8]), "little"))

    load_u64 = _load_plain

    def mul_u64(a: Any, b: Any) -> Any:
        """Return a * b modulo 2**64; numpy's scalars would warn."""
        return np.uint64((int(a) * int(b)) & _MASK)

    def add_u64(a: Any, b: Any) -> Any:
        """Return a + b modulo 2**64; numpy's scalars would warn."""
        return np.uint64((int(a) + int(b)) & _MASK)


@welded
def _rotate(value: Any, by: int) -> Any:
    return (value << np.uint64(by)) | (value >> np.uint64(64 - by))


@welded
def _finish_half(value: Any) -> Any:
    value ^= value >> _R33
    value = mul_u64(value, _M1)
    value ^= value >> _R33
    value = mul_u64(value, _M2)
    return value ^ (value >> _R33)


@welded
def _mix_block(h1: Any, h2: Any, k1: Any, k2: Any) -> Any:
    h1 ^= mul_u64(_rotate(mul_u64(k1, _C1), 31), _C2)
    h1 = add_u64(_rotate(h1, 27), h2)
    h1 = add_u64(mul_u64(h1, _FIVE), _ADD1)
    h2 ^= mul_u64(_rotate(mul_u64(k2, _C2), 33), _C1)
    h2 = add_u64(_rotate(h2, 31), h1)
    return h1, add_u64(mul_u64(h2, _FIVE), _ADD2)


@welded
def _finish(h1: Any, h2: Any, size: int) -> Any:
    h1 ^= np.uint64(size)
    h2 ^= np.uint64(size)
    h1 = add_u64(h1, h2)
    h2 = add_u64(h2, h1)
    h1 = _finish_half(h1)
    h2 = _finish_half(h2)
    h1 = add_u64(h1, h2)
    return h1, add_u64(h2, h1)


@welded
def load_part(buffer: Any, at: int, size: int) -> Any:
    """Return fewer than 8 bytes of a uint8 array as one number, missing ones 0."""
    if size == 0:
        return _ZERO
    if at + size >= 8:
        # The word that ends where the part ends: reads nothing behind the buffer.
        return load_u64(buffer, at + size - 8) >> np.uint64(8 * (8 - size))
    word = _ZERO
    for i in range(size):
        word |= np.uint64(buffer[at + i]) << np.uint64(8 * i)
    return word


@welded
def hash_span(buffer: Any, start: int, end: int) -> Any:
    """Return (h1, h2) of the bytes `start` to `end` of a uint8 array; (0, 0) if there are none."""
    size = end - start
    h1 = _ZERO
    h2 = _ZERO
    at = start
    while end - at >= 16:
        h1, h2 = _mix_block(h1, h2, load_u64(buffer, at), load_u64(buffer, at + 8))
        at += 16
    rest = end - at
    if rest > 8:
        k2 = load_part(buffer, at + 8, rest - 8)
        h2 ^= mul_u64(_rotate(mul_u64(k2, _C2), 33), _C1)
        rest = 8
    if rest == 8:
        k1 = load_u64(buffer, at)
        h1 ^= mul_u64(_rotate(mul_u64(k1, _C1), 31), _C2)
    elif rest > 0:
        k1 = load_part(buffer, at, rest)
        h1 ^= mul_u64(_rotate(mul_u64(k1, _C1), 31), _C2)
    return _finish(h1, h2, size)


@welded
def hash_pair(a1: Any, a2: Any, b1: Any, b2: Any) -> Any:
    """Return (h1, h2) of two hashes, 32 bytes little-endian."""
    h1, h2 = _mix_block(_ZERO, _ZERO, a1, a2)
    h1, h2 = _mix_block(h1, h2, b1, b2)
    return _finish(h1, h2, 32)


@welded
def hash_numbered(a1: Any, a2: Any, number: Any, b1: Any, b2: Any) -> Any:
    """Return (h1, h2) of a hash, a number and a hash, 40 bytes little-endian."""
    h1, h2 = _mix_block(_ZERO, _ZERO, a1, a2)
    h1, h2 = _mix_block(h1, h2, number, b1)
    h1 ^= mul_u64(_rotate(mul_u64(b2, _C1), 31), _C2)
    return _finish(h1, h2, 40)


@compiled(numba.void(uint8_1d_readonly, int64_1d, uint64_2d))
def hash_spans(buffer: Any, ends: Any, out: Any) -> None:
    """Write (h1, h2) of strings that stand end to end; `ends` one past each one's last byte."""
    start = 0
    for i in range(len(ends)):
        h1, h2 = hash_span(buffer, start, ends[i])
        out[i, 0] = h1
        out[i, 1] = h2
        start = ends[i]


def hash_bytes(content: bytes) -> Hash:
    """Return MurmurHash3_x64_128 of some bytes, seed 0.

    >>> hash_bytes(b"")
    (0, 0)
    >>> f"{hash_bytes(b'hello')[0]:016x}"
    'cbd8a7b341bd9b02'
    """
    out = np.zeros((1, 2), np.uint64)
    hash_spans(to_bytes_array(content), np.array([len(content)], np.int64), out)
    return int(out[0, 0]), int(out[0, 1])


def to_bytes_array(content: bytes) -> npt.NDArray[np.uint8]:
    """Return some bytes as a read-only array, nothing copied."""
    return np.frombuffer(content, np.uint8)
