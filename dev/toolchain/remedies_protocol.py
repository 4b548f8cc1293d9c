"""Why an error of the protocol core comes about and what to do: trust, replies, algorithms, messages."""

from __future__ import annotations

from toolchain.remedy import Remedy

_OWN = "The server's software is at fault, or something between changes what it sends"
_ATTACK = "A damaged answer, or somebody on the way who sends old or foreign ones"
_REQUEST = "The client's software is at fault, or something on the way damages messages"

PROTOCOL: tuple[Remedy, ...] = (
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
    Remedy(
        ("No CA under the trust anchor has issued",),
        "The certificate is one of another CA, or of one before a rollover that the server no longer offers",
        "Give the CA that issued it as ca_certificate_path",
    ),
    # --- CRLs
    Remedy(
        ("The CRL is one of", "The CRL was not signed with the key of"),
        "The source has the CRL of another CA, or somebody answers in its place",
        "Look at what the address of the source leads to, and at who issued the certificate",
    ),
    Remedy(
        ("does not allow to sign a CRL",),
        "The CA certificate has a keyUsage without cRLSign",
        "Have the CA issue its CRL with a certificate that has it",
    ),
    Remedy(
        ("The CRL is of", "The CRL is out of date"),
        "The CA has stopped to publish CRLs, or the clock of one side is wrong",
        "Compare the clocks; publish a CRL anew at the CA",
    ),
    Remedy(
        (
            "The CRL has a critical extension",
            "The CRL is an indirect one",
            "The CRL is for other certificates",
            "does not say when the next one is due",
        ),
        "The CRL does not tell all that there is to know about this certificate, or not until when",
        "Have the CA publish one full CRL for all of its certificates",
    ),
    Remedy(
        ("is older than the one that is there already",),
        "A source has an old CRL: a cache, a copy that is not renewed, or a CA restored from a backup",
        "Renew the copy; after a restored backup remove the file here",
    ),
    Remedy(
        ("The bytes are not a CRL",),
        "The address leads to something else, or the file is damaged",
        "Look at what the address leads to",
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
            "with the serial number that was asked for",
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
)
