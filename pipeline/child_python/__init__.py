"""Child processes of Python, which import nothing from the working folder."""
