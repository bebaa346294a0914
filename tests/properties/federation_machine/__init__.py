"""A federation that lives through anything, beside a model of who may hold what.

``model`` is the reading of PROTOCOL 3.2 and 3.3 that the nodes are held against; it imports
nothing of the product. ``checks`` looks into the databases with plain SQL. ``machine`` joins both
with real nodes, ``rules_*`` are what can happen, and ``test_machine`` lets it happen.
"""
