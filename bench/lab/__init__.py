"""The laboratory: questions that were decided by trying, each a file that can be run again. README.md lists them, and
log.md tells of trials that cannot."""
