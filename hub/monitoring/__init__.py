"""Whether the exchange works: lag on both sides, silence, stale heads, clocks, alarms."""
