"""The `sens` command: a thin layer of words and colours over the library."""
