"""artifacts/report.html: one file that shows what was built, and proves it, without a network."""
