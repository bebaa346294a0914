"""TAXII 2.1 (OASIS Standard, 10 June 2021), statement by statement, against a real server.

Every test is one normative statement that binds a server. Its name carries the section, and the
first line of its docstring says in our words what must hold, after the standard's key word.
``python -m tests.conformance.report`` runs them and prints the table by section.
"""
