"""Checks of this machine and of a project's configuration: `wasi-nn doctor`.

Third-party packages are imported only where they are used: one of them may be what is broken.
"""
