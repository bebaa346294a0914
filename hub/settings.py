"""Settings of a node: the only reader of the environment.

They come from ``tocsin.toml`` in the home and from ``TOCSIN_*`` variables; a variable wins.
Every field has its heading in ``docs/settings.md`` (a house test compares).
"""

from __future__ import annotations

import ipaddress
import os
import pwd
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
    blocks_per_hour: int = Field(default=5_000, ge=0)
    audit_heads_file: Path | None = None
    audit_syslog: str = ""
    export_jump_percent: int = Field(default=50, ge=0, le=1_000)

    @field_validator("resolver")
    @classmethod
    def _read_resolver(cls, text: str) -> str:
        if text:
            resolver_address(text)
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
