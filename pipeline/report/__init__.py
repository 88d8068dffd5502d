"""Output of a run: the console, the event log and the HTML report."""
