# Nothing of this module is for Python: other modules cimport it.
