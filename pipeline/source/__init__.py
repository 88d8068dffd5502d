"""Downloads: source files, checked against their declared size and digest before use."""
