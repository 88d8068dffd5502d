"""Tools in hash-locked, isolated environments of their own."""
