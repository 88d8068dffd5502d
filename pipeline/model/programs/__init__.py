"""Programs that run in processes of their own, some of them on another Python."""
