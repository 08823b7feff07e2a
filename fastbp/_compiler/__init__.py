"""The compiler: a graph becomes a program, and is found again."""
