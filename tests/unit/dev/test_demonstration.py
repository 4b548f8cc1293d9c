"""How `make demo` tells what ansible-playbook prints."""

from __future__ import annotations

from toolchain.demonstration import story

PRINTED = """
PLAY [Bring up a server] *******************************************************

TASK [netcert.ndes.scep_server : Validating arguments against arg spec 'main' - Deploys] ***
ok: [localhost]

TASK [netcert.ndes.scep_server : Make the folders] *****************************
ok: [localhost] => (item=a)

TASK [Show the certificates] ***************************************************
ok: [device-01] => {
    "msg": [
        "Subject  Serial",
        "CN=one   1"
    ]
}

TASK [Show the handshake] ******************************************************
ok: [device-01] => {
    "msg": {
        "protocol": "TLSv1.3"
    }
}

TASK [Enrol] *******************************************************************
fatal: [device-02]: FAILED! => {"changed": false, "msg": "no"}

PLAY RECAP *********************************************************************
device-01                  : ok=8    changed=1
"""


def test_it_tells_plays_tasks_messages_and_trouble() -> None:
    assert list(story(PRINTED.splitlines())) == [
        "\nBring up a server",
        "  Make the folders",
        "  Show the certificates",
        "    Subject  Serial",
        "    CN=one   1",
        "  Show the handshake",
        "    protocol: TLSv1.3",
        "  Enrol",
        'fatal: [device-02]: FAILED! => {"changed": false, "msg": "no"}',
    ]
