"""The guest languages, one module per language or family of compilers."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config.schema import LanguageName
from pipeline.guest.language import Language
from pipeline.guest.languages.assemblyscript import AssemblyScript
from pipeline.guest.languages.clang import Clang
from pipeline.guest.languages.rust import Rust
from pipeline.guest.languages.wasm import Wasm
from pipeline.guest.languages.wat import Wat
from pipeline.guest.languages.zig import Zig

LANGUAGES: Mapping[LanguageName, Language] = {
    "assemblyscript": AssemblyScript(),
    "c": Clang("cc", ("-std=c11",)),
    # wasm32-wasi has no unwinding; without RTTI, libc++ is a tenth as large.
    "c++": Clang("c++", ("-std=c++20", "-fno-exceptions", "-fno-rtti")),
    "rust": Rust(),
    "wasm": Wasm(),
    "wat": Wat(),
    "zig": Zig(),
}
