"""What this machine has, and what of it a project would miss.

Nothing outside the standard library is imported before it is needed: the doctor is asked when
something is broken.
"""
