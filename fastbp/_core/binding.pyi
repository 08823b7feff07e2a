# The binding of a call's arrays is for other compiled modules: nothing of it is Python's.
