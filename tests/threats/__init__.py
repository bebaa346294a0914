"""The rows and classes of THREATS that no test of one module shows: liars, and whole doors.

Which test shows which row is in its name, ``test_t17_…`` or ``test_class04_…``, wherever it
stands; ``rows`` lists them all and ``tests/house/test_threats_covered.py`` compares.
"""
