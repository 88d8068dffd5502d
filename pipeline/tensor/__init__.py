"""From pictures and sounds to the exact bytes that a guest hands to set_input."""
