"""The documentation says what the server has: every command with its options, and every setting."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from scep_server import cli, settings
from scep_server.commands import Command
from scep_server.faults.active import Wanted
from scep_server.faults.table import EVERYTHING, TABLE
from scep_server.ndes import events
from scep_server.ndes.logs import FILES
from scep_server.ndes.switches import MSCEP, OF_TEMPLATES, Switches
from scep_server.settings import table
from support import settings_page

ROLE = Path(__file__).resolve().parents[3] / "roles" / "scep_server"
_ROW = re.compile(r"^\| `([^`]+)` \| .+ \|$", re.MULTILINE)
_OPTION = re.compile(r"--[a-z-]+")
_WORDS = re.compile(r"[a-z]+(?: [a-z]+)*")


def described() -> dict[str, set[str]]:
    """The options of each command, as the table in the role's README has them."""
    section = (ROLE / "README.md").read_text(encoding="utf-8").partition("| Command |")[2].partition("\n\n")[0]
    found = [(_WORDS.match(synopsis), synopsis) for synopsis in _ROW.findall(section)]
    return {words[0]: set(_OPTION.findall(synopsis)) for words, synopsis in found if words is not None}


def options(command: Command) -> set[str]:
    """The options of a command, as its parser has them."""
    return {name for names, _details in command.options for name in names if name.startswith("--")}


def test_readme_has_exactly_the_commands_of_the_parser() -> None:
    assert described() == {" ".join(command.words): options(command) for command in cli.COMMANDS}


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_command_has_a_help(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--state", "x", *command.words, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in options(command)) and "--json" in printed
    assert (command.run.__doc__ or "").split()[0] in printed


def typed() -> list[str]:
    """The command lines of the pages that call the server, without what a shell makes of them."""
    pages = [*settings_page.PAGE.parent.glob("*.md"), ROLE / "README.md", ROLE.parents[1] / "README.md"]
    text = "\n".join(page.read_text(encoding="utf-8").replace("\\\n", " ") for page in pages)
    return re.findall(r"^\$ (?:.*[( ])?(scep-server --state [^|>)#]+?)(?:\)| [|>#&].*)?$", text, re.MULTILINE)


@pytest.mark.parametrize("line", sorted(set(typed())))
def test_the_guides_type_what_the_parser_takes(line: str) -> None:
    arguments = cli.parser().parse_args(shlex.split(line)[1:])
    settings.parse(dict(map(settings.parse_assignment, getattr(arguments, "set", ()))))


def test_the_templates_of_the_guide_are_settings() -> None:
    (block,) = re.findall(
        r"```json\n(\{\n  \"templates\".+?)```", settings_page.PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert list(settings.parse(json.loads(block)).templates) == ["Router", "RouterSigning"]


def test_the_guide_has_every_setting() -> None:
    committed = settings_page.PAGE.read_text(encoding="utf-8")
    if committed != settings_page.page():
        pytest.fail(
            f"{settings_page.PAGE.name} is not what the settings are: run '{settings_page.COMMAND}'", pytrace=False
        )


def test_the_role_names_every_setting() -> None:
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    role = specification["argument_specs"]["main"]["options"]
    text = " ".join(role["scep_server_settings"]["description"])
    names = [name for name, _default, _about in table()]
    assert sorted(set(re.findall(r"C\(([a-z_0-9]+)\)", text))) == sorted(
        name for name in names if f"scep_server_{name}" not in role
    )


def test_the_role_and_the_guide_have_every_fault() -> None:
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]["scep_server_faults"]["options"]
    assert options["name"]["choices"] == list(TABLE)
    assert options["only"]["choices"] == list(EVERYTHING)
    assert set(options) == set(Wanted.__dataclass_fields__)
    section = settings_page.PAGE.read_text(encoding="utf-8").partition("| Fault |")[2].partition("\n\n")[0]
    assert _ROW.findall(section) == list(TABLE)


def test_how_faithful_it_is_is_said_of_every_switch_and_fault() -> None:
    page = (settings_page.PAGE.parent / "faithful.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows]
    assert all(len(row) in (3, 4) and row[-1] for row in cells), "each says how sure it is"
    told = set(re.findall(r"`([A-Za-z0-9_-]+)`", "\n".join(rows)))
    switches = {entry.name for entry in dataclasses.fields(Switches)} - {"profile"}
    assert {*switches, *OF_TEMPLATES, *MSCEP, *TABLE} - told == set()


def test_the_role_and_the_guide_have_every_log_and_event() -> None:
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]["scep_server_logs"]["options"]
    assert list(options) == list(FILES)
    section = settings_page.PAGE.read_text(encoding="utf-8").partition("| Id | Level |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\d+)` \| (\w+) \|", section, re.MULTILINE) == [
        (str(event.value), row.level) for event, row in events.TABLE.items()
    ]
