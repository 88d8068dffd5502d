"""The conformance suite: what any wasi-nn host answers, asked by small guests."""
