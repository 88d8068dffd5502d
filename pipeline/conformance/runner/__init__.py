"""The suite run on a host, judged, reported, and written as files."""
