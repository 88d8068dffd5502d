"""OpenVINO IR: its canonical form, its digests and its interface."""
