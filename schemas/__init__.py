"""Words that cross the wire: pure values and their exact readings. Imports nothing of ours."""
