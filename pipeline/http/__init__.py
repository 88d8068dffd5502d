"""The one HTTP client: schemes, redirects, sizes, deadlines and retries."""
