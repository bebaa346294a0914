"""Settings of a node: the only reader of the environment.

They come from ``tocsin.toml`` in the home and from ``TOCSIN_*`` variables; a variable wins.
Every field has its heading in ``docs/settings.md`` (a house test compares).
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hub.errors import Misconfigured

SETTINGS_FILE = "tocsin.toml"
Facility = Literal[
    "user", "daemon", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
]  # fmt: skip
_SYSLOG_PORTS = {"tls": 6514, "tcp": 601}
"""RFC 5425 section 4.1, RFC 3195 section 9.2."""


def default_home() -> Path:
    """Return ``$TOCSIN_HOME``, else ``~/.tocsin``."""
    return Path(os.environ.get("TOCSIN_HOME") or Path.home() / ".tocsin")


def operator_name() -> str:
    """Name who runs a command, for the audit: the login, or the one behind ``sudo``.

    Absent check: it is what the machine says. Who may become another user there can be anybody.
    """
    login = os.environ.get("SUDO_USER", "")
    if not login:
        try:
            login = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container without an entry for its user
            login = str(os.getuid())
    return f"operator {login}"


class Settings(BaseSettings):
    """What an operator can set; sizes in bytes, durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="forbid", frozen=True)

    home: Path
    database_url: str = ""
    allow_loopback_peers: bool = False
    ca_file: Path | None = None
    max_content_length: int = Field(default=64 * 1024 * 1024, ge=1024)
    rate_limits: Literal["on", "off"] = "on"
    pull_interval_seconds: int = Field(default=300, ge=5)
    bandwidth_kbit: int = Field(default=0, ge=0)
    heartbeat_hours: int = Field(default=0, ge=0, le=8760)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    demo: bool = False
    resolver: str = ""
    delegation_server: str = ""
    blocks_per_hour: int = Field(default=5_000, ge=0)
    audit_heads_file: Path | None = None
    audit_syslog: str = ""
    alarm_syslog: str = ""
    alarm_syslog_ca_file: Path | None = None
    alarm_syslog_facility: Facility = "local0"
    alarm_syslog_max_tlp: Literal["clear", "green", "amber", "amber+strict"] = "green"
    export_jump_percent: int = Field(default=50, ge=0, le=1_000)
    blob_store_mib: int = Field(default=2_048, ge=1)
    export_churn_percent: int = Field(default=100, ge=0, le=2_000)
    rpz_zone: str = "rpz"
    rpz_actions: dict[str, str] = Field(default_factory=dict)
    rpz_canary: str = ""
    rpz_ttl: int = Field(default=300, ge=60, le=3_600)
    probe_seconds: int = Field(default=20, ge=1, le=3_600)

    @field_validator("resolver")
    @classmethod
    def _read_resolver(cls, text: str) -> str:
        if text:
            resolver_address(text)
        return text

    @field_validator("delegation_server")
    @classmethod
    def _read_delegation_server(cls, text: str) -> str:
        if text:
            server_address(text)
        return text

    @field_validator("alarm_syslog")
    @classmethod
    def _read_syslog(cls, text: str) -> str:
        if text:
            syslog_address(text)
        return text

    @field_validator("rpz_zone")
    @classmethod
    def _read_zone(cls, text: str) -> str:
        # Into a zone file goes what has the form of a name, and nothing else (THREATS 41).
        if not re.fullmatch(r"(?=.{1,64}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", text):
            raise ValueError("it is a name of at most 64 lower-case characters, such as rpz")
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the home's ``tocsin.toml`` below the environment, and nothing else."""
        del dotenv_settings, file_secret_settings
        home = init_settings.init_kwargs["home"]  # type: ignore[attr-defined]
        toml = TomlConfigSettingsSource(settings_cls, Path(home) / SETTINGS_FILE)
        return init_settings, env_settings, toml

    @property
    def effective_database_url(self) -> str:
        """The database's URL: the setting, else SQLite in the home."""
        return self.database_url or f"sqlite:///{self.home / 'tocsin.db'}"


def resolver_address(text: str) -> tuple[str, int]:
    """Read a resolver's address: ``127.0.0.1``, ``127.0.0.1:5353`` or ``[::1]:53``.

    Raises:
        ValueError: when it is no loopback address: on a network anybody could set the bit that
            says "validated" (RFC 4035 §4.9.3).
    """
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname or "", parts.port or 53
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError("a validating resolver has to run on this machine, such as 127.0.0.1:53")
    return host, port


def server_address(text: str) -> tuple[str, int]:
    """Read a name server's address: ``192.0.2.53``, ``192.0.2.53:5353`` or ``[2001:db8::1]:53``.

    Raises:
        ValueError: when it is no address.
    """
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname or "", parts.port or 53
    return str(ipaddress.ip_address(host)), port


@dataclass(frozen=True, slots=True)
class SyslogAddress:
    """A syslog server."""

    is_tls: bool
    host: str
    port: int


def syslog_address(text: str) -> SyslogAddress:
    """Read a syslog server's address: ``tls://siem.example:6514``, ``tcp://127.0.0.1:601``.

    Raises:
        ValueError: with the reason; without TLS only a server on this machine is taken, because
            alarms say of an organisation what an attacker would like to read and to change.
    """
    parts = urlsplit(text)
    host, usual = parts.hostname, _SYSLOG_PORTS.get(parts.scheme)
    is_more = parts.path.strip("/") or parts.query or parts.username
    if host is None or usual is None or is_more:
        raise ValueError("it is tls://HOST:PORT, or tcp://HOST:PORT for a server on this machine")
    if parts.scheme == "tcp" and not _is_this_machine(host):
        raise ValueError("without TLS it has to be on this machine, such as tcp://127.0.0.1:601")
    return SyslogAddress(parts.scheme == "tls", host, parts.port or usual)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Load the settings of the node in ``home``.

    Raises:
        Misconfigured: ``E_SETTINGS`` that names the setting and what is wrong with it.
    """
    try:
        return Settings(home=(home or default_home()).expanduser().absolute(), **overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(
            "E_SETTINGS",
            f"{name}: {first['msg']}",
            f"Correct {name} in {SETTINGS_FILE} or the variable TOCSIN_{name.upper()}.",
        ) from None
    except ValueError as error:  # TOML that does not parse
        raise Misconfigured(
            "E_SETTINGS", f"{SETTINGS_FILE}: {error}", f"Correct {SETTINGS_FILE} in the home."
        ) from None
