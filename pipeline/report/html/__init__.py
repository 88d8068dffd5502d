"""artifacts/report.html: one self-contained file that shows what was built and verified."""
