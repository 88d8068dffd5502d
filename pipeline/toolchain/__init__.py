"""Toolchains: converters and compilers in isolated, hash-locked environments."""
