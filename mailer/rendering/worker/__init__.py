"""The process in which templates run, apart from the program and with limits."""
