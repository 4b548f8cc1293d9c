"""Why an error comes about and what to do, for every sentence that `sentences` gathers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """`parts`: each a stable piece of one sentence or more; every sentence has a piece of exactly one row."""

    parts: tuple[str, ...]
    cause: str
    step: str


_SUBJECT = "a subject in one of three notations: a string, a mapping, a list of mappings"
_OWN = "The server's software is at fault, or something between changes what it sends"
_ATTACK = "A damaged answer, or somebody on the way who sends old or foreign ones"
_REQUEST = "The client's software is at fault, or something on the way damages messages"

REMEDIES: tuple[Remedy, ...] = (
    # --- options
    Remedy(
        ("is not known on this host.",),
        "The owner or group is no account of the host on which the task runs, which may be the controller",
        "Create it first, or give a number",
    ),
    Remedy(("' does not exist.",), "A file that is to be read is not there", "Correct the path; it is one on the host"),
    Remedy(("is also the file of",), "Two options name one file, perhaps over a link", "Give each its own file"),
    Remedy(
        ("a character that is not Unicode text",),
        "A variable was read from octets in another encoding than UTF-8",
        "Save its source in UTF-8",
    ),
    Remedy(
        ("it is empty; give the path", "the list is empty; name a fingerprint"),
        "Usually a variable that is empty",
        "Set it, or leave the option out with default(omit)",
    ),
    Remedy(
        ("no CA certificate can be read from it",),
        "The file or text is neither PEM nor one certificate in DER",
        "Export the CA certificate as PEM; what follows in the sentence says what was found",
    ),
    Remedy(("this is no path",), "A text in place of a path, such as a whole certificate", "Give a path"),
    Remedy(("is not an octal mode",), "YAML makes a decimal number of 640", "Write '0640', in quotes"),
    Remedy(
        ("is not a purpose that is known here",),
        "A misspelt purpose of extended_key_usage",
        "Take one from the list, or a dotted OID",
    ),
    Remedy(
        ("key_usage: <detail>",),
        "encipherOnly or decipherOnly without keyAgreement",
        "Ask for keyAgreement as well, which few CAs give to an RSA key, or leave the two out",
    ),
    Remedy(("bits are not supported; choose",), "privatekey_size is out of range", "Choose a size of the range"),
    Remedy(
        ("subject: '<attribute>' is not an attribute", "is not of the form CN=value", "a string, a mapping or a list"),
        f"The value is not {_SUBJECT}",
        "Write CN=host.example.com,O=Example; a comma in a value needs a backslash",
    ),
    Remedy(
        ("each entry of the list has to be a mapping", "has to be a text, not <one>"),
        f"The value is not {_SUBJECT}",
        "Write each part as a mapping such as CN: host, its value a text",
    ),
    Remedy(
        ("subject: it cannot be encoded",),
        "A value that its attribute cannot hold, such as a country of three letters",
        "Correct the value that the sentence names",
    ),
    Remedy(
        ("subject: it is empty", "is empty; leave the attribute out"),
        "Usually a variable that is empty",
        "Set it, or leave the attribute out",
    ),
    Remedy(
        ("subject_alt_name: '<value>' cannot be used", "write the host name in its ASCII form"),
        "The value is not what its prefix says, or a host name has letters outside of ASCII",
        "Correct the value; write an international name in its ASCII form",
    ),
    Remedy(("does not begin with DNS:",), "The prefix is missing or misspelt", "Write DNS:, IP:, email: or URI: first"),
    Remedy(("seconds is no time",), "timeout is not positive or longer than a day", "Give seconds within the range"),
    Remedy(("url: '<url>' is not an address",), "The scheme or the host is missing", "Give the whole address"),
    Remedy(("is not the address of a proxy",), "The scheme or the host is missing", "Write http://proxy:3128"),
    Remedy(
        ("is not a fingerprint",),
        "The text is damaged, or something other than a fingerprint",
        "Copy it again; colons and blanks do not matter",
    ),
    # --- files
    Remedy(
        ("cannot be replaced", "cannot be changed", "' cannot be read:", "' cannot be written:", "no backup '"),
        "The reason of the system says it: permissions, a full disk, an immutable file",
        "Mend that and run again; the files that were there are still complete",
    ),
    Remedy(
        ("nothing can be written to the folder",),
        "The user of the task may not write there, or it is read-only or full",
        "Run with become, or name a folder that the user may write to",
    ),
    Remedy(
        ("exists and is not a certificate", "exists and is not a regular file", "so it is not what is meant"),
        "The path leads to something else, which is not overwritten",
        "Name another file, or remove this one",
    ),
    Remedy(("leads round in a circle",), "Links that name each other", "Remove the links"),
    Remedy(
        ("to another owner", "to another group"),
        "Only root gives files away",
        "Run with become, or leave owner and group out",
    ),
    Remedy(("create it first.",), "The folder is not made by the module", "Create it with ansible.builtin.file"),
    Remedy(("The folder '<folder>' cannot be opened",), "The folder is not readable", "Correct its mode"),
    Remedy(
        ("The journal '<journal>'",),
        "A run was interrupted, and what it left is damaged or could have been written by others",
        "Look whether key and certificate fit together, then remove the journal",
    ),
    Remedy(
        ("holds no private key", "is not an RSA key, as SCEP needs it", "is protected by a passphrase"),
        "The file of the key is somebody's own, of a kind that cannot be used, and is not overwritten",
        "Name another file, or remove this one to have a key made",
    ),
    Remedy(
        ("and privatekey_size asks for", "are the most; remove the file"),
        "The file of the key is somebody's own, and its size is not the one that is asked for",
        "Change privatekey_size, or name another file",
    ),
    # --- the way to the server
    Remedy(
        ("cannot be sent to <host>",),
        "An error of the network that has no sentence of its own; its own words follow",
        "Try the URL with curl on the same host",
    ),
    Remedy(
        ("TLS with <host> fails",),
        "The two do not agree on a version or a cipher of TLS, or the port speaks no TLS",
        "Compare http and https in url; look at the versions of TLS that the server takes",
    ),
    Remedy(
        ("The TLS certificate of <host>",),
        "The certificate is not from a CA that this host knows, is expired, or names another host",
        "Give ca_path, correct url, or renew the server's certificate; validate_certs is the last resort",
    ),
    Remedy(("The host <host> is not known",), "A name that DNS does not have", "Correct url or name resolution"),
    Remedy(
        ("answers <operation> with more than",), "The URL leads to something else, such as a download", "Correct url"
    ),
    Remedy(
        ("with nothing at all",),
        "A server that fails without saying so, or a proxy",
        "Look into the log of the server",
    ),
    Remedy(
        ("with something that is no SCEP message",),
        "Another service answers, or what it sends is damaged; the rest of the sentence says what was found",
        "Correct url; on NDES look into the Application event log",
    ),
    Remedy(
        ("did not complete its answer", "did not take the connection within"),
        "The server is slow or overloaded, or a firewall drops packets",
        "Raise timeout, or let the traffic through",
    ),
    Remedy(
        ("with HTTP <status>",),
        "See the table of HTTP statuses",
        "Follow the hint; on NDES, 500 and 503 usually are the application pool SCEP",
    ),
    Remedy(
        ("with a web page, so it is no SCEP server",),
        "The URL leads to another page, or NDES could not read the request",
        "Use the address that ends in /certsrv/mscep/mscep.dll, not that of the administration page",
    ),
    Remedy(
        ("sends <operation> on to",),
        "A redirection, usually from http to https; it is not followed",
        "Give the address that is named, if it is the right one",
    ),
    Remedy(("Nothing listens on port",), "The service is stopped, or the port is another", "Start it; check url"),
    Remedy(
        ("The proxy on the way",),
        "The proxy of the option or of the environment does not answer, or does not let this through",
        "Correct proxy; an empty one means none, whatever the environment says",
    ),
    Remedy(
        ("closed the connection before its answer",),
        "The server or something between broke off",
        "Look into the log of the server; a request may have arrived there, and spent its password",
    ),
    Remedy(
        ("The server keeps the request for approval",),
        "The CA lets somebody approve each request",
        "Approve it, and let the CA issue at once",
    ),
    # --- trust
    Remedy(
        ("None of the RA certificates",),
        "The certificates beside the CA's are expired, another CA's, or not marked as a registration authority's",
        "Renew them on the server; name them in ra_fingerprint, or set require_ra_eku to false",
    ),
    Remedy(
        ("None of the certificates that the server offers is the pinned CA",),
        "ca_fingerprint or the given certificate is another CA's, or somebody answers in the server's place",
        "Compare the fingerprints over another channel before changing the option",
    ),
    Remedy(
        ("The CA certificate of <issuing>",),
        "The CA stands below the pinned one and is not marked as a registration authority",
        "Pin that CA certificate itself, name it in ra_fingerprint, or set require_ra_eku to false",
    ),
    Remedy(
        ("does not chain to the trust anchor, or is out of date",),
        "Another CA issued the certificate, or the clock of one side is wrong",
        "Pin the root above both CAs; compare the clocks",
    ),
    Remedy(
        ("is signed by <signer>", "are signed by <signer>"),
        "The signer is not entitled to act for the CA, for the reason that the sentence ends with",
        "Renew the certificate on the server, name it in ra_fingerprint, or pin the right CA",
    ),
    Remedy(
        ("The pinned CA certificate of",),
        "The pinned CA is expired or not valid yet, or the clock of this host is wrong",
        "Compare the clock; pin the CA's new certificate",
    ),
    Remedy(
        ("is not that of a CA; pin the CA certificate",),
        "The fingerprint is that of a registration authority or of a server",
        "Pin the certificate of the CA, and name the other one in ra_fingerprint",
    ),
    Remedy(
        ("no certificate with an RSA key to encrypt to",),
        "The CA has an EC key and no registration authority with an RSA key",
        "Give the server a registration authority with an RSA key: SCEP encrypts to RSA keys only",
    ),
    Remedy(
        ("is valid from <not before",),
        "The certificate is out of date, or the clock of this host is wrong",
        "Compare the clock; renew the certificate on the server",
    ),
    Remedy(
        ("does not chain to the trust anchor$",),
        "No chain leads from the certificate to what was pinned",
        "Pin the CA that issued it, or let the server offer the CAs between",
    ),
    Remedy(
        ("is not marked as a registration authority",),
        "A certificate of the same CA, which any device has too; NDES's own are marked",
        "Name it in ra_fingerprint if it is the server's, or set require_ra_eku to false",
    ),
    # --- replies
    Remedy(
        ("The recipientNonce of the reply", "The reply belongs to another transaction"),
        _ATTACK,
        "Run again; if it stays, look at proxies and load balancers in front of the server",
    ),
    Remedy(
        (
            "The reply has no CRL",
            "The reply has no pkiStatus",
            "but no CertRep",
            "The reply says SUCCESS and has no content",
            "The reply has <signers> signers",
            "The content of the reply is no set of certificates",
        ),
        _OWN,
        "Look into the log of the server",
    ),
    Remedy(
        ("The reply has no certificate for the key", "The reply returns the CA's own certificate"),
        "The server answered with another certificate, perhaps that of an earlier request with the same subject",
        "Look into the database of the CA; enrol anew",
    ),
    # --- algorithms
    Remedy(
        ("would allow it; a server that can do better",),
        "Follows one of the sentences of this table where an option decides",
        "Set the option only for servers that cannot do better: MD5, single DES and SHA-1 can be broken with effort",
    ),
    Remedy(
        ("A signature uses <label>", "The message is encrypted with <label>", "The server offers no <what>"),
        "The other side knows nothing newer, or its configuration asks for it",
        "Let the server use SHA-256 and AES or 3DES; otherwise legacy_algorithms (MD5, single DES) or allow_sha1",
    ),
    Remedy(
        (
            "made with a kind of key that SCEP does not know",
            "an impossible length of salt",
            "encrypted by a method that SCEP does not use",
            "that SCEP does not know (<oid>)",
        ),
        "The other side uses what this collection does not have, such as RSA-OAEP or an Ed25519 key",
        "Configure RSA with PKCS#1 v1.5, SHA-2, and AES or 3DES in CBC mode there",
    ),
    Remedy(
        ("and SCEP encrypts to RSA keys only", "can be encrypted to an RSA key only"),
        "A key that is not RSA",
        "Use an RSA key",
    ),
    # --- messages
    Remedy(
        (
            "A signature cannot be checked with its key",
            "A signature does not verify with the key",
            "is not the type of the content",
            "is not the digest of the content",
            "The message has no signed attributes",
        ),
        "The message was changed on its way, or is signed by another key than it says",
        "Look at proxies that change content; look into the log of the other side",
    ),
    Remedy(
        (
            "The encrypted content does not decrypt",
            "is not encrypted to a certificate of the receiver",
            "or its content does not decrypt",
        ),
        "The message was made for other keys, is damaged, or asks for what is not there",
        "Have the CA certificates fetched anew; at the reference server, its log and its audit say more",
    ),
    Remedy(
        ("brings no certificate of its signer", "does not contain the certificate of its signer"),
        "The signer's certificate is neither in the message nor among those of GetCACert",
        "Look whether the registration authority's certificates were renewed while the server kept the old ones",
    ),
    Remedy(("The key of <what> has <key size> bits",), "The server's min_rsa_bits is larger", "Ask for a larger key"),
    Remedy(
        (
            "which RFC 8894 does not have",
            "values for <what> where one is expected",
            "The message has no content",
            "The message has no messageType",
            "The message has no senderNonce",
            "The message has no transactionID",
            "The transactionID is not",
            "octets; 16 are expected",
            "The message has <signers> signers",
            "The message has a SignerInfo without a signature",
            "A reply cannot be encrypted without",
        ),
        "The other side writes messages that RFC 8894 does not have",
        "Update its software; the sentence says which attribute it is",
    ),
    Remedy(
        ("The server does not support <name>",),
        "A kind of request that the reference server does not know",
        "Ask the administrators of the CA for what is wanted",
    ),
    Remedy(
        (
            "The PKCS#10 request is malformed",
            "The content is not that of a <what>",
            "An attribute is there twice",
            "The request names no SCEP operation",
            "The message of the request is not base64",
        ),
        _REQUEST,
        "Update the client; compare a URL that was cut by a proxy",
    ),
    Remedy(
        (
            "A primitive ASN.1 element",
            "An ASN.1 ",
            "The ASN.1 structure",
            "The EnvelopedData has no",
            "The message has no <what> where",
            "The message is CMS, but not",
            "The bytes are not an X.509 certificate",
            "The public key of the certificate of",
        ),
        "The octets are damaged, cut, or something else than what was asked for",
        "Save the answer with curl and look at it with 'openssl asn1parse -inform DER'; correct url",
    ),
    Remedy(("The message has <certificates> certificates",), "More than any chain has", "Correct the server"),
    Remedy(
        (
            "The answer to GetCACaps is not",
            "The answer to GetNextCACert is not",
            "a web page where its CA certificate should be",
            "an empty set of CA certificates",
        ),
        "Another service answers, or the server is not set up",
        "Correct url; look into the log of the server",
    ),
    Remedy(("was not issued by <issuer>",), "Certificate and issuer do not belong together", "Give that of the issuer"),
    Remedy(
        ("lacks what netcert.ndes needs",),
        "The Python that runs the module has no cryptography or requests, or one that is too old",
        "Install them for that interpreter, or set ansible_python_interpreter to one that has them",
    ),
)
