"""The register of erased customers only grows and is refused when it does not."""

from pathlib import Path

import numpy as np
import pytest

from features.erasures import ErasureRequest
from features.errors import LogFormatError
from features.log.erasure_register import ErasureRegister, ErasureRegisters, ErasureRequests

KEY, OTHER = b"k" * 16, b"o" * 16


def _is_erased(register: ErasureRegister | ErasureRegisters, key: bytes, time_us: int) -> bool:
    rows = np.frombuffer(key, np.uint8).reshape(1, 16)
    return bool(register.read().find_erased(rows, np.array([time_us]))[0])


def test_a_reader_sees_what_another_process_appends(tmp_path: Path) -> None:
    register = ErasureRegister(tmp_path / "store")
    assert len(register.read()) == 0
    ErasureRegister(tmp_path / "store").append(KEY, 10)
    assert _is_erased(register, KEY, 10)
    assert not _is_erased(register, KEY, 11)
    ErasureRegister(tmp_path / "store").append(KEY, 20)
    assert _is_erased(register, KEY, 20)
    assert not _is_erased(register, OTHER, 0)


def test_unchanged_registers_are_not_built_anew(tmp_path: Path) -> None:
    ErasureRegister(tmp_path / "a").append(KEY, 10)
    registers = ErasureRegisters([tmp_path / "a", tmp_path / "b"])
    assert registers.read() is registers.read()
    ErasureRegister(tmp_path / "b").append(OTHER, 10)
    assert _is_erased(registers, KEY, 1)
    assert _is_erased(registers, OTHER, 1)


def test_half_a_line_of_a_killed_writer_is_overwritten(tmp_path: Path) -> None:
    register = ErasureRegister(tmp_path)
    register.append(KEY, 10)
    with register.path.open("ab") as file:
        file.write(b"abc")
    assert _is_erased(ErasureRegister(tmp_path), KEY, 10)
    register.append(OTHER, 10)
    assert _is_erased(ErasureRegister(tmp_path), OTHER, 10)


@pytest.mark.parametrize("content", [b"", b"x" * 54])
def test_a_register_that_shrank_or_is_no_register_lets_nothing_through(
    tmp_path: Path, content: bytes
) -> None:
    register = ErasureRegister(tmp_path)
    register.append(KEY, 10)
    register.append(OTHER, 10)
    if not content:
        register.read()
    register.path.write_bytes(content)
    with pytest.raises(LogFormatError, match="register"):
        register.read()


def test_the_register_holds_no_key(tmp_path: Path) -> None:
    register = ErasureRegister(tmp_path)
    register.append(KEY, 10)
    content = register.path.read_bytes()
    assert KEY not in content
    assert KEY.hex().encode() not in content


def test_a_request_stays_open_until_it_is_finished(tmp_path: Path) -> None:
    requests = ErasureRequests(tmp_path)
    assert list(requests.list()) == []
    request = ErasureRequest(KEY, OTHER, 7)
    requests.place(request)
    requests.place(request)
    assert list(ErasureRequests(tmp_path).list()) == [request]
    assert requests.is_open(request)
    requests.finish(request)
    requests.finish(request)
    assert not requests.is_open(request)
