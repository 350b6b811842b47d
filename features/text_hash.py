"""XXH3 with 64 bits, compiled: the hash that the n-grams of texts were always put into places by.

Logs keep embeddings and compare them with new ones, so the hash may never
change; tests hold it equal to the `xxhash` library for every length class.

Source: Yann Collet, xxHash specification, XXH3, seed 0 and the default secret.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.hashing import add_u64, load_u64, mul_u64

SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
        "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
        "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
        "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
        "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ),
    np.uint8,
).copy()
"""The default secret; kernels get it as an argument."""

_P32_1 = np.uint64(0x9E3779B1)
_P32_2 = np.uint64(0x85EBCA77)
_P32_3 = np.uint64(0xC2B2AE3D)
_P64_1 = np.uint64(0x9E3779B185EBCA87)
_P64_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P64_3 = np.uint64(0x165667B19E3779F9)
_P64_4 = np.uint64(0x85EBCA77C2B2AE63)
_P64_5 = np.uint64(0x27D4EB2F165667C5)
_MIX_1 = np.uint64(0x165667919E3779F9)
_MIX_2 = np.uint64(0x9FB21C651E98DF25)
_LOW = np.uint64(0xFFFFFFFF)
_R32 = np.uint64(32)
_STRIPE = 64
_STRIPES_PER_BLOCK = 16
_N_LANES = 8
_LAST_SECRET = 192 - 64


@welded
def _load_u32(content: Any, at: int) -> Any:
    word = np.uint64(content[at]) | np.uint64(content[at + 1]) << np.uint64(8)
    word |= np.uint64(content[at + 2]) << np.uint64(16)
    return word | np.uint64(content[at + 3]) << np.uint64(24)


@welded
def _fold_product(a: Any, b: Any) -> Any:
    """Return the 128-bit product's halves, xored."""
    a_low, a_high = a & _LOW, a >> _R32
    b_low, b_high = b & _LOW, b >> _R32
    low_low, high_low = mul_u64(a_low, b_low), mul_u64(a_high, b_low)
    low_high, high_high = mul_u64(a_low, b_high), mul_u64(a_high, b_high)
    cross = add_u64(add_u64(low_low >> _R32, high_low & _LOW), low_high)
    upper = add_u64(add_u64(high_low >> _R32, cross >> _R32), high_high)
    return upper ^ ((cross << _R32) | (low_low & _LOW))


@welded
def _avalanche(value: Any) -> Any:
    value = mul_u64(value ^ (value >> np.uint64(37)), _MIX_1)
    return value ^ (value >> _R32)


@welded
def _avalanche_64(value: Any) -> Any:
    value = mul_u64(value ^ (value >> np.uint64(33)), _P64_2)
    value = mul_u64(value ^ (value >> np.uint64(29)), _P64_3)
    return value ^ (value >> _R32)


@welded
def _hash_to_3(content: Any, start: int, size: int, secret: Any) -> Any:
    first = np.uint64(content[start])
    middle = np.uint64(content[start + (size >> 1)])
    last = np.uint64(content[start + size - 1])
    combined = (first << np.uint64(16)) | (middle << np.uint64(24)) | last
    combined |= np.uint64(size) << np.uint64(8)
    return _avalanche_64(combined ^ (_load_u32(secret, 0) ^ _load_u32(secret, 4)))


@welded
def _hash_to_8(content: Any, start: int, size: int, secret: Any) -> Any:
    first, last = _load_u32(content, start), _load_u32(content, start + size - 4)
    value = (last | first << _R32) ^ (load_u64(secret, 8) ^ load_u64(secret, 16))
    value ^= (value << np.uint64(49) | value >> np.uint64(15)) ^ (
        value << np.uint64(24) | value >> np.uint64(40)
    )
    value = mul_u64(value, _MIX_2)
    value = mul_u64(value ^ add_u64(value >> np.uint64(35), np.uint64(size)), _MIX_2)
    return value ^ (value >> np.uint64(28))


@welded
def _swap_bytes(value: Any) -> Any:
    swapped = np.uint64(0)
    for i in range(8):
        swapped |= ((value >> np.uint64(8 * i)) & np.uint64(0xFF)) << np.uint64(56 - 8 * i)
    return swapped


