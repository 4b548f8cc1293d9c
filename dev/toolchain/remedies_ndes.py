"""Why the administration page of NDES brings no challenge password, and what to do."""

from __future__ import annotations

from toolchain.remedy import Remedy

NDES: tuple[Remedy, ...] = (
    Remedy(
        ("gives this user no password",),
        "The account lacks Read and Enroll on one of the templates in SignatureTemplate, EncryptionTemplate and "
        "GeneralPurposeTemplate, or the CA does not issue one of them; event 6 on the NDES host",
        "Have the right given on all three, and the templates published; then recycle the application pool SCEP",
    ),
    Remedy(
        ("has no place for another password",),
        "Passwords that were handed out and never used stay in the cache until they expire",
        "Wait with retry_timeout, ask for fewer at a time, or have PasswordMax raised",
    ),
    Remedy(
        ("is none that is known here; it says",),
        "The address leads to another page, or to a product whose page has another shape",
        "Open the address in a browser; that of NDES ends in /certsrv/mscep_admin/",
    ),
    Remedy(
        ("offers no password: NDES is set",),
        "EnforcePassword is 0 in the registry of the NDES host: whoever reaches it gets a certificate",
        "Leave the password out; and have EnforcePassword set to 1",
    ),
    Remedy(
        ("it is not given; give username and password", "it is not given, and this auth cannot do without"),
        "Usually a variable that is empty",
        "Set it; a password belongs in a vault",
    ),
    Remedy(
        ("it is given although auth is none",),
        "A log-in is given, and the option auth says that there is none",
        "Choose the way to log in that the server offers, ntlm as a rule",
    ),
    Remedy(
        ("auth: it needs the library",),
        "The ways to log in need libraries that everything else does without",
        "Install it for that interpreter, with pip or as a package of the distribution",
    ),
    Remedy(("is no number of passwords",), "count is out of range", "Choose a number of the range"),
    Remedy(
        ("is no https address",),
        "A log-in over plain http can be read and taken over on the way",
        "Use https, which IIS can be given a certificate for, or set allow_http in a network that you trust",
    ),
    Remedy(
        ("sends the request for a challenge password on to",),
        "The web server redirects to another address, often from http to https",
        "Give the address that the sentence names, if it is that of NDES",
    ),
    Remedy(
        ("there is no Kerberos ticket for",),
        "No ticket cache, a wrong password, a realm without a KDC, or a host that the realm does not know by this name",
        "Try kinit and kvno HTTP/HOST; the host's name in url has to be the one that its SPN was registered for",
    ),
    Remedy(
        ("auth: the log-in at",),
        "Neither a ticket nor username and password are there, or what answers is no web server that knows this log-in",
        "For negotiate give username and password, or try klist; for ntlm see whether a proxy is in between",
    ),
    Remedy(
        ("max_outstanding: ", "hold a challenge password and have not used it"),
        "NDES keeps few unused passwords, so that the hosts of one run take turns",
        "Set max_outstanding to PasswordMax of the server, 5 unless it was changed, and run fewer forks",
    ),
    Remedy(
        ("offers no CA certificate with it",),
        "The administration page and the SCEP server belong to different NDES hosts, or NDES was moved to another CA",
        "Compare the host in otp.url with the one in url; behind a load balancer both have to lead to the same host",
    ),
    Remedy(
        ("otp.<detail>",),
        "A part of the option otp, said in the words of the module ndes_otp",
        "Look for the rest of the sentence in this table",
    ),
)
