"""Why an error of the client's side comes about and what to do: options, files, the way to the server."""

from __future__ import annotations

from toolchain.remedy import Remedy

_SUBJECT = "a subject in one of three notations: a string, a mapping, a list of mappings"

CLIENT: tuple[Remedy, ...] = (
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
    Remedy(
        ("the name of the file '<path>' has",),
        "A name that fits by itself, but not with what is put before and behind it for a moment",
        "Choose a shorter name; where it is the target of a symbolic link, shorten that one",
    ),
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
        (
            "subject: it is empty",
            "subject: a part of it has no attribute",
            "subject: the value of '<attribute>' <complaint>",
        ),
        "Usually a variable that is empty, or a value that its attribute cannot hold",
        "Set it, or leave the attribute out",
    ),
    Remedy(
        (
            "subject_alt_name: <shown of value> cannot be used",
            "a part between its dots is blank",
            "a wildcard can be the whole first part",
            "it has <text> characters, and",
            "it holds a control character; leave that out",
            "it is no host name; each part",
            "it is no object identifier",
            "it is not the address of one host",
            "there is nothing behind the colon",
            "write it in ASCII",
            "write the host name in its ASCII form",
            "write the user principal name",
        ),
        "The value is not what its prefix says",
        "Correct the value as the sentence says; write an international host name in its ASCII form",
    ),
    Remedy(
        ("stands twice in one part", "has a blank part beside a comma or a plus sign"),
        "A comma or a plus sign that was meant as part of a value",
        "Write a backslash before it, or give the subject as a mapping",
    ),
    Remedy(
        ("sid: <shown of sid> is not the SID",),
        "Another SID than that of an account, or a name",
        "Ask Active Directory for it with Get-ADComputer or Get-ADUser",
    ),
    Remedy(
        (
            "it has <octets> octets, and",
            "it holds a control character, such as a line break",
            "give a passphrase of at",
        ),
        "A passphrase that openssl and others could not take",
        "Give another one; a line break usually comes from the file that it was read from",
    ),
    Remedy(
        ("pkcs12_passphrase: it is empty",),
        "A PKCS#12 file without a passphrase would hold the key in the clear",
        "Give pkcs12_passphrase",
    ),
    Remedy(
        ("the given one does not open the key",),
        "The key was written with another passphrase",
        "Give that one, or remove the key to have a new one made",
    ),
    Remedy(
        ("pkcs12_encryption: '<encryption>' is not known", "privatekey_format: '<format>' is not known"),
        "A misspelt word",
        "Take one from the list",
    ),
    Remedy(
        ("cannot write 'modern'", "the OpenSSL of this host does not allow"),
        "The library of the host is too old for one encryption, or its policy forbids the other",
        "Choose the other pkcs12_encryption, or update cryptography there",
    ),
    Remedy(
        ("pkcs12_friendly_name: <friendly name> holds",),
        "A line break at the end, or a character outside of the first 65536 of Unicode",
        "Leave it out",
    ),
    Remedy(
        ("is no serial number",),
        "Usually digits with colons that YAML reads as another number, or a variable that is empty",
        "Put it in quotes",
    ),
    Remedy(
        ("no certificate can be read from it",),
        "The file or text is no certificate in PEM or DER",
        "Export it again; what follows in the sentence says what was found",
    ),
    Remedy(
        ("days cannot remain", "hours cannot remain", "is no fraction; give 0.2"),
        "A number out of range; a percentage is given as a fraction",
        "Give a number of the range",
    ),
    Remedy(
        ("no PKCS#10 request can be read from it",),
        "The file or text is no PKCS#10 request in PEM or DER",
        "Export the request again; what follows in the sentence says what was found",
    ),
    Remedy(("does not begin with DNS:",), "The prefix is missing or misspelt", "Write DNS:, IP:, email: or URI: first"),
    Remedy(("seconds is no time",), "timeout is not positive or longer than a day", "Give seconds within the range"),
    Remedy(("url: '<url>' is not an address",), "The scheme or the host is missing", "Give the whole address"),
    Remedy(
        ("holds a login",),
        "The address has a user name or a password in it, as web pages with a login take it",
        "Remove it: what SCEP has for that is challenge_password",
    ),
    Remedy(
        ("it is not the address of a proxy",),
        "The scheme or the host is missing, the port is none, or a character of the login is not percent-encoded",
        "Write http://proxy:3128",
    ),
    Remedy(
        ("What the environment names as proxy",),
        "The scheme or the host is missing in http_proxy or https_proxy",
        "Correct the variable, or set proxy, which counts more",
    ),
    Remedy(
        ("is not a fingerprint",),
        "The text is damaged, or something other than a fingerprint",
        "Copy it again; colons and blanks do not matter",
    ),
    # --- files
    Remedy(
        (
            "cannot be replaced",
            "cannot be changed",
            "' cannot be read:",
            "' cannot be written:",
            "no backup '",
            "' cannot be removed: ",
            "', cannot be removed: ",
        ),
        "The reason of the system says it: permissions, a full disk, an immutable file",
        "Mend that and run again; the files that were there are still complete",
    ),
    Remedy(
        ("nothing can be written to the folder",),
        "The user of the task may not write there, or it is read-only or full",
        "Run with become, or name a folder that the user may write to",
    ),
    Remedy(
        (
            "exists and is not a certificate",
            "exists and is not a CRL",
            "is no bundle of certificates",
            "exists and is not a regular file",
            "so it is not what is meant",
        ),
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
        "The key is somebody's own, of a kind that cannot be used, and is not replaced",
        "Give another one, or none to have a key made",
    ),
    Remedy(
        ("and privatekey_size asks for", "are the most; <advice>"),
        "The key is somebody's own, and its size is not the one that is asked for",
        "Change privatekey_size, or give another key",
    ),
    Remedy(
        ("the open transaction in <name> cannot be read",),
        "What was kept of a request without an answer was changed since",
        "Remove it, with the file or with the option, to have the certificate asked for anew",
    ),
    Remedy(
        ("certificate_content: it is not a certificate",),
        "Usually a variable that holds something else, such as the path of a file",
        "Give the text of the certificate, or leave the option out with default(omit)",
    ),
    Remedy(
        ("The given record still has this request",),
        "The request that waited for approval was refused, and the module cannot change the variable that it came from",
        "Set force for one run, with a new challenge password where the CA wants one",
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
    Remedy(("answers <what> with more than",), "The URL leads to something else, such as a download", "Correct url"),
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
        ("and the server does not offer Renewal",),
        "The server signs no renewals, so a new enrolment with a password is the only way",
        "Give challenge_password",
    ),
    Remedy(
        ("with the certificate that is to be renewed",),
        "The server answers with what it remembers of an earlier request",
        "Run again some minutes later",
    ),
    Remedy(
        ("The certificate names no place of its CRL with http",),
        "The server gives no CRL, as NDES does not, and the certificate does not say where else it is",
        "Have the CA write a CRL distribution point with http into its certificates, and fetch the CRL from there",
    ),
    Remedy(
        ("No CRL can be had",),
        "Neither the server nor a distribution point of the certificate has a CRL that holds; each says why",
        "Mend one of them; the file that was there is untouched",
    ),
    Remedy(
        ("has no file for this client",),
        "The address in the certificate is out of date, or the web server there does not publish the CRL",
        "Publish the CRL there; redirections are not followed",
    ),
    Remedy(
        ("a question for approval that has nothing to approve",),
        "The server's software is at fault",
        "Report it to its makers; the distribution points of the certificate are tried instead",
    ),
    # --- libraries
    Remedy(
        ("lacks what netcert.ndes needs",),
        "The Python that runs the module has no cryptography or requests, or one that is too old",
        "Install them for that interpreter, or set ansible_python_interpreter to one that has them",
    ),
)
