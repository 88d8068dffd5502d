"""Ctrl-C and SIGTERM as exceptions of the main thread, also as it begins to wait for a lock."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

_AGAIN_SECONDS = 0.1


def raise_interrupts() -> None:
    """Let SIGTERM raise SystemExit(143) and Ctrl-C KeyboardInterrupt, in the main thread.

    A signal that arrives just before that thread waits for a lock would be handled only when the
    wait is over: Python has checked for signals already, and the wait has not yet begun. So another
    thread interrupts it until the signal was handled.
    """
    seen = threading.Event()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        seen.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, interrupt)
    # A run in the background of a shell has to ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    if hasattr(signal, "pthread_kill"):
        # A signal without effect: a second SIGTERM would raise again during the end of the run.
        signal.signal(signal.SIGURG, _wake)
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        threading.Thread(target=_wake_main_thread, args=(woken, seen), daemon=True).start()


def _wake_main_thread(woken: int, seen: threading.Event) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while os.read(woken, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
        pass
    while not seen.wait(_AGAIN_SECONDS):
        signal.pthread_kill(main, signal.SIGURG)


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: interrupting the wait is enough."""
