"""From a framework's model to OpenVINO IR, with the same bytes wherever it is made."""
