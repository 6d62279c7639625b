"""What the package gives: exactly the names that are promised, and nothing that costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import sens_async
from sens_async import errors

PACKAGE = Path(sens_async.__file__).parent
PROMISED = [
    "SensSession", "Credentials", "Settings", "RateLimit", "RetryPolicy", "Timeouts",
    "Recipient", "Receipt", "Outcome", "OutcomeState", "BulkReport", "UploadedFile",
    "MessageType", "ContentType", "measure",
]  # fmt: skip
MODULES = sorted(
    "sens_async." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name not in {"__init__.py", "__main__.py"}
)


@pytest.mark.parametrize("name", PROMISED)
def test_promised_names_are_there(name):
    assert hasattr(sens_async, name)
    assert name in sens_async.__all__


def test_the_list_is_sorted_and_has_nothing_twice():
    assert sens_async.__all__ == sorted(set(sens_async.__all__))


def test_the_list_is_all_there_is():
    public = {
        name
        for name, value in vars(sens_async).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert public == set(sens_async.__all__)


def test_every_error_is_given():
    assert set(errors.__all__) <= set(sens_async.__all__)


def test_a_star_import_gives_the_list():
    space = {}
    exec("from sens_async import *", space)
    assert set(sens_async.__all__) == {name for name in space if not name.startswith("__")}


def test_the_package_says_its_version():
    assert sens_async.__version__
    assert isinstance(sens_async.__version__, str)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'SensClient'"):
        sens_async.SensClient  # noqa: B018


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_the_front_page_only_imports():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr, ast.FunctionDef)
    assert all(isinstance(node, allowed) for node in tree.body)
    assert {n.name for n in tree.body if isinstance(n, ast.FunctionDef)} <= {
        "__getattr__",
        "__dir__",
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_module_gives_what_it_lists(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public), public


@pytest.mark.parametrize("public", PROMISED)
def test_every_promised_name_is_described(public):
    assert getattr(sens_async, public).__doc__


def test_importing_costs_no_extra_and_opens_nothing():
    script = (
        "import sys, sens_async\n"
        "heavy = {'PIL', 'typer', 'rich', 'charset_normalizer', 'sqlalchemy', 'redis',\n"
        "         'sens_async.emulator', 'sens_async.cli', 'sens_async.testing'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
