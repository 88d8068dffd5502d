"""OpenVINO's C API, as far as the host uses it."""
