"""Names that nobody may block by mistake, written by hand: what holds where no other list is there.

Each stands with everything below it. Short on purpose: what the world's machines need to resolve
names, to take updates, to tell the time, to check certificates and to reach those who would have
to undo the mistake. Popular names come from the lists of the extra ``guards``, and an operator's
own from ``tocsin guard add``.

What it does not do: grade by popularity. That is ``guard_lists``.
"""

from __future__ import annotations

from typing import Final

ROOT_SERVERS: Final = tuple(f"{letter}.root-servers.net" for letter in "abcdefghijklm")

NAME_SERVERS: Final = (
    *ROOT_SERVERS,
    "root-servers.net", "root-servers.org", "gtld-servers.net", "nstld.com", "iana-servers.net",
    "iana.org", "icann.org", "in-addr-servers.arpa", "ip6-servers.arpa", "in-addr.arpa",
    "ip6.arpa", "arpa", "dnssec-or-not.com", "as112.net", "internic.net", "icann-servers.net",
    "afilias-nst.info", "afilias-nst.org", "nic.fr", "denic.de", "dns.nl", "nic.uk", "dns.jp",
    "dns.pl", "dns.be", "dns.pt", "dnsnode.net", "pch.net", "anycast.dns.nl", "awsdns.com",
    "ns.cloudflare.com", "azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info",
    "ultradns.net", "nsone.net", "akam.net", "domaincontrol.com", "ripe.net", "arin.net",
    "apnic.net", "lacnic.net", "afrinic.net", "registrar-servers.com",
    # Of Route 53: each of these serves many thousands of zones.
    *(f"awsdns-{n:02}.{tld}" for n in range(64) for tld in ("com", "net", "org", "co.uk")),
)  # fmt: skip
"""Root, registries' and large operators' name-servers: without one of them a country goes dark."""

RESOLVERS: Final = (
    "dns.google", "dns64.dns.google", "one.one.one.one", "cloudflare-dns.com", "quad9.net",
    "opendns.com", "dns.adguard-dns.com", "cleanbrowsing.org", "dns0.eu", "joindns4.eu",
    "dns.sb", "nextdns.io", "controld.com", "mullvad.net", "dns.watch", "digitalcourage.de",
    "uncensoreddns.org", "dnsforge.de", "use-application-dns.net", "resolver.arpa",
    "applied-privacy.net", "dns.switch.ch", "odvr.nic.cz", "canadianshield.cira.ca",
)  # fmt: skip
"""Public resolvers, and the names by which machines find a resolver."""

SINKHOLES: Final = (
    "sinkhole.shadowserver.org", "sinkhole.cert.pl", "sinkhole.dk", "sinkhole.ch",
    "sinkhole.tech", "sinkholedb.com", "conficker-sinkhole.com", "conficker-sinkhole.net",
    "conficker-sinkhole.org", "torpig-sinkhole.org", "dgasinkhole.com",
    "microsoftinternetsafety.net", "fbi-cyber.net", "honeybot.us", "sinkhole.fitsec.com",
    "sinkhole.virustracker.info", "shadowserver.org", "abuse.ch", "spamhaus.org",
    "suspended-domain.com",
)  # fmt: skip
"""Sinkholes and who runs them: blocking one hides the infected machines that it would show."""

CRITICAL: Final = (
    # search, mail and sign-in that everything else hangs on
    "google.com", "googleapis.com", "gstatic.com", "gmail.com", "youtube.com", "microsoft.com",
    "microsoftonline.com", "office.com", "office365.com", "outlook.com", "live.com", "azure.com",
    "windows.net", "apple.com", "icloud.com", "amazon.com", "facebook.com", "whatsapp.com",
    "whatsapp.net", "instagram.com", "linkedin.com", "wikipedia.org", "wikimedia.org",
    "yahoo.com", "zoom.us", "signal.org", "proton.me", "europa.eu", "un.org", "who.int",
    # updates: what repairs a machine
    "windowsupdate.com", "update.microsoft.com", "mozilla.org", "mozilla.net", "debian.org",
    "ubuntu.com", "redhat.com", "fedoraproject.org", "suse.com", "opensuse.org", "kernel.org",
    "freebsd.org", "openbsd.org", "archlinux.org", "alpinelinux.org", "python.org",
    "npmjs.com", "github.com", "android.com", "gvt1.com",
    # certificates and time
    "letsencrypt.org", "lencr.org", "digicert.com", "sectigo.com", "globalsign.com",
    "identrust.com", "entrust.net", "usertrust.com", "pki.goog", "ntp.org", "time.windows.com",
    "nist.gov",
    # payment and settlement
    "visa.com", "mastercard.com", "paypal.com", "swift.com", "stripe.com", "adyen.com",
    # those who would have to undo it
    "first.org", "cisa.gov", "enisa.europa.eu", "ietf.org", "rfc-editor.org", "cloudflare.com",
    "akamai.net", "akamaiedge.net", "akadns.net", "fastly.net", "misp-project.org",
)  # fmt: skip

SPECIAL_USE: Final = (
    "localhost", "local", "invalid", "test", "example", "example.com", "example.net",
    "example.org", "onion", "alt", "home.arpa", "internal", "localdomain", "ipv4only.arpa",
)  # fmt: skip
"""RFC 6761, 6762, 7050, 8375, 9476: not of the public tree, and a block of one is a mistake."""
