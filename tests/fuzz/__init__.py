"""Fuzzing: what comes from outside, changed at random, is either taken as it should be or refused in the dialect.

    python -m tests.fuzz models --runs 100000 --seed 1

A target is a module with CORPUS (the folder of its valid inputs), mutate(data, rng) and run(data), of bytes: files as
they are, or numbers that arguments and graphs are drawn from. `judge.py` says what a finding is.
"""
