"""From a framework's model to OpenVINO IR."""
