"""A fixture's folder held against its manifest and against what is trusted."""
