"""The conformance suite: tests of any wasi-nn host by small guests."""
