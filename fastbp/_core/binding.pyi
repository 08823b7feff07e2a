# For other compiled modules alone: nothing of it is Python's.
