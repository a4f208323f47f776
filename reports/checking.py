"""How a reader checks the folder that a report lies in, with standard tools only; printed in every report."""

from __future__ import annotations

from html import escape

from reports import markup

COMMANDS = (
    "openssl pkey -pubin -in signer.pub.pem -outform DER | sha256sum   # the published fingerprint",
    "openssl dgst -sha256 -verify signer.pub.pem -signature SEAL.txt.sig SEAL.txt   # Verified OK",
    "sha256sum SHA256SUMS   # the hash that SEAL.txt names",
    "sha256sum --strict --quiet -c SHA256SUMS   # silent when every listed file is as it was sealed",
    "find . -type f | wc -l   # as many as SEAL.txt names, the five that seal them, and sign-offs",
)
_WORDS = (
    "This page is part of a sealed folder. The key inside it is for transport only: ask for the signer's "
    "fingerprint by other means. These commands, in the folder, check the seal:"
)
_MORE = (
    "They cannot tell whether the figures are true. <code>blackstart verify FOLDER --fingerprint F</code> "
    "measures all of them again from the history of every single request, and says where this report differs."
)


def section() -> str:
    """Return the page's section about how to check it."""
    commands = "\n".join(map(escape, COMMANDS))
    body = f"<p>{_WORDS}</p>\n<pre>{commands}</pre>\n<p>{_MORE}</p>"
    return markup.section("How to check this report", body)
