"""The clock-driven door: pulls and wake-ups."""
