"""A Solana program that calls what its caller lays out: to burn from inside another program.

It is two system calls. The C structures of the instruction to invoke and of its accounts stand in
the program's own instruction data; where that is in memory follows from the accounts, so that the
caller can compute it, and the program is built for that place. The account structures are copied to
the heap first, for the virtual machine refuses them where accounts are. The ELF file around the code
is put together here, byte by byte, with the two relocations of the system calls.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

_INPUT: Final = 0x400000000
"""Where the virtual machine shows a program its input."""
_GROWTH: Final = 10_240
_HEAP: Final = 0x300000000
_SYSCALLS: Final = (b"sol_memcpy_", b"sol_invoke_signed_c")
_CALL: Final = struct.pack("<BBhi", 0x85, 0x10, 0, -1)
"""Filled in by its relocation when the program is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An account of the instruction, and how many bytes it has when the program runs."""

    meta: AccountMeta
    size: int


def forwarded(
    program: Pubkey, called: Instruction, accounts: Sequence[Given]
) -> tuple[bytes, Instruction]:
    """The program's ELF, and the instruction that makes it call ``called``.

    ``accounts`` are those of ``called``, in its order, followed by the program it calls.
    """
    places, at = [], _INPUT + 8
    for given in accounts:
        places.append(at)
        padded = given.size + -given.size % 8
        at += 8 + 32 + 32 + 8 + 8 + padded + _GROWTH + 8
    start = at + 8
    metas = start + 40
    infos = metas + 16 * len(called.accounts)
    data = infos + 56 * len(accounts)
    laid_out = struct.pack(
        "<QQQQQ", places[-1] + 8, metas, len(called.accounts), data, len(called.data)
    )
    for meta, place in zip(called.accounts, places, strict=False):
        laid_out += struct.pack("<QBB6x", place + 8, meta.is_writable, meta.is_signer)
    for given, place in zip(accounts, places, strict=True):
        laid_out += _info(given, place)
    laid_out += called.data
    own = [given.meta for given in accounts]
    return _elf(_code(start, infos, len(accounts))), Instruction(program, laid_out, own)


def _info(given: Given, place: int) -> bytes:
    key, owner, lamports, content = place + 8, place + 40, place + 72, place + 88
    flags = (given.meta.is_signer, given.meta.is_writable, False)
    return struct.pack("<QQQQQQ???5x", key, lamports, given.size, content, owner, 2**64 - 1, *flags)


def _code(instruction: int, infos: int, count: int) -> bytes:
    return b"".join(
        (
            _load(1, _HEAP),
            _load(2, infos),
            _move(3, 56 * count),
            _CALL,
            _load(1, instruction),
            _load(2, _HEAP),
            _move(3, count),
            _move(4, 0),
            _move(5, 0),
            _CALL,
            struct.pack("<BBhi", 0x95, 0, 0, 0),  # exit with what the call returned
        )
    )


def _load(register: int, value: int) -> bytes:
    low, high = value & 0xFFFFFFFF, value >> 32
    return struct.pack("<BBhIBBhI", 0x18, register, 0, low, 0, 0, 0, high)


def _move(register: int, value: int) -> bytes:
    return struct.pack("<BBhi", 0xB7, register, 0, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the file; ``flags`` 0: not loaded, so without an address."""

    name: bytes
    kind: int
    flags: int
    body: bytes
    link: int = 0
    each: int = 0


def _elf(code: bytes) -> bytes:
    """A shared object with one function, the symbols that it calls, and their relocations."""
    text_at = 64 + 3 * 56
    symbols, strings = _symbols()
    calls = [text_at + at for at in range(0, len(code), 8) if code[at : at + 8] == _CALL]
    fixes = b"".join(struct.pack("<QQ", at, 1 + which << 32 | 10) for which, at in enumerate(calls))
    symbols_at = text_at + len(code)
    strings_at = symbols_at + len(symbols)
    fixes_at = strings_at + len(strings)
    tags = [(5, strings_at), (6, symbols_at), (10, len(strings)), (11, 24)]
    tags += [(17, fixes_at), (18, len(fixes)), (19, 16), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    names = b"\0.text\0.dynsym\0.dynstr\0.rel.dyn\0.dynamic\0.shstrtab\0"
    sections = [
        Section(name=b".text", kind=1, flags=6, body=code),
        Section(name=b".dynsym", kind=11, flags=2, body=symbols, link=3, each=24),
        Section(name=b".dynstr", kind=3, flags=2, body=strings),
        Section(name=b".rel.dyn", kind=9, flags=2, body=fixes, link=2, each=16),
        Section(name=b".dynamic", kind=6, flags=2, body=dynamic, link=3, each=16),
        Section(name=b".shstrtab", kind=3, flags=0, body=names + bytes(-len(names) % 8)),
    ]
    dynamic_at = fixes_at + len(fixes)
    names_at = dynamic_at + len(dynamic)
    segments = _segment(1, 5, text_at, len(code))
    segments += _segment(1, 4, symbols_at, names_at - symbols_at)
    segments += _segment(2, 6, dynamic_at, len(dynamic))
    headers, at = bytes(64), text_at
    for section in sections:
        headers += _header(names, section, at)
        at += len(section.body)
    bodies = b"".join(section.body for section in sections)
    counts = (64, 56, 3, 64, len(sections) + 1, len(sections))
    head = struct.pack("<HHIQQQI6H", 3, 247, 1, text_at, 64, at, 0, *counts)
    return b"\x7fELF\x02\x01\x01" + bytes(9) + head + segments + bodies + headers


def _symbols() -> tuple[bytes, bytes]:
    """The table of the system calls' names, and the names."""
    strings = b"\0" + b"\0".join(_SYSCALLS) + b"\0"
    entries = (struct.pack("<IBBHQQ", strings.index(name), 0x10, 0, 0, 0, 0) for name in _SYSCALLS)
    return bytes(24) + b"".join(entries), strings + bytes(-len(strings) % 8)


def _header(names: bytes, section: Section, at: int) -> bytes:
    return struct.pack(
        "<IIQQQQIIQQ",
        names.index(section.name),
        section.kind,
        section.flags,
        at if section.flags else 0,
        at,
        len(section.body),
        section.link,
        1,
        8,
        section.each,
    )


def _segment(kind: int, flags: int, at: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, 8)
