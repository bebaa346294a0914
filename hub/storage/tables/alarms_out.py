"""How far alarms were told to a syslog server.

By its address, so that a new server is told of every alarm that is open; of each alarm 1 once its
begin was told, 2 once its end was.
"""

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.evidence import ALARMS
from hub.storage.tables.metadata import METADATA

ALARM_OUTLETS = Table(
    "alarm_outlets",
    METADATA,
    Column("address", String, primary_key=True),
    Column("since", Instant, nullable=False),  # what had closed by then is nobody's news
)

ALARMS_TOLD = Table(
    "alarms_told",
    METADATA,
    Column("address", String, ForeignKey("alarm_outlets.address"), primary_key=True),
    Column("alarm_id", RowId, ForeignKey(ALARMS.c.alarm_id), primary_key=True, autoincrement=False),
    Column("told", Integer, nullable=False),
    Column("at", Instant, nullable=False),
)
