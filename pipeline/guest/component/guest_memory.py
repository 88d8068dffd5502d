"""Keep the pages that adapters add out of the memory that a guest believes to have.

Adapters add pages to the guest's memory. Guests of older C libraries and of AssemblyScript take
all of their memory for their heap when they first allocate, and so pages that an adapter has added
before; others count on memory that grows without gaps, or has a maximum. Therefore the memory is
made as large from the start as the guest may ever need, the guest's own size becomes a counter, and
adapters add their pages behind.
"""

from __future__ import annotations

import re

from pipeline.errors import Code, PipelineError

PAGE = 65536
_MEMORY = re.compile(r"^  \(memory (?P<name>\S+) (?P<least>\d+)(?: (?P<most>\d+))?\)$", re.M)
_SIZE = re.compile(r"^(?P<indent> +)memory\.size$", re.M)
_GROW = re.compile(r"^(?P<indent> +)memory\.grow$", re.M)
_PAGES = "wasi_nn_guest_pages"

# What stands in the adapter's text in place of its own function.
OWN_SIZE = "(func $guest_pages (result i32) (memory.size))"
IMPORTED_SIZE = f'(import "__main_module__" "{_PAGES}" (func $guest_pages (result i32)))'

_COUNTER = """\
  (global $wasi-nn-pages (mut i32) (i32.const {least}))
  (func $wasi-nn-size (result i32) (global.get $wasi-nn-pages))
  (func $wasi-nn-grow (param $more i32) (result i32)
    (if (i32.gt_u (local.get $more) (i32.sub (i32.const {most}) (global.get $wasi-nn-pages)))
      (then (return (i32.const -1))))
    (global.get $wasi-nn-pages)
    (global.set $wasi-nn-pages (i32.add (global.get $wasi-nn-pages) (local.get $more))))
  (export "{pages}" (func $wasi-nn-size))
)
"""


def reserve_memory(text: str, most: int, name: str) -> str:
    """Return a guest's text, as wasm-tools prints it, with a memory of ``most`` pages.

    A maximum that the guest declares is kept if it is lower. Raises PipelineError (GUEST_BUILD) for
    a guest that needs more at the start, or has not one memory of its own.
    """
    found = list(_MEMORY.finditer(text))
    if len(found) != 1:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest must define one memory of 32 bits.",
            where=name,
            found=f"{len(found)} of them",
        )
    memory = found[0]
    least = int(memory["least"])
    most = min(most, int(memory["most"] or most))
    if least > most:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest's memory is larger at the start than it may become.",
            where=name,
            expected=f"at most {most * PAGE} bytes",
            found=f"{least * PAGE} bytes",
            hint="Allow more with --memory.",
        )
    text = text[: memory.start()] + f"  (memory {memory['name']} {most})" + text[memory.end() :]
    text = _SIZE.sub(r"\g<indent>call $wasi-nn-size", text)
    text = _GROW.sub(r"\g<indent>call $wasi-nn-grow", text)
    counter = _COUNTER.format(least=least, most=most, pages=_PAGES)
    return text.rstrip().removesuffix(")") + counter
