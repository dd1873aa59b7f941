"""The command line: one file a command group, over `detector.bootstrap`.

A module of a group imports little; what does the work is imported when its command runs, for the
libraries behind it take seconds that `--help` need not.
"""
