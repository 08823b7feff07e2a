"""Mutations: one operator, constant or statement of a source file is changed, and a test should go red.

    python -m tests.mutations --sample 210 --seed 1 --done mutants.txt

Beside ../faults, whose faults somebody thought of, these are drawn by chance from all that can be changed by a machine.
`sites.py` finds the places, `nearest.py` says which tests know a file best, `survivors.py` why some mutants are no
faults.
"""
