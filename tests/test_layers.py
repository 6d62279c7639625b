"""Imports only point down, and the rooms of a row do not know their neighbours."""

import ast
from pathlib import Path

import pytest

import sens_async

PACKAGE = Path(sens_async.__file__).parent

ROWS = [
    {"core", "deliveries", "models", "outcomes", "report", "resolution", "errors"},
    {"transport", "connections", "deadlines", "clock", "config", "pictures"},
    {"flow"},
    {
        "__init__",
        "attachment_cache",
        "attachment_store",
        "attempt",
        "bulk",
        "calls",
        "catalogue",
        "dispatch",
        "files",
        "gates",
        "hunting",
        "intake",
        "outbox",
        "owners",
        "readback",
        "reservations",
        "resolving",
        "searching",
        "session",
        "sharing",
        "single",
        "stream",
        "tracker",
        "tracking",
        "unsubscribes",
    },
    {"campaign", "emulator"},
    {"cluster", "testing"},
    {"cli", "__main__"},
]
"""Rows of the design's section 2, the lowest first."""
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
NEIGHBOURLY = {0, 1, 3, 6}
"""Rows that are one house: their rooms may import each other."""

IMPURE = {"asyncio", "aiohttp", "logging", "time", "random", "os", "sqlite3"}
CLIENTS_READING = {
    f"sens_async.core.{name}"
    for name in (
        "wire",
        "pages",
        "requests",
        "responses",
        "answers",
        "listing",
        "content",
        "charset",
    )
}
"""What the emulator must not share: a mistake made once would cancel itself."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of(path):
    return name_of(path).split(".", 1)[0]


def imports(path):
    """Every name a module imports, as written anywhere in it: `from a import b` is a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} line {node.lineno} imports relatively"
            yield node.module, False
            for alias in node.names:
                yield f"{node.module}.{alias.name}", True


def rooms_imported(path):
    """Rooms of the package that a module reaches for."""
    for name, is_attribute in imports(path):
        parts = name.split(".")
        if parts[0] != "sens_async":
            continue
        if len(parts) == 1 or parts[1] not in ROW:
            # The package itself, or a name of it, is its __init__; a submodule is found by name.
            if len(parts) == 2 and is_attribute:
                yield "__init__"
            continue
        yield parts[1]


modules = pytest.mark.parametrize("path", MODULES, ids=name_of)


def test_every_room_has_a_row():
    assert {room_of(path) for path in MODULES} <= ROW.keys()


def test_the_package_was_found():
    assert len(MODULES) > 40
    assert {"core", "flow", "emulator", "cli"} <= {room_of(path) for path in MODULES}


@modules
def test_imports_point_down(path):
    own = room_of(path)
    for room in rooms_imported(path):
        if room == own:
            continue
        assert ROW[room] <= ROW[own], f"{name_of(path)} imports {room} of a higher row"
        if ROW[room] == ROW[own]:
            assert ROW[own] in NEIGHBOURLY, f"{name_of(path)} imports its neighbour {room}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if ROW.get(room_of(path)) == 0], ids=name_of
)
def test_the_core_is_pure(path):
    found = {name.split(".")[0] for name, _ in imports(path)}
    assert not found & IMPURE


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) == "flow"], ids=name_of)
def test_flow_knows_nothing_of_http(path):
    found = {name for name, _ in imports(path)}
    assert not {name for name in found if name.split(".")[0] in {"aiohttp", "yarl", "http"}}
    assert "transport" not in set(rooms_imported(path))


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room_of(path) == "emulator"], ids=name_of
)
def test_the_emulator_shares_no_reading_of_the_service(path):
    assert not {name for name, _ in imports(path)} & CLIENTS_READING


def test_nothing_below_the_command_line_needs_its_libraries():
    for path in MODULES:
        if room_of(path) not in {"cli", "__main__"}:
            found = {name.split(".")[0] for name, _ in imports(path)}
            assert not found & {"typer", "rich", "charset_normalizer"}, name_of(path)


@pytest.mark.parametrize("module", ["pictures", "core.attachments"])
def test_pillow_is_imported_where_it_is_used_only(module):
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [node for node in top if "PIL" in ast.dump(node)]


def test_a_wrong_import_would_be_found(tmp_path):
    wrong = tmp_path / "core" / "wrong.py"
    wrong.parent.mkdir()
    wrong.write_text(
        "def f():\n"
        "    from sens_async import session\n"
        "    import sens_async.emulator.app\n"
        "    from sens_async.cli import main\n"
        "    from sens_async import SensSession\n"
    )
    assert set(rooms_imported(wrong)) == {"session", "emulator", "cli", "__init__"}
