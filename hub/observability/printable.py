r"""Text from outside on its way to a terminal or a log.

Decides which characters are shown as they are: those that Python calls printable, which leaves
out control characters (escape sequences that move the cursor or retitle the window), line ends
(forged log lines) and the invisible ones that reorder text (a name read backwards).

What it does not do: tell look-alike letters apart.

>>> printable("bank\x1b[2J\u202eelpmaxe")
'bank\\x1b[2J\\u202eelpmaxe'
>>> printable("mañana.example")
'mañana.example'
"""

from __future__ import annotations


def printable(text: object) -> str:
    """Return ``text`` with every character that is not printable written as an escape."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