@welded
def _hash_to_16(content: Any, start: int, size: int, secret: Any) -> Any:
    low = load_u64(content, start) ^ (load_u64(secret, 24) ^ load_u64(secret, 32))
    high = load_u64(content, start + size - 8) ^ (load_u64(secret, 40) ^ load_u64(secret, 48))
    value = add_u64(np.uint64(size), _swap_bytes(low))
    return _avalanche(add_u64(add_u64(value, high), _fold_product(low, high)))


@welded
def _mix_16(content: Any, at: int, secret: Any, secret_at: int) -> Any:
    low = load_u64(content, at) ^ load_u64(secret, secret_at)
    return _fold_product(low, load_u64(content, at + 8) ^ load_u64(secret, secret_at + 8))


@welded
def _hash_to_128(content: Any, start: int, size: int, secret: Any) -> Any:
    value = mul_u64(np.uint64(size), _P64_1)
    end = start + size
    for i in range((size - 1) // 32, -1, -1):
        value = add_u64(value, _mix_16(content, start + 16 * i, secret, 32 * i))
        value = add_u64(value, _mix_16(content, end - 16 * (i + 1), secret, 32 * i + 16))
    return _avalanche(value)


@welded
def _hash_to_240(content: Any, start: int, size: int, secret: Any) -> Any:
    value = mul_u64(np.uint64(size), _P64_1)
    for i in range(8):
        value = add_u64(value, _mix_16(content, start + 16 * i, secret, 16 * i))
    value = _avalanche(value)
    for i in range(8, size // 16):
        value = add_u64(value, _mix_16(content, start + 16 * i, secret, 16 * (i - 8) + 3))
    value = add_u64(value, _mix_16(content, start + size - 16, secret, 136 - 17))
    return _avalanche(value)


@welded
def _add_stripe(lanes: Any, content: Any, at: int, secret: Any, secret_at: int) -> None:
    for i in range(_N_LANES):
        word = load_u64(content, at + 8 * i)
        keyed = word ^ load_u64(secret, secret_at + 8 * i)
        lanes[i ^ 1] = add_u64(lanes[i ^ 1], word)
        lanes[i] = add_u64(lanes[i], mul_u64(keyed & _LOW, keyed >> _R32))


@welded
def _hash_long(content: Any, start: int, size: int, secret: Any, lanes: Any) -> Any:
    lanes[0], lanes[1], lanes[2], lanes[3] = _P32_3, _P64_1, _P64_2, _P64_3
    lanes[4], lanes[5], lanes[6], lanes[7] = _P64_4, _P32_2, _P64_5, _P32_1
    for stripe in range((size - 1) // _STRIPE):
        of_block = stripe % _STRIPES_PER_BLOCK
        _add_stripe(lanes, content, start + _STRIPE * stripe, secret, 8 * of_block)
        if of_block == _STRIPES_PER_BLOCK - 1:
            for i in range(_N_LANES):
                lane = lanes[i] ^ (lanes[i] >> np.uint64(47))
                lanes[i] = mul_u64(lane ^ load_u64(secret, _LAST_SECRET + 8 * i), _P32_1)
    _add_stripe(lanes, content, start + size - _STRIPE, secret, _LAST_SECRET - 7)
    value = mul_u64(np.uint64(size), _P64_1)
    for i in range(0, _N_LANES, 2):
        low = lanes[i] ^ load_u64(secret, 11 + 8 * i)
        high = lanes[i + 1] ^ load_u64(secret, 11 + 8 * i + 8)
        value = add_u64(value, _fold_product(low, high))
    return _avalanche(value)


@welded
def hash_gram(content: Any, start: int, end: int, secret: Any, lanes: Any) -> Any:
    """Return XXH3_64bits of the bytes `start` to `end`, at least one, of a uint8 array.

    Args:
        content: The array.
        start: First byte.
        end: One past the last byte.
        secret: `SECRET`.
        lanes: Scratch of 8 words, for long ones.
    """
    size = end - start
    if size <= 3:
        return _hash_to_3(content, start, size, secret)
    if size <= 8:
        return _hash_to_8(content, start, size, secret)
    if size <= 16:
        return _hash_to_16(content, start, size, secret)
    if size <= 128:
        return _hash_to_128(content, start, size, secret)
    if size <= 240:
        return _hash_to_240(content, start, size, secret)
    return _hash_long(content, start, size, secret, lanes)
