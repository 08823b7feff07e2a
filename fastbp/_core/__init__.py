"""Floor 1: the compiled core. Cython over typed memoryviews and C pointers, without the GIL, parallel by OpenMP."""
