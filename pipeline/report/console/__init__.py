"""A run on the console: plain lines, or live bars on a terminal."""
