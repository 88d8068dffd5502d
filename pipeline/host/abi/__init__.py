"""The core-module (WITX) ABI of wasi-nn: its numbers, guest memory and functions."""
